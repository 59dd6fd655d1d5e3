# delivery: moves accepted mail
EXTRA_DIST += delivery/README.md
dist_man_MANS += doc/deliver.8
pkglibexec_PROGRAMS += delivery/deliver
DELIVER_PARTS = delivery/deliver.c delivery/deliver.h \
	delivery/deliver_mailbox.c delivery/deliver_job.c \
	delivery/delivery_log.c delivery/delivery_log.h \
	delivery/deliver_imapd.c delivery/deliver_marks.c \
	delivery/deliver_pool.c delivery/deliver_quota.c \
	delivery/deliver_seats.c \
	delivery/deliver_sync.c delivery/deliver_usage.c \
	delivery/deliver_warn.c delivery/quota_letter.c delivery/quota_letter.h
delivery_deliver_SOURCES = delivery/deliver_main.c $(DELIVER_PARTS)
delivery_deliver_CFLAGS = $(AM_CFLAGS) $(EVENT_CFLAGS)
delivery_deliver_LDADD = $(SPOOL_LIBS) $(STORE_LIBS) $(DB_LIBS) $(NET_LIBS)

pkglibexec_PROGRAMS += delivery/qmgr
QMGR_PARTS = delivery/qmgr.c delivery/qmgr.h delivery/qmgr_agent.c \
	delivery/delivery_log.c delivery/delivery_log.h \
	delivery/qmgr_control.c delivery/qmgr_external.c \
	delivery/qmgr_sched.c delivery/qmgr_smtpd.c
delivery_qmgr_SOURCES = delivery/qmgr_main.c $(QMGR_PARTS)
delivery_qmgr_CFLAGS = $(AM_CFLAGS) $(EVENT_CFLAGS)
delivery_qmgr_LDADD = $(SPOOL_LIBS) $(BASE_LIBS)

if HAVE_CMOCKA
check_PROGRAMS += delivery/t_deliver delivery/t_qmgr delivery/t_quota_letter
endif
delivery_t_qmgr_SOURCES = delivery/t_qmgr.c lib/spool/t_spool.h $(QMGR_PARTS)
delivery_t_qmgr_CFLAGS = $(AM_CFLAGS) $(EVENT_CFLAGS) $(CMOCKA_CFLAGS)
delivery_t_qmgr_LDADD = $(SPOOL_LIBS) lib/libdiskrecord.a $(BASE_LIBS) \
	$(CMOCKA_LIBS)
delivery_t_quota_letter_SOURCES = delivery/t_quota_letter.c \
	delivery/quota_letter.c delivery/quota_letter.h
delivery_t_quota_letter_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
delivery_t_quota_letter_LDADD = $(MAIL_LIBS) $(BASE_LIBS) $(CMOCKA_LIBS)
delivery_t_deliver_SOURCES = delivery/t_deliver.c $(DELIVER_PARTS)
delivery_t_deliver_CFLAGS = $(AM_CFLAGS) $(EVENT_CFLAGS) $(CMOCKA_CFLAGS)
delivery_t_deliver_LDADD = $(SPOOL_LIBS) $(STORE_LIBS) $(DB_LIBS) \
	$(NET_LIBS) lib/libdiskrecord.a $(BASE_LIBS) $(CMOCKA_LIBS)
