# lib/proto: the messages between processes
noinst_LIBRARIES += lib/libproto.a
lib_libproto_a_SOURCES = lib/proto/proto.c lib/proto/proto.h \
	lib/proto/messages.def lib/proto/service.c lib/proto/service.h
lib_libproto_a_CFLAGS = $(AM_CFLAGS) $(EVENT_CFLAGS)
