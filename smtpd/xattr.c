#include "smtpd/xattr.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <stdio.h>

#include "base/err.h"
#include "mail/address.h"

#define BOTH	(XATTR_XCLIENT | XATTR_XFORWARD)

/* Each may clean the text in place; false when it is none of its kind. */

static bool
hostname(char *text)
{
	uint8_t a[4];

	return address_is_domain(span_str(text), 0) &&
	    inet_pton(AF_INET, text, a) != 1;
}

/* As in an address literal, without brackets: 192.0.2.1, IPV6:2001:db8::1.
 * The address is kept as inet_ntop writes it: tables know that spelling. */
static bool
address(char *text)
{
	struct in6_addr a;

	if (!span_starts(span_str(text), "IPV6:"))
		return inet_pton(AF_INET, text, &a) == 1;
	if (inet_pton(AF_INET6, text + 5, &a) != 1)
		return false;
	if (IN6_IS_ADDR_V4MAPPED(&a))
		return inet_ntop(AF_INET, &a.s6_addr[12], text,
		    INET_ADDRSTRLEN) != NULL;
	return inet_ntop(AF_INET6, &a, text, INET6_ADDRSTRLEN) != NULL;
}

static bool
port(char *text)
{
	uint32_t n;

	return strlen(text) <= 5 && span_u32(span_str(text), 0, 65535, &n);
}

static bool
protocol(char *text)
{
	return span_is(span_str(text), "SMTP") ||
	    span_is(span_str(text), "ESMTP");
}

/* It goes into headers and logs: nothing that could close what we put around
 * it. */
static bool
neutral(char *text)
{
	for (; *text != '\0'; text++)
		if (strchr(" <>()\\\";@", *text) != NULL)
			*text = '?';
	return true;
}

static bool
word(char *text)
{
	return strlen(text) <= 64 && neutral(text);
}

static bool
anything(char *text)
{
	return true;
}

static bool
source(char *text)
{
	return span_is(span_str(text), "LOCAL") ||
	    span_is(span_str(text), "REMOTE");
}

/* XFORWARD tells what some mail server was told, by whatever protocol:
 * Postfix asks less of it. */
static const struct row {
	const char *name;
	unsigned commands;
	bool (*fits)(char *text);
	bool (*forward_fits)(char *text);
} rows[XATTRS] = {
	[XATTR_NAME] = { "NAME", BOTH, hostname, hostname },
	[XATTR_REVERSE_NAME] = { "REVERSE_NAME", XATTR_XCLIENT, hostname,
	    NULL },
	[XATTR_ADDR] = { "ADDR", BOTH, address, address },
	[XATTR_PORT] = { "PORT", BOTH, port, port },
	[XATTR_PROTO] = { "PROTO", BOTH, protocol, word },
	[XATTR_HELO] = { "HELO", BOTH, neutral, neutral },
	[XATTR_LOGIN] = { "LOGIN", XATTR_XCLIENT, anything, NULL },
	[XATTR_DESTADDR] = { "DESTADDR", XATTR_XCLIENT, address, NULL },
	[XATTR_DESTPORT] = { "DESTPORT", XATTR_XCLIENT, port, NULL },
	[XATTR_IDENT] = { "IDENT", XATTR_XFORWARD, NULL, neutral },
	[XATTR_SOURCE] = { "SOURCE", XATTR_XFORWARD, NULL, source },
};

static const char *
name_of(enum xattr_command c)
{
	return c == XATTR_XCLIENT ? "XCLIENT" : "XFORWARD";
}

void
xattrs_names(enum xattr_command command, struct buf *out)
{
	size_t i, n = 0;

	for (i = 0; i < XATTRS; i++)
		if (rows[i].commands & command)
			buf_fmt(out, "%s%s", n++ > 0 ? " " : "",
			    rows[i].name);
}

static enum xattr
find(enum xattr_command command, struct span name)
{
	size_t i;

	for (i = 0; i < XATTRS; i++)
		if ((rows[i].commands & command) &&
		    span_is(name, rows[i].name))
			break;
	return (enum xattr)i;
}

/* What is no xtext is taken as it stands, as Postfix does for old peers. */
static void
decode(struct span raw, char text[XATTR_VALUE_MAX + 1])
{
	struct buf plain;
	size_t i;

	buf_init(&plain, XATTR_VALUE_MAX);
	if (xtext_decode(raw, &plain) != 0)
		buf_span_add(&plain, raw);
	memcpy(text, buf_data(&plain), buf_len(&plain));
	text[buf_len(&plain)] = '\0';
	for (i = 0; i < buf_len(&plain); i++)
		if ((unsigned char)text[i] < 0x20 ||
		    (unsigned char)text[i] >= 0x7f)
			text[i] = '?';
	buf_fini(&plain);
}

static int
complain(struct buf *reply, const char *what, struct span value)
{
	buf_fmt(reply, "501 5.5.4 Bad %s: %.*s", what, SPAN_ARG(value));
	return PS_ESYNTAX;
}

static int
take(enum xattr_command command, struct span name, struct span value,
    struct xattrs *x, struct buf *reply)
{
	enum xattr a = find(command, name);
	char what[32], *text;
	bool fits;

	if (a == XATTRS) {
		(void)snprintf(what, sizeof(what), "%s attribute name",
		    name_of(command));
		return complain(reply, what, span_sub(name, 0, 100));
	}
	text = x->v[a].text;
	x->v[a].state = span_is(value, "[UNAVAILABLE]") ? XATTR_UNAVAILABLE :
	    span_is(value, "[TEMPUNAVAIL]") ? XATTR_TEMPUNAVAIL :
	    XATTR_GIVEN;
	if (x->v[a].state != XATTR_GIVEN) {
		text[0] = '\0';
		return 0;
	}
	decode(value, text);
	fits = command == XATTR_XCLIENT ? rows[a].fits(text) :
	    rows[a].forward_fits(text);
	if (fits)
		return 0;
	(void)snprintf(what, sizeof(what), "%s syntax", rows[a].name);
	return complain(reply, what, span_str(text));
}

int
xattrs_parse(enum xattr_command command, struct span args, struct xattrs *x,
    struct buf *reply)
{
	struct span word, value;
	ptrdiff_t eq;
	size_t n;

	memset(x, 0, sizeof(*x));
	for (n = 0; span_word(&args, &word); n++) {
		eq = span_chr(word, '=');
		if (eq == -1 || (size_t)eq + 1 == word.n) {
			buf_str(reply,
			    "501 5.5.4 Error: attribute=value expected");
			return PS_ESYNTAX;
		}
		value = span_sub(word, (size_t)eq + 1, word.n);
		if (value.n > XATTR_VALUE_MAX) {
			buf_str(reply,
			    "501 5.5.4 Error: attribute value too long");
			return PS_ESYNTAX;
		}
		if (take(command, span_sub(word, 0, (size_t)eq), value, x,
		    reply) != 0)
			return PS_ESYNTAX;
	}
	if (n > 0)
		return 0;
	buf_fmt(reply, "501 5.5.4 Syntax: %s attribute=value...",
	    name_of(command));
	return PS_ESYNTAX;
}
