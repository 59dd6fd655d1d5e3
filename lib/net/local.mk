# lib/net: what goes over the network: streams (plain and TLS), certificates,
# DNS
noinst_LIBRARIES += lib/libnet.a
lib_libnet_a_SOURCES = lib/net/ccert.c lib/net/ccert.h \
	lib/net/certs.c lib/net/certs.h lib/net/client_name.c \
	lib/net/client_name.h lib/net/dial.c lib/net/dial.h \
	lib/net/dns.c lib/net/dns.h lib/net/dnscache.c \
	lib/net/dnscache.h lib/net/line.c lib/net/line.h \
	lib/net/outq.c lib/net/outq.h lib/net/pem.c lib/net/pem.h \
	lib/net/proxy.c lib/net/proxy.h lib/net/stream.c \
	lib/net/stream.h lib/net/stream_end.c lib/net/stream_int.h \
	lib/net/stream_out.c lib/net/stream_tls.c lib/net/tls.c \
	lib/net/tls.h
NET_CFLAGS = $(EVENT_CFLAGS) $(SSL_CFLAGS) $(UNBOUND_CFLAGS)
lib_libnet_a_CFLAGS = $(AM_CFLAGS) $(NET_CFLAGS)
NET_LIBS = lib/libnet.a $(BASE_LIBS) $(SSL_LIBS) $(UNBOUND_LIBS) -lresolv

check_LIBRARIES += lib/libtestcert.a
lib_libtestcert_a_SOURCES = lib/net/testcert.c lib/net/testcert.h
lib_libtestcert_a_CFLAGS = $(AM_CFLAGS) $(SSL_CFLAGS)

if HAVE_CMOCKA
check_PROGRAMS += lib/net/t_dns lib/net/t_line lib/net/t_proxy lib/net/t_stream \
	lib/net/t_certs lib/net/t_dial
endif
lib_net_t_dns_SOURCES = lib/net/t_dns.c
lib_net_t_dns_CFLAGS = $(AM_CFLAGS) $(NET_CFLAGS) $(CMOCKA_CFLAGS)
lib_net_t_dns_LDADD = $(NET_LIBS) $(CMOCKA_LIBS)
lib_net_t_dial_SOURCES = lib/net/t_dial.c
lib_net_t_dial_CFLAGS = $(AM_CFLAGS) $(NET_CFLAGS) $(CMOCKA_CFLAGS)
lib_net_t_dial_LDADD = $(NET_LIBS) $(CMOCKA_LIBS)
lib_net_t_line_SOURCES = lib/net/t_line.c
lib_net_t_line_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
lib_net_t_line_LDADD = $(NET_LIBS) $(CMOCKA_LIBS)
lib_net_t_proxy_SOURCES = lib/net/t_proxy.c
lib_net_t_proxy_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
lib_net_t_proxy_LDADD = $(NET_LIBS) $(CMOCKA_LIBS)
lib_net_t_stream_SOURCES = lib/net/t_stream.c
lib_net_t_stream_CFLAGS = $(AM_CFLAGS) $(NET_CFLAGS) $(CMOCKA_CFLAGS)
lib_net_t_stream_LDADD = lib/libtestcert.a $(NET_LIBS) $(CMOCKA_LIBS)
lib_net_t_certs_SOURCES = lib/net/t_certs.c
lib_net_t_certs_CFLAGS = $(lib_net_t_stream_CFLAGS)
lib_net_t_certs_LDADD = $(lib_net_t_stream_LDADD)
EXTRA_DIST += lib/net/README.md
