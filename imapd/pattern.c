#include "imapd/pattern.h"

#define NAME_MAX_LEN	2048

static bool
is_wild(char c)
{
	return c == '*' || c == '%';
}

/* Its case means nothing (RFC 3501 5.1). */
static bool
name_begins_with_inbox(struct span name, char sep)
{
	return span_is(name, "INBOX") || (name.n > 5 && name.p[5] == sep &&
	    span_starts(name, "INBOX"));
}

/* A run of wildcards is one: "*" if there is one in it. */
static char
wild_run(struct span pattern, size_t *k)
{
	char c = pattern.p[*k];

	while (*k + 1 < pattern.n && is_wild(pattern.p[*k + 1])) {
		++*k;
		if (pattern.p[*k] == '*')
			c = '*';
	}
	return c;
}

/*
 * One row of a table per pattern byte: reach[i] says whether the pattern so
 * far matches the first i bytes of the name. No backtracking, and no pattern
 * costs more than one as long as the name: 64 KiB of them would, times 10,000
 * folders.
 */
bool
pattern_match(struct span pattern, char sep, struct span name)
{
	bool reach[NAME_MAX_LEN + 1] = { true }, inbox, any;
	size_t i, k;

	if (name.n > NAME_MAX_LEN)
		return false;
	inbox = name_begins_with_inbox(name, sep);
	for (k = 0; k < pattern.n; k++) {
		char c = pattern.p[k];

		if (is_wild(c)) {
			c = wild_run(pattern, &k);
			for (i = 0; i < name.n; i++)
				if (reach[i] && (c == '*' ||
				    name.p[i] != sep))
					reach[i + 1] = true;
			continue;
		}
		any = false;
		for (i = name.n; i > 0; i--) {
			reach[i] = reach[i - 1] && (name.p[i - 1] == c ||
			    (inbox && i <= 5 &&
			    ascii_lower(name.p[i - 1]) == ascii_lower(c)));
			any = any || reach[i];
		}
		reach[0] = false;
		if (!any)
			return false;
	}
	return reach[name.n];
}
