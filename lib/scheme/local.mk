# lib/scheme: how passwords are stored
noinst_LIBRARIES += lib/libscheme.a
lib_libscheme_a_SOURCES = lib/scheme/argon2.c lib/scheme/crypt3.c \
	lib/scheme/crypt3_cost.c lib/scheme/digest.c lib/scheme/pbkdf2.c \
	lib/scheme/scheme.c lib/scheme/scheme.h lib/scheme/scheme_int.h \
	lib/scheme/scram.c
lib_libscheme_a_CFLAGS = $(AM_CFLAGS) $(SSL_CFLAGS) $(CRYPT_CFLAGS) \
	$(ARGON2_CFLAGS)
SCHEME_LIBS = lib/libscheme.a $(MAIL_LIBS) $(BASE_LIBS) $(SSL_LIBS) \
	$(CRYPT_LIBS) $(ARGON2_LIBS)

if HAVE_CMOCKA
check_PROGRAMS += lib/scheme/t_scheme
endif
lib_scheme_t_scheme_SOURCES = lib/scheme/t_scheme.c
lib_scheme_t_scheme_CFLAGS = $(AM_CFLAGS) $(SSL_CFLAGS) $(CMOCKA_CFLAGS)
lib_scheme_t_scheme_LDADD = $(SCHEME_LIBS) $(CMOCKA_LIBS)
EXTRA_DIST += lib/scheme/README.md
