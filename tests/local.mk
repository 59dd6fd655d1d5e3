# tests/local.mk, included from the top Makefile.am

# Tests find their data by top_srcdir, also in a VPATH build; what was built
# is below top_builddir.
AM_TESTS_ENVIRONMENT = \
	top_srcdir='$(abs_top_srcdir)'; export top_srcdir; \
	top_builddir='$(abs_top_builddir)'; export top_builddir;

# Each has its time.
LOG_COMPILER = $(SHELL) $(top_srcdir)/tests/within

EXTRA_DIST += tests/__init__.py tests/harness tests/server tests/run tests/stall \
	tests/within \
	tests/valgrind.supp tests/clients tests/crash tests/diff tests/imap \
	tests/mime \
	tests/packaging \
	tests/bench/README.md tests/bench/imap \
	tests/bench/imapsessions tests/bench/run \
	tests/bench/firstcontact tests/bench/greylist tests/bench/slowclients \
	tests/bench/smtpload.c

# Whole-server tests: pytest with clients of its standard library and raw
# sockets against a real posternd and a real PostgreSQL.
PYTEST_FLAGS = -q
check-server: all
	$(AM_TESTS_ENVIRONMENT) PYTHONDONTWRITEBYTECODE=1 \
	$(PYTHON3) -m pytest -p no:cacheprovider $(PYTEST_FLAGS) \
	    $(srcdir)/tests/server
.PHONY: check-server

# For tests/run, which counts them apart.
list-fuzz:
	@echo $(fuzz_targets)
list-unit:
	@for t in $(TESTS); do \
		case " $(fuzz_targets) " in \
		*" $$t "*) ;; \
		*) echo "$$t" ;; \
		esac; \
	done | xargs
.PHONY: list-fuzz list-unit

dist-hook:
	find '$(distdir)/tests' -name __pycache__ -prune -exec rm -rf {} +

include tests/fuzz/local.mk

# SPF against the RFC's suite
noinst_PROGRAMS += tests/spf/spfprobe
tests_spf_spfprobe_SOURCES = tests/spf/spfprobe.c
tests_spf_spfprobe_CFLAGS = $(AM_CFLAGS) $(NET_CFLAGS)
tests_spf_spfprobe_LDADD = $(MAIL_LIBS) $(NET_LIBS)
EXTRA_DIST += tests/spf/suite.py
TESTS += tests/spf/suite.py
