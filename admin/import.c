#include "admin/import.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/json.h"
#include "base/xmalloc.h"
#include "mail/address.h"
#include "mail/codec.h"
#include "scheme/scheme.h"

#define BATCH		200	/* rows a statement */
#define TOLD_MAX	1000	/* faults that are printed */
#define STORED_MAX	4096

enum outcome { MADE, CHANGED, SAME, FAILED, OUTCOMES };
static const char *const outcome_names[OUTCOMES] = {
	"made", "changed", "same", "failed"
};

struct import {
	struct cli *cli;
	struct import_how how;
	struct buf rows;		/* a JSON array, being written */
	char *where[BATCH];
	size_t n;			/* rows in it */
	uint64_t count[OUTCOMES];
	uint64_t read, told;
	bool tty, shown;		/* progress */
	bool gave_up;			/* what is imported can't be read */
	int rc;				/* not EX_OK: the database is gone */
};

static void
progress_clear(struct import *im)
{
	if (im->shown)
		fputs("\r\033[K", stderr);
	im->shown = false;
}

static void
progress(struct import *im)
{
	if (!im->tty)
		return;
	fprintf(stderr, "\r%" PRIu64 " rows, %" PRIu64 " faults", im->read,
	    im->count[FAILED]);
	im->shown = true;
}

static void PRINTF(3, 0)
tell(struct import *im, const char *where, const char *fmt, va_list ap)
{
	struct buf why;

	if (im->told++ >= TOLD_MAX)
		return;
	progress_clear(im);
	buf_init(&why, 65536);
	buf_vfmt(&why, fmt, ap);
	out_complain("%s: %s\n", where, buf_cstr(&why));
	buf_fini(&why);
}

void
import_fault(struct import *im, const char *where, const char *fmt, ...)
{
	va_list ap;

	im->count[FAILED]++;
	va_start(ap, fmt);
	tell(im, where, fmt, ap);
	va_end(ap);
}

void
import_note(struct import *im, const char *where, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	tell(im, where, fmt, ap);
	va_end(ap);
}

/* --- the database's side --- */

static void
outcomes_take(struct import *im, const struct sql_result *r)
{
	struct span outcome;
	uint64_t n;
	size_t i, k;

	for (i = 0; i < sql_rows(r); i++) {
		outcome = sql_get(r, i, 1);
		if (!span_u64(sql_get(r, i, 0), 0, BATCH - 1, &n))
			continue;
		if (span_is(outcome, outcome_names[FAILED])) {
			import_fault(im, im->where[n], "%.*s",
			    SPAN_ARG(sql_get(r, i, 2)));
			continue;
		}
		for (k = 0; k < FAILED; k++)
			if (span_is(outcome, outcome_names[k]))
				im->count[k]++;
	}
}

static void
flush(struct import *im)
{
	struct span p[] = { SPAN_NONE,
	    span_str(im->cli->config.conf->host_name_in_database),
	    im->how.update ? SPAN_LIT("t") : SPAN_LIT("f"),
	    im->how.make_domains ? SPAN_LIT("t") : SPAN_LIT("f"),
	    im->how.organisation == NULL ? SPAN_NONE :
	    span_str(im->how.organisation) };
	struct sql_result *r;
	size_t i;

	if (im->n == 0)
		return;
	buf_char(&im->rows, ']');
	p[0] = buf_span(&im->rows);
	r = im->rc != EX_OK ? NULL : cli_ask(im->cli, "SELECT n, outcome, why "
	    "FROM postern.import_rows($1::jsonb, $2, $3::boolean, "
	    "$4::boolean, $5)", p, ARRAY_LEN(p), &im->rc);
	if (r != NULL)
		outcomes_take(im, r);
	sql_result_free(&r);
	for (i = 0; i < im->n; i++)
		free(im->where[i]);
	im->n = 0;
	buf_fini_secret(&im->rows);
	buf_init(&im->rows, BUF_NO_CAP);
	progress(im);
}

static int
run(struct import *im, const char *statement)
{
	return cli_do(im->cli, statement, NULL, 0, NULL);
}

struct import *
import_begin(struct cli *cli, const struct import_how *how, int *rc)
{
	struct import *im;

	*rc = cli_do(cli, "BEGIN", NULL, 0, NULL);
	if (*rc != EX_OK)
		return NULL;
	im = xcalloc(1, sizeof(*im));
	im->cli = cli;
	im->how = *how;
	im->tty = isatty(STDERR_FILENO) && !cli->json;
	im->rc = EX_OK;
	buf_init(&im->rows, BUF_NO_CAP);
	return im;
}

/* --- one row --- */

static void
put(struct buf *json, const char *name, struct span value)
{
	buf_fmt(json, ",\"%s\":", name);
	json_put_string(json, value);
}

/* "kim@A.example" as it is stored; "@A.example" is a catch-all. Without a
 * domain it is in that of --domain. */
static bool
address_normalise(const struct import *im, struct span text, bool catch_all,
    struct buf *out, struct err *err)
{
	struct err wrong = { 0 };
	struct buf whole;
	int rc;

	buf_init(&whole, ADDRESS_MAX + 1);
	buf_span_add(&whole, text);
	if (span_rchr(text, '@') == -1 && im->how.domain != NULL)
		buf_fmt(&whole, "@%s", im->how.domain);
	if (catch_all && span_starts(text, "@")) {
		buf_char(out, '@');
		rc = address_domain_normal(span_sub(text, 1, text.n), out,
		    &wrong);
	} else if (span_rchr(buf_span(&whole), '@') == -1) {
		rc = err_set(&wrong, ERR_PERM, PS_ESYNTAX,
		    "has no domain; --domain says which");
	} else {
		rc = address_normal_text(buf_span(&whole), out, &wrong);
	}
	buf_fini(&whole);
	if (rc != 0)
		err_set(err, ERR_PERM, rc, "%.*s: %s", (int)MIN(text.n, 80),
		    text.p, wrong.why);
	return rc == 0;
}

/* The next of some addresses with spaces or commas between; a quoted local
 * part may hold both. */
static bool
list_next(struct span *list, struct span *word)
{
	bool quoted = false;
	size_t i, from = 0;

	while (from < list->n && strchr(" ,\t", list->p[from]) != NULL)
		from++;
	for (i = from; i < list->n; i++) {
		if (list->p[i] == '\\' && quoted)
			i++;
		else if (list->p[i] == '"')
			quoted = !quoted;
		else if (!quoted && strchr(" ,\t", list->p[i]) != NULL)
			break;
	}
	i = MIN(i, list->n);
	*word = span_sub(*list, from, i - from);
	*list = span_sub(*list, i, list->n);
	return word->n > 0;
}

/* The same as a JSON array. */
static bool
addresses_put(struct import *im, struct span list, struct buf *json,
    struct err *err)
{
	struct buf normal;
	struct span word;
	bool good = true, first = true;

	buf_char(json, '[');
	while (good && list_next(&list, &word)) {
		buf_init(&normal, ADDRESS_MAX + 1);
		good = address_normalise(im, word, false, &normal, err);
		if (!first)
			buf_char(json, ',');
		json_put_string(json, buf_span(&normal));
		buf_fini(&normal);
		first = false;
	}
	buf_char(json, ']');
	return good;
}

static bool
quota_put(struct span text, const char *name, struct buf *json,
    struct err *err)
{
	struct buf copy;
	uint64_t n;
	bool good;

	if (text.p == NULL)
		return true;
	buf_init(&copy, 64);
	buf_span_add(&copy, text);
	good = !buf_failed(&copy) && cli_size_parse(buf_cstr(&copy), &n);
	buf_fini(&copy);
	if (!good) {
		err_set(err, ERR_PERM, PS_ESYNTAX, "`%.*s' is not a size such "
		    "as 500m or 2g, nor `none'", (int)MIN(text.n, 40),
		    text.p);
		return false;
	}
	buf_fmt(json, ",\"%s\":%" PRIu64, name, n);
	return true;
}

/* With the salt that is stored for this credential, so that the same password
 * gives the same verifier and nothing changes. False: there is none. */
static bool
password_again(struct import *im, struct span address, struct span label,
    struct span password, struct buf *stored)
{
	struct span p[] = { address, label };
	struct scram_verifier v;
	struct sql_result *r;
	struct buf salt;
	uint32_t iterations;
	bool good;
	int rc;

	if (!im->how.update || im->rc != EX_OK)
		return false;
	r = cli_ask(im->cli, "SELECT iterations, salt FROM "
	    "postern.password_salt($1, $2)", p, ARRAY_LEN(p), &rc);
	if (r == NULL) {
		im->rc = rc;
		return false;
	}
	buf_init(&salt, SCRAM_SALT_MAX);
	good = sql_rows(r) == 1 && span_u32(sql_get(r, 0, 0), 1,
	    SCHEME_ITERATIONS_MAX, &iterations) &&
	    base64_decode(&salt, sql_get(r, 0, 1)) && !buf_failed(&salt) &&
	    password.n > 0 && password.n <= SCHEME_PASSWORD_MAX;
	if (good) {
		scram_verifier_make(password, (const uint8_t *)buf_data(&salt),
		    buf_len(&salt), iterations, &v);
		scram_verifier_write(&v, stored);
		secure_wipe(&v, sizeof(v));
	}
	buf_fini(&salt);
	sql_result_free(&r);
	return good;
}

/* Without a column `type' it shows. */
static struct span
type_of(const struct user_row *row)
{
	struct span address = row->field[USER_ADDRESS];

	if (row->field[USER_TYPE].p != NULL)
		return row->field[USER_TYPE];
	if (span_rchr(address, '@') == -1 && (row->field[USER_CLASS].p != NULL
	    || row->field[USER_TARGETS].p != NULL))
		return SPAN_LIT("domain");
	if (row->field[USER_TARGETS].p != NULL)
		return SPAN_LIT("alias");
	if (row->field[USER_LABEL].p != NULL)
		return SPAN_LIT("password");
	return SPAN_LIT("mailbox");
}

/* A hash as it will be stored; one that holds a password in clear becomes a
 * verifier of it. */
static bool
secret_make(struct import *im, const struct user_row *row,
    struct span address, struct buf *stored, struct err *err)
{
	const struct conf *conf = im->cli->config.conf;
	struct span hash = row->field[USER_HASH], clear;
	struct span label = span_is(type_of(row), "password") ?
	    row->field[USER_LABEL] : SPAN_LIT("password");

	clear = row->field[USER_PASSWORD];
	if (hash.p != NULL && clear.p != NULL) {
		err_set(err, ERR_PERM, PS_ESYNTAX,
		    "a password and a hash, too");
		return false;
	}
	if (hash.p != NULL) {
		if (hash.p[0] != '{' && hash.p[0] != '$' &&
		    im->how.scheme != NULL)
			buf_fmt(stored, "{%s}", im->how.scheme);
		buf_span_add(stored, hash);
		if (scheme_check(buf_span(stored), err) != 0)
			return false;
		if (!scheme_is_clear(buf_span(stored), &clear))
			return true;
	}
	/* clear may point into stored */
	char *copy = xmemdup0(clear.p, clear.n);
	bool good;

	buf_clear(stored);
	good = password_again(im, address, label, span_of(copy, clear.n),
	    stored) || scheme_make(NULL, span_of(copy, clear.n),
	    (unsigned)conf->scram_iterations, stored, err) == 0;
	secret_free(&copy);
	return good;
}

static bool
secret_put(struct import *im, const struct user_row *row,
    struct span address, struct buf *json, struct err *err)
{
	struct buf stored;
	bool good;

	if (row->field[USER_HASH].p == NULL &&
	    row->field[USER_PASSWORD].p == NULL)
		return true;
	buf_init(&stored, STORED_MAX);
	good = secret_make(im, row, address, &stored, err);
	if (good)
		put(json, "secret", buf_span(&stored));
	buf_fini_secret(&stored);
	return good;
}

/* A domain's `targets' is the one it is an alias of. */
static bool
domain_target_put(struct span text, struct buf *json, struct err *err)
{
	struct buf normal;
	bool good;

	if (text.p == NULL)
		return true;
	buf_init(&normal, ADDRESS_MAX + 1);
	good = address_domain_normal(text, &normal, err) == 0;
	put(json, "target", buf_span(&normal));
	buf_fini(&normal);
	return good;
}

static bool
scope_put(struct span list, struct buf *json)
{
	struct span word;
	bool first = true;

	buf_str(json, ",\"scope\":[");
	while (!span_is(list, "all") && list_next(&list, &word)) {
		if (!first)
			buf_char(json, ',');
		json_put_string(json, word);
		first = false;
	}
	buf_char(json, ']');
	return true;
}

/* What stands for itself: field of a row, name in JSON. */
static void
plain_put(const struct user_row *row, struct buf *json)
{
	static const struct {
		enum user_field field;
		const char *name;
	} plain[] = {
		{ USER_STATE, "state" }, { USER_NAME, "name" },
		{ USER_LABEL, "label" }, { USER_EXPIRES, "expires_at" },
		{ USER_ORGANISATION, "organisation" },
		{ USER_CLASS, "class" }, { USER_TRANSPORT, "transport" },
		{ USER_RELAY_RECIPIENTS, "relay_recipients" },
		{ USER_ACTIVE, "active" }, { USER_NOTE, "note" },
	};
	size_t i;

	for (i = 0; i < ARRAY_LEN(plain); i++)
		if (row->field[plain[i].field].p != NULL)
			put(json, plain[i].name, row->field[plain[i].field]);
}

static bool
is_type(struct span type)
{
	static const char *const types[] = { "domain", "mailbox", "alias",
		"password", "recipient" };
	size_t i;

	for (i = 0; i < ARRAY_LEN(types); i++)
		if (span_eq(type, span_str(types[i])))
			return true;
	return false;
}

/* The row as JSON behind `"n":0', its address in normal form apart. */
static bool
row_write(struct import *im, const struct user_row *row, struct span type,
    struct buf *address, struct buf *json, struct err *err)
{
	bool is_domain = span_eq(type, SPAN_LIT("domain"));

	if (is_domain ? address_domain_normal(row->field[USER_ADDRESS],
	    address, err) != 0 : !address_normalise(im,
	    row->field[USER_ADDRESS], span_eq(type, SPAN_LIT("alias")),
	    address, err))
		return false;
	put(json, "type", type);
	put(json, "address", buf_span(address));
	plain_put(row, json);
	if (!quota_put(row->field[USER_QUOTA], "quota_bytes", json, err) ||
	    !quota_put(row->field[USER_QUOTA_MESSAGES], "quota_messages",
	    json, err))
		return false;
	if (is_domain)
		return domain_target_put(row->field[USER_TARGETS], json, err);
	if (span_eq(type, SPAN_LIT("alias"))) {
		buf_str(json, ",\"targets\":");
		return addresses_put(im, row->field[USER_TARGETS], json, err);
	}
	scope_put(row->field[USER_SCOPE], json);
	return secret_put(im, row, buf_span(address), json, err);
}

static void
row_add(struct import *im, const char *where, struct span json)
{
	buf_fmt(&im->rows, "%s{\"n\":%zu", im->n == 0 ? "[" : ",", im->n);
	buf_span_add(&im->rows, json);
	buf_char(&im->rows, '}');
	im->where[im->n++] = xstrdup(where);
	if (im->n == BATCH)
		flush(im);
}

/* Each alias of a mailbox is a row of its own, which adds to what is there. */
static void
aliases_add(struct import *im, const char *where, struct span list,
    struct span address)
{
	struct buf json, alias;
	struct err err = { 0 };
	struct span word;

	while (list_next(&list, &word)) {
		buf_init(&json, BUF_NO_CAP);
		buf_init(&alias, ADDRESS_MAX + 2);
		if (!address_normalise(im, word, true, &alias, &err)) {
			import_fault(im, where, "%s", err.why);
		} else {
			put(&json, "type", SPAN_LIT("alias"));
			put(&json, "address", buf_span(&alias));
			buf_str(&json, ",\"merge\":true,\"targets\":[");
			json_put_string(&json, address);
			buf_char(&json, ']');
			row_add(im, where, buf_span(&json));
		}
		buf_fini(&json);
		buf_fini(&alias);
	}
}

void
import_row(struct import *im, const char *where, const struct user_row *row)
{
	struct span type;
	struct buf json, address;
	struct err err = { 0 };

	im->read++;
	if (row->field[USER_ADDRESS].p == NULL) {
		import_fault(im, where, "has no address");
		return;
	}
	type = type_of(row);
	if (!is_type(type)) {
		import_fault(im, where, "type `%.*s' is none of domain, "
		    "mailbox, alias, password, recipient",
		    (int)MIN(type.n, 40), type.p);
		return;
	}
	buf_init(&json, BUF_NO_CAP);
	buf_init(&address, ADDRESS_MAX + 2);
	if (!row_write(im, row, type, &address, &json, &err)) {
		import_fault(im, where, "%s", err.why);
	} else {
		row_add(im, where, buf_span(&json));
		if (row->field[USER_ALIASES].p != NULL)
			aliases_add(im, where, row->field[USER_ALIASES],
			    buf_span(&address));
	}
	buf_fini_secret(&json);
	buf_fini(&address);
}

/* --- the end --- */

void
import_give_up(struct import *im)
{
	im->gave_up = true;
}

static void
summary(struct import *im, bool kept)
{
	static const struct out_column columns[] = {
		{ "rows", OUT_NUMBER }, { "made", OUT_NUMBER },
		{ "changed", OUT_NUMBER }, { "same", OUT_NUMBER },
		{ "failed", OUT_NUMBER }, { "kept", OUT_BOOL },
	};
	char text[5][24];
	uint64_t n[] = { im->read, im->count[MADE], im->count[CHANGED],
	    im->count[SAME], im->count[FAILED] };
	struct span row[6];
	struct out *o;
	size_t i;

	for (i = 0; i < ARRAY_LEN(n); i++) {
		snprintf(text[i], sizeof(text[i]), "%" PRIu64, n[i]);
		row[i] = span_str(text[i]);
	}
	row[5] = kept ? SPAN_LIT("t") : SPAN_LIT("f");
	if (im->cli->json) {
		o = out_new(true, true, columns, ARRAY_LEN(columns));
		out_row(o, row);
		out_end(&o);
		return;
	}
	out_say("%s rows: %s made, %s changed, %s as they were, %s faulty%s\n",
	    text[0], text[1], text[2], text[3], text[4], kept ? "" :
	    im->how.check ? "; this was a check, nothing was changed" :
	    "; nothing was changed");
}

int
import_end(struct import **imp)
{
	struct import *im = *imp;
	bool kept;
	int rc;

	flush(im);
	progress_clear(im);
	if (im->told > TOLD_MAX)
		out_complain("... and %" PRIu64 " more\n",
		    im->told - TOLD_MAX);
	kept = im->rc == EX_OK && !im->how.check && !im->gave_up &&
	    (im->count[FAILED] == 0 || im->how.keep_going);
	rc = im->rc;
	if (rc == EX_OK)
		rc = run(im, kept ? "COMMIT" : "ROLLBACK");
	if (rc == EX_OK) {
		summary(im, kept);
		if (im->count[FAILED] > 0)
			rc = EX_DATAERR;
	}
	buf_fini_secret(&im->rows);
	free(im);
	*imp = NULL;
	return rc;
}
