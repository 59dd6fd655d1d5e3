/*
 * Runs SPF checks against a zone given on standard input, for suite.py.
 * Lines, fields separated by tabs:
 *	R name type hex-data	a record: A, AAAA (address text in hex),
 *				MX (preference and name), PTR, TXT
 *	F name			every look-up of this name fails
 *	Q ip helo sender	prints "result<TAB>explanation"
 */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/xmalloc.h"
#include "mail/spf.h"

#define RECORDS_MAX	512

static struct zone_row {
	char name[300];
	enum dns_type type;
	char *data;
	size_t n;
	bool fails;
} zone[RECORDS_MAX];
static size_t n_zone;

static struct spf_fact facts[64];
static struct dns_record records[64][64];
static size_t n_facts;

static enum dns_type
type_of(const char *name)
{
	static const struct { const char *name; enum dns_type type; } t[] = {
		{ "A", DNS_A }, { "AAAA", DNS_AAAA }, { "MX", DNS_MX },
		{ "PTR", DNS_PTR }, { "TXT", DNS_TXT },
		{ "CNAME", DNS_CNAME },
	};
	size_t i;

	for (i = 0; i < ARRAY_LEN(t); i++)
		if (strcmp(t[i].name, name) == 0)
			return t[i].type;
	return DNS_SRV;
}

static void
record_fill(const struct zone_row *z, struct dns_record *r)
{
	char *space;

	memset(r, 0, sizeof(*r));
	switch (z->type) {
	case DNS_A:
		(void)inet_pton(AF_INET, z->data, r->addr);
		break;
	case DNS_AAAA:
		(void)inet_pton(AF_INET6, z->data, r->addr);
		break;
	case DNS_TXT:
		r->data = span_of(z->data, z->n);
		break;
	case DNS_MX:
		space = strchr(z->data, ' ');
		(void)snprintf(r->name, sizeof(r->name), "%s",
		    space == NULL ? "" : space + 1);
		break;
	default:
		(void)snprintf(r->name, sizeof(r->name), "%s", z->data);
	}
}

static const struct spf_fact *
fact_cb(const char *name, enum dns_type type, void *arg)
{
	struct spf_fact *f = &facts[n_facts % ARRAY_LEN(facts)];
	struct dns_record *r = records[n_facts++ % ARRAY_LEN(facts)];
	bool exists = false;
	size_t i;

	(void)arg;
	*f = (struct spf_fact){ .record = r };
	for (i = 0; i < n_zone; i++) {
		if (strcasecmp(zone[i].name, name) != 0)
			continue;
		exists = true;
		if (zone[i].fails && f->n == 0) {
			f->result = DNS_TEMPFAIL;
			return f;
		}
		if (zone[i].type == DNS_CNAME && type != DNS_CNAME)
			return fact_cb(zone[i].data, type, arg);
		if (!zone[i].fails && zone[i].type == type && f->n < 64)
			record_fill(&zone[i], &r[f->n++]);
	}
	f->result = f->n > 0 ? DNS_OK : exists ? DNS_NODATA : DNS_NXDOMAIN;
	return f;
}

static char *
unhex(const char *hex, size_t *n)
{
	char *out = xmalloc(strlen(hex) / 2 + 1);
	unsigned v;

	for (*n = 0; hex[0] != '\0' && hex[1] != '\0' &&
	    sscanf(hex, "%2x", &v) == 1; hex += 2)
		out[(*n)++] = (char)v;
	out[*n] = '\0';
	return out;
}

static void
line_run(char *line)
{
	char *field[4] = { NULL };
	struct spf_source src = { .fact = fact_cb };
	struct spf_identity id;
	struct spf_verdict v;
	size_t i;

	line[strcspn(line, "\n")] = '\0';
	for (i = 0; i < 4; i++)
		field[i] = strsep(&line, "\t");
	if (field[0][0] == 'Q' && field[3] != NULL) {
		id = (struct spf_identity){ .ip = field[1],
		    .helo = field[2], .sender = field[3],
		    .receiver = "receiver.example" };
		n_facts = 0;
		printf("%s\t%s\t%s\n", spf_run(&id, &src, &v) ?
		    spf_result_name(v.result) : "missing", v.explanation,
		    v.why);
	} else if (n_zone < RECORDS_MAX && field[1] != NULL) {
		struct zone_row *z = &zone[n_zone++];

		(void)snprintf(z->name, sizeof(z->name), "%s", field[1]);
		z->fails = field[0][0] == 'F';
		if (field[3] != NULL) {
			z->type = type_of(field[2]);
			z->data = unhex(field[3], &z->n);
		}
	}
}

int
main(void)
{
	char *line = NULL;
	size_t size = 0;

	while (getline(&line, &size, stdin) > 0)
		line_run(line);
	free(line);
	while (n_zone > 0)
		free(zone[--n_zone].data);
	return 0;
}
