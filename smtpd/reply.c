#include "smtpd/reply.h"

void
reply_line(struct buf *out, const char *text)
{
	buf_str(out, text);
	buf_append(out, "\r\n", 2);
}

void
reply_clean(struct buf *b, size_t from)
{
	char *p;
	size_t i;

	if (buf_failed(b) || buf_len(b) < from)
		return;
	if (buf_len(b) - from > REPLY_LINE_MAX)
		buf_truncate(b, from + REPLY_LINE_MAX);
	p = buf_data(b);
	for (i = from; i < buf_len(b); i++)
		if ((unsigned char)p[i] < 0x20 || p[i] == 0x7f)
			p[i] = '?';
}

void
reply_fmt(struct buf *out, const char *fmt, ...)
{
	size_t from = buf_len(out);
	va_list ap;

	va_start(ap, fmt);
	buf_vfmt(out, fmt, ap);
	va_end(ap);
	reply_clean(out, from);
	buf_append(out, "\r\n", 2);
}

void
reply_part(struct buf *out, int code, bool last, const char *fmt, ...)
{
	size_t from = buf_len(out);
	va_list ap;

	buf_dec(out, (uint64_t)code);
	buf_char(out, last ? ' ' : '-');
	va_start(ap, fmt);
	buf_vfmt(out, fmt, ap);
	va_end(ap);
	reply_clean(out, from);
	buf_append(out, "\r\n", 2);
}

int
reply_code(const char *text)
{
	if (!ascii_isdigit((unsigned char)text[0]) ||
	    !ascii_isdigit((unsigned char)text[1]) ||
	    !ascii_isdigit((unsigned char)text[2]))
		return 0;
	return (text[0] - '0') * 100 + (text[1] - '0') * 10 + text[2] - '0';
}
