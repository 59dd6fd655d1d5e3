# smtpd: the gate
noinst_LIBRARIES += smtpd/libsmtpd.a
smtpd_libsmtpd_a_SOURCES = \
	smtpd/actions.c smtpd/actions.h \
	smtpd/body.c smtpd/body.h smtpd/cmd_mail.c smtpd/cmd_session.c \
	smtpd/cmd_ask.c smtpd/cmd_xclient.c smtpd/command.c smtpd/command.h \
	smtpd/commit.c smtpd/commit.h smtpd/complete.c smtpd/complete.h \
	smtpd/data.c smtpd/data.h smtpd/ehlo.c smtpd/ehlo.h \
	smtpd/first.c smtpd/first.h smtpd/first_int.h smtpd/first_talk.c \
	smtpd/first_wait.c \
	smtpd/footer.c smtpd/footer.h smtpd/greet.c \
	smtpd/grey_client.c smtpd/grey_client.h smtpd/headscan.c \
	smtpd/headfilter.c smtpd/headfilter.h \
	smtpd/verdict_count.c smtpd/verdict_count.h \
	smtpd/headscan.h smtpd/judge.c smtpd/judge.h \
	smtpd/keeper_ask.c smtpd/keeper_ask.h smtpd/limits.c \
	smtpd/limits.h smtpd/live_sessions.c smtpd/live_sessions.h \
	smtpd/peers.c \
	smtpd/peers.h smtpd/quota.c \
	smtpd/quota.h smtpd/rcpt.c smtpd/rcpt.h smtpd/received.c \
	smtpd/received.h smtpd/profile.c smtpd/profile.h smtpd/reply.c smtpd/reply.h smtpd/sasl.c \
	smtpd/sasl.h smtpd/server.c smtpd/server.h smtpd/session.c \
	smtpd/session.h smtpd/session_reply.c smtpd/starttls.c \
	smtpd/stress.c smtpd/stress.h smtpd/text.c smtpd/txn.c smtpd/txn.h \
	smtpd/upstream.c smtpd/upstream.h smtpd/xattr.c smtpd/xattr.h
SMTPD_CFLAGS = $(AM_CFLAGS) $(EVENT_CFLAGS)
smtpd_libsmtpd_a_CFLAGS = $(SMTPD_CFLAGS)
EXTRA_DIST += smtpd/README.md

# the session with fakes in place of network, directory and journal
check_LIBRARIES += smtpd/libfake.a
smtpd_libfake_a_SOURCES = smtpd/fake.c smtpd/fake.h
smtpd_libfake_a_CFLAGS = $(SMTPD_CFLAGS)
SMTPD_FAKE_LIBS = smtpd/libsmtpd.a smtpd/libfake.a smtpd/libsmtpd.a \
	smtpd/libkeeper.a lib/liblive.a $(SPOOL_LIBS) lib/libgate.a lib/libpolicy.a \
	$(MAIL_LIBS) $(TABLEASK_LIBS)

if HAVE_CMOCKA
check_PROGRAMS += smtpd/t_greylist smtpd/t_keeper smtpd/t_keeper_ask smtpd/t_limits smtpd/t_session \
	smtpd/t_peers smtpd/t_xattr smtpd/t_actions smtpd/t_upstream \
	smtpd/t_headfilter
endif
smtpd_t_session_SOURCES = smtpd/t_session.c
smtpd_t_session_CFLAGS = $(SMTPD_CFLAGS) $(CMOCKA_CFLAGS)
smtpd_t_session_LDADD = $(SMTPD_FAKE_LIBS) $(CMOCKA_LIBS)
smtpd_t_headfilter_SOURCES = smtpd/t_headfilter.c smtpd/headfilter.c
smtpd_t_headfilter_CFLAGS = $(SMTPD_CFLAGS) $(CMOCKA_CFLAGS)
smtpd_t_headfilter_LDADD = $(BASE_LIBS) $(CMOCKA_LIBS)
smtpd_t_upstream_SOURCES = smtpd/t_upstream.c
smtpd_t_upstream_CFLAGS = $(smtpd_t_session_CFLAGS)
smtpd_t_upstream_LDADD = $(smtpd_t_session_LDADD)
smtpd_t_xattr_SOURCES = smtpd/t_xattr.c
smtpd_t_xattr_CFLAGS = $(smtpd_t_session_CFLAGS)
smtpd_t_xattr_LDADD = $(smtpd_t_session_LDADD)
smtpd_t_actions_SOURCES = smtpd/t_actions.c
smtpd_t_actions_CFLAGS = $(smtpd_t_session_CFLAGS)
smtpd_t_actions_LDADD = $(smtpd_t_session_LDADD)
smtpd_t_peers_SOURCES = smtpd/t_peers.c
smtpd_t_peers_CFLAGS = $(smtpd_t_session_CFLAGS)
smtpd_t_peers_LDADD = $(smtpd_t_session_LDADD)

pkglibexec_PROGRAMS += smtpd/smtpd
smtpd_smtpd_SOURCES = smtpd/main.c
smtpd_smtpd_CFLAGS = $(SMTPD_CFLAGS)
smtpd_smtpd_LDADD = smtpd/libsmtpd.a smtpd/libkeeper.a lib/liblive.a $(SPOOL_LIBS) \
	lib/libgate.a lib/libpolicy.a $(MAIL_LIBS) $(TABLEASK_LIBS)
dist_man_MANS += doc/gatekeeper.8 doc/smtpd.8

# one process that counts for all workers
noinst_LIBRARIES += smtpd/libkeeper.a
smtpd_libkeeper_a_SOURCES = smtpd/keeper.c smtpd/keeper.h \
	smtpd/greylist.c smtpd/greylist.h \
	smtpd/keeper_serve.c smtpd/keeper_serve.h \
	smtpd/verdict_keep.c smtpd/verdict_keep.h \
	smtpd/pass.c smtpd/pass.h smtpd/pass_keep.c smtpd/pass_keep.h
smtpd_libkeeper_a_CFLAGS = $(SMTPD_CFLAGS)
pkglibexec_PROGRAMS += smtpd/gatekeeper
smtpd_gatekeeper_SOURCES = smtpd/gatekeeper.c \
	smtpd/greylist_share.c smtpd/greylist_share.h
smtpd_gatekeeper_CFLAGS = $(SMTPD_CFLAGS) $(PQ_CFLAGS)
smtpd_gatekeeper_LDADD = smtpd/libkeeper.a lib/libgate.a $(TABLE_LIBS) \
	$(DB_LIBS) $(BASE_LIBS)
smtpd_t_keeper_SOURCES = smtpd/t_keeper.c
smtpd_t_keeper_CFLAGS = $(smtpd_t_session_CFLAGS)
smtpd_t_keeper_LDADD = smtpd/libkeeper.a lib/libgate.a $(BASE_LIBS) \
	$(CMOCKA_LIBS)
smtpd_t_greylist_SOURCES = smtpd/t_greylist.c
smtpd_t_greylist_CFLAGS = $(smtpd_t_session_CFLAGS)
smtpd_t_greylist_LDADD = smtpd/libkeeper.a lib/libgate.a $(TABLE_LIBS) \
	$(BASE_LIBS) $(CMOCKA_LIBS)
smtpd_t_keeper_ask_SOURCES = smtpd/t_keeper_ask.c
smtpd_t_keeper_ask_CFLAGS = $(smtpd_t_session_CFLAGS)
smtpd_t_keeper_ask_LDADD = $(smtpd_t_session_LDADD)
smtpd_t_limits_SOURCES = smtpd/t_limits.c
smtpd_t_limits_CFLAGS = $(smtpd_t_session_CFLAGS)
smtpd_t_limits_LDADD = $(smtpd_t_session_LDADD)
if HAVE_CMOCKA
check_PROGRAMS += smtpd/t_first smtpd/t_pass
endif
smtpd_t_first_SOURCES = smtpd/t_first.c
smtpd_t_first_CFLAGS = $(smtpd_t_session_CFLAGS)
smtpd_t_first_LDADD = $(smtpd_t_session_LDADD)
smtpd_t_pass_SOURCES = smtpd/t_pass.c
smtpd_t_pass_CFLAGS = $(smtpd_t_session_CFLAGS)
smtpd_t_pass_LDADD = $(smtpd_t_keeper_LDADD)
