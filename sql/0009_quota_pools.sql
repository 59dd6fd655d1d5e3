-- Quota pools: what all mailboxes of a domain, or of an organisation, may use
-- together. The contract is in doc/architecture.md ("Quota").
--
-- The figures of a domain are kept by triggers: usage.domain_id says which
-- domain a mailbox is counted for, domain_usage has the sums of those rows.
-- An organisation's figure is the sum over its domains, made when asked for:
-- so a domain that moves takes its mail along, and no row is written by all.
--
-- Channel postern_quota tells deliver whose limits changed: payload a mailbox
-- id, or * for a domain, an organisation, or many mailboxes.

SET LOCAL search_path = postern, pg_temp;

ALTER TABLE domain
	ADD COLUMN pool_bytes bigint NOT NULL DEFAULT 0
		CHECK (pool_bytes >= 0),
	ADD COLUMN pool_messages bigint NOT NULL DEFAULT 0
		CHECK (pool_messages >= 0);
COMMENT ON COLUMN domain.pool_bytes IS 'What all its mailboxes may use together; 0: no limit.';
COMMENT ON COLUMN domain.pool_messages IS 'Messages of all its mailboxes together; 0: no limit.';
ALTER TABLE organisation
	ADD COLUMN pool_bytes bigint NOT NULL DEFAULT 0
		CHECK (pool_bytes >= 0),
	ADD COLUMN pool_messages bigint NOT NULL DEFAULT 0
		CHECK (pool_messages >= 0);
COMMENT ON COLUMN organisation.pool_bytes IS 'What the mailboxes of all its domains may use together; 0: no limit. max_quota_bytes limits what may be promised, this what is used.';
COMMENT ON COLUMN organisation.pool_messages IS 'Messages of all its mailboxes together; 0: no limit.';

-- --------------------------------------------------------------------------
CREATE TABLE domain_usage (
	domain_id	bigint PRIMARY KEY REFERENCES domain ON DELETE CASCADE,
	bytes		bigint NOT NULL,
	messages	bigint NOT NULL
) WITH (fillfactor = 50);
COMMENT ON TABLE domain_usage IS 'Sums of usage per domain, kept by triggers; no row: nothing yet.';
GRANT SELECT ON domain_usage TO postern_admin;

ALTER TABLE usage ADD COLUMN domain_id bigint;
COMMENT ON COLUMN usage.domain_id IS 'The domain it is counted for; NULL: none, as the mailbox is deleted. No foreign key: the mailbox has it.';
UPDATE usage u SET domain_id = m.domain_id FROM mailbox m
	WHERE m.id = u.mailbox_id AND m.state <> 'deleted';
CREATE INDEX usage_domain_id ON usage (domain_id);
INSERT INTO domain_usage (domain_id, bytes, messages)
	SELECT domain_id, sum(bytes), sum(messages) FROM usage
	WHERE domain_id IS NOT NULL GROUP BY domain_id;

-- In order of id, so that two writers can't deadlock.
CREATE FUNCTION domain_usage_add() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = postern, pg_temp
AS $$ BEGIN
	IF TG_OP = 'INSERT' THEN
		INSERT INTO domain_usage AS t (domain_id, bytes, messages)
		SELECT c.domain_id, sum(c.bytes), sum(c.messages)
		FROM changed c WHERE c.domain_id IS NOT NULL
		GROUP BY c.domain_id ORDER BY c.domain_id
		ON CONFLICT (domain_id) DO UPDATE
		SET bytes = t.bytes + excluded.bytes,
		    messages = t.messages + excluded.messages;
	ELSIF TG_OP = 'DELETE' THEN
		INSERT INTO domain_usage AS t (domain_id, bytes, messages)
		SELECT w.domain_id, -sum(w.bytes), -sum(w.messages)
		FROM was w WHERE w.domain_id IS NOT NULL
		GROUP BY w.domain_id ORDER BY w.domain_id
		ON CONFLICT (domain_id) DO UPDATE
		SET bytes = t.bytes + excluded.bytes,
		    messages = t.messages + excluded.messages;
	ELSE
		INSERT INTO domain_usage AS t (domain_id, bytes, messages)
		SELECT x.domain_id, sum(x.bytes), sum(x.messages) FROM (
		    SELECT c.domain_id, c.bytes, c.messages FROM changed c
		    UNION ALL
		    SELECT w.domain_id, -w.bytes, -w.messages FROM was w) x
		WHERE x.domain_id IS NOT NULL
		GROUP BY x.domain_id
		HAVING sum(x.bytes) <> 0 OR sum(x.messages) <> 0
		ORDER BY x.domain_id
		ON CONFLICT (domain_id) DO UPDATE
		SET bytes = t.bytes + excluded.bytes,
		    messages = t.messages + excluded.messages;
	END IF;
	RETURN NULL;
END $$;
COMMENT ON FUNCTION domain_usage_add() IS 'Keeps the sums of domain_usage.';
CREATE TRIGGER domain_usage_insert AFTER INSERT ON usage
	REFERENCING NEW TABLE AS changed
	FOR EACH STATEMENT EXECUTE FUNCTION domain_usage_add();
CREATE TRIGGER domain_usage_update AFTER UPDATE ON usage
	REFERENCING OLD TABLE AS was NEW TABLE AS changed
	FOR EACH STATEMENT EXECUTE FUNCTION domain_usage_add();
CREATE TRIGGER domain_usage_delete AFTER DELETE ON usage
	REFERENCING OLD TABLE AS was
	FOR EACH STATEMENT EXECUTE FUNCTION domain_usage_add();

-- A mailbox that moves or is deleted is counted elsewhere, or no more.
CREATE FUNCTION mailbox_usage_move() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = postern, pg_temp
AS $$ BEGIN
	UPDATE usage u SET domain_id = x.domain_id FROM (
	    SELECT c.id, CASE WHEN c.state <> 'deleted' THEN c.domain_id END
	    FROM changed c) x (id, domain_id)
	WHERE u.mailbox_id = x.id AND u.domain_id IS DISTINCT FROM x.domain_id;
	RETURN NULL;
END $$;
COMMENT ON FUNCTION mailbox_usage_move() IS 'Says which domain a mailbox is counted for.';
CREATE TRIGGER usage_move_update AFTER UPDATE ON mailbox
	REFERENCING NEW TABLE AS changed
	FOR EACH STATEMENT EXECUTE FUNCTION mailbox_usage_move();

CREATE OR REPLACE FUNCTION usage_report(ids bigint[], bytes bigint[],
    messages bigint[], versions bigint[]) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = postern, pg_temp
AS $$
#variable_conflict use_column
DECLARE
	n bigint;
BEGIN
	-- A mailbox that is being moved or deleted just now: its first row
	-- must name the domain it has afterwards.
	PERFORM FROM mailbox m WHERE m.id = ANY (usage_report.ids)
	    AND NOT EXISTS (SELECT FROM usage u WHERE u.mailbox_id = m.id)
	    ORDER BY m.id FOR SHARE OF m;
	INSERT INTO usage AS u
	    (mailbox_id, bytes, messages, version, reported_at, domain_id)
	SELECT r.id, r.b, r.m, r.v, now(),
	    CASE WHEN x.state <> 'deleted' THEN x.domain_id END
	FROM unnest(usage_report.ids, usage_report.bytes,
	    usage_report.messages, usage_report.versions) r (id, b, m, v)
	JOIN mailbox x ON x.id = r.id
	ORDER BY r.id	-- two batches can't deadlock
	ON CONFLICT (mailbox_id) DO UPDATE SET bytes = excluded.bytes,
	    messages = excluded.messages, version = excluded.version,
	    reported_at = excluded.reported_at
	    WHERE excluded.version > u.version;
	GET DIAGNOSTICS n = ROW_COUNT;
	RETURN n;
END $$;

-- --------------------------------------------------------------------------
CREATE FUNCTION organisation_usage(org bigint)
RETURNS TABLE (bytes bigint, messages bigint)
LANGUAGE sql STABLE SET search_path = postern, pg_temp
AS $$
	SELECT coalesce(sum(u.bytes), 0)::bigint,
	    coalesce(sum(u.messages), 0)::bigint
	FROM domain d JOIN domain_usage u ON u.domain_id = d.id
	WHERE d.org_id = org
$$;
COMMENT ON FUNCTION organisation_usage(bigint) IS 'What all domains of an organisation use.';

CREATE FUNCTION quota_of(ids bigint[])
RETURNS TABLE (mailbox_id bigint, kind text, pool_id bigint, name text,
    limit_bytes bigint, limit_messages bigint, bytes bigint, messages bigint)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = postern, pg_temp
AS $$
	WITH box AS MATERIALIZED (
		SELECT m.id, m.local_part || '@' || d.name AS name,
		    m.quota_bytes, m.quota_messages, d.id AS domain_id,
		    d.org_id
		FROM mailbox m JOIN domain d ON d.id = m.domain_id
		WHERE m.id = ANY (quota_of.ids) AND m.state <> 'deleted'),
	org AS MATERIALIZED (
		SELECT o.id, o.name, o.pool_bytes, o.pool_messages,
		    u.bytes, u.messages
		FROM organisation o, organisation_usage(o.id) u
		WHERE o.id IN (SELECT b.org_id FROM box b)
		AND (o.pool_bytes > 0 OR o.pool_messages > 0))
	SELECT b.id, 'mailbox', b.id, b.name, b.quota_bytes,
	    b.quota_messages, coalesce(u.bytes, 0), coalesce(u.messages, 0)
	FROM box b LEFT JOIN usage u ON u.mailbox_id = b.id
	UNION ALL
	SELECT b.id, 'domain', d.id, d.name, d.pool_bytes, d.pool_messages,
	    coalesce(u.bytes, 0), coalesce(u.messages, 0)
	FROM box b JOIN domain d ON d.id = b.domain_id
	LEFT JOIN domain_usage u ON u.domain_id = d.id
	WHERE d.pool_bytes > 0 OR d.pool_messages > 0
	UNION ALL
	SELECT b.id, 'organisation', o.id, o.name, o.pool_bytes,
	    o.pool_messages, o.bytes, o.messages
	FROM box b JOIN org o ON o.id = b.org_id
$$;
COMMENT ON FUNCTION quota_of(bigint[]) IS 'Limits (0: none) and reported figures of mailboxes, one row of kind mailbox each, and one per pool (domain, organisation) that has a limit.';

-- --------------------------------------------------------------------------
-- Which mailboxes have a pool is part of the answer, so that for all others
-- nobody is asked. Its change is told as the domain's or organisation's is.
CREATE OR REPLACE FUNCTION resolve_recipient(address text, delimiter text)
RETURNS TABLE (item text, value text, id bigint, host_id bigint, state text,
    quota_bytes bigint, quota_messages bigint, extension text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = postern, pg_temp
AS $$
	WITH walk AS MATERIALIZED (
		SELECT * FROM resolve_walk(ARRAY[address], delimiter, NULL,
		    false))
	SELECT * FROM walk
	UNION ALL
	SELECT 'pool', '', w.id, NULL, NULL, NULL, NULL, NULL
	FROM walk w JOIN mailbox m ON m.id = w.id
	JOIN domain d ON d.id = m.domain_id
	JOIN organisation o ON o.id = d.org_id
	WHERE w.item = 'mailbox' AND greatest(d.pool_bytes, d.pool_messages,
	    o.pool_bytes, o.pool_messages) > 0
$$;
COMMENT ON FUNCTION resolve_recipient(text, text) IS
'Who gets mail for a normal-form address. Rows, told apart by item:
class: value mailbox, relay, unknown, disabled, not_local or error (then state says loop, deep or wide), id the organisation;
mailbox: value its own address, id, host_id, state, quotas (0: none), extension;
pool: id of a mailbox (behind its row) that shares a limit with others;
forward: value an address elsewhere; transport: value its name;
depends: value domain/local, domain or org:N: the NOTIFYs that end this answer.';

-- --------------------------------------------------------------------------
CREATE FUNCTION quota_notify() RETURNS trigger
LANGUAGE plpgsql SET search_path = postern, pg_temp
AS $$
DECLARE
	ids text[];
BEGIN
	IF TG_TABLE_NAME = 'mailbox' THEN
		ids := ARRAY(SELECT c.id::text FROM changed c
		    JOIN was w ON w.id = c.id
		    WHERE w.quota_bytes <> c.quota_bytes
		    OR w.quota_messages <> c.quota_messages
		    OR w.domain_id IS DISTINCT FROM c.domain_id LIMIT 101);
	ELSIF TG_TABLE_NAME = 'domain' THEN
		ids := ARRAY(SELECT '*' FROM changed c
		    JOIN was w ON w.id = c.id
		    WHERE w.pool_bytes <> c.pool_bytes
		    OR w.pool_messages <> c.pool_messages
		    OR w.org_id <> c.org_id OR w.name <> c.name LIMIT 1);
	ELSE
		ids := ARRAY(SELECT '*' FROM changed c
		    JOIN was w ON w.id = c.id
		    WHERE w.pool_bytes <> c.pool_bytes
		    OR w.pool_messages <> c.pool_messages LIMIT 1);
	END IF;
	PERFORM pg_notify('postern_quota', x) FROM unnest(
	    CASE WHEN cardinality(ids) > 100 THEN ARRAY['*'] ELSE ids END) x;
	RETURN NULL;
END $$;
COMMENT ON FUNCTION quota_notify() IS 'Tells deliver that limits changed.';
CREATE TRIGGER quota_notify_update AFTER UPDATE ON mailbox
	REFERENCING OLD TABLE AS was NEW TABLE AS changed
	FOR EACH STATEMENT EXECUTE FUNCTION quota_notify();
CREATE TRIGGER quota_notify_update AFTER UPDATE ON domain
	REFERENCING OLD TABLE AS was NEW TABLE AS changed
	FOR EACH STATEMENT EXECUTE FUNCTION quota_notify();
CREATE TRIGGER quota_notify_update AFTER UPDATE ON organisation
	REFERENCING OLD TABLE AS was NEW TABLE AS changed
	FOR EACH STATEMENT EXECUTE FUNCTION quota_notify();

-- --------------------------------------------------------------------------
-- What `postern quota` calls. NULL leaves a figure as it is.

CREATE FUNCTION quota_set(kind text, name text, bytes bigint,
    messages bigint) RETURNS void
LANGUAGE plpgsql SET search_path = postern, pg_temp
AS $$ BEGIN
	CASE kind
	WHEN 'mailbox' THEN
		UPDATE mailbox m SET
		    quota_bytes = coalesce(quota_set.bytes, m.quota_bytes),
		    quota_messages =
			coalesce(quota_set.messages, m.quota_messages)
		WHERE m.id = need_mailbox(quota_set.name);
	WHEN 'domain' THEN
		UPDATE domain d SET
		    pool_bytes = coalesce(quota_set.bytes, d.pool_bytes),
		    pool_messages =
			coalesce(quota_set.messages, d.pool_messages)
		WHERE d.id = need_domain(quota_set.name);
	WHEN 'organisation' THEN
		UPDATE organisation o SET
		    pool_bytes = coalesce(quota_set.bytes, o.pool_bytes),
		    pool_messages =
			coalesce(quota_set.messages, o.pool_messages)
		WHERE o.id = need_organisation(quota_set.name);
	END CASE;
END $$;
COMMENT ON FUNCTION quota_set(text, text, bigint, bigint) IS 'Sets the limits of a mailbox, or the pool of a domain or organisation; 0: no limit, NULL: as it is.';

CREATE FUNCTION quota_list(kind text, name text)
RETURNS TABLE (root text, subject text, limit_bytes bigint,
    limit_messages bigint, bytes bigint, messages bigint,
    reported_at timestamptz)
LANGUAGE plpgsql STABLE SET search_path = postern, pg_temp
AS $$
#variable_conflict use_column
DECLARE
	box bigint; dom bigint; org bigint;
BEGIN
	-- From one mailbox upwards, from a pool downwards one level.
	IF kind = 'mailbox' THEN
		box := need_mailbox(quota_list.name);
		SELECT m.domain_id INTO dom FROM mailbox m WHERE m.id = box;
		SELECT d.org_id INTO org FROM domain d WHERE d.id = dom;
	ELSIF kind = 'domain' THEN
		dom := need_domain(quota_list.name);
	ELSIF kind = 'organisation' THEN
		org := need_organisation(quota_list.name);
	END IF;
	RETURN QUERY SELECT 'organisation', o.name, o.pool_bytes,
	    o.pool_messages, u.bytes, u.messages, NULL::timestamptz
	    FROM organisation o, organisation_usage(o.id) u
	    WHERE kind = 'all' OR o.id = org ORDER BY o.name;
	RETURN QUERY SELECT 'domain', d.name::text, d.pool_bytes,
	    d.pool_messages, coalesce(u.bytes, 0), coalesce(u.messages, 0),
	    NULL::timestamptz
	    FROM domain d LEFT JOIN domain_usage u ON u.domain_id = d.id
	    WHERE d.class = 'mailbox' AND (kind = 'all' OR d.id = dom
	    OR (kind = 'organisation' AND d.org_id = org)) ORDER BY d.name;
	RETURN QUERY SELECT 'mailbox', m.local_part || '@' || d.name,
	    m.quota_bytes, m.quota_messages, u.bytes, u.messages,
	    u.reported_at
	    FROM mailbox m JOIN domain d ON d.id = m.domain_id
	    LEFT JOIN usage u ON u.mailbox_id = m.id
	    WHERE m.state <> 'deleted' AND (m.id = box
	    OR (kind = 'domain' AND m.domain_id = dom))
	    ORDER BY m.local_part;
END $$;
COMMENT ON FUNCTION quota_list(text, text) IS 'Limits (0: none) and what is used. kind mailbox: it and its pools; domain: its pool and its mailboxes; organisation: its pool and its domains; all: every pool. bytes and messages NULL: not reported yet.';

-- --------------------------------------------------------------------------
REVOKE EXECUTE ON FUNCTION domain_usage_add(), mailbox_usage_move(),
    organisation_usage(bigint), quota_of(bigint[]), quota_notify(),
    quota_set(text, text, bigint, bigint), quota_list(text, text)
    FROM PUBLIC;
GRANT EXECUTE ON FUNCTION quota_of(bigint[]) TO postern_usage;
GRANT EXECUTE ON FUNCTION organisation_usage(bigint), quota_of(bigint[]),
    quota_set(text, text, bigint, bigint), quota_list(text, text)
    TO postern_admin;
