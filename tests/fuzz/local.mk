# Fuzz targets. A target NAME is tests/fuzz/fuzz_NAME.c, which has
# LLVMFuzzerTestOneInput, and the directory tests/fuzz/corpus/NAME/ of inputs
# (also the ones that once broke something). To add one, append two lines:
#
#	fuzz_targets += tests/fuzz/fuzz_NAME
#	tests_fuzz_fuzz_NAME_LDADD = $(FUZZ_MAIN) what it needs $(BASE_LIBS)
#
# `make check` runs each target with standalone.c: its corpus and a bounded
# number of mutations that are the same every time. With --enable-fuzzers the
# targets are linked with libFuzzer instead; tests/fuzz/run starts those.
fuzz_targets =
if FUZZERS
FUZZ_MAIN = $(FUZZ_ENGINE)
noinst_PROGRAMS += $(fuzz_targets)
else
FUZZ_MAIN = tests/fuzz/libfuzzmain.a
check_LIBRARIES += tests/fuzz/libfuzzmain.a
check_PROGRAMS += $(fuzz_targets)
endif
tests_fuzz_libfuzzmain_a_SOURCES = tests/fuzz/standalone.c tests/fuzz/fuzz.h
EXTRA_DIST += tests/fuzz/corpus tests/fuzz/run tests/fuzz/README.md

fuzz_targets += tests/fuzz/fuzz_conf
tests_fuzz_fuzz_conf_LDADD = $(FUZZ_MAIN) $(BASE_LIBS)
fuzz_targets += tests/fuzz/fuzz_ipc
tests_fuzz_fuzz_ipc_LDADD = $(FUZZ_MAIN) $(BASE_LIBS)
fuzz_targets += tests/fuzz/fuzz_address
tests_fuzz_fuzz_address_LDADD = $(FUZZ_MAIN) $(MAIL_LIBS) $(BASE_LIBS)
fuzz_targets += tests/fuzz/fuzz_addrlist
tests_fuzz_fuzz_addrlist_LDADD = $(FUZZ_MAIN) $(MAIL_LIBS) $(BASE_LIBS)
fuzz_targets += tests/fuzz/fuzz_date
tests_fuzz_fuzz_date_LDADD = $(FUZZ_MAIN) $(MAIL_LIBS) $(BASE_LIBS)
fuzz_targets += tests/fuzz/fuzz_header
tests_fuzz_fuzz_header_LDADD = $(FUZZ_MAIN) $(MAIL_LIBS) $(BASE_LIBS)
fuzz_targets += tests/fuzz/fuzz_mime
tests_fuzz_fuzz_mime_LDADD = $(FUZZ_MAIN) $(MAIL_LIBS) $(BASE_LIBS)
fuzz_targets += tests/fuzz/fuzz_dns
tests_fuzz_fuzz_dns_CFLAGS = $(AM_CFLAGS) $(NET_CFLAGS)
tests_fuzz_fuzz_dns_LDADD = $(FUZZ_MAIN) $(NET_LIBS) $(BASE_LIBS)
fuzz_targets += tests/fuzz/fuzz_proxy
tests_fuzz_fuzz_proxy_LDADD = $(FUZZ_MAIN) $(NET_LIBS) $(BASE_LIBS)
fuzz_targets += tests/fuzz/fuzz_table
tests_fuzz_fuzz_table_LDADD = $(FUZZ_MAIN) $(TABLE_LIBS) $(BASE_LIBS)
fuzz_targets += tests/fuzz/fuzz_policy
tests_fuzz_fuzz_policy_CFLAGS = $(AM_CFLAGS) $(EVENT_CFLAGS)
tests_fuzz_fuzz_policy_LDADD = $(FUZZ_MAIN) $(POLICY_LIBS)
fuzz_targets += tests/fuzz/fuzz_gate
tests_fuzz_fuzz_gate_CFLAGS = $(AM_CFLAGS) $(EVENT_CFLAGS)
tests_fuzz_fuzz_gate_LDADD = $(FUZZ_MAIN) $(GATE_LIBS)
fuzz_targets += tests/fuzz/fuzz_gate_words
tests_fuzz_fuzz_gate_words_CFLAGS = $(AM_CFLAGS) $(EVENT_CFLAGS)
tests_fuzz_fuzz_gate_words_LDADD = $(FUZZ_MAIN) $(GATE_LIBS)
fuzz_targets += tests/fuzz/fuzz_table_reply
tests_fuzz_fuzz_table_reply_CFLAGS = $(AM_CFLAGS) $(EVENT_CFLAGS)
tests_fuzz_fuzz_table_reply_LDADD = $(FUZZ_MAIN) $(TABLEASK_LIBS)
fuzz_targets += tests/fuzz/fuzz_pgsql
tests_fuzz_fuzz_pgsql_LDADD = $(FUZZ_MAIN) $(TABLE_LIBS) $(BASE_LIBS)
fuzz_targets += tests/fuzz/fuzz_scheme
tests_fuzz_fuzz_scheme_LDADD = $(FUZZ_MAIN) $(SCHEME_LIBS)
fuzz_targets += tests/fuzz/fuzz_envelope
tests_fuzz_fuzz_envelope_LDADD = $(FUZZ_MAIN) $(SPOOL_LIBS) $(BASE_LIBS)
fuzz_targets += tests/fuzz/fuzz_outlog
tests_fuzz_fuzz_outlog_LDADD = $(FUZZ_MAIN) $(SPOOL_LIBS) $(BASE_LIBS)
fuzz_targets += tests/fuzz/fuzz_record
tests_fuzz_fuzz_record_LDADD = $(FUZZ_MAIN) $(SPOOL_LIBS) $(BASE_LIBS)
fuzz_targets += tests/fuzz/fuzz_spf
tests_fuzz_fuzz_spf_CFLAGS = $(AM_CFLAGS) $(NET_CFLAGS)
tests_fuzz_fuzz_spf_LDADD = $(FUZZ_MAIN) $(MAIL_LIBS) $(NET_LIBS)
fuzz_targets += tests/fuzz/fuzz_headfilter
tests_fuzz_fuzz_headfilter_CFLAGS = $(AM_CFLAGS) $(EVENT_CFLAGS)
tests_fuzz_fuzz_headfilter_LDADD = $(FUZZ_MAIN) smtpd/libsmtpd.a $(BASE_LIBS)
fuzz_targets += tests/fuzz/fuzz_smtp_session
tests_fuzz_fuzz_smtp_session_CFLAGS = $(AM_CFLAGS) $(EVENT_CFLAGS)
tests_fuzz_fuzz_smtp_session_LDADD = $(FUZZ_MAIN) $(SMTPD_FAKE_LIBS)
fuzz_targets += tests/fuzz/fuzz_pass
tests_fuzz_fuzz_pass_LDADD = $(FUZZ_MAIN) smtpd/libkeeper.a lib/libgate.a \
	$(BASE_LIBS)
tests_fuzz_fuzz_pass_CFLAGS = $(AM_CFLAGS) $(EVENT_CFLAGS)
fuzz_targets += tests/fuzz/fuzz_greylist
tests_fuzz_fuzz_greylist_CFLAGS = $(AM_CFLAGS) $(EVENT_CFLAGS)
tests_fuzz_fuzz_greylist_LDADD = $(FUZZ_MAIN) $(GATE_LIBS)
fuzz_targets += tests/fuzz/fuzz_ccert_arg
tests_fuzz_fuzz_ccert_arg_CFLAGS = $(AM_CFLAGS) $(EVENT_CFLAGS)
tests_fuzz_fuzz_ccert_arg_LDADD = $(FUZZ_MAIN) $(GATE_LIBS)
fuzz_targets += tests/fuzz/fuzz_xattr
tests_fuzz_fuzz_xattr_CFLAGS = $(AM_CFLAGS) $(EVENT_CFLAGS)
tests_fuzz_fuzz_xattr_LDADD = $(FUZZ_MAIN) $(SMTPD_FAKE_LIBS)
fuzz_targets += tests/fuzz/fuzz_imap_command
tests_fuzz_fuzz_imap_command_LDADD = $(FUZZ_MAIN) imapd/libimapd.a \
	$(MAIL_LIBS) $(BASE_LIBS)
fuzz_targets += tests/fuzz/fuzz_thread
tests_fuzz_fuzz_thread_LDADD = $(FUZZ_MAIN) imapd/libimapd.a \
	$(MAIL_LIBS) $(BASE_LIBS)
fuzz_targets += tests/fuzz/fuzz_auth
tests_fuzz_fuzz_auth_CFLAGS = $(AM_CFLAGS) $(EVENT_CFLAGS)
tests_fuzz_fuzz_auth_LDADD = $(FUZZ_MAIN) $(AUTHD_LIBS)
fuzz_targets += tests/fuzz/fuzz_quota_letter
tests_fuzz_fuzz_quota_letter_SOURCES = tests/fuzz/fuzz_quota_letter.c \
	delivery/quota_letter.c
tests_fuzz_fuzz_quota_letter_LDADD = $(FUZZ_MAIN) $(MAIL_LIBS) $(BASE_LIBS)
fuzz_targets += tests/fuzz/fuzz_foreign
tests_fuzz_fuzz_foreign_LDADD = $(FUZZ_MAIN) $(STORE_LIBS) $(BASE_LIBS)
fuzz_targets += tests/fuzz/fuzz_fname
tests_fuzz_fuzz_fname_LDADD = $(FUZZ_MAIN) $(STORE_LIBS) $(BASE_LIBS)
fuzz_targets += tests/fuzz/fuzz_index
tests_fuzz_fuzz_index_LDADD = $(FUZZ_MAIN) $(STORE_LIBS) $(BASE_LIBS)
fuzz_targets += tests/fuzz/fuzz_logline
tests_fuzz_fuzz_logline_SOURCES = tests/fuzz/fuzz_logline.c admin/logline.c \
	admin/trail.c
tests_fuzz_fuzz_logline_LDADD = $(FUZZ_MAIN) $(BASE_LIBS)
fuzz_targets += tests/fuzz/fuzz_userfile
tests_fuzz_fuzz_userfile_SOURCES = tests/fuzz/fuzz_userfile.c \
	admin/userfile.c admin/userfile.h
tests_fuzz_fuzz_userfile_LDADD = $(FUZZ_MAIN) $(BASE_LIBS)
