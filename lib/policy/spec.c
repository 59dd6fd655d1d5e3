#include "policy/spec.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/xmalloc.h"

#define PREFIX		"smtpd_policy_service_"

/* The settings; the parameter behind each is PREFIX and its name. */
static const struct setting {
	const char *name;
	size_t offset;
	bool in_braces;		/* may be given for one service */
} settings[] = {
#define ROW(n, braces)	{ #n, offsetof(struct policy_spec, n), braces }
	ROW(timeout, true),
	ROW(try_limit, true),
	ROW(retry_delay, true),
	ROW(max_idle, true),
	ROW(max_ttl, true),
	ROW(request_limit, true),
	ROW(default_action, true),
	ROW(policy_context, true),
	ROW(connection_limit, false),
	ROW(queue_limit, false),
#undef ROW
};

static const struct conf_param *
param_of(const struct setting *s)
{
	char name[64];
	const struct conf_param *p;

	(void)snprintf(name, sizeof(name), PREFIX "%s", s->name);
	p = conf_param_find(span_str(name));
	ps_assert(p != NULL);
	return p;
}

static void *
field_of(struct policy_spec *spec, const struct setting *s)
{
	return (char *)spec + s->offset;
}

static void
defaults_fill(struct policy_spec *spec, const struct conf *conf)
{
	const struct conf_param *p;
	const void *from;
	size_t i;

	for (i = 0; i < ARRAY_LEN(settings); i++) {
		p = param_of(&settings[i]);
		from = (const char *)conf + p->offset;
		if (p->type == CONF_STRING)
			*(char **)field_of(spec, &settings[i]) =
			    xstrdup(*(char *const *)from);
		else
			*(int64_t *)field_of(spec, &settings[i]) =
			    *(const int64_t *)from;
	}
}

/* --- where it is --- */

/* As dial.h has it; "inet:PORT" is this host. */
static int
take_endpoint(struct policy_spec *spec, struct span word, struct err *err)
{
	uint64_t port;
	char *local;
	int rc;

	if (span_starts(word, "inet:") &&
	    span_u64(span_sub(word, 5, word.n), 1, UINT16_MAX, &port)) {
		local = xasprintf("inet:localhost:%" PRIu64, port);
		rc = dial_place_parse(span_str(local), &spec->place, err);
		free(local);
	} else
		rc = dial_place_parse(word, &spec->place, err);
	if (span_starts(word, "inet:") || span_starts(word, "unix:"))
		word = span_sub(word, 5, word.n);	/* as Postfix logs it */
	spec->name = xmemdup0(word.p, word.n);
	return rc;
}

/* --- settings in braces --- */

static const struct setting *
setting_find(struct span name, struct err *err)
{
	const struct setting *nearest = NULL;
	unsigned d, best = 1000;
	size_t i;

	for (i = 0; i < ARRAY_LEN(settings); i++) {
		if (!settings[i].in_braces)
			continue;
		if (span_eq(name, span_str(settings[i].name)))
			return &settings[i];
		d = conf_word_distance(name, span_str(settings[i].name));
		if (d < best) {
			best = d;
			nearest = &settings[i];
		}
	}
	err_set(err, ERR_PERM, PS_ESYNTAX, "unknown setting \"%.*s\"%s%s%s",
	    SPAN_ARG(name), nearest == NULL ? "" : "; did you mean ",
	    nearest == NULL ? "" : nearest->name, nearest == NULL ? "" : "?");
	return NULL;
}

static bool
in_braces(struct span word, struct span *inside)
{
	if (word.n < 2 || word.p[0] != '{' || word.p[word.n - 1] != '}')
		return false;
	*inside = span_trim(span_sub(word, 1, word.n - 2));
	return true;
}

/* "name=value", "{ name = value with spaces }". */
static int
take_setting(struct policy_spec *spec, struct span word, struct err *err)
{
	const struct setting *s;
	const struct conf_param *p;
	struct span name, value;
	char **text, why[128];
	ptrdiff_t eq;

	(void)in_braces(word, &word);
	if ((eq = span_chr(word, '=')) < 0)
		return err_set(err, ERR_PERM, PS_ESYNTAX, "\"%.*s\": "
		    "NAME=VALUE is wanted, in braces of its own when it has "
		    "spaces", SPAN_ARG(word));
	name = span_trim(span_sub(word, 0, (size_t)eq));
	value = span_trim(span_sub(word, (size_t)eq + 1, word.n));
	if ((s = setting_find(name, err)) == NULL)
		return PS_ESYNTAX;
	p = param_of(s);
	if (p->type == CONF_STRING) {
		text = field_of(spec, s);
		free(*text);
		*text = xmemdup0(value.p, value.n);
		return 0;
	}
	if (!conf_number(p, value, field_of(spec, s), why))
		return err_set(err, ERR_PERM, PS_ESYNTAX, "%s=%.*s: %s",
		    s->name, SPAN_ARG(value), why);
	return 0;
}

static int
take_word(struct policy_spec *spec, struct span word, struct err *err)
{
	struct span rest;
	int rc;

	if (word.n > 0 && word.p[0] != '{')
		return take_endpoint(spec, word, err);
	if (!in_braces(word, &rest) || !conf_braced_next(&rest, &word))
		return err_set(err, ERR_PERM, PS_ESYNTAX, "a policy service "
		    "is wanted: inet:HOST:PORT or unix:/PATH");
	rc = take_endpoint(spec, word, err);
	while (rc == 0 && conf_braced_next(&rest, &word))
		rc = take_setting(spec, word, err);
	return rc;
}

struct policy_spec *
policy_spec_new(struct span word, const struct conf *conf, struct err *err)
{
	struct policy_spec *spec = xcalloc(1, sizeof(*spec));

	spec->refs = 1;
	spec->word = xmemdup0(word.p == NULL ? "" : word.p, word.n);
	defaults_fill(spec, conf);
	if (take_word(spec, span_str(spec->word), err) != 0) {
		policy_spec_unref(&spec);
		return NULL;
	}
	/* default_action and policy_context are the asker's alone. */
	spec->key = xasprintf("%s %" PRId64 " %" PRId64 " %" PRId64 " %"
	    PRId64 " %" PRId64, spec->name, spec->max_idle, spec->max_ttl,
	    spec->request_limit, spec->connection_limit, spec->queue_limit);
	return spec;
}

struct policy_spec *
policy_spec_ref(struct policy_spec *spec)
{
	spec->refs++;
	return spec;
}

void
policy_spec_unref(struct policy_spec **sp)
{
	struct policy_spec *spec = *sp;

	*sp = NULL;
	if (spec == NULL || --spec->refs > 0)
		return;
	free(spec->word);
	free(spec->name);
	dial_place_fini(&spec->place);
	free(spec->default_action);
	free(spec->policy_context);
	free(spec->key);
	free(spec);
}
