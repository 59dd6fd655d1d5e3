#include "admin/delegate.h"

#include "admin/password.h"
#include "base/xmalloc.h"
#include "mail/codec.h"
#include "scheme/scheme.h"

/* Runs SQL of no result. */
static int
run(struct sql *sql, const char *statement, const struct span *params,
    size_t n, struct err *err)
{
	struct sql_result *r = sql_ask(sql, statement, params, n, err);

	if (r == NULL)
		return err->code;
	sql_result_free(&r);
	return 0;
}

/* Hex, as bytea is written. */
static void
key_write(const uint8_t *key, size_t n, struct buf *out)
{
	size_t i;

	buf_str(out, "\\x");
	for (i = 0; i < n; i++)
		buf_fmt(out, "%02x", key[i]);
}

static int
login_with(struct sql *sql, struct span name, struct span password,
    const struct sql_result *how, struct err *err)
{
	uint8_t key[SCRAM_KEY_LEN];
	struct buf salt, proof;
	uint32_t iterations;
	int rc;

	buf_init(&salt, SCRAM_SALT_MAX);
	buf_init(&proof, 256);
	if (!span_u32(sql_get(how, 0, 0), 1, SCHEME_ITERATIONS_MAX,
	    &iterations) || !base64_decode(&salt, sql_get(how, 0, 1)) ||
	    buf_failed(&salt)) {
		rc = err_set(err, ERR_PERM, PS_ECORRUPT,
		    "what the database has as password is none");
	} else {
		scram_client_key(password, buf_span(&salt), iterations, key);
		key_write(key, sizeof(key), &proof);
		secure_wipe(key, sizeof(key));
		struct span p[] = { name, buf_span(&proof) };

		rc = run(sql, "SELECT postern.admin_login($1, $2::bytea)", p,
		    2, err);
	}
	buf_fini_secret(&proof);
	buf_fini(&salt);
	return rc;
}

static int
login(struct sql *sql, struct span name, struct err *err)
{
	struct sql_result *how;
	struct buf password;
	int rc;

	how = sql_ask(sql, "SELECT iterations, salt FROM "
	    "postern.admin_salt($1)", &name, 1, err);
	if (how == NULL)
		return err->code;
	buf_init(&password, SCHEME_PASSWORD_MAX + 1);
	if (password_read("Password: ", &password))
		rc = login_with(sql, name, buf_span(&password), how, err);
	else
		rc = err_set(err, ERR_PERM, PS_EDENIED, "not logged in");
	buf_fini_secret(&password);
	sql_result_free(&how);
	return rc;
}

int
delegate_enter(struct sql *sql, const char *name, struct err *err)
{
	struct span p = span_str(name);
	struct sql_result *r;
	bool is_admin;

	r = sql_ask(sql, "SELECT has_function_privilege("
	    "'postern.admin_enter(text)', 'EXECUTE')", NULL, 0, err);
	if (r == NULL)
		return err->code;
	is_admin = span_eq(sql_get(r, 0, 0), SPAN_LIT("t"));
	sql_result_free(&r);
	if (!is_admin)
		return login(sql, p, err);
	if (run(sql, "SELECT postern.admin_enter($1)", &p, 1, err) != 0)
		return err->code;
	return run(sql, "SET ROLE " DELEGATE_ROLE, NULL, 0, err);
}
