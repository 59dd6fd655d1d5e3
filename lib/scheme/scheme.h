/*
 * How passwords are stored: making and checking of `{SCHEME}data` strings.
 * Used by authd (checks, rehashes) and the CLI (makes). Knows no user and no
 * database. Slow on purpose: call it in a thread, never on a loop.
 *
 * Ours for new passwords is {SCRAM-SHA-256}ITERATIONS,SALT,STOREDKEY,SERVERKEY
 * (base64; RFC 5802 names), as Dovecot writes it: it serves SCRAM and PLAIN.
 * All else is for imported users: everything crypt(3) knows ({CRYPT},
 * {BLF-CRYPT}, {SHA512-CRYPT}, {SHA256-CRYPT}, {MD5-CRYPT}, {DES-CRYPT}, or a
 * bare $id$ string), {SSHA}, {SSHA256}, {SSHA512}, {SHA}, {SHA1}, {SHA256},
 * {SHA512}, {SMD5}, {PLAIN-MD5}, {LDAP-MD5}, {PLAIN}, {CLEAR}, {CLEARTEXT},
 * {PBKDF2}, {ARGON2I} and {ARGON2ID} (where built with libargon2),
 * and {SCRAM-SHA-1} for PLAIN logins. Suffixes .B64, .BASE64 and .HEX name
 * the encoding of a digest as in Dovecot. Case does not matter.
 *
 * Comparisons take the same time whatever differs.
 */
#ifndef SCHEME_SCHEME_H
#define SCHEME_SCHEME_H

#include "base/buf.h"
#include "base/err.h"
#include "base/span.h"

#define SCHEME_PASSWORD_MAX	1024	/* bytes; longer never matches */
#define SCHEME_STORED_MAX	2048
#define SCHEME_DEFAULT		"SCRAM-SHA-256"
/* Bounds on what a stored string may make us do. */
#define SCHEME_ITERATIONS_MAX	10000000

enum scheme_verdict {
	SCHEME_MATCH,
	SCHEME_MISMATCH,
	SCHEME_UNUSABLE		/* unknown scheme or malformed: log it */
};

/* A password holds any bytes but NUL (a NUL never matches). */
enum scheme_verdict scheme_verify(struct span stored, struct span password);

/*
 * Appends the stored form of password under `name` ("SCRAM-SHA-256",
 * "SHA512-CRYPT", ...; NULL = the default). cost: iterations, rounds or
 * bcrypt's exponent; 0 = sensible. PS_ENOTFOUND for a scheme that is unknown
 * or only for checking, PS_ESYNTAX for an empty password or one with NUL,
 * PS_ETOOBIG for an over-long one.
 */
int scheme_make(const char *name, struct span password, unsigned cost,
    struct buf *out, struct err *err) MUST_CHECK;

/* False when stored wants rehashing at the next PLAIN login: fewer than
 * `iterations` of SCRAM, or a scheme that is weak today. bcrypt, yescrypt and
 * crypt's SHA-2 schemes are left alone: they are slower to guess than ours. */
bool scheme_is_current(struct span stored, unsigned iterations);

/* Could this be verified at all? Says nothing about any password and costs
 * nothing: for who takes hashes from elsewhere. err says what is wrong. */
int scheme_check(struct span stored, struct err *err) MUST_CHECK;
/* Is it a password in clear (not empty), with its scheme's name in front? */
bool scheme_is_clear(struct span stored, struct span *password);

/* For the CLI: the n-th scheme's name that scheme_make takes, or NULL. */
const char *scheme_name_at(size_t n);

/* --- SCRAM verifiers --- */

#define SCRAM_KEY_LEN	32
#define SCRAM_SALT_MAX	64

struct scram_verifier {
	uint32_t iterations;
	uint8_t salt[SCRAM_SALT_MAX];
	size_t salt_len;
	uint8_t stored_key[SCRAM_KEY_LEN];
	uint8_t server_key[SCRAM_KEY_LEN];
};

/* Reads a {SCRAM-SHA-256} string; false for any other scheme. */
bool scram_verifier_read(struct span stored, struct scram_verifier *v)
    MUST_CHECK;
/* Computes one from a clear password. */
void scram_verifier_make(struct span password, const uint8_t *salt,
    size_t salt_len, uint32_t iterations, struct scram_verifier *v);
/* The proof of a password that a client makes (RFC 5802's ClientKey): SHA-256
 * of it is a verifier's StoredKey. Wipe it. */
void scram_client_key(struct span password, struct span salt,
    uint32_t iterations, uint8_t key[SCRAM_KEY_LEN]);
/* A verifier that no password matches, always the same for the same name
 * under the same key, so that asking can't tell unknown users (S19). */
void scram_verifier_fake(const uint8_t key[32], struct span user,
    uint32_t iterations, struct scram_verifier *v);
/* As `{SCRAM-SHA-256}...` */
void scram_verifier_write(const struct scram_verifier *v, struct buf *out);
/* As Cyrus SASL's authPassword value: SCRAM-SHA-256$i:salt$stored:server */
void scram_verifier_cyrus(const struct scram_verifier *v, struct buf *out);

#endif
