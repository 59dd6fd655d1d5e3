# lib/store: maildir, index, quota
noinst_LIBRARIES += lib/libstore.a
lib_libstore_a_SOURCES = lib/store/account.c lib/store/account.h \
	lib/store/adopt.c lib/store/adopt.h lib/store/adopt_folder.c \
	lib/store/adopt_int.h lib/store/adopt_plan.c \
	lib/store/foreign.c lib/store/foreign.h \
	lib/store/audit.c lib/store/audit.h \
	lib/store/boot.c lib/store/boot.h lib/store/box.c lib/store/box.h \
	lib/store/box_file.c lib/store/cache.c lib/store/cache.h \
	lib/store/deliver_one.c lib/store/deliver_one.h \
	lib/store/find.c lib/store/find.h lib/store/fname.c \
	lib/store/fname.h lib/store/folder.c lib/store/folder.h \
	lib/store/batch.c lib/store/batch.h lib/store/folder_append.c \
	lib/store/folder_change.c lib/store/folder_copy.c \
	lib/store/folder_msg.c lib/store/folder_outline.c \
	lib/store/folder_vanished.c \
	lib/store/folders.c lib/store/folders.h \
	lib/store/head.c lib/store/head.h lib/store/host.h \
	lib/store/index.c lib/store/index.h lib/store/keywords.c \
	lib/store/keywords.h lib/store/layout.c lib/store/layout.h \
	lib/store/maildirsize.c lib/store/maildirsize.h \
	lib/store/mfile.c lib/store/mfile.h lib/store/reconcile.c \
	lib/store/reconcile.h lib/store/scan.c lib/store/scan.h \
	lib/store/small.c lib/store/small.h lib/store/special.c \
	lib/store/special.h \
	lib/store/texts.c lib/store/texts.h lib/store/view.h
lib_libstore_a_CFLAGS = $(AM_CFLAGS)
STORE_LIBS = lib/libstore.a $(MAIL_LIBS)
EXTRA_DIST += lib/store/README.md

store_tests = lib/store/t_names lib/store/t_folder lib/store/t_deliver \
	lib/store/t_reconcile lib/store/t_powercut lib/store/t_faults \
	lib/store/t_storm lib/store/t_modseq lib/store/t_outline \
	lib/store/t_foreign lib/store/t_adopt
if HAVE_CMOCKA
check_PROGRAMS += $(store_tests)
endif
EXTRA_DIST += lib/store/t_util.h
store_test_cflags = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
store_test_libs = $(STORE_LIBS) lib/libdiskrecord.a $(BASE_LIBS) \
	$(CMOCKA_LIBS)
lib_store_t_names_SOURCES = lib/store/t_names.c
lib_store_t_names_CFLAGS = $(store_test_cflags)
lib_store_t_names_LDADD = $(store_test_libs)
lib_store_t_storm_SOURCES = lib/store/t_storm.c
lib_store_t_storm_CFLAGS = $(store_test_cflags)
lib_store_t_storm_LDADD = $(store_test_libs)
lib_store_t_modseq_SOURCES = lib/store/t_modseq.c
lib_store_t_modseq_CFLAGS = $(store_test_cflags)
lib_store_t_modseq_LDADD = $(store_test_libs)
lib_store_t_outline_SOURCES = lib/store/t_outline.c
lib_store_t_outline_CFLAGS = $(store_test_cflags)
lib_store_t_outline_LDADD = $(store_test_libs)
lib_store_t_folder_SOURCES = lib/store/t_folder.c
lib_store_t_folder_CFLAGS = $(store_test_cflags)
lib_store_t_folder_LDADD = $(store_test_libs)
lib_store_t_deliver_SOURCES = lib/store/t_deliver.c
lib_store_t_deliver_CFLAGS = $(store_test_cflags)
lib_store_t_deliver_LDADD = $(store_test_libs)
lib_store_t_reconcile_SOURCES = lib/store/t_reconcile.c
lib_store_t_reconcile_CFLAGS = $(store_test_cflags)
lib_store_t_reconcile_LDADD = $(store_test_libs)
lib_store_t_powercut_SOURCES = lib/store/t_powercut.c
lib_store_t_powercut_CFLAGS = $(store_test_cflags)
lib_store_t_powercut_LDADD = $(store_test_libs)
lib_store_t_faults_SOURCES = lib/store/t_faults.c
lib_store_t_faults_CFLAGS = $(store_test_cflags)
lib_store_t_faults_LDADD = $(store_test_libs)

noinst_PROGRAMS += tests/bench/storebench
tests_bench_storebench_SOURCES = tests/bench/storebench.c
tests_bench_storebench_LDADD = $(STORE_LIBS) $(BASE_LIBS)
noinst_PROGRAMS += tests/bench/folderbench
tests_bench_folderbench_SOURCES = tests/bench/folderbench.c
tests_bench_folderbench_LDADD = $(STORE_LIBS) $(BASE_LIBS)
lib_store_t_foreign_SOURCES = lib/store/t_foreign.c
lib_store_t_foreign_CFLAGS = $(store_test_cflags)
lib_store_t_foreign_LDADD = $(store_test_libs)
lib_store_t_adopt_SOURCES = lib/store/t_adopt.c
lib_store_t_adopt_CFLAGS = $(store_test_cflags)
lib_store_t_adopt_LDADD = $(store_test_libs)
