# tests/local.mk, included from the top Makefile.am

# Tests find their data by top_srcdir, also in a VPATH build; what was built
# is below top_builddir.
AM_TESTS_ENVIRONMENT = \
	top_srcdir='$(abs_top_srcdir)'; export top_srcdir; \
	top_builddir='$(abs_top_builddir)'; export top_builddir;

include tests/fuzz/local.mk
