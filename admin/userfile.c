#include "admin/userfile.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/conf.h"
#include "base/xmalloc.h"

static const char *const names[USER_FIELDS] = {
	[USER_TYPE] = "type", [USER_ADDRESS] = "address",
	[USER_PASSWORD] = "password", [USER_HASH] = "hash",
	[USER_STATE] = "state", [USER_QUOTA] = "quota",
	[USER_QUOTA_MESSAGES] = "quota_messages", [USER_NAME] = "name",
	[USER_ALIASES] = "aliases", [USER_TARGETS] = "targets",
	[USER_LABEL] = "label", [USER_SCOPE] = "scope",
	[USER_EXPIRES] = "expires", [USER_ORGANISATION] = "organisation",
	[USER_CLASS] = "class", [USER_TRANSPORT] = "transport",
	[USER_RELAY_RECIPIENTS] = "relay_recipients",
	[USER_ACTIVE] = "active", [USER_NOTE] = "note",
};

enum state { START, PLAIN, QUOTED, QUOTE_IN_QUOTED };

struct userfile {
	enum userfile_format format;
	const struct userfile_ops *ops;
	void *arg;
	enum state state;
	unsigned line;		/* of the byte that comes */
	unsigned began;		/* line on which the row began */
	bool any;		/* something of a row is there */
	bool faulty;		/* told of, the row is dropped */
	bool after_cr;
	/* CSV */
	char separator;		/* '\0': not known yet */
	bool headed;
	int column[USERFILE_COLUMNS_MAX];	/* user_field, -1: unknown */
	size_t n_columns;
	size_t start[USERFILE_COLUMNS_MAX + 1];	/* of fields in text */
	size_t n;		/* fields that are whole */
	struct buf text;	/* all fields of the row, or the line */
	struct buf quota;	/* what passwd-file says of it, as we do */
};

const char *
user_field_name(enum user_field f)
{
	return names[f];
}

struct userfile *
userfile_new(enum userfile_format format, const struct userfile_ops *ops,
    void *arg)
{
	struct userfile *f = xcalloc(1, sizeof(*f));

	f->format = format;
	f->ops = ops;
	f->arg = arg;
	f->line = f->began = 1;
	buf_init(&f->text, USERFILE_FIELD_MAX);
	buf_init(&f->quota, 256);
	return f;
}

static void PRINTF(2, 3)
fault(struct userfile *f, const char *fmt, ...)
{
	struct buf why;
	va_list ap;

	if (f->faulty)
		return;
	f->faulty = true;
	buf_init(&why, 4096);
	va_start(ap, fmt);
	buf_vfmt(&why, fmt, ap);
	va_end(ap);
	f->ops->fault(f->began, buf_cstr(&why), f->arg);
	buf_fini(&why);
}

/* What would be dangerous or useless wherever it ends up. */
static void
text_check(struct userfile *f, struct span text)
{
	if (span_chr(text, '\0') != -1)
		fault(f, "holds a NUL byte");
	else if (!span_is_utf8(text))
		fault(f, "is not UTF-8; iconv(1) converts files");
}

static void
row_done(struct userfile *f)
{
	buf_clear(&f->text);
	f->state = START;
	f->n = 0;
	f->any = f->faulty = false;
}

/* --- CSV --- */

static struct span
field_at(const struct userfile *f, size_t i)
{
	return span_sub(buf_span(&f->text), f->start[i],
	    f->start[i + 1] - f->start[i]);
}

static int
column_find(struct span name)
{
	size_t i;

	for (i = 0; i < USER_FIELDS; i++)
		if (span_is(name, names[i]))
			return (int)i;
	return -1;
}

static void
column_unknown(struct userfile *f, struct span name)
{
	const char *best = names[0];
	unsigned d, nearest = UINT_MAX;
	size_t i;

	for (i = 0; i < USER_FIELDS; i++) {
		d = conf_word_distance(name, span_str(names[i]));
		if (d < nearest) {
			nearest = d;
			best = names[i];
		}
	}
	fault(f, "there is no column `%.*s'; did you mean `%s'?",
	    (int)MIN(name.n, 100), name.p, best);
	f->faulty = false;	/* the next one may be told, too */
}

/* A file whose columns are not understood is not read further. */
static void
csv_header(struct userfile *f)
{
	bool address = false;
	size_t i, k;

	f->headed = true;
	f->n_columns = f->n;
	for (i = 0; i < f->n; i++) {
		f->column[i] = column_find(field_at(f, i));
		address = address || f->column[i] == USER_ADDRESS;
		if (f->column[i] == -1) {
			column_unknown(f, field_at(f, i));
			f->n_columns = 0;
		}
		for (k = 0; k < i; k++)
			if (f->column[k] == f->column[i] &&
			    f->column[i] != -1) {
				fault(f, "column `%s' is there twice",
				    names[f->column[i]]);
				f->n_columns = 0;
			}
	}
	if (!address) {
		fault(f, "the first line must name the columns, one of them "
		    "`address'");
		f->n_columns = 0;
	}
}

static void
csv_row(struct userfile *f)
{
	struct user_row row = { .line = f->began };
	struct span value;
	size_t i;

	if (f->n != f->n_columns) {
		fault(f, "has %zu fields, and there are %zu columns", f->n,
		    f->n_columns);
		return;
	}
	for (i = 0; i < f->n; i++) {
		value = field_at(f, i);
		if (value.n > 0)
			row.field[f->column[i]] = value;
	}
	f->ops->row(&row, f->arg);
}

/* White space around an unquoted field is none of it. */
static void
csv_field_end(struct userfile *f)
{
	size_t n = buf_len(&f->text);

	while (f->state == PLAIN && n > f->start[f->n] &&
	    ascii_isspace((unsigned char)buf_data(&f->text)[n - 1]))
		n--;
	buf_truncate(&f->text, n);
	if (f->n == USERFILE_COLUMNS_MAX) {
		fault(f, "has more than %d fields", USERFILE_COLUMNS_MAX);
		return;
	}
	f->start[++f->n] = buf_len(&f->text);
	f->state = START;
}

static void
csv_row_end(struct userfile *f)
{
	if (!f->any) {
		row_done(f);
		return;
	}
	csv_field_end(f);
	if (buf_failed(&f->text))
		fault(f, "is longer than %d bytes", USERFILE_FIELD_MAX);
	text_check(f, buf_span(&f->text));
	if (!f->headed && !f->faulty)
		csv_header(f);
	else if (!f->faulty && f->n_columns > 0)
		csv_row(f);
	f->headed = true;
	row_done(f);
}

/* The first of , ; and tab in the header is between all fields. */
static bool
csv_separates(struct userfile *f, char c)
{
	if (f->separator == '\0' && (c == ',' || c == ';' || c == '\t'))
		f->separator = c;
	return c == f->separator && c != '\0';
}

static void
csv_byte(struct userfile *f, char c)
{
	if (f->state == QUOTED && c != '"') {
		buf_char(&f->text, c);
		return;
	}
	if (f->state == QUOTED) {
		f->state = QUOTE_IN_QUOTED;
		return;
	}
	if (c == '\n') {
		csv_row_end(f);
		return;
	}
	if (f->separator == '\0' && f->headed)
		f->separator = ',';	/* one column only */
	if (f->state == START && c == ' ')
		return;
	f->any = true;
	if (csv_separates(f, c)) {
		csv_field_end(f);
	} else if (c == '"' && f->state == QUOTE_IN_QUOTED) {
		buf_char(&f->text, c);
		f->state = QUOTED;
	} else if (c == '"' && f->state == START) {
		f->state = QUOTED;
	} else if (f->state == QUOTE_IN_QUOTED && c != ' ' && c != '\t') {
		fault(f, "has something behind a closing quote");
	} else if (f->state != QUOTE_IN_QUOTED) {
		buf_char(&f->text, c);
		f->state = PLAIN;
	}
}

/* --- passwd-file --- */

/* "1G" as Dovecot means it: kilobytes without a unit for `storage'. Ours has
 * the same units, in bytes without one. */
static void
passwd_quota(struct userfile *f, struct user_row *row, struct span rule)
{
	struct span word;

	if (!span_split(&rule, ':', &word) || !span_eq(word, SPAN_LIT("*")))
		return;
	while (span_split(&rule, ':', &word)) {
		bool kilo = span_starts(word, "storage=");

		if (kilo || span_starts(word, "bytes=")) {
			word = span_sub(word, kilo ? 8 : 6, word.n);
			buf_clear(&f->quota);
			buf_span_add(&f->quota, word);
			if (kilo && word.n > 0 && ascii_isdigit(
			    (unsigned char)word.p[word.n - 1]))
				buf_char(&f->quota, 'k');
			row->field[USER_QUOTA] = buf_span(&f->quota);
		} else if (span_starts(word, "messages=")) {
			row->field[USER_QUOTA_MESSAGES] =
			    span_sub(word, 9, word.n);
		}
	}
}

static void
passwd_extra(struct userfile *f, struct user_row *row, struct span extra)
{
	static const char rule[] = "userdb_quota_rule=",
	    size[] = "userdb_quota_storage_size=",
	    count[] = "userdb_quota_message_count=";
	struct span word;

	while (span_split(&extra, ' ', &word)) {
		if (span_starts(word, rule))
			passwd_quota(f, row, span_sub(word, sizeof(rule) - 1,
			    word.n));
		else if (span_starts(word, size))
			row->field[USER_QUOTA] = span_sub(word,
			    sizeof(size) - 1, word.n);
		else if (span_starts(word, count))
			row->field[USER_QUOTA_MESSAGES] = span_sub(word,
			    sizeof(count) - 1, word.n);
		else if (span_eq(word, SPAN_LIT("nologin")) ||
		    span_starts(word, "nologin="))
			row->field[USER_STATE] = SPAN_LIT("no_login");
	}
}

static void
passwd_row(struct userfile *f, struct span line)
{
	/* user, hash, uid, gid, name, home, shell; what follows may hold ':' */
	struct span part[7] = { { NULL, 0 } };
	struct user_row row = { .line = f->began };
	size_t n = 0;

	while (n < ARRAY_LEN(part) && span_split(&line, ':', &part[n]))
		n++;
	if (n < 2) {
		fault(f, "is no line of a passwd-file: user:hash:...");
		return;
	}
	row.field[USER_ADDRESS] = part[0];
	if (part[1].n > 0)
		row.field[USER_HASH] = part[1];
	if (part[4].n > 0)
		row.field[USER_NAME] = part[4];
	if (line.p != NULL)
		passwd_extra(f, &row, line);
	f->ops->row(&row, f->arg);
}

static void
passwd_byte(struct userfile *f, char c)
{
	struct span line;

	if (c != '\n') {
		buf_char(&f->text, c);
		return;
	}
	if (buf_failed(&f->text))
		fault(f, "is longer than %d bytes", USERFILE_FIELD_MAX);
	line = span_trim(buf_span(&f->text));
	text_check(f, line);
	if (!f->faulty && line.n > 0 && line.p[0] != '#')
		passwd_row(f, line);
	row_done(f);
}

/* --- both --- */

static void
byte(struct userfile *f, char c)
{
	static const char mark[] = "\xef\xbb\xbf";

	if (f->format == USERFILE_CSV)
		csv_byte(f, c);
	else
		passwd_byte(f, c);
	/* A byte order mark in front of all is none of the text. */
	if (f->line == 1 && !f->headed && f->n == 0 &&
	    span_eq(buf_span(&f->text), SPAN_LIT(mark)))
		row_done(f);
	if (c == '\n')
		f->line++;
	if (!f->any && buf_len(&f->text) == 0)
		f->began = f->line;
}

/* CR LF is LF, a CR elsewhere is itself. */
void
userfile_feed(struct userfile *f, struct span bytes)
{
	size_t i;

	for (i = 0; i < bytes.n; i++) {
		if (f->after_cr && bytes.p[i] != '\n')
			byte(f, '\r');
		f->after_cr = bytes.p[i] == '\r';
		if (!f->after_cr)
			byte(f, bytes.p[i]);
	}
}

void
userfile_end(struct userfile **fp)
{
	struct userfile *f = *fp;

	if (f->after_cr)
		byte(f, '\r');
	if (f->state == QUOTED) {
		fault(f, "a quote is not closed");
		f->state = PLAIN;
		f->any = true;
	}
	byte(f, '\n');
	buf_fini_secret(&f->text);
	buf_fini(&f->quota);
	free(f);
	*fp = NULL;
}

void
userfile_csv_put(struct buf *out, struct span value)
{
	size_t i;
	bool quoted = value.n > 0 && (value.p[0] == ' ' ||
	    value.p[value.n - 1] == ' ');

	for (i = 0; i < value.n; i++)
		if (strchr(",;\"\r\n\t", value.p[i]) != NULL)
			quoted = true;
	if (!quoted) {
		buf_span_add(out, value);
		return;
	}
	buf_char(out, '"');
	for (i = 0; i < value.n; i++) {
		if (value.p[i] == '"')
			buf_char(out, '"');
		buf_char(out, value.p[i]);
	}
	buf_char(out, '"');
}
