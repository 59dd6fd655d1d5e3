# lib/gate: the restriction chain as data, and its evaluator
noinst_LIBRARIES += lib/libgate.a
lib_libgate_a_SOURCES = lib/gate/access.c lib/gate/access.h \
	lib/gate/ask.c lib/gate/ask.h lib/gate/ask_table.c \
	lib/gate/ask_table.h lib/gate/clientlist.c lib/gate/clientlist.h \
	lib/gate/checks.c lib/gate/checks.h lib/gate/checks_access.c \
	lib/gate/checks_dns.c lib/gate/checks_dnsbl.c \
	lib/gate/checks_effect.c lib/gate/checks_form.c lib/gate/checks_owner.c \
	lib/gate/ccert_arg.c lib/gate/ccert_arg.h lib/gate/checks_tls.c \
	lib/gate/checks_policy.c lib/gate/policy_facts.c \
	lib/gate/policy_facts.h \
	lib/gate/checks_verify.c lib/gate/checks_server.c \
	lib/gate/dnslist.c lib/gate/dnslist.h \
	lib/gate/dnshealth.c lib/gate/dnshealth.h \
	lib/gate/dnsscore.c lib/gate/dnsscore.h \
	lib/gate/dnsscore_ask.c lib/gate/dnsscore_ask.h \
	lib/gate/listhealth.c lib/gate/listhealth.h \
	lib/gate/ask_spf.c lib/gate/ask_spf.h lib/gate/checks_spf.c \
	lib/gate/spf_header.c lib/gate/spf_header.h \
	lib/gate/template.c lib/gate/template.h \
	lib/gate/checks_grey.c lib/gate/grey.c lib/gate/grey.h \
	lib/gate/greywhite.c lib/gate/greywhite.h \
	lib/gate/eval.c lib/gate/gate.c lib/gate/gate.h \
	lib/gate/gate_int.h lib/gate/manners.c lib/gate/manners.h \
	lib/gate/parse.c lib/gate/testgate.h lib/gate/trust.c \
	lib/gate/iplist.c lib/gate/iplist.h \
	lib/gate/netlist.c lib/gate/netlist.h
lib_libgate_a_CFLAGS = $(AM_CFLAGS) $(EVENT_CFLAGS) $(PCRE2_CFLAGS)
# of lib/db only directory.h's types are used
GATE_LIBS = lib/libgate.a lib/libpolicy.a $(TABLE_LIBS) $(MAIL_LIBS) $(NET_LIBS)
EXTRA_DIST += lib/gate/README.md

if HAVE_CMOCKA
check_PROGRAMS += lib/gate/t_access lib/gate/t_dnschecks lib/gate/t_gate \
	lib/gate/t_dnsscore lib/gate/t_count lib/gate/t_greywhite \
	lib/gate/t_policy lib/gate/t_manners lib/gate/t_tls
endif
lib_gate_t_gate_SOURCES = lib/gate/t_gate.c
lib_gate_t_gate_CFLAGS = $(AM_CFLAGS) $(EVENT_CFLAGS) $(CMOCKA_CFLAGS)
lib_gate_t_gate_LDADD = $(GATE_LIBS) $(CMOCKA_LIBS)
lib_gate_t_greywhite_SOURCES = lib/gate/t_greywhite.c
lib_gate_t_greywhite_CFLAGS = $(AM_CFLAGS) $(EVENT_CFLAGS) $(CMOCKA_CFLAGS)
lib_gate_t_greywhite_LDADD = $(GATE_LIBS) $(CMOCKA_LIBS)
lib_gate_t_access_SOURCES = lib/gate/t_access.c
lib_gate_t_access_CFLAGS = $(lib_gate_t_gate_CFLAGS)
lib_gate_t_access_LDADD = $(lib_gate_t_gate_LDADD)
lib_gate_t_dnschecks_SOURCES = lib/gate/t_dnschecks.c
lib_gate_t_dnschecks_CFLAGS = $(lib_gate_t_gate_CFLAGS)
lib_gate_t_dnschecks_LDADD = $(lib_gate_t_gate_LDADD)
lib_gate_t_dnsscore_SOURCES = lib/gate/t_dnsscore.c
lib_gate_t_dnsscore_CFLAGS = $(lib_gate_t_gate_CFLAGS)
lib_gate_t_dnsscore_LDADD = $(lib_gate_t_gate_LDADD)
lib_gate_t_count_SOURCES = lib/gate/t_count.c
lib_gate_t_count_CFLAGS = $(lib_gate_t_gate_CFLAGS)
lib_gate_t_count_LDADD = $(lib_gate_t_gate_LDADD)
lib_gate_t_policy_SOURCES = lib/gate/t_policy.c
lib_gate_t_policy_CFLAGS = $(lib_gate_t_gate_CFLAGS)
lib_gate_t_policy_LDADD = $(lib_gate_t_gate_LDADD)
lib_gate_t_tls_SOURCES = lib/gate/t_tls.c
lib_gate_t_tls_CFLAGS = $(lib_gate_t_gate_CFLAGS)
lib_gate_t_tls_LDADD = $(lib_gate_t_gate_LDADD)
if HAVE_CMOCKA
check_PROGRAMS += lib/gate/t_clientlist
endif
lib_gate_t_clientlist_SOURCES = lib/gate/t_clientlist.c
lib_gate_t_clientlist_CFLAGS = $(lib_gate_t_gate_CFLAGS)
lib_gate_t_clientlist_LDADD = $(lib_gate_t_gate_LDADD)
lib_gate_t_manners_SOURCES = lib/gate/t_manners.c
lib_gate_t_manners_CFLAGS = $(lib_gate_t_gate_CFLAGS)
lib_gate_t_manners_LDADD = $(lib_gate_t_gate_LDADD)
if HAVE_CMOCKA
check_PROGRAMS += lib/gate/t_iplist
endif
lib_gate_t_iplist_SOURCES = lib/gate/t_iplist.c
lib_gate_t_iplist_CFLAGS = $(lib_gate_t_gate_CFLAGS)
lib_gate_t_iplist_LDADD = $(lib_gate_t_gate_LDADD)
