/*
 * A stored password string, a line end, a password. Whatever is stored must
 * be judged without harm; a SCRAM verifier that reads must write and read
 * back the same.
 */
#include "scheme/scheme.h"
#include "tests/fuzz/fuzz.h"

#define CHEAP	5000		/* iterations that a fuzzer can wait for */

static void
round_trip(const struct scram_verifier *v)
{
	struct scram_verifier again;
	struct buf text;

	buf_init(&text, SCHEME_STORED_MAX);
	scram_verifier_write(v, &text);
	if (!scram_verifier_read(buf_span(&text), &again) ||
	    again.iterations != v->iterations ||
	    again.salt_len != v->salt_len ||
	    memcmp(again.salt, v->salt, v->salt_len) != 0 ||
	    memcmp(again.stored_key, v->stored_key, SCRAM_KEY_LEN) != 0)
		__builtin_trap();
	buf_fini(&text);
}

/* crypt(3) is libxcrypt's to fuzz, and slow. */
static bool
is_dear(struct span stored)
{
	for (size_t i = 0; i < stored.n; i++)
		if (stored.p[i] == '$')
			return true;
	return false;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span password = span_of(data, size), stored;
	struct scram_verifier v = { 0 };

	if (size > 4096 || !span_split(&password, '\n', &stored))
		return 0;
	(void)scheme_is_current(stored, 4096);
	(void)!scheme_check(stored, NULL);
	if (scram_verifier_read(stored, &v)) {
		round_trip(&v);
		if (v.iterations > CHEAP)
			return 0;
	} else if (is_dear(stored) || span_starts(stored, "{SCRAM-SHA-1"))
		return 0;
	(void)scheme_verify(stored, password);
	return 0;
}
