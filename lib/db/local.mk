# lib/db: PostgreSQL: the connection, the directory cache, migrations
noinst_LIBRARIES += lib/libdb.a
lib_libdb_a_SOURCES = \
	lib/db/credentials.c lib/db/credentials.h lib/db/db.c lib/db/db.h \
	lib/db/db_config.c lib/db/db_connect.c lib/db/db_private.h \
	lib/db/db_traffic.c lib/db/dircache.c lib/db/dircache.h \
	lib/db/directory.c lib/db/directory.h lib/db/directory_link.c \
	lib/db/directory_private.h lib/db/endpoint.c \
	lib/db/endpoint.h lib/db/migrate.c lib/db/migrate.h \
	lib/db/report.c lib/db/report.h \
	lib/db/resolution.c lib/db/resolution.h lib/db/result.c \
	lib/db/result.h lib/db/revision.c lib/db/share.c \
	lib/db/share.h lib/db/share_rows.c lib/db/share_rows.h \
	lib/db/verdicts.c lib/db/verdicts.h
EXTRA_DIST += lib/db/README.md
lib_libdb_a_CFLAGS = $(AM_CFLAGS) $(EVENT_CFLAGS) $(PQ_CFLAGS)
DB_LIBS = lib/libdb.a $(PQ_LIBS)

# Tests; those with a database start one of their own (skipped without).
db_tests = lib/db/t_dircache lib/db/t_db lib/db/t_directory \
	lib/db/t_migrate lib/db/t_credentials \
	lib/db/t_normal lib/db/t_share lib/db/t_verdicts lib/db/t_writers
if HAVE_CMOCKA
check_PROGRAMS += $(db_tests)
check_LIBRARIES += lib/libtestpg.a
endif
lib_libtestpg_a_SOURCES = lib/db/testpg.c lib/db/testpg.h \
	lib/db/testproxy.c lib/db/testproxy.h
lib_libtestpg_a_CFLAGS = $(AM_CFLAGS) $(EVENT_CFLAGS) $(PQ_CFLAGS) \
	-DPS_SRCDIR='"$(abs_top_srcdir)"'
db_test_cflags = $(AM_CFLAGS) $(CMOCKA_CFLAGS) $(EVENT_CFLAGS) $(PQ_CFLAGS)
db_test_libs = lib/libtestpg.a lib/libdb.a $(BASE_LIBS) $(CMOCKA_LIBS) \
	$(PQ_LIBS)
lib_db_t_dircache_CFLAGS = $(db_test_cflags)
lib_db_t_dircache_LDADD = $(db_test_libs)
lib_db_t_db_CFLAGS = $(db_test_cflags)
lib_db_t_db_LDADD = $(db_test_libs)
lib_db_t_directory_CFLAGS = $(db_test_cflags)
lib_db_t_directory_LDADD = $(db_test_libs)
lib_db_t_migrate_CFLAGS = $(db_test_cflags)
lib_db_t_migrate_LDADD = $(db_test_libs)
lib_db_t_credentials_CFLAGS = $(db_test_cflags)
lib_db_t_credentials_LDADD = $(db_test_libs)
lib_db_t_normal_CFLAGS = $(db_test_cflags)
lib_db_t_normal_LDADD = $(MAIL_LIBS) $(db_test_libs)
lib_db_t_share_CFLAGS = $(db_test_cflags)
lib_db_t_share_LDADD = $(db_test_libs)
lib_db_t_share_LDFLAGS = $(AM_LDFLAGS) -Wl,--wrap=clock_wall_us
lib_db_t_verdicts_CFLAGS = $(db_test_cflags)
lib_db_t_verdicts_LDADD = $(db_test_libs)
lib_db_t_writers_CFLAGS = $(db_test_cflags)
lib_db_t_writers_LDADD = $(db_test_libs)
