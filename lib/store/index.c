#include "store/index.h"

#include "base/disk.h"
#include "base/hash.h"

#define GROUP_MAGIC	0x31475350u	/* "PSG1" */

static const char header_magic[8] = "PSINDX01";

/* The page with its checksum taken for 0; the crc of both page kinds lies
 * within the first 16 bytes. */
static uint32_t
page_crc(const void *page, size_t crc_at)
{
	static const char zero[4];
	const char *p = page;
	uint32_t crc = crc32c(0, p, crc_at);

	crc = crc32c(crc, zero, sizeof(zero));
	return crc32c(crc, p + crc_at + 4, INDEX_PAGE - crc_at - 4);
}

void
index_header_seal(struct index_header *h)
{
	memcpy(h->magic, header_magic, sizeof(h->magic));
	h->crc = page_crc(h, offsetof(struct index_header, crc));
}

void
index_group_seal(struct index_group *g)
{
	g->magic = GROUP_MAGIC;
	g->crc = page_crc(g, offsetof(struct index_group, crc));
}

bool
index_header_ok(const struct index_header *h)
{
	return memcmp(h->magic, header_magic, sizeof(h->magic)) == 0 &&
	    h->crc == page_crc(h, offsetof(struct index_header, crc)) &&
	    h->n_recs <= INDEX_RECS_MAX && h->n_live <= h->n_recs &&
	    h->n_unseen <= h->n_live && h->n_deleted <= h->n_live &&
	    h->uidvalidity != 0 && h->uidnext != 0;
}

bool
index_group_ok(const struct index_group *g, uint32_t number,
    uint64_t generation)
{
	uint32_t i;

	if (g->magic != GROUP_MAGIC || g->number != number ||
	    g->generation != generation || g->count > INDEX_PER_GROUP ||
	    g->crc != page_crc(g, offsetof(struct index_group, crc)))
		return false;
	for (i = 0; i < g->count; i++)
		if (g->rec[i].uid == 0 || (i > 0 &&
		    g->rec[i].uid <= g->rec[i - 1].uid))
			return false;
	return true;
}

int
index_header_read(int fd, struct index_header *h, struct err *err)
{
	ssize_t n = disk_pread(fd, h, sizeof(*h), 0);

	if (n == -1)
		return err_errno(err, "read index");
	if (n != (ssize_t)sizeof(*h) || !index_header_ok(h))
		return err_set(err, ERR_TEMP, PS_ECORRUPT,
		    "index header fails its checks");
	return 0;
}

int
index_group_read(int fd, uint32_t number, uint64_t generation,
    struct index_group *g, struct err *err)
{
	ssize_t n = disk_pread(fd, g, sizeof(*g),
	    (off_t)index_group_offset(number));

	if (n == -1)
		return err_errno(err, "read index");
	if (n != (ssize_t)sizeof(*g) || !index_group_ok(g, number, generation))
		return err_set(err, ERR_TEMP, PS_ECORRUPT,
		    "index group %u fails its checks", number);
	return 0;
}
