/*
 * Table files and inline tables. The first byte chooses the type, the rest is
 * the text. Oracle: what serves, serves the same twice.
 */
#include "base/log.h"
#include "table/table_int.h"
#include "tests/fuzz/fuzz.h"

static void
quiet_cb(enum log_level level, const char *line, void *arg)
{
	(void)level;
	(void)line;
	(void)arg;
}

static void
keys_ask(const struct table_type *type, void *data)
{
	static const char *const keys[] = { "a.example", "192.0.2.7",
	    "2001:db8::1", "kim@a.example", "x" };
	struct buf one, two;
	struct err err;
	size_t i;

	buf_init(&one, TABLE_VALUE_MAX);
	buf_init(&two, TABLE_VALUE_MAX);
	for (i = 0; i < ARRAY_LEN(keys); i++) {
		buf_clear(&one);
		buf_clear(&two);
		ps_assert(type->look_up(data, span_str(keys[i]), &one, &err,
		    NULL) == type->look_up(data, span_str(keys[i]), &two,
		    &err, NULL));
		ps_assert(span_eq(buf_span(&one), buf_span(&two)));
	}
	buf_fini(&one);
	buf_fini(&two);
}

/* Rules in the name of the table. */
static void
spec_open(struct span text)
{
	struct buf spec, value;
	struct table *t;
	struct err err;

	buf_init(&spec, TABLE_VALUE_MAX);
	buf_init(&value, TABLE_VALUE_MAX);
	buf_str(&spec, "pcre:{");
	buf_span_add(&spec, text);
	buf_char(&spec, '}');
	t = table_open(buf_span(&spec), &err);
	if (t != NULL) {
		ps_assert(table_look_up(t, SPAN_LIT("a.example"), &value,
		    &err) != TABLE_PARKED);
		table_unref(&t);
	}
	buf_fini(&spec);
	buf_fini(&value);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct table_type hash = { .make = table_text_make,
	    .free = table_text_free, .look_up = table_text_look_up };
	static const struct table_type *const types[] = { &hash,
	    &table_type_cidr, &table_type_pcre, &table_type_inline,
	    &table_type_regexp };
	static char name[] = "fuzz";
	struct table t = { .spec = name, .arg = name };
	struct err err;
	void *made;

	if (size == 0)
		return 0;
	log_tap(quiet_cb, NULL);
	if (data[0] == '{')
		spec_open(span_of(data, size));
	t.type = types[data[0] % ARRAY_LEN(types)];
	made = t.type->make(&t, span_of(data + 1, size - 1), &err);
	if (made != NULL) {
		keys_ask(t.type, made);
		t.type->free(made);
	}
	return 0;
}
