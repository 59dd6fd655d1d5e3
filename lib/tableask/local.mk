# lib/tableask: tables whose answers others have
noinst_LIBRARIES += lib/libtableask.a
lib_libtableask_a_SOURCES = lib/tableask/link.c lib/tableask/list.c \
	lib/tableask/list.h lib/tableask/lists.c \
	lib/tableask/sql.c lib/tableask/tableask.c lib/tableask/tableask.h \
	lib/tableask/tableask_int.h lib/tableask/wire.c lib/tableask/wire.h
lib_libtableask_a_CFLAGS = $(AM_CFLAGS) $(EVENT_CFLAGS)
TABLEASK_LIBS = lib/libtableask.a $(TABLE_LIBS) $(DB_LIBS) $(NET_LIBS)
EXTRA_DIST += lib/tableask/README.md

tableask_tests = lib/tableask/t_wire lib/tableask/t_link \
	lib/tableask/t_tableask
if HAVE_CMOCKA
check_PROGRAMS += $(tableask_tests)
endif
tableask_test_cflags = $(AM_CFLAGS) $(EVENT_CFLAGS) $(PQ_CFLAGS) \
	$(CMOCKA_CFLAGS)
lib_tableask_t_wire_CFLAGS = $(tableask_test_cflags)
lib_tableask_t_wire_LDADD = $(TABLEASK_LIBS) $(CMOCKA_LIBS)
lib_tableask_t_link_CFLAGS = $(tableask_test_cflags)
lib_tableask_t_link_LDADD = $(TABLEASK_LIBS) $(CMOCKA_LIBS)
lib_tableask_t_tableask_CFLAGS = $(tableask_test_cflags)
lib_tableask_t_tableask_LDADD = lib/libtestpg.a $(TABLEASK_LIBS) \
	$(CMOCKA_LIBS)
