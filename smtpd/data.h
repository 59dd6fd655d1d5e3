/*
 * The text between DATA and its end: dot-unstuffing (RFC 5321 4.5.2) as a
 * state machine fed with whatever has arrived. Only CR LF . CR LF ends the
 * text. A bare CR or LF is reported, not repaired (S1): one stream of bytes
 * must be one message for everybody.
 */
#ifndef SMTPD_DATA_H
#define SMTPD_DATA_H

#include "base/span.h"

enum data_result { DATA_MORE, DATA_END, DATA_BARE_LF, DATA_BARE_CR };

enum data_state { DATA_LINE_START, DATA_IN_LINE, DATA_CR, DATA_DOT,
	DATA_DOT_CR };

struct data_decoder {
	enum data_state state;		/* zero: at the start of a text */
};

/* Takes runs of decoded bytes, in order. */
typedef void data_sink(struct span run, void *arg);

/*
 * Decodes `in` into the sink. *used is what was taken: all of it unless the
 * text ended or is refused within.
 */
enum data_result data_decode(struct data_decoder *d, struct span in,
    size_t *used, data_sink *sink, void *arg);

/*
 * The same rule for BDAT, whose bytes are counted and not stuffed: looks
 * only. State is kept between calls; DATA_LINE_START means that the last
 * line is complete.
 */
enum data_result data_check(struct data_decoder *d, struct span in);

#endif
