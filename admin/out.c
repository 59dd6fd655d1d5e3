#include "admin/out.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/json.h"
#include "base/xmalloc.h"

#define GAP		2
#define NARROWEST	8

struct out {
	bool json, single;
	struct out_column *columns;
	size_t n_columns;
	char **cells;		/* rows x columns; NULL: null */
	size_t n_rows;
};

/* Control characters of ASCII and of Unicode (C1, U+0080..9F), and those that
 * turn the direction of what follows (U+200E, 200F, 202A..2E, 2066..69). */
static bool
is_control(struct span s)
{
	const unsigned char *p = (const unsigned char *)s.p;

	if (s.n == 1)
		return p[0] < 0x20 || p[0] == 0x7f;
	if (s.n == 2)
		return p[0] == 0xc2 && p[1] < 0xa0;
	return s.n == 3 && p[0] == 0xe2 &&
	    ((p[1] == 0x80 && (p[2] == 0x8e || p[2] == 0x8f ||
	    (p[2] >= 0xaa && p[2] <= 0xae))) ||
	    (p[1] == 0x81 && p[2] >= 0xa6 && p[2] <= 0xa9));
}

void
out_clean(struct buf *b, struct span s)
{
	size_t n;

	for (; s.n > 0; s = span_sub(s, n, s.n)) {
		n = span_utf8_front(s);
		if (n == 0 || is_control(span_sub(s, 0, n))) {
			buf_char(b, '?');
			n = n == 0 ? 1 : n;
		} else {
			buf_append(b, s.p, n);
		}
	}
}

void
out_clean_to(FILE *f, struct span text)
{
	struct buf b;

	buf_init(&b, 4 * 1024 * 1024);
	out_clean(&b, text);
	fwrite(buf_data(&b), 1, buf_len(&b), f);
	fflush(f);
	buf_fini(&b);
}

static void
clean_but_tabs(struct buf *b, struct span text)
{
	struct span part;
	bool more = false;

	while (span_split(&text, '\t', &part)) {
		if (more)
			buf_char(b, '\t');
		more = true;
		out_clean(b, part);
	}
}

void
out_pair(struct span key, struct span value)
{
	struct buf b;

	buf_init(&b, 4 * 1024 * 1024);
	if (key.p != NULL) {
		clean_but_tabs(&b, key);
		buf_char(&b, '\t');
	}
	clean_but_tabs(&b, value);
	buf_char(&b, '\n');
	(void)fwrite(buf_data(&b), 1, buf_len(&b), stdout);
	buf_fini(&b);
}

void
out_size(struct buf *b, uint64_t bytes)
{
	static const char units[] = "kMGTP";
	double v = (double)bytes;
	int i = -1;

	while (v >= 1024 && i < 4) {
		v /= 1024;
		i++;
	}
	if (i < 0)
		buf_dec(b, bytes);
	else
		buf_fmt(b, v < 10 ? "%.1f%c" : "%.0f%c", v, units[i]);
}

static void say(FILE *f, const char *fmt, va_list ap) PRINTF(2, 0);

static void
say(FILE *f, const char *fmt, va_list ap)
{
	struct buf raw, clean;
	struct span rest, line;

	buf_init(&raw, 1024 * 1024);
	buf_init(&clean, 4 * 1024 * 1024);
	buf_vfmt(&raw, fmt, ap);
	rest = buf_span(&raw);
	while (span_split(&rest, '\n', &line)) {
		if (line.n == 0 && rest.p == NULL)
			break;
		out_clean(&clean, line);
		buf_char(&clean, '\n');
	}
	fwrite(buf_data(&clean), 1, buf_len(&clean), f);
	buf_fini(&raw);
	buf_fini(&clean);
}

void
out_say(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	say(stdout, fmt, ap);
	va_end(ap);
}

void
out_complain(const char *fmt, ...)
{
	va_list ap;

	fflush(stdout);
	va_start(ap, fmt);
	say(stderr, fmt, ap);
	va_end(ap);
}

/* mdoc wants each sentence on a line of its own. */
static bool
after_sentence(const char *from, const char *space)
{
	return space - from > 3 && space[-1] == '.' &&
	    ascii_lower(space[1]) != space[1];
}

void
out_man(const char *s)
{
	const char *from = s;

	for (; *s != '\0'; s++) {
		if (*s == '\\')
			fputs("\\e", stdout);
		else if (*s == '-')
			fputs("\\-", stdout);
		else if (*s == ' ' && after_sentence(from, s))
			putchar('\n');
		else
			putchar(*s);
	}
}

/* --- rows --- */

struct out *
out_new(bool json, bool single, const struct out_column *columns, size_t n)
{
	struct out *o = xcalloc(1, sizeof(*o));
	size_t i;

	o->json = json;
	o->single = single;
	o->n_columns = n;
	o->columns = xcalloc(n, sizeof(*columns));
	for (i = 0; i < n; i++) {
		o->columns[i].name = xstrdup(columns[i].name);
		o->columns[i].kind = columns[i].kind;
	}
	return o;
}

static void
cell_for_json(struct buf *b, enum out_kind kind, struct span v)
{
	switch (kind) {
	case OUT_NUMBER:
	case OUT_SIZE:
	case OUT_LIMIT:
	case OUT_LIMIT_COUNT:
	case OUT_RAW:
		if (json_is_valid(v))
			buf_span_add(b, v);
		else
			json_put_string(b, v);
		break;
	case OUT_BOOL:
		buf_str(b, v.n > 0 && v.p[0] == 't' ? "true" : "false");
		break;
	case OUT_TEXT:
		json_put_string(b, v);
		break;
	}
}

static void
cell_for_people(struct buf *b, enum out_kind kind, struct span v)
{
	uint64_t number;

	if ((kind == OUT_LIMIT || kind == OUT_LIMIT_COUNT) &&
	    span_eq(v, SPAN_LIT("0"))) {
		buf_str(b, "none");
	} else if ((kind == OUT_SIZE || kind == OUT_LIMIT) &&
	    span_u64(v, 0, UINT64_MAX, &number)) {
		out_size(b, number);
	} else if (kind == OUT_BOOL) {
		buf_str(b, v.n > 0 && v.p[0] == 't' ? "yes" : "no");
	} else {
		out_clean(b, v);
	}
}

void
out_row(struct out *o, const struct span *values)
{
	struct buf b;
	size_t i;

	o->cells = xreallocarray(o->cells, (o->n_rows + 1) * o->n_columns,
	    sizeof(*o->cells));
	for (i = 0; i < o->n_columns; i++) {
		char **cell = &o->cells[o->n_rows * o->n_columns + i];

		*cell = NULL;
		if (values[i].p == NULL)
			continue;
		buf_init(&b, 4 * 1024 * 1024);
		if (o->json)
			cell_for_json(&b, o->columns[i].kind, values[i]);
		else
			cell_for_people(&b, o->columns[i].kind, values[i]);
		*cell = buf_take(&b);
		buf_fini(&b);
	}
	o->n_rows++;
}

static const char *
cell_at(const struct out *o, size_t row, size_t column)
{
	const char *s = o->cells[row * o->n_columns + column];

	return s != NULL ? s : o->json ? "null" : "-";
}

/* --- JSON --- */

static void
json_row(const struct out *o, size_t row)
{
	size_t i;

	putchar('{');
	for (i = 0; i < o->n_columns; i++)
		printf("%s\"%s\": %s", i == 0 ? "" : ", ",
		    o->columns[i].name, cell_at(o, row, i));
	putchar('}');
}

static void
json_print(const struct out *o)
{
	size_t i;

	if (o->single) {
		for (i = 0; i < o->n_rows; i++) {
			json_row(o, i);
			putchar('\n');
		}
		return;
	}
	fputs("[", stdout);
	for (i = 0; i < o->n_rows; i++) {
		fputs(i == 0 ? "\n" : ",\n", stdout);
		json_row(o, i);
	}
	fputs(o->n_rows == 0 ? "]\n" : "\n]\n", stdout);
}

/* --- table --- */

/* Columns on the screen, nearly: one per character. */
static size_t
text_width(const char *s)
{
	size_t n = 0;

	for (; *s != '\0'; s++)
		if (((unsigned char)*s & 0xc0) != 0x80)
			n++;
	return n;
}

/* SIZE_MAX when nobody looks at it. */
static size_t
screen_width(void)
{
	struct winsize ws;

	if (!isatty(STDOUT_FILENO))
		return SIZE_MAX;
	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &ws) == 0 && ws.ws_col >= 20)
		return ws.ws_col;
	return 80;
}

static size_t
widths_sum(const size_t *width, size_t n)
{
	size_t total = 0, i;

	for (i = 0; i < n; i++)
		total += width[i] + (i + 1 < n ? GAP : 0);
	return total;
}

/* Takes width off the widest columns until the table fits; if that is not
 * enough, columns from the right. Returns how many are left. */
static size_t
widths_fit(size_t *width, size_t n, size_t screen)
{
	size_t i, widest;

	while (widths_sum(width, n) > screen) {
		widest = 0;
		for (i = 1; i < n; i++)
			if (width[i] > width[widest])
				widest = i;
		if (width[widest] > NARROWEST)
			width[widest]--;
		else if (n > 1)
			n--;
		else
			break;
	}
	return n;
}

static void
cell_print(const char *s, size_t width, bool right, bool last)
{
	size_t n = text_width(s), shown = 0;

	if (n <= width) {
		if (right)
			printf("%*s", (int)(width - n), "");
		fputs(s, stdout);
		if (!right && !last)
			printf("%*s", (int)(width - n), "");
	} else {
		while (*s != '\0' && (shown + 1 < width ||
		    ((unsigned char)*s & 0xc0) == 0x80)) {
			putchar(*s++);
			if (((unsigned char)*s & 0xc0) != 0x80)
				shown++;
		}
		fputs("\xe2\x80\xa6", stdout);
	}
	if (!last)
		printf("%*s", GAP, "");
}

static bool
column_right(const struct out *o, size_t i)
{
	return o->columns[i].kind != OUT_TEXT && o->columns[i].kind != OUT_BOOL;
}

static void
table_print(const struct out *o)
{
	size_t *width = xcalloc(o->n_columns, sizeof(*width)), r, i, n;

	if (o->n_rows == 0) {
		free(width);
		return;
	}
	for (i = 0; i < o->n_columns; i++) {
		width[i] = text_width(o->columns[i].name);
		for (r = 0; r < o->n_rows; r++)
			width[i] = MAX(width[i], text_width(cell_at(o, r, i)));
	}
	n = widths_fit(width, o->n_columns, screen_width());
	for (i = 0; i < n; i++)
		cell_print(o->columns[i].name, width[i], column_right(o, i),
		    i + 1 == n);
	putchar('\n');
	for (r = 0; r < o->n_rows; r++) {
		for (i = 0; i < n; i++)
			cell_print(cell_at(o, r, i), width[i],
			    column_right(o, i), i + 1 == n);
		putchar('\n');
	}
	free(width);
}

static void
single_print(const struct out *o)
{
	size_t r, i, width = 0;

	for (i = 0; i < o->n_columns; i++)
		width = MAX(width, text_width(o->columns[i].name));
	for (r = 0; r < o->n_rows; r++)
		for (i = 0; i < o->n_columns; i++)
			printf("%-*s  %s\n", (int)width, o->columns[i].name,
			    cell_at(o, r, i));
}

size_t
out_end(struct out **op)
{
	struct out *o = *op;
	size_t n = o->n_rows, i;

	if (o->json)
		json_print(o);
	else if (o->single)
		single_print(o);
	else
		table_print(o);
	for (i = 0; i < o->n_rows * o->n_columns; i++)
		free(o->cells[i]);
	for (i = 0; i < o->n_columns; i++)
		free((char *)(uintptr_t)o->columns[i].name);
	free(o->cells);
	free(o->columns);
	free(o);
	*op = NULL;
	return n;
}
