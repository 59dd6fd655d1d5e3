/*
 * LIST and LSUB (RFC 3501 6.3.8, 6.3.9; CHILDREN of RFC 3348, LIST-EXTENDED
 * of RFC 5258, LIST-STATUS of RFC 5819, SPECIAL-USE of RFC 6154). The account
 * is read once; rows are written in slices, as each may need a look at an
 * index.
 */
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/xmalloc.h"
#include "imapd/command.h"
#include "imapd/list_plan.h"
#include "imapd/list_tree.h"
#include "imapd/pattern.h"
#include "imapd/status.h"
#include "mail/imap_text.h"

#define SLICE_US	10000
#define SLICE_BYTES	(64 * 1024)

struct list_run {
	struct list_plan plan;
	struct list_tree tree;
	char sep;
	bool read;			/* the tree is there */
	size_t at;			/* next entry */
	struct buf wire;
};

static void
list_free(void *arg)
{
	struct list_run *r = arg;

	list_plan_fini(&r->plan);
	list_tree_fini(&r->tree);
	buf_fini(&r->wire);
	free(r);
}

/* --- what is told ------------------------------------------------------- */

static bool
matches(struct list_run *r, const char *name)
{
	size_t i;

	buf_clear(&r->wire);
	folder_name_to_wire(name, r->sep, &r->wire);
	for (i = 0; i < r->plan.n; i++)
		if (pattern_match(span_str(r->plan.pattern[i]), r->sep,
		    buf_span(&r->wire)))
			return true;
	return false;
}

static bool
is_selected(const struct list_plan *p, const struct list_entry *e)
{
	if ((p->select & LIST_SUBSCRIBED) && !e->subscribed)
		return false;
	if ((p->select & LIST_SPECIAL) && e->uses == 0)
		return false;
	/* what is only subscribed is told to who asks for subscriptions */
	return e->exists || e->children || (p->select & LIST_SUBSCRIBED);
}

/*
 * LSUB with "%" (RFC 3501 6.3.9) and RECURSIVEMATCH (RFC 5258 5, example 9)
 * tell of a parent that was not selected only in place of children that no
 * row is for.
 */
static bool
is_told(const struct list_plan *p, const struct list_entry *e)
{
	if (!e->match)
		return false;
	return e->selected || (e->below_unmatched &&
	    (p->lsub ? p->levels : p->select & LIST_RECURSIVE));
}

static void
put_attribute(struct buf *out, bool *any, const char *name)
{
	buf_str(out, *any ? " " : "");
	buf_str(out, name);
	*any = true;
}

static void
put_attributes(struct buf *out, const struct list_plan *p,
    const struct list_entry *e)
{
	bool any = false;
	int i;

	if (p->lsub) {
		buf_str(out, e->subscribed ? "" : "\\Noselect");
		return;
	}
	if (!e->exists)
		put_attribute(out, &any, p->extended ? "\\NonExistent" :
		    "\\Noselect");
	if ((p->give & LIST_SUBSCRIBED) && e->subscribed)
		put_attribute(out, &any, "\\Subscribed");
	if (p->give & LIST_CHILDREN)
		put_attribute(out, &any, e->children ? "\\HasChildren" :
		    "\\HasNoChildren");
	for (i = 0; i < SPECIAL_USES; i++)
		if ((p->give & LIST_SPECIAL) && (e->uses >> i & 1))
			put_attribute(out, &any,
			    special_use_name((enum special_use)i));
}

static void
put_child_info(struct buf *out, const struct list_plan *p)
{
	bool any = false;

	buf_str(out, " (\"CHILDINFO\" (");
	if (p->select & LIST_SUBSCRIBED)
		put_attribute(out, &any, "\"SUBSCRIBED\"");
	if (p->select & LIST_SPECIAL)
		put_attribute(out, &any, "\"SPECIAL-USE\"");
	buf_str(out, "))");
}

static void
put_row(struct session *s, struct list_run *r, const struct list_entry *e)
{
	const struct list_plan *p = &r->plan;
	struct buf *out = &s->out;
	struct err err;

	buf_fmt(out, "* %s (", p->lsub ? "LSUB" : "LIST");
	put_attributes(out, p, e);
	buf_fmt(out, ") \"%c\" ", r->sep);
	buf_clear(&r->wire);
	folder_name_to_wire(e->name, r->sep, &r->wire);
	imap_text_astring(out, buf_span(&r->wire));
	if ((p->select & LIST_RECURSIVE) && e->below)
		put_child_info(out, p);
	buf_str(out, "\r\n");
	/* RFC 5819 2: not of who is here for its children only. A folder that
	 * cannot be asked has no STATUS; the list goes on. */
	if ((p->give & LIST_STATUS) && e->exists && e->selected &&
	    status_put(s, out, e->name, p->status, &err) < 0)
		log_warning("%s: status of user=<%s> folder=<%s>: %s", s->id,
		    s->user, e->name, err.why);
}

/* --- slices -------------------------------------------------------------- */

static int
read_tree(struct session *s, struct list_run *r)
{
	struct list_entry *e;
	size_t i;
	int rc;

	rc = list_tree_read(&r->tree, s->account, s->conf->imap_special_use,
	    r->sep, &s->job_err);
	for (i = 0; rc == 0 && i < r->tree.n; i++) {
		e = &r->tree.entry[i];
		e->match = matches(r, e->name);
		e->selected = is_selected(&r->plan, e);
	}
	if (rc == 0 && (r->plan.lsub || (r->plan.select & LIST_RECURSIVE)))
		list_tree_spread(&r->tree);
	return rc;
}

static void
list_job(struct session *s)
{
	struct list_run *r = s->run;
	uint64_t end = clock_mono_us() + SLICE_US;

	if (!r->read) {
		s->job_rc = read_tree(s, r);
		r->read = true;
	}
	while (s->job_rc == 0 && r->at < r->tree.n &&
	    buf_len(&s->out) < SLICE_BYTES && clock_mono_us() < end) {
		if (is_told(&r->plan, &r->tree.entry[r->at]))
			put_row(s, r, &r->tree.entry[r->at]);
		r->at++;
	}
}

static void list_slice(struct session *s);

static void
list_done(struct session *s)
{
	struct list_run *r = s->run;

	if (s->job_rc < 0) {
		session_failed(s, &s->job_err);
		return;
	}
	session_send_out(s);
	if (r->at < r->tree.n)
		session_slice(s, list_slice);
	else
		session_ok(s);
}

static void
list_slice(struct session *s)
{
	session_job(s, list_job, list_done);
}

static void
list_common(struct session *s, struct arg_iter *it, bool lsub)
{
	struct list_run *r = xcalloc(1, sizeof(*r));
	const char *why;

	buf_init(&r->wire, 4096);
	session_run_set(s, r, list_free);
	r->sep = *s->conf->imap_hierarchy_separator;
	why = list_plan_take(&r->plan, it, lsub);
	if (why != NULL) {
		session_bad(s, why);
	} else if (!command_end(s, it)) {
		return;
	} else if (r->plan.root && !lsub) {
		stream_fmt(s->stream, "* LIST (\\Noselect) \"%c\" \"\"\r\n",
		    r->sep);
		session_ok(s);
	} else {
		status_items_asked(s, r->plan.status);
		list_slice(s);
	}
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
