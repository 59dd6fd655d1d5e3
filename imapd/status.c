#include "imapd/status.h"

#include <stdlib.h>

#include "base/disk.h"
#include "base/xmalloc.h"
#include "imapd/command.h"
#include "imapd/condstore.h"
#include "mail/imap_text.h"

/* What an item's figure is made from. */
struct facts {
	struct folder_status st;
	uint64_t deleted_bytes, append_limit;
};

#define FACT(member)	offsetof(struct facts, member)

/* Where in struct facts; as uint64_t or uint32_t. */
static const struct {
	size_t at;
	bool wide;
} items[STATUS_ITEMS] = {
	[STATUS_MESSAGES] = { FACT(st.messages), false },
	[STATUS_RECENT] = { FACT(st.recent), false },
	[STATUS_UIDNEXT] = { FACT(st.uidnext), false },
	[STATUS_UIDVALIDITY] = { FACT(st.uidvalidity), false },
	[STATUS_UNSEEN] = { FACT(st.unseen), false },
	[STATUS_HIGHESTMODSEQ] = { FACT(st.highest_modseq), true },
	[STATUS_SIZE] = { FACT(st.bytes), true },
	[STATUS_APPENDLIMIT] = { FACT(append_limit), true },
	[STATUS_DELETED] = { FACT(st.deleted), false },
	[STATUS_DELETED_STORAGE] = { FACT(deleted_bytes), true },
};

void
status_items_asked(struct session *s, unsigned want)
{
	if (want & STATUS_BIT(STATUS_HIGHESTMODSEQ))
		condstore_enable(s);
}

static uint64_t
item_value(const struct facts *f, size_t i)
{
	const char *p = (const char *)f + items[i].at;
	uint64_t wide;
	uint32_t narrow;

	if (items[i].wide) {
		memcpy(&wide, p, sizeof(wide));
		return wide;
	}
	memcpy(&narrow, p, sizeof(narrow));
	return narrow;
}

int
status_put(struct session *s, struct buf *out, const char *name,
    unsigned want, struct err *err)
{
	struct facts f = {
	    .append_limit = (uint64_t)s->conf->imap_append_limit };
	struct buf wire;
	bool any = false;
	size_t i;
	int rc;

	rc = account_folder_status(s->account, name, &f.st, err);
	/* the only figure that the index does not keep ready */
	if (rc == 0 && f.st.deleted > 0 &&
	    (want & STATUS_BIT(STATUS_DELETED_STORAGE)))
		rc = account_folder_deleted_bytes(s->account, name,
		    &f.deleted_bytes, err);
	if (rc < 0)
		return rc;
	buf_init(&wire, 4096);
	folder_name_to_wire(name, *s->conf->imap_hierarchy_separator, &wire);
	buf_str(out, "* STATUS ");
	imap_text_astring(out, buf_span(&wire));
	buf_fini(&wire);
	buf_str(out, " (");
	for (i = 0; i < STATUS_ITEMS; i++) {
		if (!(want & STATUS_BIT(i)))
			continue;
		buf_fmt(out, "%s%s ", any ? " " : "",
		    status_item_name((enum status_item)i));
		buf_dec(out, item_value(&f, i));
		any = true;
	}
	buf_str(out, ")\r\n");
	return 0;
}

/* --- STATUS ------------------------------------------------------------------------- */

struct status_run {
	char name[FOLDER_NAME_MAX + 1];
	unsigned want;
};

static void
status_job(struct session *s)
{
	struct status_run *r = s->run;

	s->job_rc = status_put(s, &s->out, r->name, r->want, &s->job_err);
}

static bool
status_warm(struct session *s)
{
	struct status_run *r = s->run;
	int rc = -1;

	/* that one goes through all records */
	if (!(r->want & STATUS_BIT(STATUS_DELETED_STORAGE))) {
		disk_nowait(true);
		rc = status_put(s, &s->out, r->name, r->want, NULL);
		disk_nowait(false);
	}
	return rc == 0;
}

static void
status_done(struct session *s)
{
	if (s->job_rc < 0) {
		session_failed(s, &s->job_err);
		return;
	}
	session_send_out(s);
	session_ok(s);
}

void
cmd_status(struct session *s, struct arg_iter *it)
{
	struct status_run *r = xcalloc(1, sizeof(*r));

	session_run_set(s, r, free);
	if (!command_folder(s, it, r->name))
		return;
	if (!status_items_take(it, &r->want)) {
		session_bad(s, "List of STATUS items expected");
		return;
	}
	if (!command_end(s, it))
		return;
	status_items_asked(s, r->want);
	session_job_warm(s, status_warm, status_job, status_done);
}
