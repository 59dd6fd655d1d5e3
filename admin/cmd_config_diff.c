/* What is other than it might be: than the defaults, or in the server that
 * runs than in the file. */
#include "admin/cli.h"

#include <stdio.h>
#include <stdlib.h>

#include "admin/ctl.h"
#include "base/json.h"
#include "base/xmalloc.h"

#define VALUE_MAX	(1024 * 1024)
#define TIMEOUT_MS	30000

static void
value_of(const struct conf *conf, const struct conf_param *p, struct buf *out)
{
	buf_init(out, VALUE_MAX);
	conf_value(conf, p, out);
}

/* --- defaults --- */

/* By value: a line that says what the default says is no difference. */
static int
diff_defaults(struct cli *cli)
{
	static const struct out_column columns[] = { { "name", OUT_TEXT },
		{ "value", OUT_TEXT }, { "set_at", OUT_TEXT } };
	const struct conf *conf = cli->config.conf;
	const struct conf_param *p;
	struct buf complaints, a, b;
	struct conf *plain;
	struct out *o;
	size_t i, n;

	buf_init(&complaints, 65536);
	plain = conf_parse("defaults", SPAN_LIT(""), &complaints);
	buf_fini(&complaints);
	if (plain == NULL)
		return EX_SOFTWARE;
	o = out_new(cli->json, false, columns, ARRAY_LEN(columns));
	p = conf_params(&n);
	for (i = 0; i < n; i++) {
		value_of(conf, &p[i], &a);
		value_of(plain, &p[i], &b);
		struct span row[] = { span_str(p[i].name), buf_span(&a),
		    span_str(conf_where(conf, p[i].name)) };

		if (!span_eq(row[1], buf_span(&b)) && row[2].n > 0)
			out_row(o, row);
		buf_fini(&a);
		buf_fini(&b);
	}
	out_end(&o);
	conf_unref(&plain);
	return EX_OK;
}

/* --- the running server --- */

/* A parameter that a reload does not change is what it was at the start. */
struct running {
	struct buf start_text, now_text;
	struct conf *start, *now;
	struct out *out;
	size_t n;
};

static void
row_cb(struct span json, void *arg)
{
	struct running *r = arg;
	struct span rest = json, key, value, text = SPAN_NONE;
	bool start = false;

	while (json_next(&rest, &key, &value)) {
		if (span_eq(key, SPAN_LIT("of")))
			start = span_eq(value, SPAN_LIT("\"start\""));
		else if (span_eq(key, SPAN_LIT("text")))
			text = value;
	}
	if (text.p != NULL)
		json_text(text, start ? &r->start_text : &r->now_text);
}

static void
difference(struct running *r, const struct conf *in, const char *name,
    struct span running, struct span file, bool reloadable)
{
	struct buf section;

	buf_init(&section, 4096);
	if (in->kind != NULL && in->kind[0] != '\0')
		buf_fmt(&section, "%s %s", in->kind, in->name);
	struct span row[] = { buf_span(&section), span_str(name), running,
	    file, reloadable ? SPAN_LIT("reload") : SPAN_LIT("restart") };

	out_row(r->out, row);
	r->n++;
	buf_fini(&section);
}

static void
compare_values(struct running *r, const struct conf *start,
    const struct conf *now, const struct conf *file)
{
	const struct conf_param *p;
	struct buf a, b;
	size_t i, n;

	p = conf_params(&n);
	for (i = 0; i < n; i++) {
		value_of(p[i].reloadable || start == NULL ? now : start,
		    &p[i], &a);
		value_of(file, &p[i], &b);
		if (!span_eq(buf_span(&a), buf_span(&b)))
			difference(r, file, p[i].name, buf_span(&a),
			    buf_span(&b), p[i].reloadable);
		buf_fini(&a);
		buf_fini(&b);
	}
}

/* A section that came or went takes a restart, as it is a listener. */
static void
compare(struct running *r, const struct conf *file)
{
	const struct conf *s, *was;
	size_t i;

	compare_values(r, r->start, r->now, file);
	for (i = 0; (s = conf_section_at(file, i)) != NULL; i++) {
		was = conf_section(r->start, s->kind, s->name);
		if (was == NULL)
			difference(r, s, "(section)", SPAN_LIT(""),
			    SPAN_LIT("added"), false);
		else if (conf_section(r->now, s->kind, s->name) != NULL)
			compare_values(r, was, conf_section(r->now, s->kind,
			    s->name), s);
	}
	for (i = 0; (s = conf_section_at(r->start, i)) != NULL; i++)
		if (conf_section(file, s->kind, s->name) == NULL)
			difference(r, s, "(section)", SPAN_LIT(""),
			    SPAN_LIT("removed"), false);
}

static int
running_ask(struct cli *cli, struct running *r)
{
	struct ctl_answer answer = { .exit = EX_OK };
	struct buf complaints;
	struct err err = { 0 };

	if (ctl_ask(cli->config.conf, NULL, "config", NULL, 0, TIMEOUT_MS,
	    row_cb, r, &answer, &err) != 0) {
		out_complain("postern: %s\n", err.why);
		return EX_UNAVAILABLE;
	}
	buf_init(&complaints, VALUE_MAX);
	r->start = conf_parse("running", buf_span(&r->start_text),
	    &complaints);
	r->now = conf_parse("running", buf_span(&r->now_text), &complaints);
	if (r->start == NULL || r->now == NULL)
		out_complain("postern: the running server is another "
		    "version?\n%s", buf_cstr(&complaints));
	buf_fini(&complaints);
	return r->start != NULL && r->now != NULL ? EX_OK : EX_UNAVAILABLE;
}

static int
diff_running(struct cli *cli)
{
	static const struct out_column columns[] = {
		{ "section", OUT_TEXT }, { "name", OUT_TEXT },
		{ "running", OUT_TEXT }, { "file", OUT_TEXT },
		{ "takes", OUT_TEXT } };
	struct running r = { .n = 0 };
	int rc;

	buf_init(&r.start_text, BUF_NO_CAP);
	buf_init(&r.now_text, BUF_NO_CAP);
	rc = running_ask(cli, &r);
	if (rc == EX_OK) {
		r.out = out_new(cli->json, false, columns,
		    ARRAY_LEN(columns));
		compare(&r, cli->config.conf);
		out_end(&r.out);
		rc = r.n > 0 ? 1 : EX_OK;
		if (r.n == 0 && !cli->json)
			out_complain("The running server has what the file "
			    "says.\n");
	}
	if (r.start != NULL)
		conf_unref(&r.start);
	if (r.now != NULL)
		conf_unref(&r.now);
	buf_fini(&r.start_text);
	buf_fini(&r.now_text);
	return rc;
}

int
cmd_config_diff(struct cli *cli)
{
	return cli_option(cli, "--running") != NULL ? diff_running(cli) :
	    diff_defaults(cli);
}
