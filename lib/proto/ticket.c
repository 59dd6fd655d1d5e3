#include "proto/ticket.h"

#include <string.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "base/log.h"
#include "base/pack.h"
#include "base/proc.h"

#define TICKET_VERSION	((uint64_t)0x315454534f50)	/* "POSTT1" */
#define TICKET_SIGNED	32	/* what the MAC is over */
#define TICKET_MAC	(TICKET_LEN - TICKET_SIGNED)

enum { AT_VERSION = 0, AT_MAILBOX = 8, AT_EXPIRES = 16, AT_NONCE = 24 };

static void
ticket_mac(const uint8_t key[32], const void *text, uint8_t mac[TICKET_MAC])
{
	unsigned n = TICKET_MAC;

	if (HMAC(EVP_sha256(), key, 32, text, TICKET_SIGNED, mac, &n) == NULL)
		log_fatal("HMAC-SHA256 failed");
}

void
ticket_make(const uint8_t key[32], uint64_t mailbox_id, int64_t expires_us,
    uint8_t out[TICKET_LEN])
{
	put_u64(out + AT_VERSION, TICKET_VERSION);
	put_u64(out + AT_MAILBOX, mailbox_id);
	put_u64(out + AT_EXPIRES, (uint64_t)expires_us);
	proc_random(out + AT_NONCE, 8);
	ticket_mac(key, out, out + TICKET_SIGNED);
}

int
ticket_check(const uint8_t key[32], struct span ticket, int64_t now_us,
    uint64_t *mailbox_id, struct err *err)
{
	uint8_t mac[TICKET_MAC];

	if (ticket.n != TICKET_LEN ||
	    get_u64(ticket.p + AT_VERSION) != TICKET_VERSION)
		return err_set(err, ERR_PERM, PS_EDENIED,
		    "malformed ticket");
	ticket_mac(key, ticket.p, mac);
	if (CRYPTO_memcmp(mac, ticket.p + TICKET_SIGNED, TICKET_MAC) != 0)
		return err_set(err, ERR_PERM, PS_EDENIED, "forged ticket");
	if ((int64_t)get_u64(ticket.p + AT_EXPIRES) < now_us)
		return err_set(err, ERR_PERM, PS_EDENIED, "expired ticket");
	*mailbox_id = get_u64(ticket.p + AT_MAILBOX);
	return 0;
}
