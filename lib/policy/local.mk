# lib/policy: asks policy services (check_policy_service)
noinst_LIBRARIES += lib/libpolicy.a
lib_libpolicy_a_SOURCES = lib/policy/conn.c lib/policy/conn.h \
	lib/policy/policy.c lib/policy/policy.h lib/policy/probe.c \
	lib/policy/reply.c lib/policy/reply.h lib/policy/request.c \
	lib/policy/request.h lib/policy/spec.c lib/policy/spec.h
lib_libpolicy_a_CFLAGS = $(AM_CFLAGS) $(EVENT_CFLAGS)
POLICY_LIBS = lib/libpolicy.a $(MAIL_LIBS) $(NET_LIBS)
EXTRA_DIST += lib/policy/README.md

# what asking costs: tests/bench/policybench
noinst_PROGRAMS += tests/bench/policybench
tests_bench_policybench_SOURCES = tests/bench/policybench.c
tests_bench_policybench_CFLAGS = $(AM_CFLAGS) $(EVENT_CFLAGS)
tests_bench_policybench_LDADD = lib/libgate.a $(POLICY_LIBS)

policy_tests = lib/policy/t_spec lib/policy/t_reply lib/policy/t_request \
	lib/policy/t_policy
if HAVE_CMOCKA
check_PROGRAMS += $(policy_tests)
endif
lib_policy_t_spec_LDADD = $(POLICY_LIBS) $(CMOCKA_LIBS)
lib_policy_t_reply_LDADD = $(POLICY_LIBS) $(CMOCKA_LIBS)
lib_policy_t_request_LDADD = $(POLICY_LIBS) $(CMOCKA_LIBS)
lib_policy_t_policy_CFLAGS = $(AM_CFLAGS) $(EVENT_CFLAGS) $(CMOCKA_CFLAGS)
lib_policy_t_policy_LDADD = $(POLICY_LIBS) $(CMOCKA_LIBS)
