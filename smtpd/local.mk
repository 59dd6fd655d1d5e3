# smtpd/local.mk, included from the top Makefile.am
