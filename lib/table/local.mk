# lib/table: look-up tables
noinst_LIBRARIES += lib/libtable.a
lib_libtable_a_SOURCES = lib/table/cidr.c lib/table/combine.c \
	lib/table/regexp.c lib/table/table.c lib/table/table.h \
	lib/table/table_int.h lib/table/text.c
lib_libtable_a_CFLAGS = $(AM_CFLAGS) $(PCRE2_CFLAGS)
TABLE_LIBS = lib/libtable.a $(PCRE2_LIBS)
EXTRA_DIST += lib/table/README.md

if HAVE_CMOCKA
check_PROGRAMS += lib/table/t_table
endif
lib_table_t_table_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
lib_table_t_table_LDADD = $(TABLE_LIBS) $(BASE_LIBS) $(CMOCKA_LIBS)
