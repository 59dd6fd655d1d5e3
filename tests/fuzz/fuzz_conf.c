/*
 * postern.conf. Oracle: what parses prints as values that parse again to the
 * same values; what does not parse says why.
 */
#include "base/buf.h"
#include "base/conf.h"
#include "tests/fuzz/fuzz.h"

#define TEXT_CAP	((size_t)8 * 1024 * 1024)

static void
print_all(const struct conf *c, struct buf *out)
{
	const struct conf_param *p;
	size_t i, n;

	p = conf_params(&n);
	for (i = 0; i < n; i++) {
		buf_str(out, p[i].name);
		buf_str(out, " = ");
		conf_value(c, &p[i], out);
		buf_char(out, '\n');
	}
}

static void
check_again(const struct conf *c)
{
	struct buf first, second, complaints;
	struct conf *again;

	buf_init(&first, TEXT_CAP);
	buf_init(&second, TEXT_CAP);
	buf_init(&complaints, TEXT_CAP);
	print_all(c, &first);
	if (!buf_failed(&first)) {
		again = conf_parse("again", buf_span(&first), &complaints);
		ps_assert(again != NULL);
		print_all(again, &second);
		ps_assert(span_eq(buf_span(&first), buf_span(&second)));
		conf_unref(&again);
	}
	buf_fini(&first);
	buf_fini(&second);
	buf_fini(&complaints);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf complaints;
	struct conf *c;

	buf_init(&complaints, TEXT_CAP);
	c = conf_parse("fuzz", span_of(data, size), &complaints);
	if (c == NULL)
		ps_assert(buf_len(&complaints) > 0);
	else
		check_again(c);
	conf_unref(&c);
	buf_fini(&complaints);
	return 0;
}
