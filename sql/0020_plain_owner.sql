-- Domain admins where the owner of the database is no superuser: it does not
-- see when another role's session began, and need not be in postern_admin.

SET LOCAL search_path = postern, pg_temp;

CREATE OR REPLACE FUNCTION admin_token(id bigint) RETURNS text
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = postern, pg_temp
AS $$
	SELECT encode(sha256(k.key || int8send(admin_token.id)
	    || int4send(pg_backend_pid()) || timestamptz_send(coalesce(
	    (SELECT a.backend_start FROM pg_stat_get_activity(
		pg_backend_pid()) a), pg_postmaster_start_time()))), 'hex')
	FROM admin_key k
$$;

-- Runs as the owner, who is the current user then.
CREATE FUNCTION admin_is_operator() RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = postern, pg_temp
AS $$
	SELECT session_user = current_user
	    OR pg_has_role(session_user, 'postern_admin', 'MEMBER')
$$;
COMMENT ON FUNCTION admin_is_operator() IS 'Did the owner or the admin role log in? Also while they act as a domain admin.';

CREATE OR REPLACE FUNCTION admin_passwd(name text, secret text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = postern, pg_temp
AS $$
#variable_conflict use_column
DECLARE
	acting bigint := admin_current();
BEGIN
	IF acting IS DISTINCT FROM (SELECT a.id FROM admin a
	    WHERE a.name = admin_passwd.name) AND (acting IS NOT NULL
	    OR NOT admin_is_operator()) THEN
		RAISE EXCEPTION 'only their own password'
		    USING ERRCODE = 'insufficient_privilege';
	END IF;
	UPDATE admin SET secret = admin_passwd.secret
	    WHERE id = need_admin(admin_passwd.name);
END $$;

CREATE OR REPLACE FUNCTION secret_is(mailbox bigint, label text, secret text)
RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = postern, pg_temp
AS $$
	SELECT EXISTS (SELECT FROM credential c JOIN mailbox m
	    ON m.id = c.mailbox_id
	    WHERE c.mailbox_id = secret_is.mailbox
	    AND c.label = secret_is.label AND c.secret = secret_is.secret
	    AND (admin_has_domain(m.domain_id) OR admin_is_operator()))
$$;

CREATE OR REPLACE FUNCTION password_salt(address text)
RETURNS TABLE (iterations text, salt text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = postern, pg_temp
AS $$
	SELECT split_part(v.rest, ',', 1), split_part(v.rest, ',', 2)
	FROM (SELECT substr(c.secret, 16) AS rest FROM credential c
	    JOIN mailbox m ON m.id = c.mailbox_id
	    JOIN domain d ON d.id = m.domain_id
	    WHERE d.name = address_domain(address)
	    AND m.local_part = address_local(address) AND m.state <> 'deleted'
	    AND c.kind = 'password' AND c.secret LIKE '{SCRAM-SHA-256}%'
	    AND (admin_has_domain(d.id) OR admin_is_operator())) v
$$;

REVOKE EXECUTE ON FUNCTION admin_is_operator() FROM PUBLIC;
