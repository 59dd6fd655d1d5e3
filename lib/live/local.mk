# lib/live: the sessions that are there now
noinst_LIBRARIES += lib/liblive.a
lib_liblive_a_SOURCES = lib/live/filter.c lib/live/live.c lib/live/live.h
lib_liblive_a_CFLAGS = $(AM_CFLAGS) $(EVENT_CFLAGS)
# of lib/gate only netlist.h is used
LIVE_LIBS = lib/liblive.a lib/libgate.a
EXTRA_DIST += lib/live/README.md

if HAVE_CMOCKA
check_PROGRAMS += lib/live/t_live
endif
lib_live_t_live_SOURCES = lib/live/t_live.c
lib_live_t_live_CFLAGS = $(AM_CFLAGS) $(EVENT_CFLAGS) $(CMOCKA_CFLAGS)
lib_live_t_live_LDADD = $(LIVE_LIBS) $(BASE_LIBS) $(CMOCKA_LIBS)
