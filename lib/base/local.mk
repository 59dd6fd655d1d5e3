# lib/base: what every program stands on
noinst_LIBRARIES += lib/libbase.a
lib_libbase_a_SOURCES = \
	lib/base/bits.h lib/base/buf.c lib/base/buf.h lib/base/clock.c lib/base/clock.h \
	lib/base/quota.c lib/base/quota.h \
	lib/base/conf.c lib/base/conf.h lib/base/conf_man.c \
	lib/base/params.def \
	lib/base/params.def lib/base/disk.c lib/base/disk.h \
	lib/base/err.c lib/base/err.h lib/base/hash.c lib/base/hash.h \
	lib/base/ipc.c lib/base/ipc.h lib/base/json.c lib/base/json.h \
	lib/base/log.c lib/base/log.h \
	lib/base/loop.c lib/base/loop.h lib/base/testloop.h lib/base/macros.h lib/base/map.c \
	lib/base/map.h lib/base/pack.c lib/base/pack.h lib/base/proc.c \
	lib/base/proc.h lib/base/queue.h \
	lib/base/span.c lib/base/span.h lib/base/work.c \
	lib/base/work.h lib/base/xmalloc.c lib/base/xmalloc.h
lib_libbase_a_CFLAGS = $(AM_CFLAGS) $(EVENT_CFLAGS)
BASE_LIBS = lib/libproto.a lib/libbase.a $(EVENT_LIBS)

base_tests = lib/base/t_span lib/base/t_buf lib/base/t_pack lib/base/t_map lib/base/t_conf \
	lib/base/t_ipc lib/base/t_quota \
	lib/base/t_loop lib/base/t_log lib/base/t_disk lib/base/t_work lib/base/t_proc
if HAVE_CMOCKA
check_PROGRAMS += $(base_tests)
endif
lib_base_t_quota_LDADD = $(BASE_LIBS) $(CMOCKA_LIBS)
lib_base_t_span_LDADD = $(BASE_LIBS) $(CMOCKA_LIBS)
lib_base_t_buf_LDADD = $(BASE_LIBS) $(CMOCKA_LIBS)
lib_base_t_pack_LDADD = $(BASE_LIBS) $(CMOCKA_LIBS)
lib_base_t_map_LDADD = $(BASE_LIBS) $(CMOCKA_LIBS)
lib_base_t_conf_LDADD = $(BASE_LIBS) $(CMOCKA_LIBS)
lib_base_t_ipc_LDADD = $(BASE_LIBS) $(CMOCKA_LIBS)
lib_base_t_loop_LDADD = $(BASE_LIBS) $(CMOCKA_LIBS)
lib_base_t_log_LDADD = $(BASE_LIBS) $(CMOCKA_LIBS)
lib_base_t_disk_LDADD = $(BASE_LIBS) $(CMOCKA_LIBS)
lib_base_t_work_LDADD = $(BASE_LIBS) $(CMOCKA_LIBS)
lib_base_t_proc_LDADD = $(BASE_LIBS) $(CMOCKA_LIBS)

# the recording back end of disk.h, for tests of the spool and the store
check_LIBRARIES += lib/libdiskrecord.a
lib_libdiskrecord_a_SOURCES = lib/base/disk_record.c lib/base/disk_record.h
lib_libdiskrecord_a_CFLAGS = $(AM_CFLAGS)
if HAVE_CMOCKA
check_PROGRAMS += lib/base/t_disk_record
endif
lib_base_t_disk_record_SOURCES = lib/base/t_disk_record.c
lib_base_t_disk_record_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
lib_base_t_disk_record_LDADD = lib/libdiskrecord.a $(BASE_LIBS) \
	$(CMOCKA_LIBS)
