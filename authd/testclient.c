#include "authd/testclient.h"

#include <stdio.h>

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "mail/codec.h"

#define NONCE	"fyko+d2lbbFgONRv9qkxdawL"

static void
hmac(const uint8_t *key, size_t key_len, struct span text, uint8_t out[32])
{
	(void)HMAC(EVP_sha256(), key, (int)key_len, (const uint8_t *)text.p,
	    text.n, out, NULL);
}

void
scram_client_first(struct scram_client *c, const char *gs2, const char *user,
    struct buf *out)
{
	c->gs2 = gs2;
	(void)snprintf(c->bare, sizeof(c->bare), "n=%s,r=" NONCE, user);
	buf_fmt(out, "%s%s", gs2, c->bare);
}

/* "r=...,s=...,i=..." */
static bool
server_first_read(struct span in, struct span *nonce, struct buf *salt,
    uint32_t *iterations)
{
	struct span word[3];

	for (int i = 0; i < 3; i++)
		if (!span_split(&in, ',', &word[i]) || word[i].n < 3)
			return false;
	*nonce = span_sub(word[0], 2, word[0].n);
	return span_starts(*nonce, NONCE) && nonce->n > sizeof(NONCE) &&
	    base64_decode(salt, span_sub(word[1], 2, word[1].n)) &&
	    span_u32(span_sub(word[2], 2, word[2].n), 1, 1000000, iterations);
}

static void
proof_make(struct scram_client *c, struct span password, struct span salt,
    uint32_t iterations, struct span message, uint8_t proof[32])
{
	uint8_t salted[32], key[32], stored[32], signature[32];

	(void)PKCS5_PBKDF2_HMAC(password.p, (int)password.n,
	    (const uint8_t *)salt.p, (int)salt.n, (int)iterations,
	    EVP_sha256(), 32, salted);
	hmac(salted, 32, SPAN_LIT("Client Key"), key);
	(void)EVP_Digest(key, 32, stored, NULL, EVP_sha256(), NULL);
	hmac(stored, 32, message, signature);
	for (int i = 0; i < 32; i++)
		proof[i] = key[i] ^ signature[i];
	hmac(salted, 32, SPAN_LIT("Server Key"), key);
	hmac(key, 32, message, c->server_signature);
}

bool
scram_client_final(struct scram_client *c, struct span server_first,
    struct span password, struct buf *out)
{
	struct buf salt, bind, bare, message;
	struct span nonce;
	uint32_t iterations;
	uint8_t proof[32];
	bool ok;

	buf_init(&salt, 256);
	buf_init(&bind, 1024);
	buf_init(&bare, 2048);
	buf_init(&message, 4096);
	ok = server_first_read(server_first, &nonce, &salt, &iterations);
	if (ok) {
		buf_str(&bind, c->gs2);
		buf_span_add(&bind, c->binding);
		buf_str(&bare, "c=");
		base64_encode(&bare, buf_span(&bind));
		buf_fmt(&bare, ",r=%.*s", SPAN_ARG(nonce));
		buf_fmt(&message, "%s,%.*s,%.*s", c->bare,
		    SPAN_ARG(server_first), SPAN_ARG(buf_span(&bare)));
		proof_make(c, password, buf_span(&salt), iterations,
		    buf_span(&message), proof);
		buf_span_add(out, buf_span(&bare));
		buf_str(out, ",p=");
		base64_encode(out, span_of(proof, 32));
	}
	buf_fini(&salt);
	buf_fini(&bind);
	buf_fini(&bare);
	buf_fini(&message);
	return ok;
}

bool
scram_client_verify(const struct scram_client *c, struct span server_final)
{
	struct buf want;
	bool same;

	buf_init(&want, 128);
	buf_str(&want, "v=");
	base64_encode(&want, span_of(c->server_signature, 32));
	same = span_eq(buf_span(&want), server_final);
	buf_fini(&want);
	return same;
}
