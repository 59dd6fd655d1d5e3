#include "store/fname.h"

#include <stdio.h>

#include "base/hash.h"
#include "store/folder.h"

static const struct {
	char letter;
	uint32_t flag;
} letters[] = {			/* ASCII order */
	{ 'D', MSG_DRAFT }, { 'F', MSG_FLAGGED }, { 'P', MSG_PASSED },
	{ 'R', MSG_ANSWERED }, { 'S', MSG_SEEN }, { 'T', MSG_DELETED },
};

static uint32_t
letter_flag(char c)
{
	size_t i;

	if (c >= 'a' && c <= 'z')
		return MSG_KEYWORD(c - 'a');
	for (i = 0; i < ARRAY_LEN(letters); i++)
		if (letters[i].letter == c)
			return letters[i].flag;
	return 0;
}

static void
field_parse(struct span word, struct fname *f)
{
	struct span value = span_sub(word, 2, word.n), part;
	uint32_t v, u;

	if (word.n < 3 || word.p[1] != '=')
		return;
	switch (word.p[0]) {
	case 'S':
		f->has_size = span_u64(value, 0, INT64_MAX, &f->size);
		break;
	case 'W':
		f->has_vsize = span_u64(value, 0, INT64_MAX, &f->vsize);
		break;
	case 'U':
		if (span_split(&value, '.', &part) &&
		    span_u32(part, 1, UINT32_MAX, &v) &&
		    span_u32(value, 1, UINT32_MAX - 1, &u)) {
			f->has_uid = true;
			f->uidvalidity = v;
			f->uid = u;
		}
		break;
	default:
		break;
	}
}

/* Where ":2," begins, or the length. */
static size_t
info_at(struct span name)
{
	ptrdiff_t colon = span_rchr(name, ':');

	return colon > 0 ? (size_t)colon : name.n;
}

bool
fname_parse(struct span name, struct fname *f)
{
	struct span rest, word, info;
	uint64_t sec;
	size_t i;

	memset(f, 0, sizeof(*f));
	if (name.n == 0 || name.n > FNAME_MAX || name.p[0] == '.')
		return false;
	f->base = span_sub(name, 0, info_at(name));
	info = span_sub(name, f->base.n, name.n);
	if (info.n >= 3 && memcmp(info.p, ":2,", 3) == 0) {
		f->has_info = true;
		for (i = 3; i < info.n; i++)
			f->flags |= letter_flag(info.p[i]);
	}
	rest = f->base;
	if (!span_split(&rest, ',', &f->unique))
		return false;
	while (span_split(&rest, ',', &word))
		field_parse(word, f);
	f->sec = -1;
	rest = f->unique;
	if (span_split(&rest, '.', &word) &&
	    span_u64(word, 0, (uint64_t)1 << 40, &sec))
		f->sec = (int64_t)sec;
	return f->unique.n > 0;
}

struct span
fname_key(struct span unique)
{
	struct span rest = unique, sec, key;

	if (span_split(&rest, '.', &sec) && span_split(&rest, '.', &key) &&
	    key.n > 0 && rest.p != NULL)
		return key;
	return unique;
}

uint32_t
fname_key_crc(struct span unique)
{
	struct span key = fname_key(unique);

	return crc32c(0, key.p, key.n);
}

bool
fname_is_key(struct span unique, struct span key, uint64_t mailbox_id)
{
	char want[FNAME_KEY_MAX + 24];
	int n;

	if (key.n > FNAME_KEY_MAX)
		return false;
	n = snprintf(want, sizeof(want), "%.*sM%llu", SPAN_ARG(key),
	    (unsigned long long)mailbox_id);
	return span_eq(fname_key(unique), span_of(want, (size_t)n));
}

size_t
fname_unique_make(const struct fname_parts *p, char out[FNAME_MAX + 1])
{
	int n;

	/* Worst case: 20 + 1 + 64 + 1 + 20 + 1 + 64, and base_finish adds at
	 * most 3 + 20 + 3 + 20 + 3 + 21: with ":2," and letters under 255. */
	n = snprintf(out, FNAME_MAX + 1, "%lld.%.*sM%llu.%.60s",
	    (long long)(p->sec < 0 ? 0 : p->sec),
	    (int)MIN(p->key.n, FNAME_KEY_MAX), p->key.p,
	    (unsigned long long)p->mailbox_id, p->host);
	return (size_t)n;
}

size_t
fname_base_finish(char out[FNAME_MAX + 1], size_t n, uint64_t size,
    uint64_t vsize, uint32_t uidvalidity, uint32_t uid)
{
	size_t room = FNAME_MAX + 1 - FNAME_FLAGS_MAX - 3 - n;
	int more;

	if (n + FNAME_FLAGS_MAX + 3 > FNAME_MAX)
		return 0;
	more = snprintf(out + n, room, ",S=%llu,W=%llu,U=%u.%u",
	    (unsigned long long)size, (unsigned long long)vsize, uidvalidity,
	    uid);
	if (more < 0 || (size_t)more >= room)
		return 0;
	return n + (size_t)more;
}

const char *
fname_flags(uint32_t flags, char out[FNAME_FLAGS_MAX])
{
	size_t i, n = 0;

	for (i = 0; i < ARRAY_LEN(letters); i++)
		if (flags & letters[i].flag)
			out[n++] = letters[i].letter;
	for (i = 0; i < MSG_KEYWORDS; i++)
		if (flags & MSG_KEYWORD(i))
			out[n++] = (char)('a' + i);
	out[n] = '\0';
	return out;
}
