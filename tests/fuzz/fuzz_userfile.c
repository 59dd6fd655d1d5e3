/*
 * Files of users, the first byte says which kind. In pieces they must give what
 * they give whole, and a row's fields written as CSV must be read back.
 */
#include "admin/userfile.h"
#include "tests/fuzz/fuzz.h"

struct seen {
	struct buf text;
	bool again;		/* write rows and read them */
};

static void
again_row_cb(const struct user_row *row, void *arg)
{
	struct span *want = arg;

	if (!span_eq(row->field[USER_NAME], *want))
		__builtin_trap();
	*want = SPAN_NONE;
}

static void
again_fault_cb(unsigned line, const char *why, void *arg)
{
	(void)line;
	(void)why;
	(void)arg;
	__builtin_trap();
}

static void
round_trip(struct span value)
{
	static const struct userfile_ops ops = { again_row_cb,
		again_fault_cb };
	struct userfile *f;
	struct span want = value;
	struct buf text;

	if (value.p == NULL || value.n > USERFILE_FIELD_MAX / 4)
		return;
	buf_init(&text, BUF_NO_CAP);
	buf_str(&text, "address,name\nx,");
	userfile_csv_put(&text, value);
	f = userfile_new(USERFILE_CSV, &ops, &want);
	userfile_feed(f, buf_span(&text));
	userfile_end(&f);
	if (want.p != NULL)
		__builtin_trap();
	buf_fini(&text);
}

static void
row_cb(const struct user_row *row, void *arg)
{
	struct seen *s = arg;
	int i;

	buf_dec(&s->text, row->line);
	for (i = 0; i < USER_FIELDS; i++) {
		buf_fmt(&s->text, "%s%zu:", row->field[i].p == NULL ? "-" :
		    "+", row->field[i].n);
		buf_span_add(&s->text, row->field[i]);
	}
	if (s->again)
		round_trip(row->field[USER_NAME]);
}

static void
fault_cb(unsigned line, const char *why, void *arg)
{
	struct seen *s = arg;

	buf_fmt(&s->text, "%u!%s", line, why);
}

static void
read_in(enum userfile_format format, struct span text, size_t piece,
    struct seen *s)
{
	static const struct userfile_ops ops = { row_cb, fault_cb };
	struct userfile *f = userfile_new(format, &ops, s);
	size_t i;

	for (i = 0; i < text.n; i += piece)
		userfile_feed(f, span_sub(text, i, piece));
	userfile_end(&f);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct seen whole = { .again = true }, split = { .again = false };
	enum userfile_format format;
	struct span text;

	if (size < 1 || size > 65536)
		return 0;
	format = data[0] == 'p' ? USERFILE_PASSWD : USERFILE_CSV;
	text = span_of(data + 1, size - 1);
	buf_init(&whole.text, BUF_NO_CAP);
	buf_init(&split.text, BUF_NO_CAP);
	read_in(format, text, size, &whole);
	read_in(format, text, 1 + data[0] % 7, &split);
	if (!span_eq(buf_span(&whole.text), buf_span(&split.text)))
		__builtin_trap();
	buf_fini(&whole.text);
	buf_fini(&split.text);
	return 0;
}
