# lib/spool: the journal and the cold queue files
noinst_LIBRARIES += lib/libspool.a
lib_libspool_a_SOURCES = \
	lib/spool/cold.c lib/spool/cold.h \
	lib/spool/envelope.c lib/spool/envelope.h \
	lib/spool/header.c lib/spool/header.h \
	lib/spool/incarnation.c lib/spool/incarnation.h \
	lib/spool/journal.c lib/spool/journal.h \
	lib/spool/outlog.c lib/spool/outlog.h \
	lib/spool/queueid.c lib/spool/queueid.h \
	lib/spool/record.c lib/spool/record.h \
	lib/spool/segment.c lib/spool/segment.h \
	lib/spool/spool.c lib/spool/spool.h lib/spool/spool_cold.c \
	lib/spool/spool_commit.c lib/spool/spool_drain.c \
	lib/spool/spool_private.h
lib_libspool_a_CFLAGS = $(AM_CFLAGS) $(EVENT_CFLAGS)
SPOOL_LIBS = lib/libspool.a

spool_tests = lib/spool/t_queueid lib/spool/t_envelope lib/spool/t_record \
	lib/spool/t_journal lib/spool/t_manager lib/spool/t_powercut \
	lib/spool/t_faults lib/spool/t_kill
if HAVE_CMOCKA
check_PROGRAMS += $(spool_tests)
endif
SPOOL_T_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS) $(EVENT_CFLAGS)
SPOOL_T_LIBS = $(SPOOL_LIBS) lib/libdiskrecord.a $(BASE_LIBS) $(CMOCKA_LIBS)
lib_spool_t_queueid_SOURCES = lib/spool/t_queueid.c
lib_spool_t_queueid_CFLAGS = $(SPOOL_T_CFLAGS)
lib_spool_t_queueid_LDADD = $(SPOOL_T_LIBS)
lib_spool_t_envelope_SOURCES = lib/spool/t_envelope.c
lib_spool_t_envelope_CFLAGS = $(SPOOL_T_CFLAGS)
lib_spool_t_envelope_LDADD = $(SPOOL_T_LIBS)
lib_spool_t_record_SOURCES = lib/spool/t_record.c lib/spool/t_spool.h
lib_spool_t_record_CFLAGS = $(SPOOL_T_CFLAGS)
lib_spool_t_record_LDADD = $(SPOOL_T_LIBS)
lib_spool_t_journal_SOURCES = lib/spool/t_journal.c lib/spool/t_spool.h
lib_spool_t_journal_CFLAGS = $(SPOOL_T_CFLAGS)
lib_spool_t_journal_LDADD = $(SPOOL_T_LIBS)
lib_spool_t_manager_SOURCES = lib/spool/t_manager.c lib/spool/t_manager.h \
	lib/spool/t_spool.h
lib_spool_t_manager_CFLAGS = $(SPOOL_T_CFLAGS)
lib_spool_t_manager_LDADD = $(SPOOL_T_LIBS)
lib_spool_t_powercut_SOURCES = lib/spool/t_powercut.c \
	lib/spool/t_manager.h lib/spool/t_spool.h
lib_spool_t_powercut_CFLAGS = $(SPOOL_T_CFLAGS)
lib_spool_t_powercut_LDADD = $(SPOOL_T_LIBS)
lib_spool_t_faults_SOURCES = lib/spool/t_faults.c lib/spool/t_manager.h \
	lib/spool/t_spool.h
lib_spool_t_faults_CFLAGS = $(SPOOL_T_CFLAGS)
lib_spool_t_faults_LDADD = $(SPOOL_T_LIBS)
lib_spool_t_kill_SOURCES = lib/spool/t_kill.c lib/spool/t_manager.h \
	lib/spool/t_spool.h
lib_spool_t_kill_CFLAGS = $(SPOOL_T_CFLAGS)
lib_spool_t_kill_LDADD = $(SPOOL_T_LIBS)

# the spool's own figures: tests/bench/spoolbench -d DIR
noinst_PROGRAMS += tests/bench/spoolbench
tests_bench_spoolbench_SOURCES = tests/bench/spoolbench.c
tests_bench_spoolbench_CFLAGS = $(AM_CFLAGS) $(EVENT_CFLAGS)
tests_bench_spoolbench_LDADD = $(SPOOL_LIBS) $(BASE_LIBS)
