#include "table/remote.h"

#include <stdlib.h>

#include "base/xmalloc.h"
#include "net/dial.h"
#include "table/pgsql.h"
#include "table/table_int.h"

struct table_remote *
table_remote_ref(struct table_remote *r)
{
	atomic_fetch_add(&r->refs, 1);
	return r;
}

void
table_remote_unref(struct table_remote **rp)
{
	struct table_remote *r = *rp;

	*rp = NULL;
	if (r == NULL || atomic_fetch_sub(&r->refs, 1) > 1)
		return;
	pgsql_query_free(&r->query);
	free(r->spec);
	free(r->where);
	free(r->name);
	free(r);
}

static struct table_remote *
remote_new(const struct table *t, enum table_remote_kind kind)
{
	struct table_remote *r = xcalloc(1, sizeof(*r));

	atomic_init(&r->refs, 1);
	r->kind = kind;
	r->spec = xstrdup(t->spec);
	return r;
}

static void
remote_free(void *data)
{
	struct table_remote *r = data;

	table_remote_unref(&r);
}

static bool
place_ok(const char *where, struct err *err)
{
	struct dial_place place;

	if (dial_place_parse(span_str(where), &place, err) != 0)
		return false;
	dial_place_fini(&place);
	return true;
}

static enum table_result
remote_look_up(void *data, struct span key, struct buf *out, struct err *err,
    struct table_asker *asker)
{
	struct table_remote *r = data;

	if (asker != NULL)
		return asker->ask(asker, r, key, out, err);
	err_set(err, ERR_TEMP, PS_ENOSYS, "%.100s: nobody can be asked here",
	    r->spec);
	return TABLE_TEMPFAIL;
}

/* Keys of pgsql: and pg: are folded as those of hash:. */
static enum table_result
folded_look_up(void *data, struct span key, struct buf *out, struct err *err,
    struct table_asker *asker)
{
	char folded[TABLE_KEY_MAX];

	/* no text of theirs can be equal to it */
	if (!span_is_utf8(key))
		return TABLE_NOTFOUND;
	return remote_look_up(data, table_fold(key, folded), out, err, asker);
}

/* --- the types --- */

/* tcp:host:port */
static void *
tcp_make(const struct table *t, struct span text, struct err *err)
{
	struct table_remote *r = remote_new(t, TABLE_REMOTE_TCP);

	r->where = xasprintf("inet:%.*s", SPAN_ARG(text));
	if (!place_ok(r->where, err))
		table_remote_unref(&r);
	return r;
}

/* socketmap:inet:host:port:name, socketmap:unix:/path:name */
static void *
socketmap_make(const struct table *t, struct span text, struct err *err)
{
	struct table_remote *r = remote_new(t, TABLE_REMOTE_SOCKETMAP);
	ptrdiff_t colon = span_rchr(text, ':');
	struct span name = colon < 0 ? SPAN_NONE :
	    span_sub(text, (size_t)colon + 1, text.n);

	if (name.n == 0 || span_chr(name, ' ') >= 0) {
		err_set(err, ERR_PERM, PS_ESYNTAX, "socketmap:inet:host:port:"
		    "name or socketmap:unix:/path:name is wanted");
		table_remote_unref(&r);
		return NULL;
	}
	r->name = xmemdup0(name.p, name.n);
	r->where = xmemdup0(text.p, (size_t)colon);
	if (!place_ok(r->where, err))
		table_remote_unref(&r);
	return r;
}

static void *
pgsql_make(const struct table *t, struct span text, struct err *err)
{
	struct table_remote *r = remote_new(t, TABLE_REMOTE_PGSQL);

	r->query = pgsql_query_parse(t, text, err);
	if (r->query == NULL)
		table_remote_unref(&r);
	return r;
}

/* pg:NAME, a list in our own database; as its check says. */
static void *
pg_make(const struct table *t, struct span text, struct err *err)
{
	struct table_remote *r = remote_new(t, TABLE_REMOTE_PG);
	size_t i;

	for (i = 0; i < text.n; i++)
		if (strchr("abcdefghijklmnopqrstuvwxyz0123456789_.-",
		    text.p[i]) == NULL)
			break;
	if (text.n == 0 || text.n > 64 || i < text.n) {
		err_set(err, ERR_PERM, PS_ESYNTAX, "pg:NAME is wanted; a name "
		    "has up to 64 of a-z 0-9 _ . -");
		table_remote_unref(&r);
		return NULL;
	}
	r->name = xmemdup0(text.p, text.n);
	return r;
}

/* Those that are spoken to in lines get the whole key only, as in Postfix. */
const struct table_type table_type_tcp = {
	.name = "tcp", .pattern = true, .async = true, .make = tcp_make,
	.free = remote_free, .look_up = remote_look_up,
};
const struct table_type table_type_socketmap = {
	.name = "socketmap", .pattern = true, .async = true,
	.make = socketmap_make, .free = remote_free,
	.look_up = remote_look_up,
};
const struct table_type table_type_pgsql = {
	.name = "pgsql", .from_file = true, .async = true,
	.make = pgsql_make, .free = remote_free, .look_up = folded_look_up,
};
const struct table_type table_type_pg = {
	.name = "pg", .async = true, .make = pg_make, .free = remote_free,
	.look_up = folded_look_up,
};
