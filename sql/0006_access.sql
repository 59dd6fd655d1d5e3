-- Access lists as tables of the gate: `pg:NAME` in a restriction list,
-- `postern access` to edit them.
--
-- Channel postern_access tells who holds a list that it changed: payload
-- "list key" for one entry, "list" for more than that, * for everything.

SET LOCAL search_path = postern, pg_temp;

-- Keys are looked up in lower case, so one with capitals was never found.
DELETE FROM access_rule r WHERE r.key <> lower(r.key) AND EXISTS (
    SELECT FROM access_rule o WHERE o.list = r.list AND o.key = lower(r.key));
UPDATE access_rule SET key = lower(key) WHERE key <> lower(key);
ALTER TABLE access_rule ADD CONSTRAINT access_rule_key_is_folded
	CHECK (key = lower(key)),
	ADD CONSTRAINT access_rule_key_is_printable
	CHECK (key !~ '[[:cntrl:]]'),
	ADD CONSTRAINT access_rule_note_is_printable
	CHECK (note !~ '[[:cntrl:]]');
COMMENT ON COLUMN access_rule.list IS 'Name used in postern.conf: check_client_access pg:NAME.';
COMMENT ON COLUMN access_rule.key IS 'What access(5) looks up: address, domain, .domain, user@, IP address, network prefix; ASCII letters in lower case (collation C folds no others).';

-- --------------------------------------------------------------------------
-- Runs as the owner: the roles that look up read no table. Who knows the name
-- of a list may read all of it, as with a file of that kind.
CREATE FUNCTION access_load(list text, key text, most bigint)
RETURNS TABLE (key text, action text, lives_ms bigint)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = postern, pg_temp
AS $$
	SELECT r.key, r.action, CASE WHEN r.expires_at IS NOT NULL
	    THEN greatest(1, extract(epoch FROM r.expires_at - now()) * 1000)
	    END::bigint
	FROM access_rule r
	WHERE r.list = access_load.list
	AND (access_load.key IS NULL OR r.key = access_load.key)
	AND (r.expires_at IS NULL OR r.expires_at > now())
	LIMIT access_load.most
$$;
COMMENT ON FUNCTION access_load(text, text, bigint) IS 'One entry of a list, or (key NULL) up to `most` of them. lives_ms NULL: for ever.';

-- --------------------------------------------------------------------------
CREATE FUNCTION access_set(list text, key text, action text, note text,
    expires_at timestamptz) RETURNS void
LANGUAGE sql SET search_path = postern, pg_temp
AS $$
	INSERT INTO access_rule (list, key, action, note, expires_at)
	VALUES (access_set.list, lower(access_set.key COLLATE "C"),
	    access_set.action, access_set.note, access_set.expires_at)
	ON CONFLICT ON CONSTRAINT access_rule_pkey DO UPDATE
	SET action = excluded.action, note = excluded.note,
	    expires_at = excluded.expires_at
$$;
COMMENT ON FUNCTION access_set(text, text, text, text, timestamptz) IS 'Adds an entry or replaces it. The action''s words are checked by who calls.';

-- All or nothing; the same key twice is refused.
CREATE FUNCTION access_import(list text, keys text[], actions text[],
    replace boolean) RETURNS bigint
LANGUAGE plpgsql SET search_path = postern, pg_temp
AS $$
#variable_conflict use_column
DECLARE
	n bigint;
	twice text;
BEGIN
	SELECT lower(k COLLATE "C") INTO twice FROM unnest(keys) k
	    GROUP BY 1 HAVING count(*) > 1 LIMIT 1;
	IF FOUND THEN
		RAISE EXCEPTION '"%" is there twice', twice
		    USING ERRCODE = 'unique_violation';
	END IF;
	IF replace THEN
		DELETE FROM access_rule r WHERE r.list = access_import.list
		    AND NOT r.key = ANY (SELECT lower(k COLLATE "C")
		    FROM unnest(keys) k);
	END IF;
	INSERT INTO access_rule (list, key, action)
	SELECT access_import.list, lower(x.key COLLATE "C"), x.action
	FROM unnest(keys, actions) x (key, action)
	ON CONFLICT ON CONSTRAINT access_rule_pkey DO UPDATE
	SET action = excluded.action, expires_at = NULL
	WHERE access_rule.action <> excluded.action
	    OR access_rule.expires_at IS NOT NULL;
	SELECT count(*) INTO n FROM access_rule r
	    WHERE r.list = access_import.list;
	RETURN n;
END $$;
COMMENT ON FUNCTION access_import(text, text[], text[], boolean) IS 'Adds entries or replaces them; with `replace` what is not among them goes. Returns how many the list then has.';

CREATE FUNCTION access_del(list text, key text) RETURNS void
LANGUAGE plpgsql SET search_path = postern, pg_temp
AS $$
#variable_conflict use_column
BEGIN
	DELETE FROM access_rule r WHERE r.list = access_del.list
	    AND r.key = lower(access_del.key COLLATE "C");
	IF NOT FOUND THEN
		RAISE EXCEPTION 'list % has no entry "%"', access_del.list,
		    access_del.key USING ERRCODE = 'no_data_found';
	END IF;
END $$;
COMMENT ON FUNCTION access_del(text, text) IS 'Takes an entry off a list.';

CREATE FUNCTION access_list(list text)
RETURNS TABLE (pattern text, action text, note text, expires_at timestamptz)
LANGUAGE sql STABLE SET search_path = postern, pg_temp
AS $$
	SELECT r.key, r.action, r.note, r.expires_at FROM access_rule r
	WHERE r.list = access_list.list ORDER BY r.key
$$;
COMMENT ON FUNCTION access_list(text) IS 'A list''s entries, those that have expired too.';

CREATE FUNCTION access_lists() RETURNS TABLE (name text, entries bigint)
LANGUAGE sql STABLE SET search_path = postern, pg_temp
AS $$
	SELECT r.list, count(*) FROM access_rule r GROUP BY r.list
	ORDER BY r.list
$$;
COMMENT ON FUNCTION access_lists() IS 'All lists that have entries.';

-- --------------------------------------------------------------------------
CREATE FUNCTION access_notify() RETURNS trigger
LANGUAGE plpgsql SET search_path = postern, pg_temp
AS $$
DECLARE
	payloads text[];
BEGIN
	-- One more than 100 is enough to know.
	IF TG_OP = 'UPDATE' THEN
		payloads := ARRAY(SELECT list || ' ' || key FROM changed UNION
		    SELECT list || ' ' || key FROM was LIMIT 101);
	ELSE
		payloads := ARRAY(SELECT list || ' ' || key FROM changed
		    LIMIT 101);
	END IF;
	IF cardinality(payloads) > 100 AND TG_OP = 'UPDATE' THEN
		payloads := ARRAY(SELECT list FROM changed UNION
		    SELECT list FROM was);
	ELSIF cardinality(payloads) > 100 THEN
		payloads := ARRAY(SELECT DISTINCT list FROM changed);
	END IF;
	PERFORM pg_notify('postern_access', p) FROM unnest(payloads) p;
	RETURN NULL;
END $$;
COMMENT ON FUNCTION access_notify() IS 'Tells who holds lists what changed.';

CREATE FUNCTION access_notify_all() RETURNS trigger
LANGUAGE plpgsql SET search_path = postern, pg_temp
AS $$ BEGIN
	PERFORM pg_notify('postern_access', '*');
	RETURN NULL;
END $$;
COMMENT ON FUNCTION access_notify_all() IS 'Everything may have changed.';

CREATE TRIGGER notify_insert AFTER INSERT ON access_rule
	REFERENCING NEW TABLE AS changed
	FOR EACH STATEMENT EXECUTE FUNCTION access_notify();
CREATE TRIGGER notify_update AFTER UPDATE ON access_rule
	REFERENCING OLD TABLE AS was NEW TABLE AS changed
	FOR EACH STATEMENT EXECUTE FUNCTION access_notify();
CREATE TRIGGER notify_delete AFTER DELETE ON access_rule
	REFERENCING OLD TABLE AS changed
	FOR EACH STATEMENT EXECUTE FUNCTION access_notify();
CREATE TRIGGER notify_truncate AFTER TRUNCATE ON access_rule
	FOR EACH STATEMENT EXECUTE FUNCTION access_notify_all();

REVOKE EXECUTE ON FUNCTION access_load(text, text, bigint),
    access_set(text, text, text, text, timestamptz),
    access_import(text, text[], text[], boolean), access_del(text, text),
    access_list(text), access_lists(), access_notify(), access_notify_all()
    FROM PUBLIC;
GRANT EXECUTE ON FUNCTION access_load(text, text, bigint) TO postern_lookup,
    postern_admin;
GRANT EXECUTE ON FUNCTION access_set(text, text, text, text, timestamptz),
    access_import(text, text[], text[], boolean), access_del(text, text),
    access_list(text), access_lists() TO postern_admin;
