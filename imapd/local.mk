# imapd: gives mail to readers
noinst_LIBRARIES += imapd/libimapd.a
imapd_libimapd_a_SOURCES = \
	imapd/append.c imapd/append_binary.c imapd/append_binary.h \
	imapd/args.c imapd/args.h imapd/capability.c \
	imapd/command.c imapd/command.h imapd/condstore.c \
	imapd/condstore.h imapd/copy.c imapd/fetch.c \
	imapd/fetch_plan.c imapd/fetch_plan.h imapd/flags.c imapd/flags.h \
	imapd/gather.c imapd/gather.h imapd/guests.c imapd/guests.h \
	imapd/idle.c imapd/input.c imapd/job.c imapd/list.c \
	imapd/list_plan.c imapd/list_plan.h imapd/list_tree.c \
	imapd/list_tree.h \
	imapd/listener.c imapd/live_sessions.c imapd/live_sessions.h \
	imapd/login.c imapd/mailbox.c \
	imapd/message.c imapd/message.h imapd/pattern.c imapd/pattern.h \
	imapd/peers.c imapd/quota.c imapd/quota.h imapd/reader.c \
	imapd/reader.h imapd/reply.c imapd/resync.c imapd/resync.h \
	imapd/resync_plan.c imapd/resync_plan.h \
	imapd/sasl.c imapd/sasl.h imapd/search.c imapd/search_match.c \
	imapd/search_match.h imapd/search_plan.c imapd/search_plan.h \
	imapd/select.c imapd/seqs.c imapd/seqs.h imapd/seqset.c \
	imapd/seqset.h imapd/server.c imapd/server.h imapd/session.c \
	imapd/session.h imapd/sort.c imapd/sort_key.c imapd/sort_key.h \
	imapd/thread.c imapd/thread_tree.c imapd/thread_tree.h \
	imapd/status.c imapd/status.h \
	imapd/status_items.c imapd/status_items.h imapd/store.c imapd/unreadable.c \
	imapd/update.c \
	imapd/watch.c imapd/watch.h
IMAPD_CFLAGS = $(AM_CFLAGS) $(EVENT_CFLAGS)
imapd_libimapd_a_CFLAGS = $(IMAPD_CFLAGS)
IMAPD_LIBS = imapd/libimapd.a lib/libgate.a $(LIVE_LIBS) $(SPOOL_LIBS) $(STORE_LIBS) $(NET_LIBS)
EXTRA_DIST += imapd/README.md doc/imap.md

pkglibexec_PROGRAMS += imapd/imapd
imapd_imapd_SOURCES = imapd/main.c
imapd_imapd_CFLAGS = $(IMAPD_CFLAGS)
imapd_imapd_LDADD = $(IMAPD_LIBS)

if HAVE_CMOCKA
check_PROGRAMS += imapd/t_parse imapd/t_session imapd/t_folders \
	imapd/t_resync imapd/t_extensions imapd/t_thread imapd/t_watch
endif
imapd_t_parse_SOURCES = imapd/t_parse.c
imapd_t_parse_CFLAGS = $(IMAPD_CFLAGS) $(CMOCKA_CFLAGS)
imapd_t_parse_LDADD = $(IMAPD_LIBS) $(CMOCKA_LIBS)
imapd_t_session_SOURCES = imapd/t_session.c imapd/t_imapd.c imapd/t_imapd.h
imapd_t_session_CFLAGS = $(IMAPD_CFLAGS) $(CMOCKA_CFLAGS)
imapd_t_session_LDADD = $(IMAPD_LIBS) $(CMOCKA_LIBS)
imapd_t_resync_SOURCES = imapd/t_resync.c imapd/t_imapd.c imapd/t_imapd.h
imapd_t_resync_CFLAGS = $(IMAPD_CFLAGS) $(CMOCKA_CFLAGS)
imapd_t_resync_LDADD = $(IMAPD_LIBS) $(CMOCKA_LIBS)
imapd_t_folders_SOURCES = imapd/t_folders.c imapd/t_imapd.c imapd/t_imapd.h
imapd_t_folders_CFLAGS = $(IMAPD_CFLAGS) $(CMOCKA_CFLAGS)
imapd_t_folders_LDADD = $(IMAPD_LIBS) $(CMOCKA_LIBS)
imapd_t_extensions_SOURCES = imapd/t_extensions.c imapd/t_imapd.c \
	imapd/t_imapd.h
imapd_t_extensions_CFLAGS = $(IMAPD_CFLAGS) $(CMOCKA_CFLAGS)
imapd_t_extensions_LDADD = $(IMAPD_LIBS) $(CMOCKA_LIBS)
imapd_t_watch_SOURCES = imapd/t_watch.c
imapd_t_watch_CFLAGS = $(IMAPD_CFLAGS) $(CMOCKA_CFLAGS)
imapd_t_watch_LDADD = $(IMAPD_LIBS) lib/libdiskrecord.a $(BASE_LIBS) \
	$(CMOCKA_LIBS)
imapd_t_thread_SOURCES = imapd/t_thread.c
imapd_t_thread_CFLAGS = $(IMAPD_CFLAGS) $(CMOCKA_CFLAGS)
imapd_t_thread_LDADD = $(IMAPD_LIBS) $(CMOCKA_LIBS)
dist_man_MANS += doc/imapd.8
