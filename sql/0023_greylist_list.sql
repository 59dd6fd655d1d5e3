-- `postern greylist list`: what an administrator said comes first. A site's
-- users write to more addresses than are listed, and those are named "from:",
-- before "net:" and "to:".

SET LOCAL search_path = postern, pg_temp;

CREATE OR REPLACE FUNCTION greylist_list()
RETURNS TABLE (item text, why text, passes bigint, waited interval,
    last_seen timestamptz, until timestamptz)
LANGUAGE sql STABLE SET search_path = postern, pg_temp
AS $$
	(SELECT g.item, g.why, NULL::bigint, NULL::interval,
	    NULL::timestamptz, NULL::timestamptz
	FROM greylist_exempt g WHERE NOT g.forgotten AND g.expires_at > now()
	    AND g.why = 'admin'
	ORDER BY g.item)
	UNION ALL
	(SELECT g.item, g.why, NULL, NULL, NULL, g.expires_at
	FROM greylist_exempt g WHERE NOT g.forgotten AND g.expires_at > now()
	    AND g.why <> 'admin'
	ORDER BY g.item LIMIT 10000)
	UNION ALL
	(SELECT g.origin, 'origin', g.passes,
	    date_trunc('second', g.waited_ms * interval '1 millisecond'),
	    g.last_seen_at, g.expires_at
	FROM greylist_origin g WHERE NOT g.forgotten AND g.expires_at > now()
	ORDER BY g.origin LIMIT 10000)
$$;
COMMENT ON FUNCTION greylist_list() IS 'Who need not wait (all that an administrator said; 10,000 that users wrote to), and what 10,000 origins have proved so far.';
