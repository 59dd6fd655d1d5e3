# lib/mail: addresses, headers, MIME, dates
noinst_LIBRARIES += lib/libmail.a
lib_libmail_a_SOURCES = lib/mail/address.c lib/mail/address.h
lib_libmail_a_CFLAGS = $(AM_CFLAGS) $(IDN_CFLAGS)
MAIL_LIBS = lib/libmail.a $(IDN_LIBS)

mail_tests = lib/mail/t_address
if HAVE_CMOCKA
check_PROGRAMS += $(mail_tests)
endif
lib_mail_t_address_SOURCES = lib/mail/t_address.c
lib_mail_t_address_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
lib_mail_t_address_LDADD = $(MAIL_LIBS) $(BASE_LIBS) $(CMOCKA_LIBS)
