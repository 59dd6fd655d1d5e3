/*
 * pgsql: files. Up to the first NUL it is a file, what follows is a key and
 * a field of an answer. Oracle: what parses has SQL without the key's bytes
 * in it, and as many parameters as it names.
 */
#include <stdio.h>

#include "base/log.h"
#include "table/pgsql.h"
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
key_ask(const struct pgsql_query *q, struct span key, struct span value)
{
	struct buf out;
	size_t i, n = 0;

	buf_init(&out, TABLE_VALUE_MAX);
	if (pgsql_wants(q, key))
		for (i = 0; i < pgsql_params(q); i++)
			pgsql_param(q, i, key, &out);
	(void)pgsql_value_add(q, key, value, &n, &out);
	(void)pgsql_value_add(q, key, value, &n, &out);
	buf_fini(&out);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static char spec[] = "pgsql:fuzz";
	struct table t = { .type = &table_type_pgsql, .spec = spec,
	    .arg = spec + 6 };
	struct span text = span_of(data, size), key;
	ptrdiff_t nul = size == 0 ? -1 : span_chr(text, '\0');
	struct pgsql_query *q;
	char last[8];
	struct err err;

	log_tap(quiet_cb, NULL);
	key = nul < 0 ? SPAN_LIT("kim@a.example") :
	    span_sub(text, (size_t)nul + 1, size);
	if (nul >= 0)
		text = span_sub(text, 0, (size_t)nul);
	err_clear(&err);
	q = pgsql_query_parse(&t, text, &err);
	ps_assert(q != NULL || err.why[0] != '\0');
	if (q == NULL)
		return 0;
	ps_assert(pgsql_params(q) <= PGSQL_PARAMS_MAX);
	(void)snprintf(last, sizeof(last), "$%zu", pgsql_params(q));
	if (pgsql_params(q) > 0)
		ps_assert(strstr(pgsql_sql(q), last) != NULL);
	key_ask(q, key, span_sub(key, key.n / 2, key.n));
	pgsql_query_free(&q);
	return 0;
}
