/* `postern doctor`: runs the parts and prints what they found. */
#include "admin/cli.h"

#include <stdarg.h>
#include <stdio.h>

#include "admin/doctor.h"
#include "base/json.h"
#include "base/log.h"

struct doctor {
	bool json, problems_only;
	size_t found[FINDING_COUNT];
	size_t printed;
};

static const char *const levels[FINDING_COUNT] = { "ok", "note", "warning",
	"FAULT" };

static const struct {
	const char *name;
	void (*run)(struct doctor *d, struct cli *cli);
} parts[] = {
	{ "server", doctor_server },
	{ "database", doctor_database },
	{ "files", doctor_files },
	{ "certificates", doctor_certificates },
	{ "clock", doctor_clock },
	{ "dns", doctor_dns },
};

static void
member(struct buf *out, const char *name, const char *value)
{
	json_put_name(out, name);
	if (value == NULL)
		buf_str(out, "null");
	else
		json_put_string(out, span_str(value));
}

static void
report_json(struct doctor *d, enum finding level, const char *part,
    const char *subject, const char *cure, const char *text)
{
	static const char *const names[FINDING_COUNT] = { "ok", "note",
		"warning", "fault" };
	struct buf out;

	buf_init(&out, 65536);
	buf_fmt(&out, "{\"level\": \"%s\"", names[level]);
	member(&out, "part", part);
	member(&out, "subject", subject);
	member(&out, "text", text);
	member(&out, "cure", cure);
	printf("%s%s}", d->printed++ == 0 ? "" : ",\n", buf_cstr(&out));
	buf_fini(&out);
}

void
doctor_report(struct doctor *d, enum finding level, const char *part,
    const char *subject, const char *cure, const char *fmt, ...)
{
	char text[2048];
	va_list ap;

	d->found[level]++;
	if (d->problems_only && level < FINDING_WARNING)
		return;
	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (d->json) {
		report_json(d, level, part, subject, cure, text);
		return;
	}
	out_say("%-8s %s: %s\n", levels[level], subject, text);
	if (cure != NULL)
		out_say("%-8s -> %s\n", "", cure);
}

/* As monitoring plug-ins end. */
static int
doctor_end(const struct doctor *d)
{
	if (d->json)
		printf("]\n");
	else
		out_say("%zu %s, %zu %s, %zu good\n",
		    d->found[FINDING_FAULT],
		    d->found[FINDING_FAULT] == 1 ? "fault" : "faults",
		    d->found[FINDING_WARNING],
		    d->found[FINDING_WARNING] == 1 ? "warning" : "warnings",
		    d->found[FINDING_OK]);
	if (d->found[FINDING_FAULT] > 0)
		return 2;
	return d->found[FINDING_WARNING] > 0 ? 1 : 0;
}

int
cmd_doctor(struct cli *cli)
{
	struct doctor d = { .json = cli->json,
	    .problems_only = cli_option(cli, "--problems") != NULL };
	const char *only = cli_option(cli, "--only");
	struct span list = only == NULL ? SPAN_NONE : span_str(only), word;
	bool wanted[ARRAY_LEN(parts)] = { 0 };
	size_t i;

	while (span_split(&list, ',', &word)) {
		for (i = 0; i < ARRAY_LEN(parts); i++)
			if (span_is(word, parts[i].name))
				break;
		if (i == ARRAY_LEN(parts))
			return cli_usage(cli, "there is no part `%.*s': they "
			    "are server, database, files, certificates, "
			    "clock and dns", SPAN_ARG(word));
		wanted[i] = true;
	}
	log_level_set(LOG_L_ERROR);
	if (d.json)
		printf("[");
	for (i = 0; i < ARRAY_LEN(parts); i++)
		if (only == NULL || wanted[i])
			parts[i].run(&d, cli);
	return doctor_end(&d);
}
