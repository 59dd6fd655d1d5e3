-- What the CLI calls. Addresses and domains come in normal form; anything
-- else is refused, with a message for people. Passwords come as verifiers.
-- They run with the caller's rights: role postern_admin, or the owner.

SET LOCAL search_path = postern, pg_temp;

-- --------------------------------------------------------------------------
-- Finding what a name means, or saying that it means nothing.

CREATE FUNCTION need(id bigint, what text, name text) RETURNS bigint
LANGUAGE plpgsql STABLE SET search_path = postern, pg_temp
AS $$ BEGIN
	IF id IS NULL THEN
		RAISE EXCEPTION 'there is no % %', what, name
		    USING ERRCODE = 'no_data_found';
	END IF;
	RETURN id;
END $$;
COMMENT ON FUNCTION need(bigint, text, text) IS 'The id, or P0002 when it is NULL.';

CREATE FUNCTION need_domain(name text) RETURNS bigint
LANGUAGE sql STABLE SET search_path = postern, pg_temp
AS $$
	SELECT need((SELECT d.id FROM domain d WHERE d.name = need_domain.name), 'domain', name)
$$;
COMMENT ON FUNCTION need_domain(text) IS 'Id of a domain; P0002 when there is none.';
CREATE FUNCTION need_organisation(name text) RETURNS bigint
LANGUAGE sql STABLE SET search_path = postern, pg_temp
AS $$
	SELECT need((SELECT o.id FROM organisation o
	    WHERE o.name = need_organisation.name), 'organisation', name)
$$;
COMMENT ON FUNCTION need_organisation(text) IS 'Id of an organisation; P0002 when there is none.';
CREATE FUNCTION need_host(name text) RETURNS bigint
LANGUAGE sql STABLE SET search_path = postern, pg_temp
AS $$
	SELECT need((SELECT h.id FROM host h WHERE h.name = need_host.name), 'host', name)
$$;
COMMENT ON FUNCTION need_host(text) IS 'Id of a host; P0002 when there is none.';
CREATE FUNCTION need_transport(name text) RETURNS bigint
LANGUAGE sql STABLE SET search_path = postern, pg_temp
AS $$
	SELECT need((SELECT t.id FROM transport t
	    WHERE t.name = need_transport.name), 'transport', name)
$$;
COMMENT ON FUNCTION need_transport(text) IS 'Id of a transport; P0002 when there is none.';
CREATE FUNCTION need_mailbox(address text) RETURNS bigint
LANGUAGE sql STABLE SET search_path = postern, pg_temp
AS $$
	SELECT need((SELECT m.id FROM mailbox m
	    JOIN domain d ON d.id = m.domain_id
	    WHERE d.name = address_domain(address)
	    AND m.local_part = address_local(address)
	    AND m.state <> 'deleted'), 'mailbox', address)
$$;
COMMENT ON FUNCTION need_mailbox(text) IS 'Id of a mailbox; P0002 when there is none.';
CREATE FUNCTION need_alias(address text) RETURNS bigint
LANGUAGE sql STABLE SET search_path = postern, pg_temp
AS $$
	SELECT need((SELECT a.id FROM alias a
	    JOIN domain d ON d.id = a.domain_id
	    WHERE d.name = address_domain(address)
	    AND a.local_part = address_local(address)), 'alias', address)
$$;
COMMENT ON FUNCTION need_alias(text) IS 'Id of an alias or catch-all (@domain); P0002 when there is none.';

-- Words that end up in a boolean or a number, with an answer for people.
CREATE FUNCTION setting_number(setting text, value text) RETURNS bigint
LANGUAGE plpgsql IMMUTABLE SET search_path = postern, pg_temp
AS $$ BEGIN
	IF value !~ '^[0-9]{1,18}$' THEN
		RAISE EXCEPTION '%: "%" is not a number of 0 or more', setting,
		    value USING ERRCODE = 'invalid_parameter_value';
	END IF;
	RETURN value::bigint;
END $$;
COMMENT ON FUNCTION setting_number(text, text) IS 'A value as a number.';
CREATE FUNCTION setting_yes(setting text, value text) RETURNS boolean
LANGUAGE plpgsql IMMUTABLE SET search_path = postern, pg_temp
AS $$ BEGIN
	IF value NOT IN ('yes', 'no') THEN
		RAISE EXCEPTION '%: "%" is neither yes nor no', setting, value
		    USING ERRCODE = 'invalid_parameter_value';
	END IF;
	RETURN value = 'yes';
END $$;
COMMENT ON FUNCTION setting_yes(text, text) IS 'A value as a boolean.';
CREATE FUNCTION setting_unknown(setting text, known text) RETURNS void
LANGUAGE plpgsql IMMUTABLE SET search_path = postern, pg_temp
AS $$ BEGIN
	RAISE EXCEPTION 'there is no setting "%"', setting
	    USING ERRCODE = 'invalid_parameter_value',
	    HINT = 'There are: ' || known || '.';
END $$;
COMMENT ON FUNCTION setting_unknown(text, text) IS 'Refuses a setting by naming those there are.';

-- --------------------------------------------------------------------------
CREATE FUNCTION host_add(name text) RETURNS bigint
LANGUAGE plpgsql SET search_path = postern, pg_temp
AS $$
DECLARE
	found_id bigint;
BEGIN
	INSERT INTO host (name) VALUES (host_add.name) ON CONFLICT DO NOTHING;
	SELECT h.id INTO found_id FROM host h WHERE h.name = host_add.name;
	RETURN found_id;
END $$;
COMMENT ON FUNCTION host_add(text) IS 'Makes a host if it is not there; its id.';

CREATE FUNCTION organisation_add(name text) RETURNS bigint
LANGUAGE sql SET search_path = postern, pg_temp
AS $$ INSERT INTO organisation (name) VALUES (organisation_add.name) RETURNING id $$;
COMMENT ON FUNCTION organisation_add(text) IS 'Makes an organisation; its id.';

CREATE FUNCTION organisation_set(name text, setting text, value text)
RETURNS void
LANGUAGE plpgsql SET search_path = postern, pg_temp
AS $$
DECLARE
	o bigint := need_organisation(name);
BEGIN
	CASE setting
	WHEN 'active' THEN UPDATE organisation
	    SET active = setting_yes(setting, value) WHERE id = o;
	WHEN 'max_domains' THEN UPDATE organisation
	    SET max_domains = setting_number(setting, value) WHERE id = o;
	WHEN 'max_mailboxes' THEN UPDATE organisation
	    SET max_mailboxes = setting_number(setting, value) WHERE id = o;
	WHEN 'max_aliases' THEN UPDATE organisation
	    SET max_aliases = setting_number(setting, value) WHERE id = o;
	WHEN 'max_quota_bytes' THEN UPDATE organisation
	    SET max_quota_bytes = setting_number(setting, value) WHERE id = o;
	ELSE PERFORM setting_unknown(setting, 'active, max_domains, '
	    'max_mailboxes, max_aliases, max_quota_bytes');
	END CASE;
	PERFORM organisation_check(ARRAY[o]);
END $$;
COMMENT ON FUNCTION organisation_set(text, text, text) IS 'Changes one setting; a limit below what is there is refused.';

CREATE FUNCTION organisation_del(name text) RETURNS void
LANGUAGE plpgsql SET search_path = postern, pg_temp
AS $$
DECLARE
	o bigint := need_organisation(name);
BEGIN
	IF EXISTS (SELECT FROM domain d WHERE d.org_id = o) THEN
		RAISE EXCEPTION 'organisation % has domains', name;
	END IF;
	DELETE FROM organisation WHERE id = o;
END $$;
COMMENT ON FUNCTION organisation_del(text) IS 'Refused while it has domains.';

CREATE FUNCTION organisation_list()
RETURNS TABLE (name text, active boolean, domains bigint, mailboxes bigint,
    quota_bytes numeric, max_domains bigint, max_mailboxes bigint,
    max_aliases bigint, max_quota_bytes bigint)
LANGUAGE sql STABLE SET search_path = postern, pg_temp
AS $$
	SELECT o.name, o.active,
	    (SELECT count(*) FROM domain d WHERE d.org_id = o.id),
	    m.n, m.bytes, o.max_domains, o.max_mailboxes, o.max_aliases,
	    o.max_quota_bytes
	FROM organisation o CROSS JOIN LATERAL (
	    SELECT count(*) n, coalesce(sum(x.quota_bytes), 0) bytes
	    FROM domain d JOIN mailbox x ON x.domain_id = d.id
	    WHERE d.org_id = o.id AND x.state <> 'deleted') m
	ORDER BY o.name
$$;
COMMENT ON FUNCTION organisation_list() IS 'All organisations, with what they use of their limits.';

-- --------------------------------------------------------------------------
CREATE FUNCTION transport_add(name text, kind text, next_hop text)
RETURNS bigint
LANGUAGE sql SET search_path = postern, pg_temp
AS $$
	INSERT INTO transport (name, kind, next_hop) VALUES (transport_add.name,
	    transport_add.kind, transport_add.next_hop) RETURNING id
$$;
COMMENT ON FUNCTION transport_add(text, text, text) IS 'Makes a transport; its id.';

CREATE FUNCTION transport_del(name text) RETURNS void
LANGUAGE plpgsql SET search_path = postern, pg_temp
AS $$
DECLARE
	t bigint := need_transport(name);
BEGIN
	IF EXISTS (SELECT FROM domain d WHERE d.transport_id = t) THEN
		RAISE EXCEPTION 'transport % is used by a domain', name;
	END IF;
	DELETE FROM transport WHERE id = t;
END $$;
COMMENT ON FUNCTION transport_del(text) IS 'Refused while a domain uses it.';

CREATE FUNCTION transport_list()
RETURNS TABLE (name text, kind text, next_hop text, domains bigint)
LANGUAGE sql STABLE SET search_path = postern, pg_temp
AS $$
	SELECT t.name, t.kind, t.next_hop, (SELECT count(*) FROM domain d
	    WHERE d.transport_id = t.id) FROM transport t ORDER BY t.name
$$;
COMMENT ON FUNCTION transport_list() IS 'All transports, by name.';

-- --------------------------------------------------------------------------
-- class mailbox: target NULL; alias: target is the domain it stands for;
-- relay: target is a transport or NULL (by MX). org NULL: "default".
CREATE FUNCTION domain_add(name text, class text, target text, org text)
RETURNS bigint
LANGUAGE plpgsql SET search_path = postern, pg_temp
AS $$
DECLARE
	o bigint; of bigint; t bigint; made bigint;
BEGIN
	IF org IS NULL THEN
		INSERT INTO organisation (name) VALUES ('default')
		    ON CONFLICT DO NOTHING;
	END IF;
	o := need_organisation(coalesce(org, 'default'));
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
COMMENT ON FUNCTION domain_add(text, text, text, text) IS 'Makes a domain of class mailbox, alias (of target) or relay (by transport target or NULL) in org (NULL: default).';

CREATE FUNCTION domain_set(name text, setting text, value text) RETURNS void
LANGUAGE plpgsql SET search_path = postern, pg_temp
AS $$
DECLARE
	d bigint := need_domain(name);
BEGIN
	CASE setting
	WHEN 'active' THEN UPDATE domain
	    SET active = setting_yes(setting, value) WHERE id = d;
	WHEN 'organisation' THEN UPDATE domain
	    SET org_id = need_organisation(value) WHERE id = d;
	WHEN 'alias_of' THEN UPDATE domain
	    SET alias_of = need_domain(value) WHERE id = d;
	WHEN 'relay_recipients' THEN UPDATE domain
	    SET relay_recipients = value WHERE id = d;
	WHEN 'quota_bytes' THEN UPDATE domain
	    SET quota_bytes = setting_number(setting, value) WHERE id = d;
	WHEN 'quota_messages' THEN UPDATE domain
	    SET quota_messages = setting_number(setting, value) WHERE id = d;
	WHEN 'transport' THEN
		UPDATE domain SET transport_id = CASE WHEN value <> ''
		    THEN need_transport(value) END WHERE id = d;
	ELSE PERFORM setting_unknown(setting, 'active, organisation, alias_of, '
	    'relay_recipients, quota_bytes, quota_messages, transport');
	END CASE;
END $$;
COMMENT ON FUNCTION domain_set(text, text, text) IS 'Changes one setting; transport empty: by MX.';

CREATE FUNCTION domain_del(name text, with_mailboxes boolean) RETURNS bigint
LANGUAGE plpgsql SET search_path = postern, pg_temp
AS $$
DECLARE
	d bigint := need_domain(name);
	n bigint;
BEGIN
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
COMMENT ON FUNCTION domain_del(text, boolean) IS 'Deletes a domain with its aliases; with mailboxes only when told so. Returns how many went.';

CREATE FUNCTION domain_list()
RETURNS TABLE (name text, class text, target text, organisation text,
    active boolean, relay_recipients text, mailboxes bigint, aliases bigint,
    quota_bytes bigint, quota_messages bigint)
LANGUAGE sql STABLE SET search_path = postern, pg_temp
AS $$
	SELECT d.name, d.class, coalesce(x.name, t.name, ''), o.name,
	    d.active AND o.active, d.relay_recipients,
	    (SELECT count(*) FROM mailbox m WHERE m.domain_id = d.id
		AND m.state <> 'deleted'),
	    (SELECT count(*) FROM alias a WHERE a.domain_id = d.id),
	    d.quota_bytes, d.quota_messages
	FROM domain d JOIN organisation o ON o.id = d.org_id
	LEFT JOIN domain x ON x.id = d.alias_of
	LEFT JOIN transport t ON t.id = d.transport_id
	ORDER BY d.name
$$;
COMMENT ON FUNCTION domain_list() IS 'All domains, by name.';

-- --------------------------------------------------------------------------
-- secret NULL: nobody can log in yet. Quotas NULL: as the domain says.
CREATE FUNCTION mailbox_add(address text, host text, secret text,
    quota_bytes bigint, quota_messages bigint) RETURNS bigint
LANGUAGE plpgsql SET search_path = postern, pg_temp
AS $$
#variable_conflict use_column
DECLARE
	d bigint; made bigint;
BEGIN
	IF address_local(address) IS NULL OR address_local(address) = '' THEN
		RAISE EXCEPTION '"%" is not an address', address
		    USING ERRCODE = 'invalid_parameter_value';
	END IF;
	d := need_domain(address_domain(address));
	INSERT INTO mailbox (domain_id, local_part, host_id, quota_bytes,
	    quota_messages)
	SELECT d, address_local(address), need_host(host),
	    coalesce(mailbox_add.quota_bytes, x.quota_bytes),
	    coalesce(mailbox_add.quota_messages, x.quota_messages)
	FROM domain x WHERE x.id = d RETURNING id INTO made;
	IF mailbox_add.secret IS NOT NULL THEN
		INSERT INTO credential (mailbox_id, kind, label, secret)
		    VALUES (made, 'password', 'password',
		    mailbox_add.secret);
	END IF;
	RETURN made;
EXCEPTION WHEN unique_violation THEN
	RAISE EXCEPTION 'there is a mailbox % already', address
	    USING ERRCODE = 'unique_violation';
END $$;
COMMENT ON FUNCTION mailbox_add(text, text, text, bigint, bigint) IS 'Makes a mailbox, and its password when secret is not NULL; its id.';

CREATE FUNCTION mailbox_set(address text, setting text, value text)
RETURNS void
LANGUAGE plpgsql SET search_path = postern, pg_temp
AS $$
DECLARE
	m bigint := need_mailbox(address);
BEGIN
	CASE setting
	WHEN 'state' THEN
		IF value NOT IN ('active', 'no_login', 'disabled') THEN
			RAISE EXCEPTION 'state: "%" is none of active, no_login, '
			    'disabled', value
			    USING ERRCODE = 'invalid_parameter_value';
		END IF;
		UPDATE mailbox SET state = value WHERE id = m;
	WHEN 'quota_bytes' THEN UPDATE mailbox
	    SET quota_bytes = setting_number(setting, value) WHERE id = m;
	WHEN 'quota_messages' THEN UPDATE mailbox
	    SET quota_messages = setting_number(setting, value) WHERE id = m;
	WHEN 'full_name' THEN UPDATE mailbox
	    SET full_name = value WHERE id = m;
	ELSE PERFORM setting_unknown(setting, 'state, quota_bytes, '
	    'quota_messages, full_name');
	END CASE;
END $$;
COMMENT ON FUNCTION mailbox_set(text, text, text) IS 'Changes one setting. The host is none: its home would have to move too.';

CREATE FUNCTION mailbox_del(address text) RETURNS bigint
LANGUAGE plpgsql SET search_path = postern, pg_temp
AS $$
DECLARE
	m bigint := need_mailbox(address);
BEGIN
	DELETE FROM credential WHERE mailbox_id = m;
	UPDATE mailbox SET state = 'deleted', deleted_at = now() WHERE id = m;
	RETURN m;
END $$;
COMMENT ON FUNCTION mailbox_del(text) IS 'Frees the address and ends all logins; the home stays until it is purged. Returns the id.';

CREATE FUNCTION mailbox_list(domain text)
RETURNS TABLE (id bigint, address text, host text, state text,
    quota_bytes bigint, quota_messages bigint, bytes bigint, messages bigint,
    credentials bigint, last_login timestamptz, full_name text)
LANGUAGE sql STABLE SET search_path = postern, pg_temp
AS $$
	SELECT m.id, m.local_part || '@' || d.name, h.name, m.state,
	    m.quota_bytes, m.quota_messages, u.bytes, u.messages,
	    c.n, c.used, m.full_name
	FROM mailbox m JOIN domain d ON d.id = m.domain_id
	JOIN host h ON h.id = m.host_id
	LEFT JOIN usage u ON u.mailbox_id = m.id
	CROSS JOIN LATERAL (SELECT count(*) n, max(x.last_used_at) used
	    FROM credential x WHERE x.mailbox_id = m.id) c
	WHERE (mailbox_list.domain IS NULL OR d.name = mailbox_list.domain)
	AND m.state <> 'deleted' ORDER BY d.name, m.local_part
$$;
COMMENT ON FUNCTION mailbox_list(text) IS 'Mailboxes of one domain, or of all (NULL). bytes and messages NULL: not reported yet.';

-- Not INSERT ... ON CONFLICT: that would need the right to read secrets.
CREATE FUNCTION mailbox_passwd(address text, secret text) RETURNS void
LANGUAGE plpgsql SET search_path = postern, pg_temp
AS $$
DECLARE
	m bigint := need_mailbox(address);
BEGIN
	UPDATE credential c SET secret = mailbox_passwd.secret,
	    changed_at = now() WHERE c.mailbox_id = m AND c.kind = 'password';
	IF NOT FOUND THEN
		INSERT INTO credential (mailbox_id, kind, label, secret)
		    VALUES (m, 'password', 'password', mailbox_passwd.secret);
	END IF;
END $$;
COMMENT ON FUNCTION mailbox_passwd(text, text) IS 'Sets the password; app passwords stay.';

CREATE FUNCTION credential_add(address text, label text, secret text,
    scope text[]) RETURNS bigint
LANGUAGE sql SET search_path = postern, pg_temp
AS $$
	INSERT INTO credential (mailbox_id, kind, label, secret, scope)
	VALUES (need_mailbox(address), 'app', credential_add.label,
	    credential_add.secret, credential_add.scope) RETURNING id
$$;
COMMENT ON FUNCTION credential_add(text, text, text, text[]) IS 'Makes an app password; scope empty: all services.';

CREATE FUNCTION credential_del(address text, label text) RETURNS void
LANGUAGE plpgsql SET search_path = postern, pg_temp
AS $$ BEGIN
	DELETE FROM credential c WHERE c.mailbox_id = need_mailbox(address)
	    AND c.label = credential_del.label;
	IF NOT FOUND THEN
		RAISE EXCEPTION '% has no credential "%"', address, label
		    USING ERRCODE = 'no_data_found';
	END IF;
END $$;
COMMENT ON FUNCTION credential_del(text, text) IS 'Ends one credential.';

CREATE FUNCTION credential_list(address text)
RETURNS TABLE (label text, kind text, scope text[], created_at timestamptz,
    changed_at timestamptz, last_used_at timestamptz, expires_at timestamptz)
LANGUAGE sql STABLE SET search_path = postern, pg_temp
AS $$
	SELECT c.label, c.kind, c.scope, c.created_at, c.changed_at,
	    c.last_used_at, c.expires_at FROM credential c
	WHERE c.mailbox_id = need_mailbox(address) ORDER BY c.id
$$;
COMMENT ON FUNCTION credential_list(text) IS 'A mailbox''s credentials, without the secrets.';

-- --------------------------------------------------------------------------
-- An address of @domain is the catch-all.
CREATE FUNCTION alias_add(address text, targets text[]) RETURNS bigint
LANGUAGE plpgsql SET search_path = postern, pg_temp
AS $$
DECLARE
	d bigint; a bigint; t text;
BEGIN
	FOREACH t IN ARRAY targets || address LOOP
		IF strpos(t, '@') = 0 THEN
			RAISE EXCEPTION '"%" is not an address', t
			    USING ERRCODE = 'invalid_parameter_value';
		END IF;
	END LOOP;
	IF cardinality(targets) = 0 THEN
		RAISE EXCEPTION 'an alias needs a target';
	END IF;
	d := need_domain(address_domain(address));
	INSERT INTO alias (domain_id, local_part)
	    VALUES (d, address_local(address))
	    ON CONFLICT ON CONSTRAINT alias_address DO NOTHING;
	a := need_alias(address);
	INSERT INTO alias_target (alias_id, target_domain, target_local)
	    SELECT DISTINCT a, address_domain(x), address_local(x)
	    FROM unnest(targets) x ON CONFLICT DO NOTHING;
	RETURN a;
END $$;
COMMENT ON FUNCTION alias_add(text, text[]) IS 'Makes an alias or adds targets to it; its id.';

CREATE FUNCTION alias_del(address text, target text) RETURNS void
LANGUAGE plpgsql SET search_path = postern, pg_temp
AS $$
DECLARE
	a bigint := need_alias(address);
BEGIN
	IF target IS NOT NULL THEN
		DELETE FROM alias_target t WHERE t.alias_id = a
		    AND t.target_domain = address_domain(target)
		    AND t.target_local = address_local(target);
		IF NOT FOUND THEN
			RAISE EXCEPTION 'alias % does not lead to %', address,
			    target USING ERRCODE = 'no_data_found';
		END IF;
		IF EXISTS (SELECT FROM alias_target t WHERE t.alias_id = a) THEN
			RETURN;
		END IF;
	END IF;
	DELETE FROM alias WHERE id = a;
END $$;
COMMENT ON FUNCTION alias_del(text, text) IS 'Takes one target away, or all (NULL); without targets the alias goes.';

CREATE FUNCTION alias_set(address text, setting text, value text)
RETURNS void
LANGUAGE plpgsql SET search_path = postern, pg_temp
AS $$
DECLARE
	a bigint := need_alias(address);
BEGIN
	CASE setting
	WHEN 'active' THEN UPDATE alias
	    SET active = setting_yes(setting, value) WHERE id = a;
	WHEN 'note' THEN UPDATE alias SET note = value WHERE id = a;
	ELSE PERFORM setting_unknown(setting, 'active, note');
	END CASE;
END $$;
COMMENT ON FUNCTION alias_set(text, text, text) IS 'Changes one setting.';

CREATE FUNCTION alias_list(domain text)
RETURNS TABLE (address text, target text, active boolean, note text)
LANGUAGE sql STABLE SET search_path = postern, pg_temp
AS $$
	SELECT a.local_part || '@' || d.name,
	    t.target_local || '@' || t.target_domain, a.active, a.note
	FROM alias a JOIN domain d ON d.id = a.domain_id
	JOIN alias_target t ON t.alias_id = a.id
	WHERE alias_list.domain IS NULL OR d.name = alias_list.domain
	ORDER BY d.name, a.local_part, 2
$$;
COMMENT ON FUNCTION alias_list(text) IS 'Aliases of one domain, or of all (NULL); one row per target.';

CREATE FUNCTION relay_recipient_add(address text) RETURNS void
LANGUAGE sql SET search_path = postern, pg_temp
AS $$
	INSERT INTO relay_recipient (domain_id, local_part)
	VALUES (need_domain(address_domain(address)), address_local(address))
	ON CONFLICT DO NOTHING
$$;
COMMENT ON FUNCTION relay_recipient_add(text) IS 'Lists an address behind a relay domain.';
CREATE FUNCTION relay_recipient_del(address text) RETURNS void
LANGUAGE sql SET search_path = postern, pg_temp
AS $$
	DELETE FROM relay_recipient r WHERE r.local_part = address_local(address)
	AND r.domain_id = need_domain(address_domain(address))
$$;
COMMENT ON FUNCTION relay_recipient_del(text) IS 'Takes an address off the list.';

DO $$
DECLARE
	f text;
BEGIN
	-- What this file made is the admin's alone.
	REVOKE EXECUTE ON ALL FUNCTIONS IN SCHEMA postern FROM PUBLIC;
	FOR f IN SELECT p.oid::regprocedure::text FROM pg_proc p
	    WHERE p.pronamespace = 'postern'::regnamespace AND p.proname ~
	    '^(need|setting|host_add|organisation_(add|set|del|list)|transport|domain_(add|set|del|list)|mailbox_(add|set|del|list|passwd)|credential_(add|del|list)|alias_(add|del|set|list)|relay_recipient)'
	    LOOP
		EXECUTE 'GRANT EXECUTE ON FUNCTION ' || f || ' TO postern_admin';
	END LOOP;
END $$;
