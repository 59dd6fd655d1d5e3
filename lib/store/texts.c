#include "store/texts.h"

#include "mail/header.h"
#include "mail/imap_text.h"
#include "store/cache.h"

void
texts_init(struct texts *t)
{
	buf_init(&t->envelope, CACHE_TEXT_MAX);
	buf_init(&t->bodystructure, CACHE_TEXT_MAX);
	buf_init(&t->refs, CACHE_REFS_MAX);
	mime_init(&t->mime);
	t->header_bytes = 0;
}

void
texts_fini(struct texts *t)
{
	buf_fini(&t->envelope);
	buf_fini(&t->bodystructure);
	buf_fini(&t->refs);
	mime_fini(&t->mime);
}

void
texts_make(struct texts *t, struct span message)
{
	struct span value;

	buf_clear(&t->refs);
	if (header_find(message, "References", &value))
		header_unfold(&t->refs, value);
	buf_clear(&t->envelope);
	buf_clear(&t->bodystructure);
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
	return buf_failed(&t->refs) ? SPAN_NONE : buf_span(&t->refs);
}
