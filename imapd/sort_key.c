#include "imapd/sort_key.h"

#include "mail/casemap.h"
#include "mail/date.h"
#include "mail/imap_read.h"
#include "mail/subject.h"

static const char *const kind_names[] = {
	[SORT_ARRIVAL] = "ARRIVAL", [SORT_CC] = "CC", [SORT_DATE] = "DATE",
	[SORT_FROM] = "FROM", [SORT_SIZE] = "SIZE",
	[SORT_SUBJECT] = "SUBJECT", [SORT_TO] = "TO"
};

bool
sort_key_find(struct span word, enum sort_kind *kind)
{
	size_t i;

	for (i = 0; i < ARRAY_LEN(kind_names); i++)
		if (span_is(word, kind_names[i])) {
			*kind = (enum sort_kind)i;
			return true;
		}
	return false;
}

void
sort_text_init(struct sort_text *t)
{
	memset(t, 0, sizeof(*t));
	buf_init(&t->text, SORT_ALL_MAX);
	buf_init(&t->field, BUF_NO_CAP);
	buf_init(&t->base, BUF_NO_CAP);
}

void
sort_text_fini(struct sort_text *t)
{
	buf_fini(&t->text);
	buf_fini(&t->field);
	buf_fini(&t->base);
}

void
sort_text_message(struct sort_text *t, struct session *s, uint32_t seq)
{
	struct msg_texts texts;
	struct err err;

	(void)folder_msg(s->folder, seq, &t->msg);
	t->envelope = SPAN_LIT("");
	t->references = SPAN_NONE;
	if (folder_msg_texts(s->folder, seq, &texts, &err) == 0) {
		t->envelope = texts.envelope;
		t->references = texts.references;
		return;
	}
	session_unreadable(s, "sort", t->msg.uid, &err);
}

/* The field's text in t->field. */
static struct span
field(struct sort_text *t, enum imap_envelope which)
{
	buf_clear(&t->field);
	if (!imap_read_envelope(t->envelope, which, &t->field))
		buf_clear(&t->field);
	return buf_span(&t->field);
}

/* RFC 5256 2.2: INTERNALDATE stands in for a date nobody can read. */
static int64_t
sent(struct sort_text *t)
{
	struct date d;

	return date_parse(field(t, IMAP_ENV_DATE), &d) ? d.utc : t->msg.date;
}

static void
value_put(struct sort_text *t, struct span text, struct sort_value *out)
{
	out->number = 0;
	out->off = buf_len(&t->text);
	casemap_key(&t->text, span_sub(text, 0, SORT_TEXT_MAX));
	out->len = buf_len(&t->text) - out->off;
}

/* The mailbox of the first address: its local part, or a group's name. */
static void
mailbox_put(struct sort_text *t, enum imap_envelope which,
    struct sort_value *out)
{
	buf_clear(&t->field);
	if (!imap_read_mailbox(t->envelope, which, &t->field))
		buf_clear(&t->field);
	value_put(t, buf_span(&t->field), out);
}

bool
sort_subject(struct sort_text *t, struct sort_value *out)
{
	bool reply;

	buf_clear(&t->base);
	reply = subject_base(&t->base, field(t, IMAP_ENV_SUBJECT));
	value_put(t, buf_span(&t->base), out);
	return reply;
}

void
sort_key_value(struct sort_text *t, enum sort_kind kind,
    struct sort_value *out)
{
	*out = (struct sort_value){ .number = 0 };
	switch (kind) {
	case SORT_ARRIVAL:
		out->number = t->msg.date;
		break;
	case SORT_DATE:
		out->number = sent(t);
		break;
	case SORT_SIZE:
		out->number = (int64_t)t->msg.size;
		break;
	case SORT_SUBJECT:
		(void)sort_subject(t, out);
		break;
	case SORT_CC:
		mailbox_put(t, IMAP_ENV_CC, out);
		break;
	case SORT_FROM:
		mailbox_put(t, IMAP_ENV_FROM, out);
		break;
	case SORT_TO:
		mailbox_put(t, IMAP_ENV_TO, out);
		break;
	case SORT_KINDS:
		break;
	}
}

int
sort_value_cmp(const struct sort_text *t, const struct sort_value *a,
    const struct sort_value *b)
{
	const char *text = buf_data(&t->text);
	int c;

	if (a->number != b->number)
		return a->number < b->number ? -1 : 1;
	c = memcmp(text + a->off, text + b->off, MIN(a->len, b->len));
	if (c != 0)
		return c;
	return a->len < b->len ? -1 : a->len > b->len;
}
