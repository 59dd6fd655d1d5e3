/* For the tests of lib/gate: a gate from the text of a configuration. */
#ifndef GATE_TESTGATE_H
#define GATE_TESTGATE_H

#include "gate/gate.h"

/* NULL when the lists are wrong; fails the test when the file is. */
static inline struct gate *
gate_try(const char *text, struct buf *complaints)
{
	struct conf *conf = conf_parse("t.conf", span_str(text), complaints);
	struct gate *g;

	if (conf == NULL)
		fail_msg("%s", buf_cstr(complaints));
	g = gate_new(conf, complaints);
	conf_unref(&conf);
	return g;
}

/* Fails the test when something is wrong. */
static inline struct gate *
gate_of(const char *text)
{
	struct buf complaints;
	struct gate *g;

	buf_init(&complaints, 65536);
	g = gate_try(text, &complaints);
	if (g == NULL)
		fail_msg("%s", buf_cstr(&complaints));
	buf_fini(&complaints);
	return g;
}

#endif
