# authd: passwords and SASL
noinst_LIBRARIES += authd/libauthd.a
authd_libauthd_a_SOURCES = authd/mech.c authd/mech.h authd/message.c \
	authd/message.h
authd_libauthd_a_CFLAGS = $(AM_CFLAGS) $(EVENT_CFLAGS) $(SASL_CFLAGS) \
	$(SSL_CFLAGS) -DPS_SASL_PLUGINS='"$(SASL_PLUGINS)"'
AUTHD_LIBS = authd/libauthd.a $(SCHEME_LIBS) $(SASL_LIBS)

check_LIBRARIES += authd/libtestclient.a
authd_libtestclient_a_SOURCES = authd/testclient.c authd/testclient.h
authd_libtestclient_a_CFLAGS = $(AM_CFLAGS) $(SSL_CFLAGS)

if HAVE_CMOCKA
check_PROGRAMS += authd/t_mech
endif
authd_t_mech_SOURCES = authd/t_mech.c
authd_t_mech_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
authd_t_mech_LDADD = authd/libtestclient.a $(AUTHD_LIBS) $(CMOCKA_LIBS)
