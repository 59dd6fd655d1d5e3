# lib/mail: addresses, headers, MIME, dates
noinst_LIBRARIES += lib/libmail.a
lib_libmail_a_SOURCES = lib/mail/address.c lib/mail/address.h \
	lib/mail/addrlist.c lib/mail/addrlist.h \
	lib/mail/binary.c lib/mail/binary.h \
	lib/mail/casemap.c lib/mail/casemap.h lib/mail/charset.c lib/mail/charset.h \
	lib/mail/codec.c lib/mail/codec.h \
	lib/mail/date.c lib/mail/date.h \
	lib/mail/field_names.c lib/mail/field_names.h \
	lib/mail/header.c lib/mail/header.h \
	lib/mail/imap_body.c lib/mail/imap_read.c lib/mail/imap_read.h \
	lib/mail/imap_structure.c lib/mail/imap_text.c lib/mail/imap_text.h \
	lib/mail/mime.c lib/mail/mime.h lib/mail/mime_value.c \
	lib/mail/spf.c lib/mail/spf.h lib/mail/spf_eval.c \
	lib/mail/spf_macro.c lib/mail/spf_record.c lib/mail/spf_record.h \
	lib/mail/subject.c lib/mail/subject.h lib/mail/utf7.c lib/mail/utf7.h lib/mail/words.c
lib_libmail_a_CFLAGS = $(AM_CFLAGS) $(IDN_CFLAGS) $(NET_CFLAGS)
MAIL_LIBS = lib/libmail.a $(IDN_LIBS) $(UNISTRING_LIBS)

EXTRA_DIST += lib/mail/README.md

mail_tests = lib/mail/t_address lib/mail/t_addrlist lib/mail/t_codec \
	lib/mail/t_date lib/mail/t_imap_text lib/mail/t_mime \
	lib/mail/t_subject
if HAVE_CMOCKA
check_PROGRAMS += $(mail_tests)
endif
mail_test_cflags = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
mail_test_libs = $(MAIL_LIBS) $(BASE_LIBS) $(CMOCKA_LIBS)
lib_mail_t_address_SOURCES = lib/mail/t_address.c
lib_mail_t_address_CFLAGS = $(mail_test_cflags)
lib_mail_t_address_LDADD = $(mail_test_libs)
lib_mail_t_addrlist_SOURCES = lib/mail/t_addrlist.c
lib_mail_t_addrlist_CFLAGS = $(mail_test_cflags)
lib_mail_t_addrlist_LDADD = $(mail_test_libs)
lib_mail_t_codec_SOURCES = lib/mail/t_codec.c
lib_mail_t_codec_CFLAGS = $(mail_test_cflags)
lib_mail_t_codec_LDADD = $(mail_test_libs)
lib_mail_t_date_SOURCES = lib/mail/t_date.c
lib_mail_t_date_CFLAGS = $(mail_test_cflags)
lib_mail_t_date_LDADD = $(mail_test_libs)
lib_mail_t_imap_text_SOURCES = lib/mail/t_imap_text.c
lib_mail_t_imap_text_CFLAGS = $(mail_test_cflags)
lib_mail_t_imap_text_LDADD = $(mail_test_libs)
lib_mail_t_mime_SOURCES = lib/mail/t_mime.c
lib_mail_t_mime_CFLAGS = $(mail_test_cflags)
lib_mail_t_mime_LDADD = $(mail_test_libs)
lib_mail_t_subject_SOURCES = lib/mail/t_subject.c
lib_mail_t_subject_CFLAGS = $(mail_test_cflags)
lib_mail_t_subject_LDADD = $(mail_test_libs)
