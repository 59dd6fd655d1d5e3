#include "store/layout.h"

#include <stdio.h>

size_t
store_home_path(uint64_t mailbox_id, char out[STORE_HOME_MAX])
{
	(void)snprintf(out, STORE_HOME_MAX, "%02x/%llu",
	    (unsigned)(mailbox_id % 256), (unsigned long long)mailbox_id);
	return 2;
}

static bool
byte_ok(unsigned char c)
{
	return c >= ' ' && c != 0x7f && c != '/';
}

bool
folder_name_valid(struct span disk)
{
	size_t i;

	if (disk.n == 0)
		return true;
	if (disk.n < 2 || disk.n > FOLDER_NAME_MAX || disk.p[0] != '.' ||
	    disk.p[disk.n - 1] == '.')
		return false;
	for (i = 1; i < disk.n; i++)
		if (!byte_ok((unsigned char)disk.p[i]) ||
		    (disk.p[i] == '.' && disk.p[i - 1] == '.'))
			return false;
	return true;
}

/* Modified UTF-7 of the two characters that a level may not hold as such. */
#define DOT_WRITTEN	"&AC4-"
#define SLASH_WRITTEN	"&AC8-"

/* "inbox/x" is below INBOX, however that is written (RFC 3501 5.1). */
static bool
below_inbox(struct span wire, char sep)
{
	return wire.n > 6 && wire.p[5] == sep &&
	    span_is(span_sub(wire, 0, 5), "INBOX");
}

bool
folder_name_to_disk(struct span wire, char sep, char out[FOLDER_NAME_MAX + 1])
{
	const char *piece;
	char one[2] = { 0, 0 };
	bool inbox = below_inbox(wire, sep);
	size_t i, n = 0, len;

	out[0] = '\0';
	if (span_is(wire, "INBOX"))
		return true;
	if (wire.n == 0)
		return false;
	out[n++] = '.';
	for (i = 0; i < wire.n; i++) {
		one[0] = inbox && i < 5 ? "INBOX"[i] : wire.p[i];
		piece = one;
		if (wire.p[i] == sep)
			piece = ".";
		else if (wire.p[i] == '.')
			piece = DOT_WRITTEN;
		else if (wire.p[i] == '/')
			piece = SLASH_WRITTEN;
		len = strlen(piece);
		if (len == 0 || n + len > FOLDER_NAME_MAX)
			return false;
		memcpy(out + n, piece, len);
		n += len;
	}
	out[n] = '\0';
	return folder_name_valid(span_of(out, n));
}

/* Exactly: base64 knows upper from lower case. */
static bool
here(struct span s, size_t i, const char *written)
{
	size_t n = strlen(written);

	return s.n - i >= n && memcmp(s.p + i, written, n) == 0;
}

void
folder_name_to_wire(const char *disk, char sep, struct buf *out)
{
	struct span s = span_str(disk);
	size_t i;

	if (s.n == 0) {
		buf_str(out, "INBOX");
		return;
	}
	for (i = 1; i < s.n; i++) {
		if (s.p[i] == '.') {
			buf_char(out, sep);
		} else if (sep != '.' && here(s, i, DOT_WRITTEN)) {
			buf_char(out, '.');
			i += sizeof(DOT_WRITTEN) - 2;
		} else if (sep != '/' && here(s, i, SLASH_WRITTEN)) {
			buf_char(out, '/');
			i += sizeof(SLASH_WRITTEN) - 2;
		} else {
			buf_char(out, s.p[i]);
		}
	}
}

bool
folder_name_parent(const char *disk, char out[FOLDER_NAME_MAX + 1])
{
	ptrdiff_t dot = span_rchr(span_str(disk), '.');

	if (dot <= 0 || dot > FOLDER_NAME_MAX)
		return false;
	/* INBOX is the root itself: a folder of that name could not be
	 * selected, and LIST would tell of two */
	if (span_ieq(span_of(disk, (size_t)dot), SPAN_LIT(".INBOX")))
		return false;
	memcpy(out, disk, (size_t)dot);
	out[dot] = '\0';
	return true;
}
