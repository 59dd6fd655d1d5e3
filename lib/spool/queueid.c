#include "spool/queueid.h"

#include <string.h>

#include "base/err.h"

#define COUNTER_BITS	27
#define INCARNATION_BITS 22

static const char digits[] =
    "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

static void
put_digits(char *out, unsigned n, uint64_t v)
{
	while (n-- > 0) {
		out[n] = digits[v % 62];
		v /= 62;
	}
}

int
queueid_gen_init(struct queueid_gen *g, uint32_t host, uint32_t incarnation)
{
	if (host > QUEUEID_HOST_MAX || incarnation > QUEUEID_INCARNATION_MAX)
		return PS_ETOOBIG;
	g->host = host;
	g->incarnation = incarnation;
	g->counter = 0;
	return 0;
}

bool
queueid_session(struct queueid_gen *g, char out[SESSION_ID_LEN + 1])
{
	uint64_t v;

	if (g->counter >> COUNTER_BITS != 0)
		return false;
	v = ((uint64_t)g->host << INCARNATION_BITS | g->incarnation)
	    << COUNTER_BITS | g->counter++;
	put_digits(out, SESSION_ID_LEN, v);
	out[SESSION_ID_LEN] = '\0';
	return true;
}

bool
queueid_message(const char *session, unsigned number,
    char out[QUEUE_ID_LEN + 1])
{
	if (number >= QUEUE_ID_PER_SESSION)
		return false;
	memcpy(out, session, SESSION_ID_LEN);
	put_digits(out + SESSION_ID_LEN, QUEUE_ID_LEN - SESSION_ID_LEN,
	    number);
	out[QUEUE_ID_LEN] = '\0';
	return true;
}

bool
queueid_valid(struct span s)
{
	size_t i;

	if (s.n != QUEUE_ID_LEN)
		return false;
	for (i = 0; i < s.n; i++)
		if (!ascii_isalnum((unsigned char)s.p[i]))
			return false;
	return true;
}
