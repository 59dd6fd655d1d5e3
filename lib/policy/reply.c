#include "policy/reply.h"

static enum policy_reply_result
bad(struct policy_reply *r, const char *why)
{
	r->why = why;
	return POLICY_REPLY_BAD;
}

static bool
is_text(struct span s)
{
	size_t i;

	for (i = 0; i < s.n; i++)
		if (((unsigned char)s.p[i] < 0x20 && s.p[i] != '\t') ||
		    s.p[i] == 0x7f)
			return false;
	return span_is_utf8(s);
}

static enum policy_reply_result
finish(struct policy_reply *r, struct span in, struct span *action)
{
	if (!r->has_action)
		return bad(r, "an answer without an action");
	*action = span_sub(in, r->action, r->action_n);
	if (!is_text(*action))
		return bad(r, "an action that is no text");
	return POLICY_REPLY_OK;
}

static void
take_line(struct policy_reply *r, struct span in, struct span line)
{
	static const char name[] = "action=";
	struct span value;

	if (r->has_action || line.n < sizeof(name) - 1 ||
	    memcmp(line.p, name, sizeof(name) - 1) != 0)
		return;
	value = span_trim(span_sub(line, sizeof(name) - 1, line.n));
	r->has_action = true;
	r->action_n = value.n;
	r->action = value.n == 0 ? 0 : (size_t)(value.p - in.p);
}

enum policy_reply_result
policy_reply_read(struct policy_reply *r, struct span in, struct span *action)
{
	struct span rest, line;
	ptrdiff_t end;

	for (;;) {
		rest = span_sub(in, r->at, in.n);
		if ((end = span_chr(rest, '\n')) < 0)
			break;
		line = span_sub(rest, 0, (size_t)end);
		r->at += (size_t)end + 1;
		if (r->at > POLICY_REPLY_MAX)
			break;
		if (line.n > 0 && line.p[line.n - 1] == '\r')
			line.n--;
		if (line.n == 0)
			return finish(r, in, action);
		take_line(r, in, line);
	}
	if (in.n >= POLICY_REPLY_MAX || r->at > POLICY_REPLY_MAX)
		return bad(r, "an answer that is too long");
	return POLICY_REPLY_MORE;
}
