# lib/table: look-up tables
noinst_LIBRARIES += lib/libtable.a
lib_libtable_a_SOURCES = lib/table/cidr.c lib/table/combine.c \
	lib/table/contents.c \
	lib/table/lines.c lib/table/lines.h lib/table/matchlist.c \
	lib/table/matchlist.h lib/table/pgsql.c \
	lib/table/pgsql.h lib/table/pgsql_sql.c lib/table/pgsql_sql.h \
	lib/table/regexp.c lib/table/remote.c lib/table/remote.h \
	lib/table/rules.c lib/table/table.c lib/table/table.h \
	lib/table/table_int.h lib/table/text.c lib/table/watch.c \
	lib/table/watch.h
lib_libtable_a_CFLAGS = $(AM_CFLAGS) $(EVENT_CFLAGS) $(PCRE2_CFLAGS)
# of lib/net only dial.h is used
TABLE_LIBS = lib/libtable.a lib/libnet.a $(PCRE2_LIBS)
EXTRA_DIST += lib/table/README.md

if HAVE_CMOCKA
check_PROGRAMS += lib/table/t_table lib/table/t_pgsql lib/table/t_watch
endif
lib_table_t_table_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
lib_table_t_table_LDADD = $(TABLE_LIBS) $(BASE_LIBS) $(CMOCKA_LIBS)
lib_table_t_pgsql_CFLAGS = $(lib_table_t_table_CFLAGS)
lib_table_t_pgsql_LDADD = $(lib_table_t_table_LDADD)
lib_table_t_watch_CFLAGS = $(lib_table_t_table_CFLAGS) $(EVENT_CFLAGS)
lib_table_t_watch_LDADD = $(lib_table_t_table_LDADD)
