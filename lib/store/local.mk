# lib/store/local.mk, included from the top Makefile.am
EXTRA_DIST += doc/store-format.md lib/store/README.md
