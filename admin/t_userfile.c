#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "admin/userfile.h"

#define P	USERFILE_PASSWD
#define C	USERFILE_CSV

/* Rows as "LINE address=... name=...|", faults as "LINE! words|". */
static const struct {
	const char *name;
	enum userfile_format format;
	struct span text;
	const char *want;
} cases[] = {
	{ "plain", C, SPAN_LIT("address,name\na@b,Kim\nc@d,\n"),
	    "2 address=a@b name=Kim|3 address=c@d|" },
	{ "no last line end", C, SPAN_LIT("address\na@b"), "2 address=a@b|" },
	{ "CR LF, empty lines", C, SPAN_LIT("address\r\n\r\na@b\r\n\r\n"),
	    "3 address=a@b|" },
	{ "only a header", C, SPAN_LIT("address\n"), "" },
	{ "nothing", C, SPAN_LIT(""), "" },
	{ "byte order mark", C, SPAN_LIT("\xef\xbb\xbf" "address\na@b\n"),
	    "2 address=a@b|" },
	{ "semicolons", C, SPAN_LIT("address;name\na@b;K, L\n"),
	    "2 address=a@b name=K, L|" },
	{ "tabs", C, SPAN_LIT("name\taddress\nK; L\ta@b\n"),
	    "2 address=a@b name=K; L|" },
	{ "one column, commas are text then", C,
	    SPAN_LIT("address\na@b\nx,y\n"),
	    "2 address=a@b|3! has 2 fields, and there are 1 columns|" },
	{ "quoted", C, SPAN_LIT("address,name\n\"a@b\",\"K, \"\"L\"\" M\"\n"),
	    "2 address=a@b name=K, \"L\" M|" },
	{ "a line end in quotes", C,
	    SPAN_LIT("address,name\na@b,\"K\nL\"\nc@d,M\n"),
	    "2 address=a@b name=K\nL|4 address=c@d name=M|" },
	{ "empty in quotes is empty", C, SPAN_LIT("address,name\na@b,\"\"\n"),
	    "2 address=a@b|" },
	{ "spaces around", C, SPAN_LIT(" address , name \n a@b ,  K L \n"),
	    "2 address=a@b name=K L|" },
	{ "spaces in quotes stay", C, SPAN_LIT("address,name\na@b, \" K \" \n"),
	    "2 address=a@b name= K |" },
	{ "quote inside a plain field", C,
	    SPAN_LIT("address,name\na@b,K \"L\"\n"),
	    "2 address=a@b name=K \"L\"|" },
	{ "behind a closing quote", C,
	    SPAN_LIT("address,name\na@b,\"K\"L\nc@d,M\n"),
	    "2! has something behind a closing quote|"
	    "3 address=c@d name=M|" },
	{ "never closed", C, SPAN_LIT("address\n\"a@b\nc@d\n"),
	    "2! a quote is not closed|" },
	{ "too few", C, SPAN_LIT("address,name\na@b\nc@d,M\n"),
	    "2! has 1 fields, and there are 2 columns|"
	    "3 address=c@d name=M|" },
	{ "unknown column", C, SPAN_LIT("address,nam,nmae\na@b,x,y\n"),
	    "1! there is no column `nam'; did you mean `name'?|"
	    "1! there is no column `nmae'; did you mean `name'?|" },
	{ "no address", C, SPAN_LIT("name\nKim\n"),
	    "1! the first line must name the columns, one of them "
	    "`address'|" },
	{ "column twice", C, SPAN_LIT("address,Address\na@b,c@d\n"),
	    "1! column `address' is there twice|" },
	{ "NUL", C, SPAN_LIT("address,name\na@b,K\0L\nc@d,M\n"),
	    "2! holds a NUL byte|3 address=c@d name=M|" },
	{ "not UTF-8", C, SPAN_LIT("address,name\na@b,K\xe4\nc@d,M\n"),
	    "2! is not UTF-8; iconv(1) converts files|"
	    "3 address=c@d name=M|" },
	{ "a lone CR", C, SPAN_LIT("address,name\na@b,K\rL\n"),
	    "2 address=a@b name=K\rL|" },
	{ "whole", P, SPAN_LIT("a@b:{X}y:1000:1000:Kim K.:/home/a:/bin/sh:\n"),
	    "1 address=a@b hash={X}y name=Kim K.|" },
	{ "short", P, SPAN_LIT("# people\n\na@b:$1$x$y\nkim:"),
	    "3 address=a@b hash=$1$x$y|4 address=kim|" },
	{ "no line of it", P, SPAN_LIT("lonely\na@b:x"),
	    "1! is no line of a passwd-file: user:hash:...|"
	    "2 address=a@b hash=x|" },
	{ "quota rule", P,
	    SPAN_LIT("a@b:x::::::userdb_quota_rule=*:storage=1G:messages=5\n"),
	    "1 address=a@b hash=x quota=1G quota_messages=5|" },
	{ "kilobytes", P, SPAN_LIT("a@b:x::::::y userdb_quota_rule="
	    "*:storage=2048 z=1\n"), "1 address=a@b hash=x quota=2048k|" },
	{ "bytes", P,
	    SPAN_LIT("a@b:x::::::userdb_quota_rule=*:bytes=2048\n"),
	    "1 address=a@b hash=x quota=2048|" },
	{ "a rule of one folder", P,
	    SPAN_LIT("a@b:x::::::userdb_quota_rule=Trash:storage=1G\n"),
	    "1 address=a@b hash=x|" },
	{ "of Dovecot 2.4", P, SPAN_LIT("a@b:x::::::userdb_quota_storage_size"
	    "=1G userdb_quota_message_count=7\n"),
	    "1 address=a@b hash=x quota=1G quota_messages=7|" },
	{ "nologin", P, SPAN_LIT("a@b:x::::::nologin\nc@d:x::::::nologin=y"),
	    "1 address=a@b hash=x state=no_login|"
	    "2 address=c@d hash=x state=no_login|" },
	{ "NUL there", P, SPAN_LIT("a@b:x\0y\nc@d:x"),
	    "1! holds a NUL byte|2 address=c@d hash=x|" },
};

static void
row_cb(const struct user_row *row, void *arg)
{
	struct buf *out = arg;
	int i;

	buf_dec(out, row->line);
	for (i = 0; i < USER_FIELDS; i++)
		if (row->field[i].p != NULL)
			buf_fmt(out, " %s=%.*s", user_field_name(
			    (enum user_field)i), SPAN_ARG(row->field[i]));
	buf_char(out, '|');
}

static void
fault_cb(unsigned line, const char *why, void *arg)
{
	buf_fmt(arg, "%u! %s|", line, why);
}

/* All at once, and again in pieces. */
static void
read_in(enum userfile_format format, struct span text, size_t piece,
    struct buf *out)
{
	static const struct userfile_ops ops = { row_cb, fault_cb };
	struct userfile *f = userfile_new(format, &ops, out);
	size_t i;

	for (i = 0; i < text.n; i += piece)
		userfile_feed(f, span_sub(text, i, piece));
	userfile_end(&f);
	assert_null(f);
}

static void
test_files_whole_and_byte_by_byte(void **state)
{
	static const size_t pieces[] = { 100000, 1, 2, 3 };
	struct buf out;
	size_t i, k;

	(void)state;
	for (i = 0; i < ARRAY_LEN(cases); i++)
		for (k = 0; k < ARRAY_LEN(pieces); k++) {
			buf_init(&out, BUF_NO_CAP);
			read_in(cases[i].format, cases[i].text, pieces[k],
			    &out);
			if (strcmp(buf_cstr(&out), cases[i].want) != 0)
				fail_msg("%s, by %zu: %s", cases[i].name,
				    pieces[k], buf_cstr(&out));
			buf_fini(&out);
		}
}

static void
test_a_row_has_its_limits(void **state)
{
	struct buf text, out;
	int i;

	(void)state;
	buf_init(&text, BUF_NO_CAP);
	buf_init(&out, BUF_NO_CAP);
	buf_str(&text, "address,name\na@b,");
	for (i = 0; i < USERFILE_FIELD_MAX; i++)
		buf_char(&text, 'x');
	buf_str(&text, "\nc@d,M\n");
	read_in(USERFILE_CSV, buf_span(&text), 1000, &out);
	assert_string_equal(buf_cstr(&out), "2! is longer than 65536 bytes|"
	    "3 address=c@d name=M|");
	buf_clear(&text);
	buf_clear(&out);
	buf_str(&text, "address");
	for (i = 0; i < USERFILE_COLUMNS_MAX + 5; i++)
		buf_char(&text, ',');
	read_in(USERFILE_CSV, buf_span(&text), 1000, &out);
	assert_string_equal(buf_cstr(&out), "1! has more than 64 fields|");
	buf_fini(&text);
	buf_fini(&out);
}

static void
test_what_is_written_is_read_again(void **state)
{
	static const char *const values[] = { "x", "a,b", "a;b", "a\"b", "\"",
		" a ", "a\nb", "a\tb", "a b", "\"\"", ",", "ä" };
	struct buf text, out, want;
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_LEN(values); i++) {
		buf_init(&text, BUF_NO_CAP);
		buf_init(&out, BUF_NO_CAP);
		buf_init(&want, BUF_NO_CAP);
		buf_str(&text, "address,name\na@b,");
		userfile_csv_put(&text, span_str(values[i]));
		buf_char(&text, '\n');
		read_in(USERFILE_CSV, buf_span(&text), 1, &out);
		buf_fmt(&want, "2 address=a@b name=%s|", values[i]);
		assert_string_equal(buf_cstr(&out), buf_cstr(&want));
		buf_fini(&text);
		buf_fini(&out);
		buf_fini(&want);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_files_whole_and_byte_by_byte),
		cmocka_unit_test(test_a_row_has_its_limits),
		cmocka_unit_test(test_what_is_written_is_read_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
