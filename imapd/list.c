/*
 * LIST and LSUB (RFC 3501 6.3.8, 6.3.9, RFC 3348 CHILDREN).
 */
#include <stdlib.h>

#include "base/xmalloc.h"
#include "imapd/command.h"
#include "imapd/pattern.h"
#include "mail/imap_text.h"

struct list_run {
	char *pattern;			/* reference and pattern in one */
	char sep;
	bool subscribed;		/* LSUB */
	struct name_list names;
};

static void
list_free(void *arg)
{
	struct list_run *r = arg;

	name_list_fini(&r->names);
	free(r->pattern);
	free(r);
}

static void
list_job(struct session *s)
{
	struct list_run *r = s->run;

	s->job_rc = r->subscribed ?
	    account_subscriptions(s->account, &r->names, &s->job_err) :
	    account_folders(s->account, &r->names, &s->job_err);
}

/* The first name not before `key`; names are sorted as bytes. */
static size_t
lower_bound(const struct name_list *l, const char *key)
{
	size_t lo = 0, hi = l->n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (strcmp(l->name[mid], key) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

/* Children of ".a" are ".a.b": the stretch that begins with ".a." */
static bool
has_children(const struct name_list *l, const char *name)
{
	char key[FOLDER_NAME_MAX + 2];
	size_t at, len = strlen(name);

	if (len == 0) {			/* INBOX */
		name = ".INBOX";
		len = strlen(name);
	}
	memcpy(key, name, len);
	memcpy(key + len, ".", 2);
	at = lower_bound(l, key);
	return at < l->n && strncmp(l->name[at], key, len + 1) == 0;
}

static void
put_row(struct session *s, const char *command, const char *attributes,
    struct span wire)
{
	struct list_run *r = s->run;
	struct buf *out = session_out(s);

	buf_fmt(out, "* %s (%s) \"%c\" ", command, attributes, r->sep);
	imap_text_astring(out, wire);
	buf_str(out, "\r\n");
}

/*
 * A level that is only the parent of folders: shown, as not selectable, when
 * the pattern stops there ("%") or it matches by itself.
 */
static void
put_missing_parents(struct session *s, const char *name, const char *last)
{
	struct list_run *r = s->run;
	char parent[FOLDER_NAME_MAX + 1];
	struct buf wire;
	size_t len;

	if (!folder_name_parent(name, parent) || *parent == '\0' ||
	    name_list_has(&r->names, parent))
		return;
	len = strlen(parent);
	/* its first child has said it already */
	if (last != NULL && strncmp(last, parent, len) == 0 &&
	    last[len] == '.')
		return;
	put_missing_parents(s, parent, last);
	buf_init(&wire, 4096);
	folder_name_to_wire(parent, r->sep, &wire);
	if (pattern_match(span_str(r->pattern), r->sep, buf_span(&wire)))
		put_row(s, s->command->name, r->subscribed ? "\\Noselect" :
		    "\\Noselect \\HasChildren", buf_span(&wire));
	buf_fini(&wire);
}

static void
list_done(struct session *s)
{
	struct list_run *r = s->run;
	const char *last = NULL;
	struct buf wire;
	size_t i;
	bool match;

	if (s->job_rc < 0) {
		session_failed(s, &s->job_err);
		return;
	}
	buf_init(&wire, 4096);
	for (i = 0; i < r->names.n; i++) {
		const char *name = r->names.name[i];

		folder_name_to_wire(name, r->sep, &wire);
		match = pattern_match(span_str(r->pattern), r->sep,
		    buf_span(&wire));
		/* LSUB tells of a parent only in place of its children */
		if (!match || !r->subscribed)
			put_missing_parents(s, name, last);
		last = name;
		if (match)
			put_row(s, s->command->name, r->subscribed ? "" :
			    has_children(&r->names, name) ?
			    "\\HasChildren" : "\\HasNoChildren",
			    buf_span(&wire));
		buf_clear(&wire);
	}
	buf_fini(&wire);
	session_ok(s);
}

static void
list_common(struct session *s, struct arg_iter *it, bool subscribed)
{
	struct span reference, pattern;
	struct list_run *r;
	struct buf whole;

	if (!arg_take_astring(it, &reference) ||
	    !arg_take_pattern(it, &pattern)) {
		session_bad(s, "LIST takes a reference and a pattern");
		return;
	}
	if (!command_end(s, it))
		return;
	r = xcalloc(1, sizeof(*r));
	session_run_set(s, r, list_free);
	r->sep = *s->conf->imap_hierarchy_separator;
	r->subscribed = subscribed;
	if (pattern.n == 0 && !subscribed) {
		/* asks for the separator and the root of the reference */
		put_row(s, "LIST", "\\Noselect", SPAN_LIT(""));
		session_ok(s);
		return;
	}
	buf_init(&whole, reference.n + pattern.n);
	buf_span_add(&whole, reference);
	buf_span_add(&whole, pattern);
	r->pattern = buf_take(&whole);
	session_job(s, list_job, list_done);
}

void
cmd_list(struct session *s, struct arg_iter *it)
{
	list_common(s, it, false);
}

void
cmd_lsub(struct session *s, struct arg_iter *it)
{
	list_common(s, it, true);
}
