/*
 * How many sessions a user has from one client network, over all imapd
 * processes: a mailbox has one deliver, which all of them ask. Each connection
 * has its own counts, so that those of an imapd that died go with it; a deliver
 * that comes back counts from nothing.
 */
#include "delivery/deliver.h"

#include <string.h>

#include "base/pack.h"

#define CLIENT_MAX	16
#define KEY_MAX		(8 + CLIENT_MAX)

static struct span
seat_key(char out[KEY_MAX], uint64_t mailbox_id, struct span client)
{
	size_t n = MIN(client.n, (size_t)CLIENT_MAX);

	put_u64(out, mailbox_id);
	if (n > 0)
		memcpy(out + 8, client.p, n);
	return span_of(out, 8 + n);
}

/* Counts are kept in the place of pointers. */
static uintptr_t
held(const struct conn *c, struct span key)
{
	return (uintptr_t)map_get(c->seats, key);
}

static void
hold(struct conn *c, struct span key, uintptr_t n)
{
	if (n == 0)
		(void)map_del(c->seats, key);
	else
		(void)map_put(c->seats, key, (void *)n);
}

bool
seat_take(struct conn *c, uint64_t mailbox_id, struct span client,
    uint32_t limit)
{
	char text[KEY_MAX];
	struct span key = seat_key(text, mailbox_id, client);
	const struct conn *other;
	uintptr_t all = 0;

	if (client.n == 0)
		return true;
	TAILQ_FOREACH(other, &c->d->conns, link)
		if (other->role == ROLE_IMAPD)
			all += held(other, key);
	if (limit > 0 && all >= limit)
		return false;
	hold(c, key, held(c, key) + 1);
	return true;
}

void
seat_leave(struct conn *c, uint64_t mailbox_id, struct span client)
{
	char text[KEY_MAX];
	struct span key = seat_key(text, mailbox_id, client);

	if (held(c, key) > 0)
		hold(c, key, held(c, key) - 1);
}
