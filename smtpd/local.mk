# smtpd: the gate
noinst_LIBRARIES += smtpd/libsmtpd.a
smtpd_libsmtpd_a_SOURCES = smtpd/reply.c smtpd/reply.h
smtpd_libsmtpd_a_CFLAGS = $(AM_CFLAGS) $(EVENT_CFLAGS)

if HAVE_CMOCKA
check_PROGRAMS += smtpd/t_line
endif
smtpd_t_line_SOURCES = lib/net/t_line.c lib/net/line.c lib/net/line.h
smtpd_t_line_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
smtpd_t_line_LDADD = $(BASE_LIBS) $(CMOCKA_LIBS)
