# doc/local.mk, included from the top Makefile.am
EXTRA_DIST += doc/performance.md doc/testing.md
EXTRA_DIST += doc/database.md
