# authd: passwords and SASL
noinst_LIBRARIES += authd/libauthd.a
authd_libauthd_a_SOURCES = authd/account.c authd/account.h authd/authd.c \
	authd/authd.h authd/client.c authd/client.h authd/defence.c \
	authd/defence.h authd/defence_control.c \
	authd/defence_control.h authd/defence_share.c authd/defence_share.h \
	authd/exchange.c authd/exchange.h \
	authd/guesses.c authd/guesses.h authd/login_cache.c authd/login_cache.h \
	authd/mech.c authd/mech.h authd/message.c authd/message.h \
	authd/turnstile.c authd/turnstile.h
authd_libauthd_a_CFLAGS = $(AM_CFLAGS) $(EVENT_CFLAGS) $(SASL_CFLAGS) \
	$(SSL_CFLAGS) -DPS_SASL_PLUGINS='"$(SASL_PLUGINS)"'
AUTHD_LIBS = authd/libauthd.a lib/libgate.a $(DB_LIBS) $(SCHEME_LIBS) $(SASL_LIBS)

dist_man_MANS += doc/authd.8
EXTRA_DIST += authd/README.md
pkglibexec_PROGRAMS += authd/authd
authd_authd_SOURCES = authd/main.c
authd_authd_CFLAGS = $(AM_CFLAGS) $(EVENT_CFLAGS)
authd_authd_LDADD = $(AUTHD_LIBS)

check_LIBRARIES += authd/libtestclient.a
authd_libtestclient_a_SOURCES = authd/testclient.c authd/testclient.h
authd_libtestclient_a_CFLAGS = $(AM_CFLAGS) $(SSL_CFLAGS)

authd_tests = authd/t_authd authd/t_defence authd/t_exchange authd/t_mech \
	authd/t_turnstile
if HAVE_CMOCKA
check_PROGRAMS += $(authd_tests)
endif
authd_t_mech_SOURCES = authd/t_mech.c
authd_t_mech_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
authd_t_mech_LDADD = authd/libtestclient.a $(AUTHD_LIBS) $(CMOCKA_LIBS)
authd_t_exchange_SOURCES = authd/t_exchange.c
authd_t_exchange_CFLAGS = $(AM_CFLAGS) $(EVENT_CFLAGS) $(CMOCKA_CFLAGS)
authd_t_exchange_LDADD = $(authd_t_mech_LDADD)
authd_t_authd_SOURCES = authd/t_authd.c
authd_t_authd_CFLAGS = $(AM_CFLAGS) $(EVENT_CFLAGS) $(PQ_CFLAGS) \
	$(CMOCKA_CFLAGS)
authd_t_authd_LDADD = lib/libtestpg.a $(authd_t_mech_LDADD)
EXTRA_authd_t_authd_DEPENDENCIES = authd/authd$(EXEEXT)
authd_t_defence_SOURCES = authd/t_defence.c
authd_t_defence_CFLAGS = $(authd_t_exchange_CFLAGS)
authd_t_defence_LDADD = $(authd_t_mech_LDADD)
authd_t_turnstile_SOURCES = authd/t_turnstile.c
authd_t_turnstile_CFLAGS = $(authd_t_exchange_CFLAGS)
authd_t_turnstile_LDADD = $(authd_t_mech_LDADD)
