#include "store/cache.h"

#include <stdlib.h>

#include "base/disk.h"
#include "base/hash.h"
#include "base/pack.h"
#include "base/xmalloc.h"
#include "mail/field_names.h"
#include "store/fname.h"

#define ENTRY_MAGIC	0x31455350u	/* "PSE1" */
#define ENTRY_MAX	(CACHE_ENTRY_HEAD + FNAME_MAX + 2 * CACHE_TEXT_MAX + \
			    CACHE_REFS_MAX + FIELD_NAMES_BYTES + 8)

static const char cache_magic[8] = "PSCACH01";

static size_t
pad8(size_t n)
{
	return (n + 7) & ~(size_t)7;
}

void
cache_header_make(uint64_t id, char out[CACHE_HEADER])
{
	memcpy(out, cache_magic, 8);
	put_u64(out + 8, id);
}

bool
cache_header_ok(struct span s, uint64_t id)
{
	return s.n >= CACHE_HEADER && memcmp(s.p, cache_magic, 8) == 0 &&
	    get_u64(s.p + 8) == id;
}

/* magic 0, crc 4 (of what follows), length 8, uid 12, header bytes 16,
 * envelope 20, bodystructure 24, name 28 (u8), field names + 1 29 (u8),
 * references + 1 30 (u16) */
void
cache_entry_pack(struct buf *out, const struct cache_entry *e)
{
	struct span env = e->envelope, bs = e->bodystructure;
	struct span refs = e->references, fields = e->fields;
	size_t n;
	char *p;

	if (env.n > CACHE_TEXT_MAX || bs.n > CACHE_TEXT_MAX)
		env.n = bs.n = 0;
	if (refs.n > CACHE_REFS_MAX)
		refs = SPAN_NONE;
	if (fields.n > FIELD_NAMES_BYTES)
		fields = SPAN_NONE;
	n = CACHE_ENTRY_HEAD + e->name.n + env.n + bs.n + refs.n +
	    fields.n;
	p = buf_reserve(out, pad8(n));
	if (p == NULL)
		return;
	memset(p, 0, CACHE_ENTRY_HEAD);
	put_u32(p, ENTRY_MAGIC);
	put_u32(p + 8, (uint32_t)n);
	put_u32(p + 12, e->uid);
	put_u32(p + 16, e->header_bytes);
	put_u32(p + 20, (uint32_t)env.n);
	put_u32(p + 24, (uint32_t)bs.n);
	p[28] = (char)(unsigned char)e->name.n;
	p[29] = (char)(unsigned char)(fields.p == NULL ? 0 :
	    fields.n / 2 + 1);
	put_u16(p + 30, refs.p == NULL ? 0 : (uint16_t)(refs.n + 1));
	memcpy(p + CACHE_ENTRY_HEAD, e->name.p, e->name.n);
	if (env.n > 0)
		memcpy(p + CACHE_ENTRY_HEAD + e->name.n, env.p, env.n);
	if (bs.n > 0)
		memcpy(p + CACHE_ENTRY_HEAD + e->name.n + env.n, bs.p, bs.n);
	if (refs.n > 0)
		memcpy(p + n - fields.n - refs.n, refs.p, refs.n);
	if (fields.n > 0)
		memcpy(p + n - fields.n, fields.p, fields.n);
	memset(p + n, 0, pad8(n) - n);
	put_u32(p + 4, crc32c(0, p + 8, n - 8));
	buf_commit(out, pad8(n));
}

size_t
cache_entry_length(struct span s)
{
	size_t n;

	if (s.n < CACHE_ENTRY_HEAD || get_u32(s.p) != ENTRY_MAGIC)
		return 0;
	n = get_u32(s.p + 8);
	return n < CACHE_ENTRY_HEAD || n > ENTRY_MAX ? 0 : pad8(n);
}

/* What a length field says that has 0 for "not kept". */
static size_t
kept(size_t field)
{
	return field == 0 ? 0 : field - 1;
}

bool
cache_entry_parse(struct span s, struct cache_entry *e)
{
	size_t n, name, env, bs, refs, fields;

	if (cache_entry_length(s) == 0)
		return false;
	n = get_u32(s.p + 8);
	if (n > s.n || crc32c(0, s.p + 8, n - 8) != get_u32(s.p + 4))
		return false;
	env = get_u32(s.p + 20);
	bs = get_u32(s.p + 24);
	name = (unsigned char)s.p[28];
	fields = (unsigned char)s.p[29];
	refs = get_u16(s.p + 30);
	if (env > n || bs > n || name == 0 || CACHE_ENTRY_HEAD + name + env +
	    bs + kept(refs) + 2 * kept(fields) != n)
		return false;
	e->uid = get_u32(s.p + 12);
	e->header_bytes = get_u32(s.p + 16);
	e->name = span_of(s.p + CACHE_ENTRY_HEAD, name);
	e->envelope = span_of(e->name.p + name, env);
	e->bodystructure = span_of(e->envelope.p + env, bs);
	e->references = refs == 0 ? SPAN_NONE :
	    span_of(e->bodystructure.p + bs, kept(refs));
	e->fields = fields == 0 ? SPAN_NONE :
	    span_of(s.p + n - 2 * kept(fields), 2 * kept(fields));
	return true;
}

/* --- reading --- */

static bool
window_fill(int fd, struct cache_window *w, uint64_t off, size_t want)
{
	ssize_t n;

	if (off >= w->off && off - w->off <= w->len &&
	    w->len - (off - w->off) >= want)
		return true;
	if (w->size < want) {
		free(w->mem);
		w->mem = xmalloc(want);
		w->size = want;
	}
	n = disk_pread(fd, w->mem, w->size, (off_t)off);
	w->off = off;
	w->len = n > 0 ? (size_t)n : 0;
	return n > 0;
}

static struct span
window_at(const struct cache_window *w, uint64_t off)
{
	size_t skip = (size_t)(off - w->off);

	return span_of(w->mem + skip, w->len - skip);
}

bool
cache_read(int fd, struct cache_window *w, uint64_t off, uint32_t uid,
    size_t ahead, struct cache_entry *e)
{
	size_t n;

	if (fd == -1 || off < CACHE_HEADER || off > INT64_MAX - ENTRY_MAX)
		return false;
	if (w->size < ahead && ahead > CACHE_ENTRY_HEAD) {
		cache_window_fini(w);
		w->mem = xmalloc(ahead);
		w->size = ahead;
	}
	if (!window_fill(fd, w, off, CACHE_ENTRY_HEAD))
		return false;
	n = cache_entry_length(window_at(w, off));
	if (n == 0 || !window_fill(fd, w, off, n))
		return false;
	return cache_entry_parse(window_at(w, off), e) && e->uid == uid;
}

void
cache_window_drop(struct cache_window *w)
{
	w->len = 0;
}

void
cache_window_fini(struct cache_window *w)
{
	free(w->mem);
	memset(w, 0, sizeof(*w));
}
