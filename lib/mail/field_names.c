#include "mail/field_names.h"

#include "base/pack.h"
#include "mail/header.h"

/* FNV-1a of the name in lower case, folded to 16 bits. Whoever makes two names
 * alike only makes searches in his own mail read the file. */
static uint16_t
name_hash(struct span name)
{
	uint32_t h = 2166136261u;
	size_t i;

	for (i = 0; i < name.n; i++)
		h = (h ^ (unsigned char)ascii_lower(name.p[i])) * 16777619u;
	return (uint16_t)(h ^ h >> 16);
}

void
field_names_put(struct buf *out, struct span text)
{
	struct header_iter it;
	struct header_field f;
	char two[2];

	header_iter_init(&it, text);
	while (!buf_failed(out) && header_next(&it, &f)) {
		put_u16(two, name_hash(f.name));
		buf_append(out, two, sizeof(two));
	}
}

unsigned
field_names_count(struct span names, struct span name)
{
	uint16_t hash = name_hash(name);
	unsigned n = 0;
	size_t i;

	for (i = 0; i + 2 <= names.n; i += 2)
		n += get_u16(names.p + i) == hash;
	return n;
}
