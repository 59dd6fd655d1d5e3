#include "db/endpoint.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <libpq-fe.h>

#include "base/buf.h"
#include "base/xmalloc.h"

#define HOSTS_MAX	32	/* hosts in a URL, and addresses in all */
#define OPTIONS_MAX	64

struct option {
	char *keyword, *value;
};

struct place {
	char *host, *addr, *port;	/* addr "": a socket directory */
};

struct endpoints {
	struct option option[OPTIONS_MAX];	/* but host, hostaddr, port */
	size_t n_options;
	struct place given[HOSTS_MAX];		/* as in the URL */
	size_t n_given;
	struct place ready[HOSTS_MAX];		/* with addresses */
	size_t n_ready;
	/* endpoints_params: the three lists and the arrays */
	struct buf host, addr, port;
	const char *keywords[OPTIONS_MAX + 4], *values[OPTIONS_MAX + 4];
};

static void
option_set(struct endpoints *e, const char *keyword, const char *value)
{
	size_t i;

	for (i = 0; i < e->n_options; i++)
		if (strcmp(e->option[i].keyword, keyword) == 0)
			break;
	if (i == OPTIONS_MAX)
		return;
	if (i == e->n_options) {
		e->option[i].keyword = xstrdup(keyword);
		e->n_options++;
	} else
		secret_free(&e->option[i].value);
	e->option[i].value = xstrdup(value);
}

static const char *
option_get(const struct endpoints *e, const char *keyword)
{
	size_t i;

	for (i = 0; i < e->n_options; i++)
		if (strcmp(e->option[i].keyword, keyword) == 0)
			return e->option[i].value;
	return "";
}

static void
option_default(struct endpoints *e, const char *keyword, const char *value)
{
	if (option_get(e, keyword)[0] == '\0')
		option_set(e, keyword, value);
}

static void
place_add(struct place *list, size_t *n, struct span host, const char *addr,
    struct span port)
{
	if (*n == HOSTS_MAX)
		return;
	list[*n].host = xmemdup0(host.p == NULL ? "" : host.p, host.n);
	list[*n].addr = xstrdup(addr);
	list[*n].port = xmemdup0(port.p == NULL ? "" : port.p, port.n);
	(*n)++;
}

static void
places_free(struct place *list, size_t *n)
{
	size_t i;

	for (i = 0; i < *n; i++) {
		free(list[i].host);
		free(list[i].addr);
		free(list[i].port);
	}
	*n = 0;
}

/* host, hostaddr and port are comma-separated lists of the same length; a
 * single port stands for all. */
static void
places_split(struct endpoints *e, const char *hosts, const char *addrs,
    const char *ports)
{
	struct span h = span_str(hosts), a = span_str(addrs);
	struct span p = span_str(ports), host, addr, port = SPAN_NONE;
	bool one_port = strchr(ports, ',') == NULL, more_h, more_a;
	char *text;

	if (hosts[0] == '\0' && addrs[0] == '\0') {
		/* libpq's own default: PGHOST, or its socket directory */
		place_add(e->given, &e->n_given, SPAN_NONE, "", p);
		return;
	}
	for (;;) {
		host = addr = SPAN_NONE;
		more_h = hosts[0] != '\0' && span_split(&h, ',', &host);
		more_a = addrs[0] != '\0' && span_split(&a, ',', &addr);
		if (!more_h && !more_a)
			break;
		if (one_port)
			port = p;
		else if (!span_split(&p, ',', &port))
			port = SPAN_NONE;
		text = xmemdup0(addr.p == NULL ? "" : addr.p, addr.n);
		place_add(e->given, &e->n_given, host, text, port);
		free(text);
	}
}

/* Does libpq need no name look-up for this host? */
static bool
host_is_direct(const struct place *p)
{
	struct in6_addr in;
	char *host, *zone;
	bool direct;

	if (p->addr[0] != '\0' || p->host[0] == '\0' || p->host[0] == '/' ||
	    p->host[0] == '@')
		return true;
	host = xstrdup(p->host);
	if ((zone = strchr(host, '%')) != NULL)
		*zone = '\0';
	direct = inet_pton(AF_INET, host, &in) == 1 ||
	    inet_pton(AF_INET6, host, &in) == 1;
	free(host);
	return direct;
}

/* Blanks and backslashes are escaped inside libpq's `options`. */
static void
options_add(struct buf *b, const char *name, const char *value)
{
	buf_fmt(b, "%s-c %s=", buf_len(b) > 0 ? " " : "", name);
	for (; *value != '\0'; value++) {
		if (*value == ' ' || *value == '\\')
			buf_char(b, '\\');
		buf_char(b, *value);
	}
}

static void
settings_add(struct endpoints *e, const struct db_config *c)
{
	struct buf opts;
	char num[16];

	if (c->role != NULL && c->role[0] != '\0')
		option_set(e, "user", c->role);
	if (c->password != NULL && c->password[0] != '\0')
		option_set(e, "password", c->password);
	if (c->application != NULL && c->application[0] != '\0')
		option_set(e, "application_name", c->application);
	option_set(e, "client_encoding", "UTF8");
	option_set(e, "gssencmode", "disable");	/* its set-up blocks */
	option_default(e, "tcp_user_timeout", "10000");
	option_default(e, "keepalives_idle", "10");
	option_default(e, "keepalives_interval", "5");
	option_default(e, "keepalives_count", "3");

	buf_init(&opts, 4096);
	buf_str(&opts, option_get(e, "options"));
	if (c->search_path != NULL && c->search_path[0] != '\0')
		options_add(&opts, "search_path", c->search_path);
	if (c->statement_timeout_ms != 0) {
		struct buf n;

		buf_init(&n, sizeof(num));
		buf_dec(&n, c->statement_timeout_ms);
		options_add(&opts, "statement_timeout", buf_cstr(&n));
		buf_fini(&n);
	}
	if (buf_len(&opts) > 0 && !buf_failed(&opts))
		option_set(e, "options", buf_cstr(&opts));
	buf_fini(&opts);
}

struct endpoints *
endpoints_new(const struct db_config *c, struct err *err)
{
	char *why = NULL;
	PQconninfoOption *all, *o;
	const char *hosts = "", *addrs = "", *ports = "";
	struct endpoints *e;

	/* Not in the log as it is: a URL may hold a password, and so may
	 * libpq's complaint about it. */
	if ((all = PQconninfoParse(c->url, &why)) == NULL) {
		PQfreemem(why);
		err_set(err, ERR_PERM, PS_ESYNTAX,
		    "database: not a libpq URL or keyword string");
		return NULL;
	}
	e = xcalloc(1, sizeof(*e));
	buf_init(&e->host, 16384);
	buf_init(&e->addr, 16384);
	buf_init(&e->port, 16384);
	for (o = all; o->keyword != NULL; o++) {
		if (o->val == NULL)
			continue;
		if (strcmp(o->keyword, "host") == 0)
			hosts = o->val;
		else if (strcmp(o->keyword, "hostaddr") == 0)
			addrs = o->val;
		else if (strcmp(o->keyword, "port") == 0)
			ports = o->val;
		else
			option_set(e, o->keyword, o->val);
	}
	places_split(e, hosts, addrs, ports);
	PQconninfoFree(all);
	settings_add(e, c);
	return e;
}

void
endpoints_free(struct endpoints **ep)
{
	struct endpoints *e = *ep;
	size_t i;

	if (e == NULL)
		return;
	for (i = 0; i < e->n_options; i++) {
		free(e->option[i].keyword);
		secret_free(&e->option[i].value);
	}
	places_free(e->given, &e->n_given);
	places_free(e->ready, &e->n_ready);
	buf_fini(&e->host);
	buf_fini(&e->addr);
	buf_fini(&e->port);
	free(e);
	*ep = NULL;
}

bool
endpoints_have_names(const struct endpoints *e)
{
	size_t i;

	for (i = 0; i < e->n_given; i++)
		if (!host_is_direct(&e->given[i]))
			return true;
	return false;
}

static int
name_look_up(struct endpoints *e, const struct place *p)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM }, *all, *ai;
	char text[NI_MAXHOST];
	int rc;

	if ((rc = getaddrinfo(p->host, NULL, &hints, &all)) != 0)
		return rc;
	for (ai = all; ai != NULL; ai = ai->ai_next)
		if (getnameinfo(ai->ai_addr, ai->ai_addrlen, text,
		    sizeof(text), NULL, 0, NI_NUMERICHOST) == 0)
			place_add(e->ready, &e->n_ready, span_str(p->host),
			    text, span_str(p->port));
	freeaddrinfo(all);
	return 0;
}

int
endpoints_look_up(struct endpoints *e, struct err *err)
{
	const struct place *p, *failed = NULL;
	size_t i;
	int rc, why = 0;

	places_free(e->ready, &e->n_ready);
	for (i = 0; i < e->n_given; i++) {
		p = &e->given[i];
		if (host_is_direct(p))
			place_add(e->ready, &e->n_ready, span_str(p->host),
			    p->addr, span_str(p->port));
		else if ((rc = name_look_up(e, p)) != 0) {
			failed = p;
			why = rc;
		}
	}
	if (e->n_ready > 0)
		return 0;
	return err_set(err, ERR_TEMP, PS_ENOTFOUND, "database host %s: %s",
	    failed == NULL ? "" : failed->host, gai_strerror(why));
}

size_t
endpoints_count(const struct endpoints *e)
{
	return e->n_ready;
}

struct conn_params
endpoints_params(struct endpoints *e, size_t start)
{
	struct conn_params out = { e->keywords, e->values };
	bool any_addr = false;
	const struct place *p;
	size_t i, n = 0;

	buf_clear(&e->host);
	buf_clear(&e->addr);
	buf_clear(&e->port);
	for (i = 0; i < e->n_ready; i++) {
		p = &e->ready[(start + i) % e->n_ready];
		buf_fmt(&e->host, "%s%s", i > 0 ? "," : "", p->host);
		buf_fmt(&e->addr, "%s%s", i > 0 ? "," : "", p->addr);
		buf_fmt(&e->port, "%s%s", i > 0 ? "," : "", p->port);
		any_addr = any_addr || p->addr[0] != '\0';
	}
	for (; n < e->n_options; n++) {
		e->keywords[n] = e->option[n].keyword;
		e->values[n] = e->option[n].value;
	}
	e->keywords[n] = "host";
	e->values[n++] = buf_cstr(&e->host);
	if (any_addr) {
		e->keywords[n] = "hostaddr";
		e->values[n++] = buf_cstr(&e->addr);
	}
	e->keywords[n] = "port";
	e->values[n++] = buf_cstr(&e->port);
	e->keywords[n] = NULL;
	e->values[n] = NULL;
	return out;
}
