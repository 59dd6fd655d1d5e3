#include "authd/mech.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include <sasl/sasl.h>
#include <sasl/saslplug.h>

#include "base/log.h"
#include "base/xmalloc.h"

#define MECH_MAGIC	0x6d656368u
#define MECH_SECRET	"authPassword"

struct mech {
	uint32_t magic;
	sasl_conn_t *conn;
	sasl_callback_t callbacks[4];
	sasl_channel_binding_t binding;
	char *binding_type;
	unsigned char *binding_data;
	const char *name;		/* Cyrus' name for the mechanism */
	char *user;
	char *verifier;
	mech_check_fn *check;
	void *arg;
	bool started, looked_up;
};

/* Cyrus declares callbacks without their types. */
typedef int any_proc(void);
#define PROC(f)	((any_proc *)(void (*)(void))(f))

/* --- what the library asks of the process --- */

static const char *plugin_path;

static int
getopt_cb(void *context, const char *plugin, const char *option,
    const char **result, unsigned *len)
{
	static const struct { const char *name, *value; } options[] = {
		{ "mech_list", "PLAIN SCRAM-SHA-256" },
		{ "auxprop_plugin", "postern" },
		{ "pwcheck_method", "auxprop" },
		{ "log_level", "1" },
		{ "auto_transition", "no" },
	};

	(void)context;
	(void)plugin;
	for (size_t i = 0; i < ARRAY_LEN(options); i++) {
		if (strcmp(options[i].name, option) != 0)
			continue;
		*result = options[i].value;
		if (len != NULL)
			*len = (unsigned)strlen(options[i].value);
		return SASL_OK;
	}
	return SASL_FAIL;
}

static int
getpath_cb(void *context, const char **path)
{
	(void)context;
	*path = plugin_path;
	return SASL_OK;
}

static int
getconfpath_cb(void *context, char **path)
{
	/* Depending on its version the library frees it, or not: it must be
	 * heap, and is kept reachable for the sake of leak checkers (really
	 * kept: volatile). It asks a few times, all at start. */
	static char *volatile kept[8];
	static unsigned n;

	(void)context;
	*path = kept[n++ % ARRAY_LEN(kept)] = xstrdup("/nonexistent");
	return SASL_OK;
}

/* No plugin but these two is loaded, no file is read. */
static int
verifyfile_cb(void *context, const char *file, sasl_verify_type_t type)
{
	const char *base = strrchr(file, '/');

	(void)context;
	base = base == NULL ? file : base + 1;
	if (type == SASL_VRFY_PLUGIN && (strstr(base, "libplain.") == base ||
	    strstr(base, "libscram.") == base))
		return SASL_OK;
	return SASL_CONTINUE;
}

static bool starting;

/* Its messages about exchanges may hold what clients sent, and no level may
 * show a secret (S37): only those about loading plugins are of use. */
static int
log_cb(void *context, int level, const char *message)
{
	(void)context;
	if (starting && level <= SASL_LOG_WARN)
		log_warning("sasl: %s", message);
	return SASL_OK;
}

static void *
mutex_new(void)
{
	pthread_mutex_t *m = xmalloc(sizeof(*m));

	pthread_mutex_init(m, NULL);
	return m;
}

static int
mutex_lock(void *m)
{
	return pthread_mutex_lock(m) == 0 ? SASL_OK : SASL_FAIL;
}

static int
mutex_unlock(void *m)
{
	return pthread_mutex_unlock(m) == 0 ? SASL_OK : SASL_FAIL;
}

static void
mutex_free(void *m)
{
	if (m != NULL)
		pthread_mutex_destroy(m);
	free(m);
}

/* --- what it asks of an exchange --- */

static int
checkpass_cb(sasl_conn_t *conn, void *context, const char *user,
    const char *pass, unsigned passlen, struct propctx *props)
{
	struct mech *m = OBJ_CAST(context, mech, MECH_MAGIC);

	(void)conn;
	(void)props;
	if (m->check == NULL || strcmp(user, m->user) != 0)
		return SASL_BADAUTH;
	return m->check(span_of(pass, passlen), m->arg) ? SASL_OK :
	    SASL_BADAUTH;
}

/* Names are put into normal form by us and before; the library may neither
 * fold them nor append a realm. */
static int
canon_user_cb(sasl_conn_t *conn, void *context, const char *in,
    unsigned inlen, unsigned flags, const char *realm, char *out,
    unsigned out_max, unsigned *out_len)
{
	(void)conn;
	(void)context;
	(void)flags;
	(void)realm;
	if (inlen >= out_max)
		return SASL_BUFOVER;
	memmove(out, in, inlen);
	out[inlen] = '\0';
	*out_len = inlen;
	return SASL_OK;
}

/* authzid and authcid were compared in normal form before (exchange.c). */
static int
proxy_policy_cb(sasl_conn_t *conn, void *context, const char *requested,
    unsigned rlen, const char *identity, unsigned alen, const char *realm,
    unsigned urlen, struct propctx *props)
{
	(void)conn;
	(void)context;
	(void)requested;
	(void)rlen;
	(void)identity;
	(void)alen;
	(void)realm;
	(void)urlen;
	(void)props;
	return SASL_OK;
}

/* The exchange that a plugin call belongs to: the context of its
 * connection's own checkpass callback. */
static struct mech *
mech_of(const sasl_utils_t *utils)
{
	sasl_callback_ft proc;
	void *context;

	if (utils->getcallback(utils->conn, SASL_CB_SERVER_USERDB_CHECKPASS,
	    &proc, &context) != SASL_OK)
		return NULL;
	return OBJ_CAST(context, mech, MECH_MAGIC);
}

static int
auxprop_lookup(void *glob, sasl_server_params_t *params, unsigned flags,
    const char *user, unsigned ulen)
{
	struct mech *m = mech_of(params->utils);
	const struct propval *v;

	(void)glob;
	if (flags & SASL_AUXPROP_AUTHZID)
		return SASL_OK;		/* nothing is kept under that name */
	if (m == NULL || !span_eq(span_of(user, ulen), span_str(m->user)))
		return SASL_NOUSER;
	m->looked_up = true;
	v = params->utils->prop_get(params->propctx);
	for (; v != NULL && v->name != NULL; v++)
		if (strcmp(v->name, "*" MECH_SECRET) == 0 && m->verifier != NULL)
			return params->utils->prop_set(params->propctx,
			    v->name, m->verifier, -1);
	return SASL_OK;
}

static int
auxprop_init(const sasl_utils_t *utils, int max_version, int *out_version,
    sasl_auxprop_plug_t **plug, const char *plugname)
{
	static char name[] = "postern";
	static sasl_auxprop_plug_t self = {
		.name = name, .auxprop_lookup = auxprop_lookup
	};

	(void)utils;
	(void)plugname;
	if (max_version < SASL_AUXPROP_PLUG_VERSION)
		return SASL_BADVERS;
	*out_version = SASL_AUXPROP_PLUG_VERSION;
	*plug = &self;
	return SASL_OK;
}

/* --- the process --- */

static int
mech_check_plugins(struct err *err)
{
	static const char *const need[] = { "PLAIN", "SCRAM-SHA-256" };
	const char **have = sasl_global_listmech();

	for (size_t i = 0; i < ARRAY_LEN(need); i++) {
		size_t j = 0;

		while (have != NULL && have[j] != NULL &&
		    strcmp(have[j], need[i]) != 0)
			j++;
		if (have == NULL || have[j] == NULL)
			return err_set(err, ERR_PERM, PS_ENOTFOUND,
			    "Cyrus SASL has no %s plugin in %s (install "
			    "libsasl2-modules)", need[i], plugin_path);
	}
	return 0;
}

int
mech_init(const char *plugins, struct err *err)
{
	static const sasl_callback_t callbacks[] = {
		{ SASL_CB_GETOPT, PROC(getopt_cb), NULL },
		{ SASL_CB_GETPATH, PROC(getpath_cb), NULL },
		{ SASL_CB_GETCONFPATH, PROC(getconfpath_cb), NULL },
		{ SASL_CB_VERIFYFILE, PROC(verifyfile_cb), NULL },
		{ SASL_CB_LOG, PROC(log_cb), NULL },
		{ SASL_CB_LIST_END, NULL, NULL }
	};
	int ret;

	plugin_path = plugins != NULL ? plugins : PS_SASL_PLUGINS;
	sasl_set_mutex(mutex_new, mutex_lock, mutex_unlock, mutex_free);
	starting = true;
	if ((ret = sasl_auxprop_add_plugin("postern", auxprop_init)) !=
	    SASL_OK || (ret = sasl_server_init(callbacks, "postern")) !=
	    SASL_OK)
		return err_set(err, ERR_BUG, PS_EIO, "Cyrus SASL: %s",
		    sasl_errstring(ret, NULL, NULL));
	starting = false;
	return mech_check_plugins(err);
}

void
mech_fini(void)
{
	sasl_done();
}

/* --- an exchange --- */

static void
mech_bind(struct mech *m, const struct mech_binding *b)
{
	if (b == NULL || b->type.n == 0)
		return;
	m->binding_type = xmemdup0(b->type.p, b->type.n);
	m->binding_data = (unsigned char *)xmemdup0(b->data.p, b->data.n);
	m->binding.name = m->binding_type;
	m->binding.data = m->binding_data;
	m->binding.len = b->data.n;
	(void)sasl_setprop(m->conn, SASL_CHANNEL_BINDING, &m->binding);
}

struct mech *
mech_new(const char *name, const char *service,
    const struct mech_secrets *secrets, const struct mech_binding *binding)
{
	struct mech *m = xcalloc(1, sizeof(*m));
	int ret;

	m->magic = MECH_MAGIC;
	m->name = name;
	m->user = xmemdup0(secrets->name.p, secrets->name.n);
	if (secrets->verifier != NULL)
		m->verifier = xstrdup(secrets->verifier);
	m->check = secrets->check;
	m->arg = secrets->arg;
	m->callbacks[0] = (sasl_callback_t){ SASL_CB_SERVER_USERDB_CHECKPASS,
	    PROC(checkpass_cb), m };
	m->callbacks[1] = (sasl_callback_t){ SASL_CB_CANON_USER,
	    PROC(canon_user_cb), m };
	m->callbacks[2] = (sasl_callback_t){ SASL_CB_PROXY_POLICY,
	    PROC(proxy_policy_cb), m };
	ret = sasl_server_new(service, "localhost", NULL, NULL, NULL,
	    m->callbacks, SASL_SUCCESS_DATA, &m->conn);
	if (ret != SASL_OK) {
		log_error("sasl_server_new: %s",
		    sasl_errstring(ret, NULL, NULL));
		mech_free(&m);
		return NULL;
	}
	mech_bind(m, binding);
	return m;
}

void
mech_free(struct mech **mp)
{
	struct mech *m = *mp;

	if (m == NULL)
		return;
	if (m->conn != NULL)
		sasl_dispose(&m->conn);
	free(m->user);
	secret_free(&m->verifier);
	free(m->binding_type);
	free(m->binding_data);
	m->magic = 0;
	free(m);
	*mp = NULL;
}

static enum mech_result
mech_result_of(const struct mech *m, int ret)
{
	switch (ret) {
	case SASL_OK:
		return MECH_DONE;
	case SASL_CONTINUE:
		return MECH_MORE;
	case SASL_BADAUTH:
	case SASL_NOAUTHZ:
	case SASL_NOUSER:
	case SASL_EXPIRED:
	case SASL_DISABLED:
	case SASL_BADBINDING:
		return MECH_DENIED;
	case SASL_BADPROT:
		/* Cyrus says so of a wrong SCRAM proof, too; the caller has
		 * looked at the form of the message */
		return m->looked_up ? MECH_DENIED : MECH_MALFORMED;
	default:
		log_warning("sasl: %s failed: %s", m->name,
		    sasl_errstring(ret, NULL, NULL));
		return MECH_FAULT;
	}
}

enum mech_result
mech_step(struct mech *m, struct span in, struct span *out)
{
	const char *data = NULL;
	unsigned len = 0;
	int ret;

	if (m->started)
		ret = sasl_server_step(m->conn, in.p, (unsigned)in.n, &data,
		    &len);
	else
		ret = sasl_server_start(m->conn, m->name, in.p,
		    (unsigned)in.n, &data, &len);
	m->started = true;
	*out = span_of(data == NULL ? "" : data, data == NULL ? 0 : len);
	return mech_result_of(m, ret);
}
