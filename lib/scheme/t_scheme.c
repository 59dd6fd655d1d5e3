#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "mail/codec.h"
#include "scheme/scheme.h"

static const char scram_pencil[] = "{SCRAM-SHA-256}4096,"
    "W22ZaJ0SNY7soEsUEjb6gQ==,"
    "WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=,"
    "wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=";

/* Made by other programs: OpenSSL's passwd, glibc, Openwall's bcrypt vectors,
 * RFC 5802 and 7677, Python's hashlib. */
static const struct { const char *stored, *password; } vectors[] = {
	{ scram_pencil, "pencil" },
	{ "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$"
	    "WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:"
	    "wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=", "pencil" },
	{ "{SCRAM-SHA-1}4096,W22ZaJ0SNY7soEsUEjb6gQ==,"
	    "g2pEzX2tMaoibxTD4YfBJkq1y8w=,ZGkNjsmKwVX5C5z80vGxHZ02jOI=",
	    "pencil" },
	{ "{SHA512-CRYPT}$6$saltstring$svn8UoSVapNtMuq1ukKS4tPQd8iKwSMHWjl/"
	    "O817G3uBnIFNjnQJuesI68u4OTLiBFdcbYEdFCoEOfaS35inz1",
	    "Hello world!" },
	{ "{SHA256-CRYPT}$5$saltstring$5B8vYYiY.CVt1RlTTf8KbXBH3hsxY/"
	    "GNooZaBBGWEc5", "Hello world!" },
	{ "$5$saltstring$5B8vYYiY.CVt1RlTTf8KbXBH3hsxY/GNooZaBBGWEc5",
	    "Hello world!" },
	{ "{BLF-CRYPT}$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YM"
	    "JKvyOeW", "U*U" },
	{ "{CRYPT}$2b$05$abcdefghijklmnopqrstuuOQiyCxlgf/oeuTqixKmWdcYUh4Hj"
	    "l0a", "secret" },
	{ "{MD5-CRYPT}$1$abcdefgh$cHJi5PXp/ki/ktXzqlk6I1", "secret" },
	{ "$y$j9T$saltsaltsaltsalt$Mkop2YSmqnE/srxZXCgSM8Zno4NJ3fN6dZnE9U8Q"
	    "ZpC", "pw" },
	{ "$gy$j9T$saltsaltsaltsalt$z6UXaMxpKPuAotyF.N7rqUDZTrOeE5bDf/s6akm"
	    "ZofA", "pw" },
	{ "$7$CU..../....saltsalt$.ht7Qe90Px6nMlmj0myA9T7DdIfJokWzHkTvG8Cv4"
	    "sA", "pw" },
	{ "$sha1$20000$saltsalt$4HHToInvm51X/9qGG0E9UI7Kx/Df", "pw" },
	{ "$md5,rounds=100000$saltsalt$$Q3IkZLQM2qPqI5vHdRrAh/", "pw" },
	{ "{DES-CRYPT}abNANd1rDfiNc", "secret" },
	{ "{crypt}abNANd1rDfiNc", "secret" },
	{ "{SSHA}JmBeuhdjwCnZoajTbkfwR3UErstzYWx0eTEyMw==", "secret" },
	{ "{SSHA256}bpxgqS3NuK4WoyumuHBfKK9YFbaK7LdiEBeC+v0RRuNzYWx0eTEyMw"
	    "==", "secret" },
	{ "{SSHA512}GTLwd1yx0ZVErkWSTbxPNvkdusVVt9TFQQ/GAAMk0h/x29aMg1T/SWU"
	    "ICrcgFngJJAam5UFEdO9bg92eLH5UKXNhbHR5MTIz", "secret" },
	{ "{SMD5}RWTxowcGcZA1yZteTLnsCHNhbHR5MTIz", "secret" },
	{ "{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=", "secret" },
	{ "{SHA1}5en6G6MezRroT3XKqkdPOmY/BfQ=", "secret" },
	{ "{SHA256}K7gNU3sdo+OL0wNhqoVWhr3g6s1xYv72ol/pe/Unols=",
	    "secret" },
	{ "{SHA512}vSsar3708Jvp9Szi2NWZZ02Bqp1qRCFpbcTZPdBhnWgs5WtNZKnvCXdh"
	    "ztmeD2cmW192CF5bDufKRpayrW/isg==", "secret" },
	{ "{LDAP-MD5}Xr4ilOzQ4PCOq3aQ0qbuaQ==", "secret" },
	{ "{PLAIN-MD5}5ebe2294ecd0e0f08eab7690d2a6ee69", "secret" },
	{ "{PLAIN-MD5}5EBE2294ECD0E0F08EAB7690D2A6EE69", "secret" },
	{ "{SHA256.HEX}2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25f"
	    "e97bf527a25b", "secret" },
	{ "{SSHA.HEX}26605eba1763c029d9a1a8d36e47f0477504aecb73616c7479313"
	    "233", "secret" },
	{ "{PLAIN}secret", "secret" },
	{ "{cleartext}se}cr{et", "se}cr{et" },
	{ "{PLAIN.b64}c2VjcmV0", "secret" },
	/* doveadm pw */
	{ "{PBKDF2}$1$xUL81KFgMLaFaTk5$5000$e5491c4bba87ba5ed971e53da71235fb"
	    "324c29d6", "secret" },
#ifdef HAVE_ARGON2
	{ "{ARGON2ID}$argon2id$v=19$m=1024,t=2,p=1$c2FsdHNhbHRzYWx0c2FsdA$"
	    "azfZBd5qxhOl2u4YH28/7xKwTHeWsd0r8eHso4Brzb4", "secret" },
	{ "$argon2id$v=19$m=1024,t=2,p=1$c2FsdHNhbHRzYWx0c2FsdA$"
	    "azfZBd5qxhOl2u4YH28/7xKwTHeWsd0r8eHso4Brzb4", "secret" },
	{ "{ARGON2I}$argon2i$v=19$m=1024,t=2,p=1$c2FsdHNhbHRzYWx0c2FsdA$"
	    "eiA9R+WJH8LsHeWOiuz0AFAyoI25GGOy6pSs7wMY/ZU", "secret" },
#endif
};

static void
test_known_vectors(void **state)
{
	static const char *const wrong[] = {
		"", "Secret", "secret ", "secre", "Pencil", "pencil1",
		"hello world!", "u*u"
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(vectors); i++) {
		struct span stored = span_str(vectors[i].stored);
		struct span nul = span_of(vectors[i].password,
		    strlen(vectors[i].password) + 1);

		assert_int_equal(scheme_check(stored, NULL), 0);
		if (scheme_verify(stored, span_str(vectors[i].password)) !=
		    SCHEME_MATCH)
			fail_msg("%s", vectors[i].stored);
		for (size_t j = 0; j < ARRAY_LEN(wrong); j++)
			assert_int_equal(scheme_verify(stored,
			    span_str(wrong[j])), SCHEME_MISMATCH);
		assert_int_equal(scheme_verify(stored, nul),
		    SCHEME_MISMATCH);
	}
}

static void
test_malformed_is_unusable(void **state)
{
	static const char *const bad[] = {
		"", "{", "{}", "{}secret", "secret", "{NOSUCH}secret",
		"{PLAIN", "{PLAIN}", "{PLAIN.XYZ}secret", "{SHA}", "{SHA}===",
		"{SHA}c2VjcmV0", "{SSHA}5en6G6MezRroT3XKqkdPOmY/BfQ=",
		"{PLAIN-MD5}5ebe", "{PLAIN-MD5}zzbe2294ecd0e0f08eab7690d2a6e"
		"e69", "{SCRAM-SHA-256}", "{SCRAM-SHA-256}4096,,,",
		"{SCRAM-SHA-256}0,W22ZaJ0SNY7soEsUEjb6gQ==,"
		"WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=,"
		"wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=",
		"{SCRAM-SHA-256}99999999999,W22ZaJ0SNY7soEsUEjb6gQ==,"
		"WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=,"
		"wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=",
		"{SCRAM-SHA-256}4096,W22ZaJ0SNY7soEsUEjb6gQ==,c2hvcnQ=,"
		"wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=",
		"SCRAM-SHA-256", "SCRAM-SHA-256$", "SCRAM-SHA-256$4096",
		"{CRYPT}", "{CRYPT}*", "{CRYPT}!!", "$", "$9$nosuch$method$",
		"{BLF-CRYPT}$2b$31$abcdefghijklmnopqrstuuOQiyCxlgf/oeuTqixKm"
		"WdcYUh4Hjl0a",
		"$6$rounds=999999999$saltstring$xxxxxxxxxxxxxxxxxxxx",
		/* would take hours, or all memory */
		"$sha1$4000000000$saltsalt$4HHToInvm51X/9qGG0E9UI7Kx/Df",
		"$sha1$+4000000000$saltsalt$4HHToInvm51X/9qGG0E9UI7Kx/Df",
		"$md5,rounds=4000000000$saltsalt$$Q3IkZLQM2qPqI5vHdRrAh/",
		"$y$jET$saltsaltsaltsalt$Mkop2YSmqnE/srxZXCgSM8Zno4NJ3fN6dZnE9U"
		"8QZpC", "$y$j9z1$saltsaltsaltsalt$Mkop2YSmqnE/srxZXCgSM8Zno4NJ"
		"3fN6dZnE9U8QZpC", "$gy$jUT$saltsaltsaltsalt$z6UXaMxpKPuAotyF.N"
		"7rqUDZTrOeE5bDf/s6akmZofA",
		"$7$CU..../z...saltsalt$.ht7Qe90Px6nMlmj0myA9T7DdIfJokWzHkTvG8"
		"Cv4sA", "$7$zU..../....saltsalt$.ht7Qe90Px6nMlmj0myA9T7DdIfJok"
		"WzHkTvG8Cv4sA", "$7$CU.../",
		"{PBKDF2}", "{PBKDF2}$1$salt$5000$e5491c", "{PBKDF2}$2$xUL81KF"
		"gMLaFaTk5$5000$e5491c4bba87ba5ed971e53da71235fb324c29d6",
		"{PBKDF2}$1$xUL81KFgMLaFaTk5$99999999$e5491c4bba87ba5ed971e53da"
		"71235fb324c29d6",
		"{PBKDF2}$1$xUL81KFgMLaFaTk5$5000$e5491c4bba87ba5ed971e53da7123"
		"5fb324c29d6$x",
		"{ARGON2ID}", "{ARGON2ID}$argon2id$v=19$m=1024$s$h",
		"{ARGON2ID}$argon2i$v=19$m=1024,t=2,p=1$c2FsdHNhbHRzYWx0c2FsdA"
		"$eiA9R+WJH8LsHeWOiuz0AFAyoI25GGOy6pSs7wMY/ZU",
		"$argon2id$v=19$m=4294967295,t=2,p=1$c2FsdHNhbHRzYWx0c2FsdA$"
		"azfZBd5qxhOl2u4YH28/7xKwTHeWsd0r8eHso4Brzb4",
		"$argon2id$v=19$m=262144,t=11,p=1$c2FsdHNhbHRzYWx0c2FsdA$"
		"azfZBd5qxhOl2u4YH28/7xKwTHeWsd0r8eHso4Brzb4",
	};
	char longest[SCHEME_STORED_MAX + 1];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		if (scheme_verify(span_str(bad[i]), SPAN_LIT("secret")) !=
		    SCHEME_UNUSABLE)
			fail_msg("%s", bad[i]);
	memset(longest, 'x', sizeof(longest));
	memcpy(longest, "{PLAIN}", 7);
	assert_int_equal(scheme_verify(span_of(longest, sizeof(longest)),
	    span_of(longest + 7, sizeof(longest) - 7)), SCHEME_UNUSABLE);
}

/* What can be seen without computing. */
static void
test_a_check_tells_hashes_from_others(void **state)
{
	static const char *const bad[] = { "", "secret", "{NOSUCH}secret",
		"{PLAIN}", "{SHA}c2VjcmV0", "{SHA}===", "{CRYPT}!!", "{CRYPT}*",
		"{SSHA}5en6G6MezRroT3XKqkdPOmY/BfQ=", "{SCRAM-SHA-256}1,2,3",
		"{PLAIN-MD5}5ebe", "{CRYPT}$9$nosuch$method$aaaaa",
		"{PBKDF2}$1$salt$0$x", "{ARGON2ID}$argon2id$x" };
	struct span clear;
	struct err err;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		if (scheme_check(span_str(bad[i]), &err) == 0)
			fail_msg("%s", bad[i]);
	assert_true(scheme_is_clear(SPAN_LIT("{plain}se}cr"), &clear));
	assert_true(span_eq(clear, SPAN_LIT("se}cr")));
	assert_false(scheme_is_clear(SPAN_LIT("{PLAIN}"), &clear));
	assert_false(scheme_is_clear(SPAN_LIT("{SHA}x"), &clear));
	assert_false(scheme_is_clear(SPAN_LIT("x"), &clear));
}

static void
test_what_is_made_is_accepted(void **state)
{
	static const char hard[] = "\x01\xff p\xc3\xa4ss:word,$}{";
	const char *name;
	struct buf out;

	(void)state;
	buf_init(&out, 4096);
	for (size_t i = 0; (name = scheme_name_at(i)) != NULL; i++) {
		unsigned cost = strcmp(name, "BLF-CRYPT") == 0 ? 5 : 5000;

		buf_clear(&out);
		assert_int_equal(scheme_make(name, span_str(hard), cost,
		    &out, NULL), 0);
		if (scheme_verify(buf_span(&out), span_str(hard)) !=
		    SCHEME_MATCH)
			fail_msg("%s: %s", name, buf_cstr(&out));
		assert_int_equal(scheme_verify(buf_span(&out),
		    SPAN_LIT("other")), SCHEME_MISMATCH);
	}
	buf_clear(&out);
	assert_int_equal(scheme_make(NULL, SPAN_LIT("x"), 0, &out, NULL), 0);
	assert_true(span_starts(buf_span(&out), "{SCRAM-SHA-256}4096,"));
	buf_fini(&out);
}

static void
test_refusals_of_make(void **state)
{
	char big[SCHEME_PASSWORD_MAX + 1];
	struct buf out;
	struct err err;

	(void)state;
	memset(big, 'x', sizeof(big));
	buf_init(&out, 4096);
	assert_int_equal(scheme_make("MD5-CRYPT", SPAN_LIT("x"), 0, &out,
	    &err), PS_ENOTFOUND);
	assert_int_equal(scheme_make("nosuch", SPAN_LIT("x"), 0, &out, &err),
	    PS_ENOTFOUND);
	assert_int_equal(scheme_make(NULL, SPAN_LIT(""), 0, &out, &err),
	    PS_ESYNTAX);
	assert_int_equal(scheme_make(NULL, SPAN_LIT("a\0b"), 0, &out, &err),
	    PS_ESYNTAX);
	assert_int_equal(scheme_make(NULL, span_of(big, sizeof(big)), 0, &out,
	    &err), PS_ETOOBIG);
	assert_int_equal(scheme_make("BLF-CRYPT", SPAN_LIT("x"), 99, &out,
	    &err), PS_ESYNTAX);
	assert_int_equal(buf_len(&out), 0);
	assert_int_equal(scheme_verify(SPAN_LIT("{PLAIN}x"),
	    span_of(big, sizeof(big))), SCHEME_MISMATCH);
	buf_fini(&out);
}

static void
test_what_wants_rehashing(void **state)
{
	static const struct { const char *stored; bool current; } t[] = {
		{ scram_pencil, true },
		{ "{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=", false },
		{ "{PLAIN}secret", false },
		{ "{MD5-CRYPT}$1$abcdefgh$cHJi5PXp/ki/ktXzqlk6I1", false },
		{ "{CRYPT}$1$abcdefgh$cHJi5PXp/ki/ktXzqlk6I1", false },
		{ "{CRYPT}abNANd1rDfiNc", false },
		{ "{BLF-CRYPT}$2b$05$abcdefghijklmnopqrstuuOQiyCxlgf/oeuTqixKmW"
		    "dcYUh4Hjl0a", false },
		{ "{BLF-CRYPT}$2b$12$abcdefghijklmnopqrstuuOQiyCxlgf/oeuTqixKmW"
		    "dcYUh4Hjl0a", true },
		{ "$6$saltstring$x", true }, { "junk", false }
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(t); i++)
		if (scheme_is_current(span_str(t[i].stored), 4096) !=
		    t[i].current)
			fail_msg("%s", t[i].stored);
	assert_false(scheme_is_current(span_str(scram_pencil), 4097));
}

/* RFC 7677 3: our ServerKey makes the server signature of the example. */
static void
test_scram_matches_rfc7677(void **state)
{
	static const char message[] = "n=user,r=rOprNGfwEbeRWgbNEkqO,"
	    "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,"
	    "s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096,c=biws,"
	    "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0";
	struct scram_verifier v, made;
	uint8_t mac[32];
	struct buf out;

	(void)state;
	assert_true(scram_verifier_read(span_str(scram_pencil), &v));
	scram_verifier_make(SPAN_LIT("pencil"), v.salt, v.salt_len,
	    v.iterations, &made);
	scram_client_key(SPAN_LIT("pencil"), span_of(v.salt, v.salt_len),
	    v.iterations, mac);
	assert_int_equal(EVP_Digest(mac, sizeof(mac), mac, NULL, EVP_sha256(),
	    NULL), 1);
	assert_memory_equal(mac, v.stored_key, SCRAM_KEY_LEN);
	buf_init(&out, 4096);
	scram_verifier_write(&made, &out);
	assert_string_equal(buf_cstr(&out), scram_pencil);
	buf_clear(&out);
	assert_non_null(HMAC(EVP_sha256(), made.server_key, SCRAM_KEY_LEN,
	    (const uint8_t *)message, sizeof(message) - 1, mac, NULL));
	base64_encode(&out, span_of(mac, sizeof(mac)));
	assert_string_equal(buf_cstr(&out),
	    "6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=");
	buf_clear(&out);
	scram_verifier_cyrus(&made, &out);
	assert_string_equal(buf_cstr(&out), vectors[1].stored);
	buf_fini(&out);
}

static void
test_fakes_are_steady_and_differ_by_name(void **state)
{
	static const uint8_t k1[32] = { 1 }, k2[32] = { 2 };
	struct scram_verifier a, b, c, d;

	(void)state;
	scram_verifier_fake(k1, SPAN_LIT("kim@a.example"), 4096, &a);
	scram_verifier_fake(k1, SPAN_LIT("kim@a.example"), 4096, &b);
	scram_verifier_fake(k1, SPAN_LIT("kin@a.example"), 4096, &c);
	scram_verifier_fake(k2, SPAN_LIT("kim@a.example"), 4096, &d);
	assert_memory_equal(a.salt, b.salt, 16);
	assert_memory_equal(a.stored_key, b.stored_key, SCRAM_KEY_LEN);
	assert_memory_not_equal(a.salt, c.salt, 16);
	assert_memory_not_equal(a.salt, d.salt, 16);
	assert_int_equal(a.salt_len, 16);
	assert_int_equal(a.iterations, 4096);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_known_vectors),
		cmocka_unit_test(test_malformed_is_unusable),
		cmocka_unit_test(test_a_check_tells_hashes_from_others),
		cmocka_unit_test(test_what_is_made_is_accepted),
		cmocka_unit_test(test_refusals_of_make),
		cmocka_unit_test(test_what_wants_rehashing),
		cmocka_unit_test(test_scram_matches_rfc7677),
		cmocka_unit_test(test_fakes_are_steady_and_differ_by_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
