# admin: posternd(8), which runs the processes, and postern(8), the CLI
sbin_PROGRAMS += admin/posternd
admin_posternd_SOURCES = admin/posternd.c \
	admin/child.c admin/child.h admin/configfile.c admin/configfile.h \
	admin/control.c admin/control.h admin/incarnation.c \
	admin/incarnation.h admin/instance.c admin/instance.h \
	admin/listen.c admin/listen.h admin/lock.c admin/lock.h \
	admin/notify.c admin/notify.h admin/roles.c admin/roles.h \
	admin/secrets.c admin/secrets.h admin/supervisor.c \
	admin/supervisor.h
admin_posternd_CFLAGS = $(AM_CFLAGS) $(EVENT_CFLAGS)
admin_posternd_LDADD = $(BASE_LIBS)
EXTRA_DIST += admin/README.md

# plays every child in tests of supervision
noinst_PROGRAMS += admin/fake_child
admin_fake_child_SOURCES = admin/fake_child.c
admin_fake_child_CFLAGS = $(AM_CFLAGS) $(EVENT_CFLAGS)
admin_fake_child_LDADD = $(BASE_LIBS)
