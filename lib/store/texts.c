#include "store/texts.h"

#include "mail/field_names.h"
#include "mail/header.h"
#include "mail/imap_text.h"
#include "store/cache.h"

void
texts_init(struct texts *t)
{
	buf_init(&t->envelope, CACHE_TEXT_MAX);
	buf_init(&t->bodystructure, CACHE_TEXT_MAX);
	buf_init(&t->refs, CACHE_REFS_MAX);
	buf_init(&t->fields, FIELD_NAMES_BYTES);
	mime_init(&t->mime);
	texts_clear(t);
}

void
texts_fini(struct texts *t)
{
	buf_fini(&t->envelope);
	buf_fini(&t->bodystructure);
	buf_fini(&t->refs);
	buf_fini(&t->fields);
	mime_fini(&t->mime);
}

void
texts_clear(struct texts *t)
{
	buf_clear(&t->envelope);
	buf_clear(&t->bodystructure);
	buf_clear(&t->refs);
	buf_clear(&t->fields);
	t->header_bytes = 0;
	t->made = false;
}

void
texts_make(struct texts *t, struct span message)
{
	struct span value;

	texts_clear(t);
	t->made = true;
	field_names_put(&t->fields, message);
	if (header_find(message, "References", &value))
		header_unfold(&t->refs, value);
	imap_text_message(&t->envelope, &t->bodystructure, &t->mime, message);
	t->header_bytes = (uint32_t)MIN(t->mime.part[0].head_len, UINT32_MAX);
	if (buf_failed(&t->envelope) || buf_failed(&t->bodystructure)) {
		buf_clear(&t->envelope);
		buf_clear(&t->bodystructure);
	}
}

struct span
texts_references(const struct texts *t)
{
	return !t->made || buf_failed(&t->refs) ? SPAN_NONE :
	    buf_span(&t->refs);
}

struct span
texts_fields(const struct texts *t)
{
	return !t->made || buf_failed(&t->fields) ? SPAN_NONE :
	    buf_span(&t->fields);
}
