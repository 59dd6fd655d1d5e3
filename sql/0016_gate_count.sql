-- How often each rule of the gate said what: counted by smtpd, added up by the
-- gatekeepers of all hosts through lib/db/share.h (only written: nobody reads
-- it back into memory).

SET LOCAL search_path = postern, pg_temp;

CREATE TABLE gate_count (
	day		date NOT NULL,
	host		text COLLATE "C" NOT NULL,
	list		text COLLATE "C" NOT NULL,
	rule		text COLLATE "C" NOT NULL,
	action		text COLLATE "C" NOT NULL,
	n		bigint NOT NULL CHECK (n >= 0),
	PRIMARY KEY (day, host, list, rule, action)
);
COMMENT ON TABLE gate_count IS 'Verdicts of the gate by day and rule.';
COMMENT ON COLUMN gate_count.day IS 'By the database''s clock, in UTC, when the count came.';
COMMENT ON COLUMN gate_count.host IS 'The host''s host_name_in_database.';
COMMENT ON COLUMN gate_count.list IS 'The parameter that the rule stands in, or what decides outside the lists.';
COMMENT ON COLUMN gate_count.rule IS 'The restriction with its argument.';
COMMENT ON COLUMN gate_count.action IS 'permit, reject, defer, defer_if_permit, defer_if_reject, or warn: what warn_if_reject let pass.';
GRANT SELECT ON gate_count TO postern_admin;

CREATE TABLE gate_count_start (
	host		text COLLATE "C" NOT NULL,
	list		text COLLATE "C" NOT NULL,
	rule		text COLLATE "C" NOT NULL,
	action		text COLLATE "C" NOT NULL,
	started_at	timestamptz NOT NULL,
	n		bigint NOT NULL CHECK (n >= 0),
	PRIMARY KEY (host, list, rule, action)
);
COMMENT ON TABLE gate_count_start IS 'The same since the start of the host''s gatekeeper.';
COMMENT ON COLUMN gate_count_start.started_at IS 'By the host''s clock: which start this was counted since. Rows of an older one than the host''s newest are out of date.';
GRANT SELECT ON gate_count_start TO postern_admin;

INSERT INTO shared_kind (kind) VALUES ('gate_count');

-- --------------------------------------------------------------------------
-- These run as the owner: service roles read no table.
CREATE FUNCTION gate_count_merge(writer text, batch bigint, hosts text[],
    starts text[], lists text[], rules text[], actions text[], counts bigint[])
RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = postern, pg_temp
AS $$
#variable_conflict use_column
DECLARE
	r bigint := share_begin('gate_count', writer, batch);
BEGIN
	IF r = 0 THEN
		RETURN 0;
	END IF;
	WITH told AS MATERIALIZED (
		SELECT h, share_time(max(s::bigint)) AS start, l, u, a,
		    sum(c) AS c
		FROM unnest(hosts, starts, lists, rules, actions, counts)
		    t (h, s, l, u, a, c)
		GROUP BY h, l, u, a
	), since AS (
		INSERT INTO gate_count_start AS s (host, list, rule, action,
		    started_at, n)
		SELECT h, l, u, a, start, c FROM told
		ON CONFLICT (host, list, rule, action) DO UPDATE SET
		    n = excluded.n + CASE WHEN s.started_at =
			excluded.started_at THEN s.n ELSE 0 END,
		    started_at = excluded.started_at
	)
	INSERT INTO gate_count AS g (day, host, list, rule, action, n)
	SELECT (now() AT TIME ZONE 'UTC')::date, h, l, u, a, c FROM told
	ON CONFLICT (day, host, list, rule, action)
	DO UPDATE SET n = g.n + excluded.n;
	RETURN r;
END $$;
COMMENT ON FUNCTION gate_count_merge(text, bigint, text[], text[], text[], text[], text[], bigint[]) IS 'Adds what one host counted. starts are milliseconds since 1970. The revision, or 0 when this batch was merged before.';

CREATE FUNCTION gate_count_changed(since bigint, most bigint)
RETURNS TABLE (revision bigint)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = postern, pg_temp
AS $$ SELECT NULL::bigint WHERE false $$;
COMMENT ON FUNCTION gate_count_changed(bigint, bigint) IS 'Nothing: no host reads what others count.';

CREATE FUNCTION gate_count_expire(most bigint) RETURNS bigint
LANGUAGE sql SECURITY DEFINER SET search_path = postern, pg_temp
AS $$
	WITH gone AS (
		DELETE FROM gate_count g USING (
		    SELECT day, host, list, rule, action FROM gate_count
		    WHERE day < (now() AT TIME ZONE 'UTC')::date - 400
		    ORDER BY day LIMIT most) o
		WHERE (g.day, g.host, g.list, g.rule, g.action) =
		    (o.day, o.host, o.list, o.rule, o.action)
		RETURNING 1)
	SELECT count(*) FROM gone
$$;
COMMENT ON FUNCTION gate_count_expire(bigint) IS 'Deletes at most so many counts that are older than 400 days.';

-- --------------------------------------------------------------------------
CREATE FUNCTION gate_stats(host text)
RETURNS TABLE (list text, rule text, action text, since_start bigint,
    today bigint, last_7_days bigint, last_30_days bigint)
LANGUAGE sql STABLE SET search_path = postern, pg_temp
AS $$
	WITH day AS (
		SELECT g.list, g.rule, g.action,
		    sum(g.n) FILTER (WHERE g.day = d.today) AS today,
		    sum(g.n) FILTER (WHERE g.day > d.today - 7) AS week,
		    sum(g.n) AS month
		FROM gate_count g, (SELECT (now() AT TIME ZONE 'UTC')::date)
		    d (today)
		WHERE g.day > d.today - 30 AND g.host = coalesce(
		    gate_stats.host, g.host)
		GROUP BY g.list, g.rule, g.action
	), start AS (
		SELECT s.list, s.rule, s.action, sum(s.n) AS n
		FROM gate_count_start s
		WHERE s.host = coalesce(gate_stats.host, s.host)
		    AND s.started_at = (SELECT max(o.started_at)
		    FROM gate_count_start o WHERE o.host = s.host)
		GROUP BY s.list, s.rule, s.action
	)
	SELECT list, rule, action, coalesce(start.n, 0)::bigint,
	    coalesce(day.today, 0)::bigint, coalesce(day.week, 0)::bigint,
	    coalesce(day.month, 0)::bigint
	FROM day FULL JOIN start USING (list, rule, action)
	ORDER BY list, 7 DESC, rule, action
$$;
COMMENT ON FUNCTION gate_stats(text) IS 'Verdicts by rule, of one host or (NULL) of all: since the start of its gatekeeper, today (UTC), and in the last days.';

CREATE FUNCTION gate_stats_days(host text, days bigint)
RETURNS TABLE (day date, list text, rule text, action text, n bigint)
LANGUAGE sql STABLE SET search_path = postern, pg_temp
AS $$
	SELECT g.day, g.list, g.rule, g.action, sum(g.n)::bigint
	FROM gate_count g
	WHERE g.day > (now() AT TIME ZONE 'UTC')::date -
	    least(gate_stats_days.days, 400)::int
	    AND g.host = coalesce(gate_stats_days.host, g.host)
	GROUP BY g.day, g.list, g.rule, g.action
	ORDER BY g.day DESC, g.list, 5 DESC, g.rule, g.action
$$;
COMMENT ON FUNCTION gate_stats_days(text, bigint) IS 'Verdicts by day and rule of the last days, today among them; the newest day first.';

REVOKE EXECUTE ON FUNCTION gate_count_merge(text, bigint, text[], text[],
    text[], text[], text[], bigint[]), gate_count_changed(bigint, bigint),
    gate_count_expire(bigint), gate_stats(text), gate_stats_days(text, bigint)
    FROM PUBLIC;
GRANT EXECUTE ON FUNCTION gate_count_merge(text, bigint, text[], text[],
    text[], text[], text[], bigint[]), gate_count_changed(bigint, bigint),
    gate_count_expire(bigint) TO postern_gate;
GRANT EXECUTE ON FUNCTION gate_stats(text), gate_stats_days(text, bigint)
    TO postern_admin;
