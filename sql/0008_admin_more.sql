-- What the CLI calls besides 0003: renaming, app passwords that end, lists of
-- relay recipients, and refusals in words.

SET LOCAL search_path = postern, pg_temp;

CREATE OR REPLACE FUNCTION organisation_add(name text) RETURNS bigint
LANGUAGE plpgsql SET search_path = postern, pg_temp
AS $$
DECLARE
	made bigint;
BEGIN
	INSERT INTO organisation (name) VALUES (organisation_add.name)
	    RETURNING id INTO made;
	RETURN made;
EXCEPTION WHEN unique_violation THEN
	RAISE EXCEPTION 'there is an organisation % already', name
	    USING ERRCODE = 'unique_violation';
END $$;

CREATE OR REPLACE FUNCTION transport_add(name text, kind text, next_hop text)
RETURNS bigint
LANGUAGE plpgsql SET search_path = postern, pg_temp
AS $$
DECLARE
	made bigint;
BEGIN
	IF kind NOT IN ('smtp', 'lmtp', 'error') THEN
		RAISE EXCEPTION '"%" is none of smtp, lmtp, error', kind
		    USING ERRCODE = 'invalid_parameter_value';
	END IF;
	INSERT INTO transport (name, kind, next_hop) VALUES
	    (transport_add.name, transport_add.kind, transport_add.next_hop)
	    RETURNING id INTO made;
	RETURN made;
EXCEPTION WHEN unique_violation THEN
	RAISE EXCEPTION 'there is a transport % already', name
	    USING ERRCODE = 'unique_violation';
END $$;

-- --------------------------------------------------------------------------
DROP FUNCTION credential_add(text, text, text, text[]);
CREATE FUNCTION credential_add(address text, label text, secret text,
    scope text[], expires_at timestamptz DEFAULT NULL) RETURNS bigint
LANGUAGE plpgsql SET search_path = postern, pg_temp
AS $$
#variable_conflict use_column
DECLARE
	m bigint := need_mailbox(address);
	made bigint;
	wrong text;
BEGIN
	SELECT s INTO wrong FROM unnest(credential_add.scope) s
	    WHERE s NOT IN ('imap', 'smtp') LIMIT 1;
	IF FOUND THEN
		RAISE EXCEPTION 'scope: "%" is neither imap nor smtp', wrong
		    USING ERRCODE = 'invalid_parameter_value';
	END IF;
	INSERT INTO credential (mailbox_id, kind, label, secret, scope,
	    expires_at)
	VALUES (m, 'app', credential_add.label, credential_add.secret,
	    credential_add.scope, credential_add.expires_at)
	RETURNING id INTO made;
	RETURN made;
EXCEPTION WHEN unique_violation THEN
	RAISE EXCEPTION '% has a credential "%" already', address, label
	    USING ERRCODE = 'unique_violation';
END $$;
COMMENT ON FUNCTION credential_add(text, text, text, text[], timestamptz) IS 'Makes an app password; scope empty: all services; expires_at NULL: it never ends.';

-- --------------------------------------------------------------------------
-- The id names the home, so a home never moves for a name.
CREATE FUNCTION mailbox_rename(address text, name text, keep boolean)
RETURNS void
LANGUAGE plpgsql SET search_path = postern, pg_temp
AS $$
DECLARE
	m bigint := need_mailbox(address);
	d bigint := need_domain(address_domain(name));
BEGIN
	UPDATE mailbox SET domain_id = d, local_part = address_local(name)
	    WHERE id = m;
	-- Aliases went on to the old address; they mean the same person.
	UPDATE alias_target t SET target_domain = address_domain(name),
	    target_local = address_local(name)
	WHERE t.target_domain = address_domain(address)
	AND t.target_local = address_local(address)
	AND NOT EXISTS (SELECT FROM alias_target o
	    WHERE o.alias_id = t.alias_id
	    AND o.target_domain = address_domain(name)
	    AND o.target_local = address_local(name));
	DELETE FROM alias_target t
	WHERE t.target_domain = address_domain(address)
	AND t.target_local = address_local(address);
	IF keep THEN
		PERFORM alias_add(address, ARRAY[name]);
	END IF;
EXCEPTION WHEN unique_violation THEN
	RAISE EXCEPTION 'there is a mailbox % already', name
	    USING ERRCODE = 'unique_violation';
END $$;
COMMENT ON FUNCTION mailbox_rename(text, text, boolean) IS 'Gives a mailbox another address, and aliases their new target; keep: the old address becomes an alias.';

CREATE FUNCTION domain_rename(name text, becomes text) RETURNS void
LANGUAGE plpgsql SET search_path = postern, pg_temp
AS $$
DECLARE
	d bigint := need_domain(name);
BEGIN
	UPDATE domain SET name = becomes WHERE id = d;
	UPDATE alias_target t SET target_domain = becomes
	    WHERE t.target_domain = domain_rename.name
	    AND NOT EXISTS (SELECT FROM alias_target o
		WHERE o.alias_id = t.alias_id AND o.target_domain = becomes
		AND o.target_local = t.target_local);
	DELETE FROM alias_target t WHERE t.target_domain = domain_rename.name;
EXCEPTION WHEN unique_violation THEN
	RAISE EXCEPTION 'there is a domain % already', becomes
	    USING ERRCODE = 'unique_violation';
END $$;
COMMENT ON FUNCTION domain_rename(text, text) IS 'Gives a domain another name; aliases that lead to its addresses follow.';

-- --------------------------------------------------------------------------
CREATE OR REPLACE FUNCTION relay_recipient_add(address text) RETURNS void
LANGUAGE plpgsql SET search_path = postern, pg_temp
AS $$
DECLARE
	d bigint := need_domain(address_domain(address));
BEGIN
	IF NOT EXISTS (SELECT FROM domain x WHERE x.id = d
	    AND x.class = 'relay') THEN
		RAISE EXCEPTION 'domain % is not relayed',
		    address_domain(address);
	END IF;
	INSERT INTO relay_recipient (domain_id, local_part)
	    VALUES (d, address_local(address)) ON CONFLICT DO NOTHING;
END $$;

CREATE OR REPLACE FUNCTION relay_recipient_del(address text) RETURNS void
LANGUAGE plpgsql SET search_path = postern, pg_temp
AS $$
DECLARE
	d bigint := need_domain(address_domain(address));
BEGIN
	DELETE FROM relay_recipient r WHERE r.domain_id = d
	    AND r.local_part = address_local(address);
	IF NOT FOUND THEN
		RAISE EXCEPTION '% is not listed', address
		    USING ERRCODE = 'no_data_found';
	END IF;
END $$;

CREATE FUNCTION relay_recipient_list(domain text)
RETURNS TABLE (address text, created_at timestamptz)
LANGUAGE sql STABLE SET search_path = postern, pg_temp
AS $$
	SELECT r.local_part || '@' || d.name, r.created_at
	FROM relay_recipient r JOIN domain d ON d.id = r.domain_id
	WHERE relay_recipient_list.domain IS NULL
	    OR d.name = relay_recipient_list.domain
	ORDER BY d.name, r.local_part
$$;
COMMENT ON FUNCTION relay_recipient_list(text) IS 'Who is listed behind one relay domain, or behind all (NULL).';

REVOKE EXECUTE ON FUNCTION
    credential_add(text, text, text, text[], timestamptz),
    mailbox_rename(text, text, boolean), domain_rename(text, text),
    relay_recipient_list(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION
    credential_add(text, text, text, text[], timestamptz),
    mailbox_rename(text, text, boolean), domain_rename(text, text),
    relay_recipient_list(text) TO postern_admin;
