-- Bulk import: what `postern import' has read, some hundred rows at a time, in
-- one transaction that the CLI begins and ends. Each row is tried on its own, so
-- that all faults are told, not only the first; --check is the same with a
-- rollback at the end, so what it finds good is good.

SET LOCAL search_path = postern, pg_temp;

-- Runs as the owner, for the one question whether something would change: no
-- role of an administrator reads secrets.
CREATE FUNCTION secret_is(mailbox bigint, label text, secret text)
RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = postern, pg_temp
AS $$
	SELECT EXISTS (SELECT FROM credential c JOIN mailbox m
	    ON m.id = c.mailbox_id
	    WHERE c.mailbox_id = secret_is.mailbox
	    AND c.label = secret_is.label AND c.secret = secret_is.secret
	    AND (admin_has_domain(m.domain_id)
	    OR pg_has_role(session_user, 'postern_admin', 'MEMBER')))
$$;
COMMENT ON FUNCTION secret_is(bigint, text, text) IS 'Is this what is stored, to the letter?';

-- Salt and iterations are no secret: any client is told them at login.
CREATE FUNCTION password_salt(address text)
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
	    AND (admin_has_domain(d.id)
	    OR pg_has_role(session_user, 'postern_admin', 'MEMBER'))) v
$$;
COMMENT ON FUNCTION password_salt(text) IS 'With what a clear password is made into the verifier that is stored, if it is the same one; no row: none is.';

-- --------------------------------------------------------------------------
CREATE FUNCTION import_exists(what text) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = postern, pg_temp
AS $$ BEGIN
	RAISE EXCEPTION 'there is % already', what
	    USING ERRCODE = 'unique_violation',
	    HINT = '--update changes what is there.';
END $$;
COMMENT ON FUNCTION import_exists(text) IS 'Refuses a row whose subject exists.';

CREATE FUNCTION import_domain(r jsonb, may_update boolean, org text)
RETURNS text
LANGUAGE plpgsql SET search_path = postern, pg_temp
AS $$
DECLARE
	was record;
	outcome text := 'same';
	class text := coalesce(r->>'class', CASE WHEN r ? 'target'
	    THEN 'alias' ELSE 'mailbox' END);
	s record;
BEGIN
	SELECT d.* INTO was FROM domain_list() d WHERE d.name = r->>'address';
	IF NOT FOUND THEN
		PERFORM domain_add(r->>'address', class,
		    coalesce(r->>'target', r->>'transport'),
		    -- NULL makes it where it is missing.
		    CASE WHEN r->>'organisation' = 'default' THEN NULL
		    ELSE coalesce(r->>'organisation', org) END);
		outcome := 'made';
		SELECT d.* INTO was FROM domain_list() d
		    WHERE d.name = r->>'address';
	ELSIF NOT may_update THEN
		PERFORM import_exists('a domain ' || (r->>'address'));
	ELSIF was.class <> class THEN
		RAISE EXCEPTION 'domain % is of class %, which can''t be changed '
		    'to %', r->>'address', was.class, class;
	END IF;
	-- In words, as domain_set takes them.
	FOR s IN SELECT x.setting, x.wanted FROM (VALUES
	    ('alias_of', was.target, r->>'target'),
	    ('transport', was.target, r->>'transport'),
	    ('organisation', was.organisation, r->>'organisation'),
	    ('active', CASE WHEN (SELECT d.active FROM domain d
		WHERE d.name = was.name) THEN 'yes' ELSE 'no' END,
		r->>'active'),
	    ('relay_recipients', was.relay_recipients,
		r->>'relay_recipients'),
	    ('quota_bytes', was.quota_bytes::text, r->>'quota_bytes'),
	    ('quota_messages', was.quota_messages::text,
		r->>'quota_messages')) x (setting, held, wanted)
	    WHERE x.wanted IS NOT NULL AND x.wanted <> x.held LOOP
		PERFORM domain_set(r->>'address', s.setting, s.wanted);
		outcome := CASE outcome WHEN 'made' THEN 'made'
		    ELSE 'changed' END;
	END LOOP;
	RETURN outcome;
END $$;
COMMENT ON FUNCTION import_domain(jsonb, boolean, text) IS 'A row for a domain: made, changed or same.';

CREATE FUNCTION import_mailbox(r jsonb, host text, may_update boolean)
RETURNS text
LANGUAGE plpgsql SET search_path = postern, pg_temp
AS $$
DECLARE
	was record;
	made bigint;
	outcome text := 'same';
	s record;
BEGIN
	SELECT m.* INTO was FROM mailbox m JOIN domain d ON d.id = m.domain_id
	    WHERE d.name = address_domain(r->>'address')
	    AND m.local_part = address_local(r->>'address')
	    AND m.state <> 'deleted';
	IF NOT FOUND THEN
		made := mailbox_add(r->>'address', host, r->>'secret',
		    (r->>'quota_bytes')::bigint,
		    (r->>'quota_messages')::bigint);
		outcome := 'made';
		SELECT m.* INTO was FROM mailbox m WHERE m.id = made;
	ELSIF NOT may_update THEN
		PERFORM import_exists('a mailbox ' || (r->>'address'));
	ELSIF r ? 'secret'
	    AND NOT secret_is(was.id, 'password', r->>'secret') THEN
		PERFORM mailbox_passwd(r->>'address', r->>'secret');
		outcome := 'changed';
	END IF;
	FOR s IN SELECT x.setting, x.wanted FROM (VALUES
	    ('state', was.state, r->>'state'),
	    ('full_name', was.full_name, r->>'name'),
	    ('quota_bytes', was.quota_bytes::text, r->>'quota_bytes'),
	    ('quota_messages', was.quota_messages::text,
		r->>'quota_messages')) x (setting, held, wanted)
	    WHERE x.wanted IS NOT NULL AND x.wanted <> x.held LOOP
		PERFORM mailbox_set(r->>'address', s.setting, s.wanted);
		outcome := CASE outcome WHEN 'made' THEN 'made'
		    ELSE 'changed' END;
	END LOOP;
	RETURN outcome;
END $$;
COMMENT ON FUNCTION import_mailbox(jsonb, text, boolean) IS 'A row for a mailbox: made, changed or same.';

CREATE FUNCTION import_alias(r jsonb, may_update boolean) RETURNS text
LANGUAGE plpgsql SET search_path = postern, pg_temp
AS $$
DECLARE
	was record;
	wanted text[] := ARRAY(SELECT DISTINCT jsonb_array_elements_text(
	    r->'targets'));
	made bigint;
	outcome text := 'same';
	target text;
BEGIN
	SELECT a.*, ARRAY(SELECT t.target_local || '@' || t.target_domain
	    FROM alias_target t WHERE t.alias_id = a.id) AS targets
	INTO was FROM alias a JOIN domain d ON d.id = a.domain_id
	WHERE d.name = address_domain(r->>'address')
	AND a.local_part = address_local(r->>'address');
	IF NOT FOUND THEN
		made := alias_add(r->>'address', wanted);
		outcome := 'made';
		SELECT a.*, wanted AS targets INTO was FROM alias a
		    WHERE a.id = made;
	-- A mailbox's own list of aliases adds to what is there.
	ELSIF NOT may_update AND NOT r ? 'merge' THEN
		PERFORM import_exists('an alias ' || (r->>'address'));
	END IF;
	IF NOT wanted <@ was.targets THEN
		PERFORM alias_add(r->>'address', wanted);
		outcome := 'changed';
	END IF;
	FOR target IN SELECT x FROM unnest(was.targets) x
	    WHERE x <> ALL (wanted) AND NOT r ? 'merge' LOOP
		PERFORM alias_del(r->>'address', target);
		outcome := 'changed';
	END LOOP;
	IF r->>'active' <> (CASE WHEN was.active THEN 'yes'
	    ELSE 'no' END) THEN
		PERFORM alias_set(r->>'address', 'active', r->>'active');
		outcome := CASE outcome WHEN 'made' THEN 'made'
		    ELSE 'changed' END;
	END IF;
	IF r->>'note' <> was.note THEN
		PERFORM alias_set(r->>'address', 'note', r->>'note');
		outcome := CASE outcome WHEN 'made' THEN 'made'
		    ELSE 'changed' END;
	END IF;
	RETURN outcome;
END $$;
COMMENT ON FUNCTION import_alias(jsonb, boolean) IS 'A row for an alias: made, changed or same.';

CREATE FUNCTION import_credential(r jsonb, may_update boolean) RETURNS text
LANGUAGE plpgsql SET search_path = postern, pg_temp
AS $$
DECLARE
	m bigint := need_mailbox(r->>'address');
	was record;
	wanted text[] := ARRAY(SELECT jsonb_array_elements_text(
	    coalesce(r->'scope', '[]')));
	ends timestamptz := (r->>'expires_at')::timestamptz;
BEGIN
	SELECT c.id, c.scope, c.expires_at INTO was FROM credential c
	    WHERE c.mailbox_id = m AND c.label = r->>'label';
	IF NOT FOUND THEN
		PERFORM credential_add(r->>'address', r->>'label',
		    r->>'secret', wanted, ends);
		RETURN 'made';
	ELSIF NOT may_update THEN
		PERFORM import_exists(format('a credential "%s" of %s',
		    r->>'label', r->>'address'));
	ELSIF secret_is(m, r->>'label', r->>'secret')
	    AND was.scope = wanted AND was.expires_at IS NOT DISTINCT FROM ends
	    THEN
		RETURN 'same';
	END IF;
	UPDATE credential SET secret = r->>'secret', scope = wanted,
	    expires_at = ends, changed_at = now() WHERE id = was.id;
	RETURN 'changed';
END $$;
COMMENT ON FUNCTION import_credential(jsonb, boolean) IS 'A row for an app password: made, changed or same.';

CREATE FUNCTION import_recipient(r jsonb) RETURNS text
LANGUAGE plpgsql SET search_path = postern, pg_temp
AS $$
DECLARE
	d bigint := need_domain(address_domain(r->>'address'));
BEGIN
	IF EXISTS (SELECT FROM relay_recipient x WHERE x.domain_id = d
	    AND x.local_part = address_local(r->>'address')) THEN
		RETURN 'same';
	END IF;
	PERFORM relay_recipient_add(r->>'address');
	RETURN 'made';
END $$;
COMMENT ON FUNCTION import_recipient(jsonb) IS 'A row for a relay recipient: made or same.';

-- --------------------------------------------------------------------------
CREATE FUNCTION import_rows(rows jsonb, host text, may_update boolean,
    make_domains boolean, org text)
RETURNS TABLE (n integer, outcome text, why text)
LANGUAGE plpgsql SET search_path = postern, pg_temp
AS $$
DECLARE
	r jsonb;
	domain text;
	hint text;
BEGIN
	FOR r IN SELECT jsonb_array_elements(rows) LOOP
		n := (r->>'n')::integer;
		why := NULL;
		BEGIN
			domain := address_domain(r->>'address');
			IF r->>'type' <> 'domain' AND NOT EXISTS (SELECT
			    FROM domain d WHERE d.name = domain) THEN
				IF NOT make_domains THEN
					RAISE EXCEPTION 'there is no domain %',
					    domain USING HINT =
					    '--make-domains adds it.';
				END IF;
				PERFORM domain_add(domain, 'mailbox', NULL,
				    org);
			END IF;
			outcome := CASE r->>'type'
			    WHEN 'domain' THEN
				import_domain(r, may_update, org)
			    WHEN 'mailbox' THEN
				import_mailbox(r, host, may_update)
			    WHEN 'alias' THEN import_alias(r, may_update)
			    WHEN 'password' THEN
				import_credential(r, may_update)
			    WHEN 'recipient' THEN import_recipient(r) END;
		EXCEPTION
		-- Not those of the server: they end the import.
		WHEN serialization_failure OR deadlock_detected
		    OR insufficient_resources OR operator_intervention
		    OR system_error OR query_canceled THEN
			RAISE;
		WHEN OTHERS THEN
			GET STACKED DIAGNOSTICS why = MESSAGE_TEXT,
			    hint = PG_EXCEPTION_HINT;
			outcome := 'failed';
			IF hint <> '' THEN
				why := why || '. ' || hint;
			END IF;
		END;
		RETURN NEXT;
	END LOOP;
END $$;
COMMENT ON FUNCTION import_rows(jsonb, text, boolean, boolean, text) IS 'Carries rows out, each on its own: made, changed, same, or failed and why.';

-- --------------------------------------------------------------------------
REVOKE EXECUTE ON FUNCTION secret_is(bigint, text, text), password_salt(text),
    import_exists(text), import_domain(jsonb, boolean, text),
    import_mailbox(jsonb, text, boolean), import_alias(jsonb, boolean),
    import_credential(jsonb, boolean), import_recipient(jsonb),
    import_rows(jsonb, text, boolean, boolean, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION secret_is(bigint, text, text), password_salt(text),
    import_exists(text), import_domain(jsonb, boolean, text),
    import_mailbox(jsonb, text, boolean), import_alias(jsonb, boolean),
    import_credential(jsonb, boolean), import_recipient(jsonb),
    import_rows(jsonb, text, boolean, boolean, text)
    TO postern_admin, postern_delegate;
