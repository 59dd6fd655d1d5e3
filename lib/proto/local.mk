# lib/proto: the messages between processes
noinst_LIBRARIES += lib/libproto.a
lib_libproto_a_SOURCES = lib/proto/proto.c lib/proto/proto.h \
	lib/proto/ctl_serve.c lib/proto/ctl_serve.h \
	lib/proto/messages.def lib/proto/service.c lib/proto/service.h \
	lib/proto/ticket.c lib/proto/ticket.h
lib_libproto_a_CFLAGS = $(AM_CFLAGS) $(EVENT_CFLAGS) $(SSL_CFLAGS)

# whoever uses ticket.h links $(SSL_LIBS) as well
if HAVE_CMOCKA
check_PROGRAMS += lib/proto/t_ticket
endif
lib_proto_t_ticket_SOURCES = lib/proto/t_ticket.c
lib_proto_t_ticket_CFLAGS = $(AM_CFLAGS) $(EVENT_CFLAGS) $(CMOCKA_CFLAGS)
lib_proto_t_ticket_LDADD = $(BASE_LIBS) $(SSL_LIBS) $(CMOCKA_LIBS)
