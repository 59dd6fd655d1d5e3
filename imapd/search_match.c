#include "imapd/search_match.h"

#include "mail/charset.h"
#include "mail/codec.h"
#include "mail/date.h"
#include "mail/field_names.h"
#include "mail/header.h"
#include "mail/imap_read.h"

#define CHARSET_MAX	64
#define DAY_S		86400
#define READ_WHOLE_MAX	(256u * 1024)

void
matcher_init(struct matcher *m)
{
	message_init(&m->message);
	buf_init(&m->text, MESSAGE_LOAD_MAX);
	buf_init(&m->folded, MESSAGE_LOAD_MAX);
	buf_init(&m->decoded, MESSAGE_LOAD_MAX);
}

void
matcher_fini(struct matcher *m)
{
	message_fini(&m->message);
	buf_fini(&m->text);
	buf_fini(&m->folded);
	buf_fini(&m->decoded);
}

/* --- text ------------------------------------------------------------------------------ */

/* Is the key's text in `utf8`, whatever the case? */
static bool
holds(struct matcher *m, const struct search_key *k, struct span utf8)
{
	if (k->text_n == 0)
		return true;
	if (utf8.n < k->text_n)
		return false;
	buf_clear(&m->folded);
	utf8_fold(&m->folded, utf8);
	return memmem(buf_data(&m->folded), buf_len(&m->folded), k->text,
	    k->text_n) != NULL;
}

static bool
value_holds(struct matcher *m, const struct search_key *k, struct span value)
{
	buf_clear(&m->text);
	words_decode(&m->text, value);
	return holds(m, k, buf_span(&m->text));
}

/* Any field of the header, or only those named k->field. */
static bool
header_holds(struct matcher *m, const struct search_key *k, struct span head,
    bool all)
{
	struct header_iter it;
	struct header_field f;

	header_iter_init(&it, head);
	while (header_next(&it, &f)) {
		if (all ? value_holds(m, k, f.raw) :
		    span_ieq(f.name, k->field) && value_holds(m, k, f.value))
			return true;
	}
	return false;
}

static struct span
transfer_decode(struct matcher *m, struct span body, struct span encoding)
{
	buf_clear(&m->decoded);
	switch (mime_transfer(encoding)) {
	case TRANSFER_BASE64:
		base64_decode_mime(&m->decoded, body);
		break;
	case TRANSFER_QP:
		qp_decode(&m->decoded, body, false);
		break;
	default:
		return body;
	}
	return buf_span(&m->decoded);
}

/* A text part's body. */
static bool
part_holds(struct matcher *m, const struct search_key *k,
    const struct mime_part *p, struct span whole)
{
	char charset[CHARSET_MAX];
	struct span type, sub, body;
	struct mime_value v;
	size_t n;

	if (mime_type(p->field[MIME_TYPE], &type, &sub, &v) &&
	    !span_is(type, "text"))
		return false;
	body = transfer_decode(m, span_sub(whole, p->body_off, p->body_len),
	    p->field[MIME_ENCODING]);
	n = mime_param(p->field[MIME_TYPE], "charset", charset,
	    sizeof(charset));
	buf_clear(&m->text);
	if (n == 0 || !charset_to_utf8(&m->text, span_of(charset, n), body))
		return holds(m, k, body);
	return holds(m, k, buf_span(&m->text));
}

static int
body_holds(struct matcher *m, const struct search_key *k, struct err *err)
{
	const struct mime *mime = &m->message.mime;
	struct span whole;
	uint32_t i;
	int rc;

	rc = message_whole(&m->message, &whole, true, err);
	if (rc < 0)
		return rc;
	for (i = 0; i < mime->n; i++) {
		const struct mime_part *p = &mime->part[i];

		if (p->kind == MIME_LEAF && part_holds(m, k, p, whole))
			return 1;
		/* the header of an enclosed message is text of the body */
		if (p->parent != MIME_NONE &&
		    mime->part[p->parent].kind == MIME_MESSAGE &&
		    header_holds(m, k, span_sub(whole, p->head_off,
		    p->head_len), true))
			return 1;
	}
	return 0;
}

/* --- keys ------------------------------------------------------------------------------- */

static bool
day_matches(const struct search_key *k, int64_t day)
{
	switch (k->rel) {
	case REL_BEFORE:
		return day < k->day;
	case REL_ON:
		return day == k->day;
	default:
		return day >= k->day;
	}
}

static bool
memory_matches(const struct search_key *k, uint32_t seq,
    const struct folder_msg *msg)
{
	int64_t day;

	switch (k->op) {
	case SEARCH_SET:
		return seqset_has(&k->set, k->uid ? msg->uid : seq);
	case SEARCH_FLAGS:
		return k->off ? (msg->flags & k->flags) == 0 :
		    (msg->flags & k->flags) == k->flags;
	case SEARCH_RECENT:
		return msg->recent != k->off;
	case SEARCH_SIZE:
		return k->off ? msg->size < k->n : msg->size > k->n;
	case SEARCH_AGE:
		return k->off ? msg->date <= k->when : msg->date >= k->when;
	case SEARCH_MODSEQ:
		return msg->modseq >= k->n;
	case SEARCH_DATE:
		day = msg->date / DAY_S - (msg->date % DAY_S < 0);
		return day_matches(k, day);
	default:
		return false;		/* SEARCH_NOTHING */
	}
}

/* A field of the cached ENVELOPE, as text in m->decoded. The texts are lent
 * only until the folder is asked again, so nothing of them is kept. */
static int
envelope_field(struct matcher *m, enum imap_envelope field, struct err *err)
{
	struct msg_texts t;
	int rc;

	rc = folder_msg_texts(m->message.folder, m->message.seq, &t, err);
	if (rc < 0)
		return rc;
	buf_clear(&m->decoded);
	if (!imap_read_envelope(t.envelope, field, &m->decoded))
		return err_set(err, ERR_BUG, PS_ECORRUPT,
		    "bad envelope text of message %u", m->message.seq);
	return 0;
}

static int
cache_matches(struct matcher *m, const struct search_key *k, struct err *err)
{
	struct date d;
	int rc;

	if (k->op == SEARCH_SENT) {
		rc = envelope_field(m, IMAP_ENV_DATE, err);
		return rc < 0 ? rc : date_parse(buf_span(&m->decoded), &d) &&
		    day_matches(k, date_day(&d));
	}
	rc = envelope_field(m, (enum imap_envelope)k->n, err);
	return rc < 0 ? rc : value_holds(m, k, buf_span(&m->decoded));
}

/* Fields that an ENVELOPE holds as they are. */
static const struct {
	const char *name;
	enum imap_envelope field;
} whole_fields[] = {
	{ "Date", IMAP_ENV_DATE },
	{ "In-Reply-To", IMAP_ENV_IN_REPLY_TO },
	{ "Message-ID", IMAP_ENV_MESSAGE_ID },
	{ "Subject", IMAP_ENV_SUBJECT },
};

/* The value of the only field of that name, when the cache has it; an empty one
 * might stand for a field that is not there. */
static bool
field_cached(struct matcher *m, const struct msg_texts *t, struct span name,
    struct span *value)
{
	size_t i;

	if (span_is(name, "References")) {
		*value = t->references;
		return value->n > 0;
	}
	for (i = 0; i < ARRAY_LEN(whole_fields); i++) {
		if (!span_is(name, whole_fields[i].name))
			continue;
		buf_clear(&m->decoded);
		if (!imap_read_envelope(t->envelope, whole_fields[i].field,
		    &m->decoded))
			return false;
		*value = buf_span(&m->decoded);
		return value->n > 0;
	}
	return false;
}

/* What the cache alone says of a HEADER key: most fields that are looked for
 * are in few messages. False: the header must be read. */
static bool
header_cached(struct matcher *m, const struct search_key *k, bool *matches)
{
	struct msg_texts t;
	struct span value;
	unsigned n;

	if (folder_msg_texts(m->message.folder, m->message.seq, &t, NULL) <
	    0 || t.fields.p == NULL)
		return false;
	n = field_names_count(t.fields, k->field);
	if (n == 0) {
		*matches = false;
		return true;
	}
	if (n > 1 || !field_cached(m, &t, k->field, &value))
		return false;
	*matches = value_holds(m, k, value);
	return true;
}

static int
file_matches(struct matcher *m, const struct search_key *k, struct err *err)
{
	struct span head;
	bool matches;
	int rc;

	if (k->op == SEARCH_BODY)
		return body_holds(m, k, err);
	if (k->op == SEARCH_HEADER && header_cached(m, k, &matches))
		return matches;
	/* TEXT mostly needs the body, too: one read instead of two */
	rc = k->op == SEARCH_TEXT && m->message.size <= READ_WHOLE_MAX ?
	    message_whole(&m->message, &head, false, err) : 0;
	if (rc == 0)
		rc = message_head(&m->message, &head, err);
	if (rc < 0)
		return rc;
	if (k->op == SEARCH_HEADER)
		return header_holds(m, k, head, false);
	return header_holds(m, k, head, true) ? 1 : body_holds(m, k, err);
}

/* Recursion is bounded by SEARCH_DEPTH_MAX. */
static int
key_matches(struct matcher *m, const struct search_plan *p, uint32_t at,
    uint32_t seq, const struct folder_msg *msg, struct err *err)
{
	const struct search_key *k = &p->key[at];
	uint32_t i;
	int rc;

	switch (k->op) {
	case SEARCH_AND:
	case SEARCH_OR:
		for (i = k->child; i != SEARCH_NONE; i = p->key[i].next) {
			rc = key_matches(m, p, i, seq, msg, err);
			if (rc < 0 || rc == (k->op == SEARCH_OR))
				return rc;
		}
		return k->op == SEARCH_AND;
	case SEARCH_NOT:
		rc = key_matches(m, p, k->child, seq, msg, err);
		return rc < 0 ? rc : !rc;
	default:
		return k->cost == COST_MEMORY ? memory_matches(k, seq, msg) :
		    k->cost == COST_CACHE ? cache_matches(m, k, err) :
		    file_matches(m, k, err);
	}
}

int
matcher_try(struct matcher *m, const struct search_plan *p, struct folder *f,
    uint32_t seq, struct err *err)
{
	struct folder_msg msg;
	int rc;

	if (!folder_msg(f, seq, &msg) || msg.gone)
		return 0;
	rc = message_open(&m->message, f, seq, msg.size, err);
	if (rc == 0)
		rc = key_matches(m, p, p->root, seq, &msg, err);
	message_close(&m->message);
	return rc;
}
