-- Domain admins: people who look after the domains of one organisation, and
-- of no other. They act as role postern_delegate, and row-level security shows
-- that role the rows of their organisation only, whatever statement it runs:
-- the functions of 0003 and 0008 serve it as they are, and to it other
-- domains do not exist. What a delegate may change is said by column grants,
-- next to each policy. The CLI (`postern --as NAME') and a console for the web
-- come the same way: admin_login() or admin_enter(), then those functions.

SET LOCAL search_path = postern, pg_temp;

DO $$ BEGIN
	IF NOT EXISTS (SELECT FROM pg_roles
	    WHERE rolname = 'postern_delegate') THEN
		CREATE ROLE postern_delegate LOGIN;
	END IF;
	-- Who administers everything may act as one who may less.
	IF NOT pg_has_role('postern_admin', 'postern_delegate', 'MEMBER') THEN
		GRANT postern_delegate TO postern_admin;
	END IF;
	IF NOT pg_has_role(current_user, 'postern_delegate', 'MEMBER') THEN
		EXECUTE format('GRANT postern_delegate TO %I', current_user);
	END IF;
EXCEPTION WHEN insufficient_privilege THEN
	RAISE EXCEPTION 'role postern_delegate is missing, or postern_admin is '
	    'no member of it, and % may not change that', current_user
	    USING HINT = 'Run the migration as a user with CREATEROLE, or first '
	    'as one: CREATE ROLE postern_delegate LOGIN; GRANT '
	    'postern_delegate TO postern_admin, ' || current_user || ';';
END $$;
GRANT USAGE ON SCHEMA postern TO postern_delegate;

-- --------------------------------------------------------------------------
CREATE TABLE admin (
	id		bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	org_id		bigint NOT NULL REFERENCES organisation
			ON DELETE CASCADE,
	name		text NOT NULL UNIQUE CONSTRAINT admin_name_is_normal
			CHECK (name ~ '^[a-z0-9][a-z0-9._@+-]{0,199}$'),
	secret		text CONSTRAINT admin_secret_is_scram CHECK (secret ~
			'^\{SCRAM-SHA-256\}[0-9]+,[^,]+,[^,]+,[^,]+$'),
	active		boolean NOT NULL DEFAULT true,
	may_add_domains	boolean NOT NULL DEFAULT false,
	created_at	timestamptz NOT NULL DEFAULT now(),
	last_login_at	timestamptz
);
CREATE INDEX admin_org_id ON admin (org_id);
COMMENT ON TABLE admin IS 'Domain admins. Each looks after one organisation.';
COMMENT ON COLUMN admin.name IS 'What they log in with; may look like an address, and is none.';
COMMENT ON COLUMN admin.secret IS 'SCRAM verifier as {SCRAM-SHA-256}...; NULL: no login by password.';
COMMENT ON COLUMN admin.may_add_domains IS 'Also delete them. A name is taken on trust: nothing proves that a domain is theirs.';
COMMENT ON COLUMN admin.last_login_at IS 'By password; NULL: not yet.';
GRANT SELECT (id, org_id, name, active, may_add_domains, created_at,
    last_login_at), INSERT, UPDATE, DELETE ON admin TO postern_admin;

CREATE TABLE admin_key (
	one		boolean PRIMARY KEY DEFAULT true CHECK (one),
	key		bytea NOT NULL
);
COMMENT ON TABLE admin_key IS 'What signs postern.admin in a session, so that SET can''t forge who one is. The owner''s alone.';
INSERT INTO admin_key (key) VALUES (sha256(convert_to(
    gen_random_uuid()::text || gen_random_uuid()::text, 'UTF8')));

-- --------------------------------------------------------------------------
-- Who acts: setting postern.admin is "id:token"; the token is good in this
-- session only.

CREATE FUNCTION admin_token(id bigint) RETURNS text
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = postern, pg_temp
AS $$
	SELECT encode(sha256(k.key || int8send(admin_token.id)
	    || int4send(pg_backend_pid()) || timestamptz_send(a.backend_start)),
	    'hex')
	FROM admin_key k, pg_stat_get_activity(pg_backend_pid()) a
$$;
COMMENT ON FUNCTION admin_token(bigint) IS 'Proves in this session that an admin has entered it.';

CREATE FUNCTION admin_current() RETURNS bigint
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = postern, pg_temp
AS $$
	SELECT a.id FROM admin a JOIN organisation o ON o.id = a.org_id
	WHERE a.id::text = split_part(current_setting('postern.admin', true),
	    ':', 1)
	AND split_part(current_setting('postern.admin', true), ':', 2) =
	    admin_token(a.id)
	AND a.active AND o.active
$$;
COMMENT ON FUNCTION admin_current() IS 'The domain admin who acts in this session; NULL: none, or one who was disabled since.';

CREATE FUNCTION admin_org() RETURNS bigint
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = postern, pg_temp
AS $$ SELECT a.org_id FROM admin a WHERE a.id = admin_current() $$;
COMMENT ON FUNCTION admin_org() IS 'The organisation that the acting domain admin looks after.';

CREATE FUNCTION admin_adds_domains() RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = postern, pg_temp
AS $$
	SELECT coalesce((SELECT a.may_add_domains FROM admin a
	    WHERE a.id = admin_current()), false)
$$;
COMMENT ON FUNCTION admin_adds_domains() IS 'May the acting domain admin add and delete domains?';

CREATE FUNCTION admin_has_domain(id bigint) RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = postern, pg_temp
AS $$
	SELECT EXISTS (SELECT FROM domain d WHERE d.id = admin_has_domain.id
	    AND d.org_id = admin_org())
$$;
COMMENT ON FUNCTION admin_has_domain(bigint) IS 'Is it one of the acting domain admin''s? For policies, which can''t ask the table they stand on.';

CREATE FUNCTION need_admin(name text) RETURNS bigint
LANGUAGE sql STABLE SET search_path = postern, pg_temp
AS $$
	SELECT need((SELECT a.id FROM admin a WHERE a.name = need_admin.name),
	    'domain admin', name)
$$;
COMMENT ON FUNCTION need_admin(text) IS 'Id of a domain admin; P0002 when there is none.';

-- The session is theirs from now on; SET ROLE postern_delegate comes next.
CREATE FUNCTION admin_begin(id bigint) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = postern, pg_temp
AS $$ BEGIN
	PERFORM set_config('postern.admin', admin_begin.id || ':' ||
	    admin_token(admin_begin.id), false);
	IF admin_current() IS NULL THEN
		RAISE EXCEPTION 'this domain admin or their organisation is '
		    'disabled' USING ERRCODE = 'insufficient_privilege';
	END IF;
END $$;
COMMENT ON FUNCTION admin_begin(bigint) IS 'Makes a domain admin the one who acts in this session.';

CREATE FUNCTION admin_enter(name text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = postern, pg_temp
AS $$ BEGIN
	PERFORM admin_begin(need_admin(name));
END $$;
COMMENT ON FUNCTION admin_enter(text) IS 'Acts as a domain admin, without a password: for who administers everything.';

-- A salt that is always the same for the same unknown name, so that asking
-- tells nobody who is an admin.
CREATE FUNCTION admin_salt(name text)
RETURNS TABLE (iterations text, salt text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = postern, pg_temp
AS $$
	SELECT coalesce(split_part(v.rest, ',', 1), '4096'),
	    coalesce(split_part(v.rest, ',', 2), encode(substr(sha256(k.key ||
	    convert_to(admin_salt.name, 'UTF8')), 1, 16), 'base64'))
	FROM admin_key k LEFT JOIN (SELECT substr(a.secret, 16) AS rest
	    FROM admin a WHERE a.name = admin_salt.name
	    AND a.secret IS NOT NULL) v ON true
$$;
COMMENT ON FUNCTION admin_salt(text) IS 'What a client needs to make its proof of a password (RFC 5802).';

CREATE FUNCTION admin_login(name text, client_key bytea) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = postern, pg_temp
AS $$
#variable_conflict use_column
DECLARE
	found_id bigint;
BEGIN
	SELECT a.id INTO found_id FROM admin a
	WHERE a.name = admin_login.name AND split_part(a.secret, ',', 3) =
	    encode(sha256(admin_login.client_key), 'base64');
	IF NOT FOUND THEN
		-- Guessing takes its time, for unknown names too.
		PERFORM pg_sleep(0.5);
		RAISE EXCEPTION 'name or password is wrong'
		    USING ERRCODE = 'insufficient_privilege';
	END IF;
	PERFORM admin_begin(found_id);
	UPDATE admin SET last_login_at = now() WHERE id = found_id;
END $$;
COMMENT ON FUNCTION admin_login(text, bytea) IS 'Acts as a domain admin who proves the password by RFC 5802''s ClientKey.';

-- --------------------------------------------------------------------------
CREATE FUNCTION admin_add(name text, org text, secret text,
    may_add_domains boolean) RETURNS bigint
LANGUAGE plpgsql SET search_path = postern, pg_temp
AS $$
#variable_conflict use_column
DECLARE
	made bigint;
BEGIN
	INSERT INTO admin (name, org_id, secret, may_add_domains) VALUES
	    (admin_add.name, need_organisation(admin_add.org),
	    admin_add.secret, admin_add.may_add_domains)
	    RETURNING id INTO made;
	RETURN made;
EXCEPTION WHEN unique_violation THEN
	RAISE EXCEPTION 'there is a domain admin % already', admin_add.name
	    USING ERRCODE = 'unique_violation';
END $$;
COMMENT ON FUNCTION admin_add(text, text, text, boolean) IS 'Makes a domain admin; secret NULL: no login by password yet.';

CREATE FUNCTION admin_set(name text, setting text, value text) RETURNS void
LANGUAGE plpgsql SET search_path = postern, pg_temp
AS $$
DECLARE
	a bigint := need_admin(name);
BEGIN
	CASE setting
	WHEN 'active' THEN UPDATE admin
	    SET active = setting_yes(setting, value) WHERE id = a;
	WHEN 'may_add_domains' THEN UPDATE admin
	    SET may_add_domains = setting_yes(setting, value) WHERE id = a;
	WHEN 'organisation' THEN UPDATE admin
	    SET org_id = need_organisation(value) WHERE id = a;
	ELSE PERFORM setting_unknown(setting,
	    'active, may_add_domains, organisation');
	END CASE;
END $$;
COMMENT ON FUNCTION admin_set(text, text, text) IS 'Changes one setting, also for sessions under way.';

-- Runs as the owner: domain admins write no row of the table.
CREATE FUNCTION admin_passwd(name text, secret text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = postern, pg_temp
AS $$
#variable_conflict use_column
DECLARE
	acting bigint := admin_current();
BEGIN
	IF acting IS DISTINCT FROM (SELECT a.id FROM admin a
	    WHERE a.name = admin_passwd.name) AND (acting IS NOT NULL
	    OR NOT pg_has_role(session_user, 'postern_admin', 'MEMBER')) THEN
		RAISE EXCEPTION 'only their own password'
		    USING ERRCODE = 'insufficient_privilege';
	END IF;
	UPDATE admin SET secret = admin_passwd.secret
	    WHERE id = need_admin(admin_passwd.name);
END $$;
COMMENT ON FUNCTION admin_passwd(text, text) IS 'Sets the password of a domain admin; they their own.';

CREATE FUNCTION admin_del(name text) RETURNS void
LANGUAGE plpgsql SET search_path = postern, pg_temp
AS $$ BEGIN
	DELETE FROM admin a WHERE a.id = need_admin(admin_del.name);
END $$;
COMMENT ON FUNCTION admin_del(text) IS 'Ends a domain admin, also in sessions under way.';

CREATE FUNCTION admin_list()
RETURNS TABLE (name text, organisation text, active boolean,
    may_add_domains boolean, last_login_at timestamptz)
LANGUAGE sql STABLE SET search_path = postern, pg_temp
AS $$
	SELECT a.name, o.name, a.active AND o.active, a.may_add_domains,
	    a.last_login_at
	FROM admin a JOIN organisation o ON o.id = a.org_id ORDER BY a.name
$$;
COMMENT ON FUNCTION admin_list() IS 'All domain admins, by name.';

-- --------------------------------------------------------------------------
-- As before, but for a domain admin no organisation means their own.
CREATE OR REPLACE FUNCTION domain_add(name text, class text, target text,
    org text) RETURNS bigint
LANGUAGE plpgsql SET search_path = postern, pg_temp
AS $$
DECLARE
	o bigint := admin_org(); of bigint; t bigint; made bigint;
BEGIN
	IF o IS NOT NULL AND NOT admin_adds_domains() THEN
		RAISE EXCEPTION 'this domain admin may not add domains'
		    USING ERRCODE = 'insufficient_privilege';
	ELSIF o IS NOT NULL AND class = 'relay' THEN
		RAISE EXCEPTION 'a domain admin may not add relay domains'
		    USING ERRCODE = 'insufficient_privilege';
	ELSIF o IS NULL AND org IS NULL THEN
		INSERT INTO organisation (name) VALUES ('default')
		    ON CONFLICT DO NOTHING;
	END IF;
	IF o IS NULL OR org IS NOT NULL THEN
		o := need_organisation(coalesce(org, 'default'));
	END IF;
	IF class = 'alias' THEN
		IF target IS NULL THEN
			RAISE EXCEPTION 'an alias domain needs the domain it '
			    'stands for';
		END IF;
		of := need_domain(target);
	ELSIF class = 'relay' AND target IS NOT NULL THEN
		t := need_transport(target);
	END IF;
	INSERT INTO domain (org_id, name, class, alias_of, transport_id)
	    VALUES (o, domain_add.name, domain_add.class, of, t)
	    RETURNING id INTO made;
	RETURN made;
EXCEPTION WHEN unique_violation THEN
	RAISE EXCEPTION 'there is a domain % already', name
	    USING ERRCODE = 'unique_violation';
END $$;

-- As before, but said first: a policy would only find nothing to delete.
CREATE OR REPLACE FUNCTION domain_del(name text, with_mailboxes boolean)
RETURNS bigint
LANGUAGE plpgsql SET search_path = postern, pg_temp
AS $$
DECLARE
	d bigint := need_domain(name);
	n bigint;
BEGIN
	IF admin_current() IS NOT NULL AND NOT admin_adds_domains() THEN
		RAISE EXCEPTION 'this domain admin may not delete domains'
		    USING ERRCODE = 'insufficient_privilege';
	END IF;
	IF EXISTS (SELECT FROM domain x WHERE x.alias_of = d) THEN
		RAISE EXCEPTION 'domain % has alias domains', name;
	END IF;
	SELECT count(*) INTO n FROM mailbox m
	    WHERE m.domain_id = d AND m.state <> 'deleted';
	IF n > 0 AND NOT with_mailboxes THEN
		RAISE EXCEPTION 'domain % has % mailboxes', name, n;
	END IF;
	DELETE FROM credential c USING mailbox m
	    WHERE c.mailbox_id = m.id AND m.domain_id = d;
	UPDATE mailbox SET state = 'deleted', deleted_at = now()
	    WHERE domain_id = d AND state <> 'deleted';
	DELETE FROM domain WHERE id = d;
	RETURN n;
END $$;

-- --------------------------------------------------------------------------
-- Triggers hold what is true across organisations (no loops of aliases, no
-- limit exceeded) and tell of changes; they must see all rows.
DO $$
DECLARE
	f regprocedure;
BEGIN
	FOR f IN SELECT p.oid FROM pg_proc p
	    WHERE p.pronamespace = 'postern'::regnamespace
	    AND p.prorettype = 'trigger'::regtype LOOP
		EXECUTE format('ALTER FUNCTION %s SECURITY DEFINER', f);
	END LOOP;
END $$;

-- --------------------------------------------------------------------------
-- What delegates see and write. The admin role sees and writes all.
DO $$
DECLARE
	t text;
BEGIN
	FOREACH t IN ARRAY ARRAY['organisation', 'domain', 'mailbox', 'alias',
	    'alias_target', 'relay_recipient', 'credential', 'usage',
	    'domain_usage'] LOOP
		EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', t);
		EXECUTE format('CREATE POLICY everything ON %I TO '
		    'postern_admin USING (true) WITH CHECK (true)', t);
	END LOOP;
END $$;

-- Not the limits: no UPDATE at all.
CREATE POLICY own ON organisation FOR SELECT TO postern_delegate
	USING (id = (SELECT admin_org()));
GRANT SELECT ON organisation TO postern_delegate;

-- Whether a domain is active, whose it is, what it is called, and by which
-- way its mail leaves is for who runs the server to say.
CREATE POLICY own ON domain FOR SELECT TO postern_delegate
	USING (org_id = (SELECT admin_org()));
CREATE POLICY own_insert ON domain FOR INSERT TO postern_delegate
	WITH CHECK (org_id = (SELECT admin_org())
	AND (SELECT admin_adds_domains()) AND class <> 'relay'
	AND transport_id IS NULL
	AND (alias_of IS NULL OR admin_has_domain(alias_of)));
CREATE POLICY own_update ON domain FOR UPDATE TO postern_delegate
	USING (org_id = (SELECT admin_org()))
	WITH CHECK (org_id = (SELECT admin_org())
	AND (alias_of IS NULL OR admin_has_domain(alias_of)));
CREATE POLICY own_delete ON domain FOR DELETE TO postern_delegate
	USING (org_id = (SELECT admin_org()) AND (SELECT admin_adds_domains()));
GRANT SELECT, INSERT (org_id, name, class, alias_of, transport_id),
    UPDATE (alias_of, relay_recipients, quota_bytes, quota_messages), DELETE
    ON domain TO postern_delegate;

-- A home stays where it is, and its row until the purge.
CREATE POLICY own ON mailbox TO postern_delegate
	USING (domain_id IN (SELECT d.id FROM domain d))
	WITH CHECK (domain_id IN (SELECT d.id FROM domain d));
GRANT SELECT, INSERT (domain_id, local_part, host_id, quota_bytes,
    quota_messages, full_name), UPDATE (domain_id, local_part, state,
    quota_bytes, quota_messages, full_name, deleted_at)
    ON mailbox TO postern_delegate;

CREATE POLICY own ON alias TO postern_delegate
	USING (domain_id IN (SELECT d.id FROM domain d))
	WITH CHECK (domain_id IN (SELECT d.id FROM domain d));
GRANT SELECT, INSERT (domain_id, local_part), UPDATE (active, note), DELETE
    ON alias TO postern_delegate;

CREATE POLICY own ON alias_target TO postern_delegate
	USING (alias_id IN (SELECT a.id FROM alias a))
	WITH CHECK (alias_id IN (SELECT a.id FROM alias a));
GRANT SELECT, INSERT, UPDATE (target_domain, target_local), DELETE
    ON alias_target TO postern_delegate;

CREATE POLICY own ON relay_recipient TO postern_delegate
	USING (domain_id IN (SELECT d.id FROM domain d))
	WITH CHECK (domain_id IN (SELECT d.id FROM domain d));
GRANT SELECT, INSERT, DELETE ON relay_recipient TO postern_delegate;

CREATE POLICY own ON credential TO postern_delegate
	USING (mailbox_id IN (SELECT m.id FROM mailbox m))
	WITH CHECK (mailbox_id IN (SELECT m.id FROM mailbox m));
GRANT SELECT (id, mailbox_id, kind, label, scope, created_at, changed_at,
    last_used_at, expires_at), INSERT (mailbox_id, kind, label, secret, scope,
    expires_at), UPDATE (secret, changed_at, scope, expires_at), DELETE
    ON credential TO postern_delegate;

CREATE POLICY own ON usage FOR SELECT TO postern_delegate
	USING (mailbox_id IN (SELECT m.id FROM mailbox m));
GRANT SELECT ON usage TO postern_delegate;
CREATE POLICY own ON domain_usage FOR SELECT TO postern_delegate
	USING (domain_id IN (SELECT d.id FROM domain d));
GRANT SELECT ON domain_usage TO postern_delegate;

GRANT SELECT (id, name) ON host, transport TO postern_delegate;

-- --------------------------------------------------------------------------
DO $$
DECLARE
	f regprocedure;
BEGIN
	FOR f IN SELECT p.oid FROM pg_proc p
	    WHERE p.pronamespace = 'postern'::regnamespace
	    AND p.proname IN ('admin_token', 'admin_current', 'admin_org',
	    'admin_adds_domains', 'admin_has_domain', 'need_admin',
	    'admin_begin', 'admin_enter', 'admin_salt', 'admin_login',
	    'admin_add', 'admin_set', 'admin_passwd', 'admin_del',
	    'admin_list') LOOP
		EXECUTE format('REVOKE EXECUTE ON FUNCTION %s FROM PUBLIC', f);
	END LOOP;
	-- The same functions as the admin's; their rights are the caller's.
	FOR f IN SELECT p.oid FROM pg_proc p
	    WHERE p.pronamespace = 'postern'::regnamespace AND NOT p.prosecdef
	    AND p.proname ~ '^(need|setting_.*|is_domain_name|is_local_part|address_(local|domain)|organisation_(list|usage)|quota_(set|list)|domain_(add|set|del|list)|mailbox_(add|set|del|list|passwd|rename)|credential_(add|del|list)|alias_(add|del|set|list)|relay_recipient_(add|del|list)|need_(domain|organisation|host|transport|mailbox|alias))$'
	    LOOP
		EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO '
		    'postern_delegate', f);
	END LOOP;
END $$;
GRANT EXECUTE ON FUNCTION schema_revision(), admin_current(), admin_org(),
    admin_adds_domains(), admin_has_domain(bigint), admin_salt(text),
    admin_login(text, bytea), admin_passwd(text, text) TO postern_delegate;
GRANT EXECUTE ON FUNCTION admin_current(), admin_org(), admin_adds_domains(),
    need_admin(text), admin_enter(text), admin_add(text, text, text, boolean),
    admin_set(text, text, text), admin_passwd(text, text), admin_del(text),
    admin_list() TO postern_admin;
