/*
 * SORT (RFC 5256). Keys are gathered in slices and then compared as numbers
 * and bytes; equal ones keep the order of the mailbox.
 */
#include <stdlib.h>

#include "base/log.h"
#include "base/xmalloc.h"
#include "imapd/command.h"
#include "imapd/gather.h"
#include "imapd/sort_key.h"

struct sort {
	struct gather gather;
	struct sort_key key[SORT_KINDS];
	size_t n_keys;
	uint32_t *seq;			/* what was found */
	struct sort_value *value;	/* n_keys for each */
	size_t n, size;
	uint32_t *order;		/* indices into seq, sorted */
	struct sort_text text;
	bool gathered;
	uint64_t modseq;		/* highest found */
};

static void
sort_free(void *arg)
{
	struct sort *r = arg;

	gather_fini(&r->gather);
	sort_text_fini(&r->text);
	free(r->seq);
	free(r->value);
	free(r->order);
	free(r);
}

static void
keep_one(struct session *s, uint32_t seq)
{
	struct sort *r = s->run;
	size_t i;

	if (buf_failed(&r->text.text))
		return;
	if (r->n == r->size) {
		r->size = r->size == 0 ? 256 : r->size * 2;
		r->seq = xreallocarray(r->seq, r->size, sizeof(*r->seq));
		r->value = xreallocarray(r->value, r->size * r->n_keys,
		    sizeof(*r->value));
	}
	sort_text_message(&r->text, s, seq);
	for (i = 0; i < r->n_keys; i++)
		sort_key_value(&r->text, r->key[i].kind,
		    &r->value[r->n * r->n_keys + i]);
	r->seq[r->n++] = seq;
	r->modseq = MAX(r->modseq, r->text.msg.modseq);
}

static int
order_cmp(const void *a, const void *b, void *arg)
{
	const struct sort *r = arg;
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
	size_t i;
	int c;

	for (i = 0; i < r->n_keys; i++) {
		c = sort_value_cmp(&r->text, &r->value[x * r->n_keys + i],
		    &r->value[y * r->n_keys + i]);
		if (c != 0)
			return r->key[i].reverse ? -c : c;
	}
	return x < y ? -1 : x > y;
}

static void
sort_job(struct session *s)
{
	struct sort *r = s->run;
	size_t i;

	if (!r->gathered) {
		r->gathered = gather_run(&r->gather, s, keep_one);
		return;
	}
	r->order = xreallocarray(NULL, r->n + 1, sizeof(*r->order));
	if (buf_failed(&r->text.text))
		return;
	for (i = 0; i < r->n; i++)
		r->order[i] = (uint32_t)i;
	qsort_r(r->order, r->n, sizeof(*r->order), order_cmp, r);
	buf_str(&s->out, "* SORT");
	for (i = 0; i < r->n; i++) {
		uint32_t seq = r->seq[r->order[i]];

		buf_char(&s->out, ' ');
		buf_dec(&s->out, s->uid ? folder_uid(s->folder, seq) : seq);
	}
	if (r->gather.plan.modseq && r->n > 0)	/* RFC 7162 3.1.6 */
		buf_fmt(&s->out, " (MODSEQ %llu)",
		    (unsigned long long)r->modseq);
	buf_str(&s->out, "\r\n");
}

static void sort_slice(struct session *s);

static void
sort_done(struct session *s)
{
	struct sort *r = s->run;

	if (r->order == NULL) {
		session_slice(s, sort_slice);
		return;
	}
	if (buf_failed(&r->text.text)) {
		session_reply(s, "NO", "[LIMIT] Too much to sort");
		return;
	}
	session_send_out(s);
	session_ok(s);
}

static void
sort_slice(struct session *s)
{
	session_job(s, sort_job, sort_done);
}

static bool
has_key(const struct sort *r, enum sort_kind kind)
{
	size_t i;

	for (i = 0; i < r->n_keys; i++)
		if (r->key[i].kind == kind)
			return true;
	return false;
}

/* "(REVERSE DATE SUBJECT)" */
static const char *
take_keys(struct sort *r, struct arg_iter *it)
{
	struct sort_key key;
	struct arg_iter list;
	struct span word;

	if (!arg_take_list(it, &list))
		return "List of sort keys expected";
	while (arg_take_atom(&list, &word)) {
		key.reverse = span_is(word, "REVERSE");
		if (key.reverse && !arg_take_atom(&list, &word))
			return "Sort key expected";
		if (!sort_key_find(word, &key.kind))
			return "Unknown sort key";
		/* the second time it could decide nothing any more */
		if (!has_key(r, key.kind))
			r->key[r->n_keys++] = key;
	}
	return r->n_keys > 0 && arg_at_end(&list) ? NULL :
	    "Sort key expected";
}

void
cmd_sort(struct session *s, struct arg_iter *it)
{
	struct sort *r = xcalloc(1, sizeof(*r));
	const char *why;

	gather_init(&r->gather);
	sort_text_init(&r->text);
	session_run_set(s, r, sort_free);
	why = take_keys(r, it);
	if (why != NULL)
		session_bad(s, why);
	else if (gather_take(&r->gather, s, it))
		sort_slice(s);
}
