# admin: posternd(8), which runs the processes, and postern(8), the CLI
sbin_PROGRAMS += admin/posternd
admin_posternd_SOURCES = admin/posternd.c \
	admin/child.c admin/child.h admin/configfile.c admin/configfile.h \
	admin/control.c admin/control.h admin/instance.c admin/instance.h \
	admin/listen.c admin/listen.h admin/lock.c admin/lock.h \
	admin/notify.c admin/notify.h \
	admin/out.c admin/out.h admin/place.c admin/place.h \
	admin/restored.c admin/restored.h admin/roles.c admin/roles.h \
	admin/secrets.c admin/secrets.h admin/sql.c admin/sql.h \
	admin/supervisor.c admin/supervisor.h admin/supervisor_int.h \
	admin/supervisor_stop.c
admin_posternd_CPPFLAGS = $(AM_CPPFLAGS) -DPS_SOURCE_SQL='"$(abs_top_srcdir)/sql"'
admin_posternd_CFLAGS = $(AM_CFLAGS) $(NET_CFLAGS) $(PQ_CFLAGS)
admin_posternd_LDADD = $(SPOOL_LIBS) lib/libgate.a lib/libpolicy.a \
	$(MAIL_LIBS) $(TABLEASK_LIBS)

bin_PROGRAMS += admin/postern
admin_postern_SOURCES = \
	admin/check_lists.c admin/check_lists.h \
	admin/cli.c admin/cli.h \
	admin/cluster.c admin/cluster.h \
	admin/cmd_access.c \
	admin/cmd_admin.c \
	admin/cmd_adopt.c \
	admin/cmd_alias.c \
	admin/cmd_completion.c \
	admin/cmd_config.c \
	admin/cmd_config_diff.c \
	admin/cmd_credential.c \
	admin/cmd_db.c \
	admin/cmd_dnsbl.c \
	admin/cmd_doctor.c \
	admin/cmd_domain.c \
	admin/cmd_explain.c \
	admin/cmd_login.c \
	admin/cmd_export.c \
	admin/cmd_import.c \
	admin/cmd_mailbox.c \
	admin/cmd_map.c \
	admin/cmd_quota.c \
	admin/cmd_org.c \
	admin/cmd_purge.c \
	admin/cmd_server.c \
	admin/cmd_stats.c \
	admin/cmd_session.c \
	admin/cmd_setup.c \
	admin/cmd_trace.c \
	admin/cmd_transport.c \
	admin/cmd_greylist.c admin/cmd_firstcontact.c admin/cmd_verify.c \
	admin/cmdline.c admin/cmdline.h \
	admin/commands.c \
	admin/complete.c admin/complete.h \
	admin/configfile.c admin/configfile.h \
	admin/ctl.c admin/ctl.h \
	admin/dbsetup.h \
	admin/delegate.c admin/delegate.h \
	admin/dnsset.c admin/dnsset.h \
	admin/doctor.h \
	admin/doctor_dns.c \
	admin/doctor_files.c \
	admin/doctor_host.c \
	admin/explain.c admin/explain.h \
	admin/explain_grey.c admin/explain_grey.h \
	admin/explain_first.c admin/explain_first.h \
	admin/help.c admin/help.h \
	admin/import.c admin/import.h \
	admin/listen.c admin/listen.h \
	admin/logline.c admin/logline.h \
	admin/logsource.c admin/logsource.h \
	admin/out.c admin/out.h \
	admin/owner.c admin/owner.h \
	admin/password.c admin/password.h \
	admin/postfixadmin.c admin/postfixadmin.h \
	admin/userfile.c admin/userfile.h \
	admin/place.c admin/place.h \
	admin/postern.c \
	admin/prometheus.c admin/prometheus.h \
	admin/roles.c admin/roles.h \
	admin/rows.c admin/rows.h \
	admin/rmtree.c admin/rmtree.h \
	admin/run.c admin/run.h \
	admin/secrets.c admin/secrets.h \
	admin/selfsigned.c admin/selfsigned.h \
	admin/sql.c admin/sql.h \
	admin/trail.c admin/trail.h
admin_postern_CPPFLAGS = $(admin_posternd_CPPFLAGS)
admin_postern_CFLAGS = $(AM_CFLAGS) $(NET_CFLAGS) $(PQ_CFLAGS)
admin_postern_LDADD = lib/libscheme.a lib/libgate.a lib/libpolicy.a \
	lib/libstore.a \
	$(MAIL_LIBS) $(TABLEASK_LIBS) $(CRYPT_LIBS) $(ARGON2_LIBS)
# a filter for fail2ban, to be copied to its directory
fail2bandir = $(pkgdatadir)/fail2ban
dist_fail2ban_DATA = admin/fail2ban/postern.conf
EXTRA_DIST += admin/README.md admin/quickstart admin/quickstart_mail.py

# plays every child in tests of supervision
noinst_PROGRAMS += admin/fake_child
admin_fake_child_SOURCES = admin/fake_child.c
admin_fake_child_CFLAGS = $(AM_CFLAGS) $(EVENT_CFLAGS)
admin_fake_child_LDADD = $(BASE_LIBS)

if HAVE_CMOCKA
check_PROGRAMS += admin/t_listen admin/t_out admin/t_userfile admin/t_trail
endif
admin_t_listen_SOURCES = admin/t_listen.c admin/listen.c admin/listen.h \
	admin/roles.c admin/roles.h
admin_t_listen_CFLAGS = $(AM_CFLAGS) $(EVENT_CFLAGS) $(CMOCKA_CFLAGS)
admin_t_listen_LDADD = $(BASE_LIBS) $(CMOCKA_LIBS)
admin_t_out_SOURCES = admin/t_out.c admin/out.c admin/out.h
admin_t_out_CFLAGS = $(AM_CFLAGS) $(EVENT_CFLAGS) $(CMOCKA_CFLAGS)
admin_t_out_LDADD = $(BASE_LIBS) $(CMOCKA_LIBS)
admin_t_trail_SOURCES = admin/t_trail.c admin/logline.c admin/logline.h \
	admin/trail.c admin/trail.h
admin_t_trail_CFLAGS = $(AM_CFLAGS) $(EVENT_CFLAGS) $(CMOCKA_CFLAGS)
admin_t_trail_LDADD = $(BASE_LIBS) $(CMOCKA_LIBS)
admin_t_userfile_SOURCES = admin/t_userfile.c admin/userfile.c \
	admin/userfile.h
admin_t_userfile_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
admin_t_userfile_LDADD = $(BASE_LIBS) $(CMOCKA_LIBS)
