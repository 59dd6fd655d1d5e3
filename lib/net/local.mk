# lib/net: streams (plain and TLS) and certificates
noinst_LIBRARIES += lib/libnet.a
lib_libnet_a_SOURCES = lib/net/certs.c lib/net/certs.h lib/net/outq.c \
	lib/net/outq.h lib/net/pem.c lib/net/pem.h lib/net/stream.c \
	lib/net/stream.h lib/net/stream_end.c lib/net/stream_int.h \
	lib/net/stream_out.c lib/net/stream_tls.c lib/net/tls.c \
	lib/net/tls.h
lib_libnet_a_CFLAGS = $(AM_CFLAGS) $(EVENT_CFLAGS) $(SSL_CFLAGS)
NET_LIBS = lib/libnet.a $(BASE_LIBS) $(SSL_LIBS)

check_LIBRARIES += lib/libtestcert.a
lib_libtestcert_a_SOURCES = lib/net/testcert.c lib/net/testcert.h
lib_libtestcert_a_CFLAGS = $(AM_CFLAGS) $(SSL_CFLAGS)

if HAVE_CMOCKA
check_PROGRAMS += lib/net/t_stream
endif
lib_net_t_stream_SOURCES = lib/net/t_stream.c
lib_net_t_stream_CFLAGS = $(AM_CFLAGS) $(EVENT_CFLAGS) $(SSL_CFLAGS) \
	$(CMOCKA_CFLAGS)
lib_net_t_stream_LDADD = lib/libtestcert.a $(NET_LIBS) $(CMOCKA_LIBS)
