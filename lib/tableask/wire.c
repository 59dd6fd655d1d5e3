#include "tableask/wire.h"

#define TCP_LINE_MAX		4096	/* of tcp_table(5) */
#define SOCKETMAP_REPLY_MAX	100000	/* of socketmap_table(5) */

static enum wire_state
garbage(struct err *err, const char *why, struct span in)
{
	(void)err_set(err, ERR_TEMP, PS_ESYNTAX, "%s: \"%.*s\"", why,
	    (int)MIN(in.n, (size_t)60), in.n == 0 ? "" : in.p);
	return WIRE_GARBAGE;
}

/* --- tcp: lines, %XX for what is not plain --- */

static void
tcp_request(const char *map, struct span key, struct buf *out)
{
	size_t i;
	unsigned char c;

	(void)map;
	buf_str(out, "get ");
	for (i = 0; i < key.n; i++) {
		c = (unsigned char)key.p[i];
		if (c <= ' ' || c == '%' || c >= 0x7f)
			buf_fmt(out, "%%%02X", c);
		else
			buf_char(out, (char)c);
	}
	buf_char(out, '\n');
}

static int
hex_digit(char c)
{
	if (ascii_isdigit((unsigned char)c))
		return c - '0';
	c = ascii_lower(c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool
hex_decode(struct span text, struct buf *out)
{
	int high, low;
	size_t i;

	for (i = 0; i < text.n; i++) {
		if (text.p[i] != '%') {
			buf_char(out, text.p[i]);
			continue;
		}
		if (text.n - i < 3)
			return false;
		high = hex_digit(text.p[i + 1]);
		low = hex_digit(text.p[i + 2]);
		if (high < 0 || low < 0 || high + low == 0)
			return false;
		buf_char(out, (char)(high << 4 | low));
		i += 2;
	}
	return true;
}

/* "200 value", "400 why", "500 why" */
static enum wire_state
tcp_reply(struct span in, size_t *used, enum table_result *r,
    struct buf *value, struct err *err)
{
	ptrdiff_t end = span_chr(span_sub(in, 0, TCP_LINE_MAX), '\n');
	struct span line = end < 0 ? in : span_sub(in, 0, (size_t)end);
	bool digits;

	if (end < 0 && in.n >= TCP_LINE_MAX)
		return garbage(err, "a reply of more than 4096 bytes",
		    SPAN_NONE);
	if (span_chr(line, '\0') >= 0)
		return garbage(err, "a reply with NUL", SPAN_NONE);
	if (end < 0)
		return WIRE_MORE;
	*used = (size_t)end + 1;
	if (line.n > 0 && line.p[line.n - 1] == '\r')
		line.n--;
	digits = line.n >= 4 && ascii_isdigit((unsigned char)line.p[0]) &&
	    ascii_isdigit((unsigned char)line.p[1]) &&
	    ascii_isdigit((unsigned char)line.p[2]) &&
	    (line.p[3] == ' ' || line.p[3] == '\t');
	if (!digits)
		return garbage(err, "a reply that makes no sense", line);
	switch (line.p[0]) {
	case '2':
		*r = TABLE_FOUND;
		if (!hex_decode(span_sub(line, 4, line.n), value))
			return garbage(err, "a reply with bad %XX", line);
		return WIRE_DONE;
	case '4':
		*r = TABLE_TEMPFAIL;
		(void)err_set(err, ERR_TEMP, PS_EAGAIN,
		    "the server says \"%.*s\"",
		    (int)MIN(line.n, (size_t)120), line.p);
		return WIRE_DONE;
	case '5':
		*r = TABLE_NOTFOUND;
		return WIRE_DONE;
	}
	return garbage(err, "a reply that makes no sense", line);
}

const struct wire wire_tcp = { "tcp", tcp_request, tcp_reply };

/* --- socketmap: netstrings --- */

static void
socketmap_request(const char *map, struct span key, struct buf *out)
{
	buf_fmt(out, "%zu:%s ", strlen(map) + 1 + key.n, map);
	buf_span_add(out, key);
	buf_char(out, ',');
}

/* "LENGTH:": its bytes in *head, the number in *n. */
static enum wire_state
length_read(struct span in, size_t *head, size_t *n, struct err *err)
{
	size_t i;

	*n = 0;
	for (i = 0; i < in.n && ascii_isdigit((unsigned char)in.p[i]); i++) {
		*n = *n * 10 + (size_t)(in.p[i] - '0');
		if (*n > SOCKETMAP_REPLY_MAX || (i > 0 && in.p[0] == '0'))
			return garbage(err, "a reply of bad length",
			    span_sub(in, 0, i + 1));
	}
	if (i == in.n)
		return WIRE_MORE;
	if (i == 0 || in.p[i] != ':')
		return garbage(err, "a reply without length", in);
	*head = i + 1;
	return WIRE_DONE;
}

static enum wire_state
socketmap_payload(struct span text, enum table_result *r, struct buf *value,
    struct err *err)
{
	ptrdiff_t space = span_chr(text, ' ');
	struct span word = space < 0 ? text : span_sub(text, 0, (size_t)space);
	struct span rest = space < 0 ? SPAN_NONE :
	    span_sub(text, (size_t)space + 1, text.n);

	if (span_chr(text, '\0') >= 0)
		return garbage(err, "a reply with NUL", SPAN_NONE);
	if (span_eq(word, SPAN_LIT("OK")) && space >= 0) {
		*r = TABLE_FOUND;
		buf_span_add(value, rest);
	} else if (span_eq(word, SPAN_LIT("NOTFOUND")))
		*r = TABLE_NOTFOUND;
	else if (span_eq(word, SPAN_LIT("TEMP")) ||
	    span_eq(word, SPAN_LIT("TIMEOUT")) ||
	    span_eq(word, SPAN_LIT("PERM"))) {
		*r = TABLE_TEMPFAIL;
		(void)err_set(err, ERR_TEMP, PS_EAGAIN,
		    "the server says \"%.*s\"",
		    (int)MIN(text.n, (size_t)120), text.p);
	} else
		return garbage(err, "a reply that makes no sense", text);
	return WIRE_DONE;
}

static enum wire_state
socketmap_reply(struct span in, size_t *used, enum table_result *r,
    struct buf *value, struct err *err)
{
	size_t head = 0, n = 0;
	enum wire_state st = length_read(in, &head, &n, err);

	if (st != WIRE_DONE)
		return st;
	if (in.n < head + n + 1)
		return WIRE_MORE;
	if (in.p[head + n] != ',')
		return garbage(err, "a reply without its comma",
		    span_sub(in, head, n));
	*used = head + n + 1;
	return socketmap_payload(span_sub(in, head, n), r, value, err);
}

const struct wire wire_socketmap = {
	"socketmap", socketmap_request, socketmap_reply
};
