-- Quota watched: what `postern quota audit` compares, and warnings.
--
-- A warning is due from the transaction that saw the crossing until deliver
-- has put its message into the mailbox, under a name made of its number: so
-- it comes once, whatever is restarted in between.

SET LOCAL search_path = postern, pg_temp;

-- --------------------------------------------------------------------------
CREATE TABLE quota_warning (
	mailbox_id	bigint PRIMARY KEY REFERENCES mailbox ON DELETE CASCADE,
	level		integer NOT NULL,
	number		bigint NOT NULL DEFAULT 1,
	due		boolean NOT NULL DEFAULT true,
	percent		integer NOT NULL,
	changed_at	timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX quota_warning_due ON quota_warning (mailbox_id) WHERE due;
COMMENT ON TABLE quota_warning IS 'Which threshold of its quota a mailbox has reached, as far as its owner was told.';
COMMENT ON COLUMN quota_warning.level IS 'Percent; 0: below all of them again.';
COMMENT ON COLUMN quota_warning.number IS 'Rises with each warning; the message of one is named by it.';
COMMENT ON COLUMN quota_warning.due IS 'Its message is not in the mailbox yet.';
COMMENT ON COLUMN quota_warning.percent IS 'What was used when level changed.';
GRANT SELECT ON quota_warning TO postern_admin;

CREATE TABLE quota_pool_level (
	kind		text NOT NULL CHECK (kind IN ('domain', 'organisation')),
	id		bigint NOT NULL,
	level		integer NOT NULL,
	PRIMARY KEY (kind, id)
);
COMMENT ON TABLE quota_pool_level IS 'Which threshold a pool has reached, as far as events tell. No foreign key: of two tables.';
GRANT SELECT ON quota_pool_level TO postern_admin;

CREATE FUNCTION quota_percent(bytes bigint, messages bigint,
    limit_bytes bigint, limit_messages bigint) RETURNS integer
LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$
	SELECT least(100000, greatest(
	    CASE WHEN limit_bytes > 0
		THEN trunc(bytes::numeric * 100 / limit_bytes) ELSE 0 END,
	    CASE WHEN limit_messages > 0
		THEN trunc(messages::numeric * 100 / limit_messages) ELSE 0 END
	    ))::integer
$$;
COMMENT ON FUNCTION quota_percent(bigint, bigint, bigint, bigint) IS 'How full, by bytes or by messages, whichever is more; 0 without limits.';

CREATE FUNCTION quota_level(percent integer, was integer,
    thresholds integer[], margin integer) RETURNS integer
LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$
	SELECT coalesce(max(t), 0) FROM unnest(thresholds) t
	WHERE t <= percent OR (t <= was AND t <= percent + margin)
$$;
COMMENT ON FUNCTION quota_level(integer, integer, integer[], integer) IS 'The threshold that is reached; one that was reached is left only by margin percent, so that use that wavers is told once.';

-- As lib/base/quota.c.
CREATE FUNCTION quota_limit_bytes(said bigint, site bigint, override boolean)
RETURNS bigint
LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$
	SELECT CASE WHEN site = 0 OR (said > 0 AND (said <= site OR override))
	    THEN said ELSE site END
$$;
COMMENT ON FUNCTION quota_limit_bytes(bigint, bigint, boolean) IS 'The limit of a mailbox, from its own, virtual_mailbox_limit and _override.';

CREATE FUNCTION quota_judge_pools(ids bigint[], thresholds integer[],
    margin integer) RETURNS void
LANGUAGE plpgsql SET search_path = postern, pg_temp
AS $$
DECLARE
	p record;
	was integer; now_at integer;
BEGIN
	FOR p IN SELECT DISTINCT q.kind, q.pool_id, q.name, q.bytes,
	    q.messages, q.limit_bytes, q.limit_messages,
	    quota_percent(q.bytes, q.messages, q.limit_bytes,
	    q.limit_messages) AS percent
	    FROM quota_of(ids) q WHERE q.kind <> 'mailbox'
	    ORDER BY q.kind, q.pool_id LOOP
		SELECT l.level INTO was FROM quota_pool_level l
		    WHERE l.kind = p.kind AND l.id = p.pool_id;
		was := coalesce(was, 0);
		now_at := quota_level(p.percent, was, thresholds, margin);
		CONTINUE WHEN now_at = was;
		-- of two who see it at once one tells
		INSERT INTO quota_pool_level AS l (kind, id, level)
		    VALUES (p.kind, p.pool_id, now_at)
		    ON CONFLICT (kind, id) DO UPDATE
		    SET level = excluded.level WHERE l.level = was;
		CONTINUE WHEN NOT FOUND;
		PERFORM event_add('', CASE WHEN now_at > was
		    THEN 'quota.warning' ELSE 'quota.cleared' END, p.name,
		    jsonb_build_object('kind', p.kind, 'level', now_at,
		    'was', was, 'percent', p.percent, 'bytes', p.bytes,
		    'messages', p.messages, 'limit_bytes', p.limit_bytes,
		    'limit_messages', p.limit_messages));
	END LOOP;
END $$;
COMMENT ON FUNCTION quota_judge_pools(bigint[], integer[], integer) IS 'Events for pools that crossed a threshold.';

CREATE FUNCTION quota_judge(host text, ids bigint[], thresholds integer[],
    margin integer, site_limit bigint, site_override boolean) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = postern, pg_temp
AS $$
DECLARE
	m record;
	n bigint := 0;
BEGIN
	FOR m IN SELECT x.* FROM (
	    SELECT b.id, b.local_part || '@' || d.name AS address, u.bytes,
	    u.messages, l.bytes AS limit_bytes,
	    b.quota_messages AS limit_messages, p.percent,
	    coalesce(w.level, 0) AS was,
	    quota_level(p.percent, coalesce(w.level, 0), thresholds, margin)
	    AS level
	    FROM mailbox b JOIN domain d ON d.id = b.domain_id
	    JOIN host h ON h.id = b.host_id AND h.name = quota_judge.host
	    JOIN usage u ON u.mailbox_id = b.id
	    LEFT JOIN quota_warning w ON w.mailbox_id = b.id
	    CROSS JOIN LATERAL quota_limit_bytes(b.quota_bytes, site_limit,
		site_override) l (bytes)
	    CROSS JOIN LATERAL quota_percent(u.bytes, u.messages, l.bytes,
		b.quota_messages) p (percent)
	    WHERE b.id = ANY (quota_judge.ids) AND b.state <> 'deleted') x
	    WHERE x.level <> x.was ORDER BY x.id LOOP
		INSERT INTO quota_warning AS w (mailbox_id, level, percent)
		    VALUES (m.id, m.level, m.percent)
		    ON CONFLICT (mailbox_id) DO UPDATE SET
		    level = excluded.level, percent = excluded.percent,
		    changed_at = now(),
		    -- from 95 to 80 is no news, from 80 to none is
		    due = CASE WHEN m.level > m.was OR m.level = 0
			THEN true ELSE w.due END,
		    number = w.number + CASE WHEN m.level > m.was
			OR m.level = 0 THEN 1 ELSE 0 END
		    WHERE w.level = m.was;
		CONTINUE WHEN NOT FOUND;
		n := n + 1;
		PERFORM event_add(host, CASE WHEN m.level > m.was
		    THEN 'quota.warning' ELSE 'quota.cleared' END, m.address,
		    jsonb_build_object('kind', 'mailbox', 'level', m.level,
		    'was', m.was, 'percent', m.percent, 'bytes', m.bytes,
		    'messages', m.messages, 'limit_bytes', m.limit_bytes,
		    'limit_messages', m.limit_messages));
	END LOOP;
	PERFORM quota_judge_pools(quota_judge.ids, thresholds, margin);
	RETURN n;
END $$;
COMMENT ON FUNCTION quota_judge(text, bigint[], integer[], integer, bigint, boolean) IS 'Which of these mailboxes of a host crossed a threshold since they were last judged: events, and a message due. Returns how many.';

CREATE FUNCTION quota_due(host text, most integer, site_limit bigint,
    site_override boolean)
RETURNS TABLE (mailbox_id bigint, number bigint, address text, level integer,
    percent integer, bytes bigint, messages bigint, limit_bytes bigint,
    limit_messages bigint)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = postern, pg_temp
AS $$
	SELECT b.id, w.number, b.local_part || '@' || d.name, w.level,
	    w.percent, u.bytes, u.messages,
	    quota_limit_bytes(b.quota_bytes, site_limit, site_override),
	    b.quota_messages
	FROM quota_warning w JOIN mailbox b ON b.id = w.mailbox_id
	JOIN domain d ON d.id = b.domain_id
	JOIN host h ON h.id = b.host_id AND h.name = quota_due.host
	JOIN usage u ON u.mailbox_id = b.id
	WHERE w.due AND b.state <> 'deleted' LIMIT quota_due.most
$$;
COMMENT ON FUNCTION quota_due(text, integer, bigint, boolean) IS 'Warnings whose message is to be delivered on a host.';

CREATE FUNCTION quota_warned(id bigint, number bigint) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = postern, pg_temp
AS $$
	UPDATE quota_warning w SET due = false
	WHERE w.mailbox_id = quota_warned.id AND w.number = quota_warned.number
$$;
COMMENT ON FUNCTION quota_warned(bigint, bigint) IS 'The message of a warning is in its mailbox.';

-- --------------------------------------------------------------------------
CREATE FUNCTION quota_reported(host text, kind text, name text)
RETURNS TABLE (mailbox_id bigint, address text, bytes bigint, messages bigint)
LANGUAGE plpgsql STABLE SET search_path = postern, pg_temp
AS $$
#variable_conflict use_column
DECLARE
	box bigint; dom bigint;
BEGIN
	IF kind = 'mailbox' THEN
		box := need_mailbox(quota_reported.name);
	ELSIF kind = 'domain' THEN
		dom := need_domain(quota_reported.name);
	END IF;
	RETURN QUERY SELECT b.id, b.local_part || '@' || d.name,
	    coalesce(u.bytes, 0), coalesce(u.messages, 0)
	    FROM mailbox b JOIN domain d ON d.id = b.domain_id
	    JOIN host h ON h.id = b.host_id
	    LEFT JOIN usage u ON u.mailbox_id = b.id
	    WHERE h.name = quota_reported.host AND b.state <> 'deleted'
	    AND (box IS NULL OR b.id = box)
	    AND (dom IS NULL OR b.domain_id = dom) ORDER BY d.name, b.local_part;
END $$;
COMMENT ON FUNCTION quota_reported(text, text, text) IS 'What the mailboxes of a host (kind all), of one of its domains, or one of them, are said to hold.';

CREATE FUNCTION quota_sums(fix boolean)
RETURNS TABLE (domain text, bytes bigint, messages bigint, sum_bytes bigint,
    sum_messages bigint)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = postern, pg_temp
AS $$
#variable_conflict use_column
BEGIN
	-- writers wait: nothing may come between the sums and what they say
	IF fix THEN
		LOCK TABLE usage IN SHARE ROW EXCLUSIVE MODE;
	END IF;
	RETURN QUERY SELECT d.name::text, coalesce(t.bytes, 0),
	    coalesce(t.messages, 0), s.bytes, s.messages
	    FROM domain d LEFT JOIN domain_usage t ON t.domain_id = d.id
	    CROSS JOIN LATERAL (SELECT coalesce(sum(u.bytes), 0)::bigint,
		coalesce(sum(u.messages), 0)::bigint
		FROM mailbox b JOIN usage u ON u.mailbox_id = b.id
		WHERE b.domain_id = d.id AND b.state <> 'deleted')
		s (bytes, messages)
	    WHERE (coalesce(t.bytes, 0), coalesce(t.messages, 0))
		<> (s.bytes, s.messages) ORDER BY d.name;
	IF NOT fix THEN
		RETURN;
	END IF;
	UPDATE usage u SET domain_id = CASE WHEN b.state <> 'deleted'
	    THEN b.domain_id END FROM mailbox b WHERE b.id = u.mailbox_id
	    AND u.domain_id IS DISTINCT FROM CASE WHEN b.state <> 'deleted'
	    THEN b.domain_id END;
	DELETE FROM domain_usage;
	INSERT INTO domain_usage (domain_id, bytes, messages)
	SELECT u.domain_id, sum(u.bytes), sum(u.messages) FROM usage u
	WHERE u.domain_id IS NOT NULL GROUP BY u.domain_id;
END $$;
COMMENT ON FUNCTION quota_sums(boolean) IS 'Domains whose sum is not that of their mailboxes: what is said, what it should be. fix: makes it so.';

REVOKE EXECUTE ON FUNCTION quota_percent(bigint, bigint, bigint, bigint),
    quota_level(integer, integer, integer[], integer),
    quota_limit_bytes(bigint, bigint, boolean),
    quota_judge_pools(bigint[], integer[], integer),
    quota_judge(text, bigint[], integer[], integer, bigint, boolean),
    quota_due(text, integer, bigint, boolean), quota_warned(bigint, bigint),
    quota_reported(text, text, text), quota_sums(boolean) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION
    quota_judge(text, bigint[], integer[], integer, bigint, boolean),
    quota_due(text, integer, bigint, boolean), quota_warned(bigint, bigint)
    TO postern_usage;
GRANT EXECUTE ON FUNCTION quota_percent(bigint, bigint, bigint, bigint),
    quota_reported(text, text, text), quota_sums(boolean),
    usage_report(bigint[], bigint[], bigint[], bigint[]) TO postern_admin;
