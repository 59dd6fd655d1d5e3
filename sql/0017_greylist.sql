-- Greylisting. gatekeeper decides in memory (smtpd/greylist.h) and shares
-- through these tables (lib/db/share.h): what waits or has passed, what
-- senders have proved of themselves, and who need not wait at all.
--
-- An origin is the sender's organisation as far as it is proved: a domain
-- ("example.net": SPF passed for it, or the client's name is below it), else
-- the client's network ("192.0.2.0/24").

SET LOCAL search_path = postern, pg_temp;

-- Nothing ever wrote to the table of 0001.
DROP TABLE greylist;

CREATE TABLE greylist (
	origin		text COLLATE "C" NOT NULL
			CHECK (length(origin) BETWEEN 1 AND 300),
	sender		text COLLATE "C" NOT NULL CHECK (length(sender) <= 600),
	recipient	text COLLATE "C" NOT NULL CHECK (length(recipient) <= 600),
	first_seen_at	timestamptz NOT NULL,
	last_seen_at	timestamptz NOT NULL,
	passed_at	timestamptz,
	forgotten	boolean NOT NULL DEFAULT false,
	revision	bigint NOT NULL,
	expires_at	timestamptz NOT NULL,
	PRIMARY KEY (origin, sender, recipient)
);
CREATE INDEX greylist_revision ON greylist (revision);
CREATE INDEX greylist_expires_at ON greylist (expires_at);
CREATE INDEX greylist_waiting ON greylist (expires_at)
	WHERE passed_at IS NULL;
COMMENT ON TABLE greylist IS 'Who sent to whom: waiting, or known. Written in batches by gatekeeper.';
COMMENT ON COLUMN greylist.sender IS 'Numbers in it are "#", an extension is left out; empty: the null sender.';
COMMENT ON COLUMN greylist.recipient IS 'Without an extension.';
COMMENT ON COLUMN greylist.passed_at IS 'When it came back after its time; NULL: it still waits.';
COMMENT ON COLUMN greylist.forgotten IS 'An administrator took it out: memories drop it, the row goes within the hour.';
COMMENT ON COLUMN greylist.expires_at IS 'Waiting: when it is too late to come back. Known: when it has been silent for too long.';
GRANT SELECT ON greylist TO postern_admin;

CREATE TABLE greylist_origin (
	origin		text COLLATE "C" PRIMARY KEY
			CHECK (length(origin) BETWEEN 1 AND 300),
	passes		bigint NOT NULL DEFAULT 0,
	last_pass_at	timestamptz NOT NULL,
	waited_ms	bigint NOT NULL DEFAULT 0,
	last_seen_at	timestamptz NOT NULL,
	forgotten	boolean NOT NULL DEFAULT false,
	revision	bigint NOT NULL,
	expires_at	timestamptz NOT NULL
);
CREATE INDEX greylist_origin_revision ON greylist_origin (revision);
CREATE INDEX greylist_origin_expires_at ON greylist_origin (expires_at);
COMMENT ON TABLE greylist_origin IS 'What senders have proved of themselves. Past greylist_auto_whitelist_clients passes, or greylist_delay_budget of waiting, nothing of an origin waits.';
COMMENT ON COLUMN greylist_origin.passes IS 'Times that something of it came back or was known, one an hour at most.';
COMMENT ON COLUMN greylist_origin.waited_ms IS 'How long its mail has waited, all together.';
GRANT SELECT ON greylist_origin TO postern_admin;

CREATE TABLE greylist_exempt (
	item		text COLLATE "C" PRIMARY KEY
			CHECK (item ~ '^(client|net|from|to):' AND
			length(item) <= 700 AND item !~ '[[:cntrl:]]'),
	why		text NOT NULL CHECK (why IN ('admin', 'written')),
	forgotten	boolean NOT NULL DEFAULT false,
	created_at	timestamptz NOT NULL DEFAULT now(),
	revision	bigint NOT NULL,
	expires_at	timestamptz NOT NULL
);
CREATE INDEX greylist_exempt_revision ON greylist_exempt (revision);
CREATE INDEX greylist_exempt_expires_at ON greylist_exempt (expires_at);
COMMENT ON TABLE greylist_exempt IS 'Who need not wait.';
COMMENT ON COLUMN greylist_exempt.item IS 'client:NAME (that host, those below it, that origin), net:ADDRESS/BITS, from:ADDRESS, to:ADDRESS or to:@DOMAIN (who wants no greylisting).';
COMMENT ON COLUMN greylist_exempt.why IS 'admin: somebody said so. written: a user of ours wrote to that address.';
GRANT SELECT ON greylist_exempt TO postern_admin;

INSERT INTO shared_kind (kind) VALUES ('greylist'), ('greylist_origin'),
    ('greylist_exempt');

-- --------------------------------------------------------------------------
CREATE FUNCTION greylist_merge(writer text, batch bigint, origins text[],
    senders text[], recipients text[], firsts bigint[], lasts bigint[],
    passeds bigint[], expires bigint[])
RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER
SET search_path = postern, pg_temp
AS $$
DECLARE
	r bigint := share_begin('greylist', writer, batch);
BEGIN
	IF r = 0 THEN
		RETURN 0;
	END IF;
	INSERT INTO greylist AS g (origin, sender, recipient, first_seen_at,
	    last_seen_at, passed_at, revision, expires_at)
	SELECT o, s, rc, share_time(f), share_time(l),
	    CASE WHEN p > 0 THEN share_time(p) END, r, share_time(e)
	FROM unnest(origins, senders, recipients, firsts, lasts, passeds,
	    expires) AS t(o, s, rc, f, l, p, e)
	ON CONFLICT ON CONSTRAINT greylist_pkey DO UPDATE SET
	    -- A first time that is over does not count again.
	    first_seen_at = CASE WHEN g.forgotten OR g.expires_at <= now()
		THEN excluded.first_seen_at
		ELSE least(g.first_seen_at, excluded.first_seen_at) END,
	    last_seen_at = greatest(g.last_seen_at, excluded.last_seen_at),
	    passed_at = CASE WHEN g.forgotten OR g.expires_at <= now()
		THEN excluded.passed_at
		ELSE least(g.passed_at, excluded.passed_at) END,
	    expires_at = CASE WHEN g.forgotten THEN excluded.expires_at
		ELSE greatest(g.expires_at, excluded.expires_at) END,
	    forgotten = false, revision = r;
	RETURN r;
END $$;
COMMENT ON FUNCTION greylist_merge(text, bigint, text[], text[], text[], bigint[], bigint[], bigint[], bigint[]) IS 'A batch of gatekeeper''s; passeds 0: still waiting.';

CREATE FUNCTION greylist_changed(since bigint, most bigint)
RETURNS TABLE (revision bigint, origin text, sender text, recipient text,
    first_ms bigint, last_ms bigint, passed_ms bigint, expires_ms bigint)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = postern, pg_temp
AS $$
	SELECT g.revision, g.origin, g.sender, g.recipient,
	    share_ms(g.first_seen_at), share_ms(g.last_seen_at),
	    coalesce(share_ms(g.passed_at), 0),
	    CASE WHEN g.forgotten THEN 0 ELSE share_ms(g.expires_at) END
	FROM greylist g WHERE g.revision > since AND g.expires_at > now()
	ORDER BY g.revision LIMIT most
$$;
COMMENT ON FUNCTION greylist_changed(bigint, bigint) IS 'Rows behind a revision; expires_ms 0: forgotten.';

-- The table is bounded like memory: a flood of triplets that never come back
-- must not fill the disk.
CREATE FUNCTION greylist_expire(most bigint) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = postern, pg_temp
AS $$
#variable_conflict use_column
DECLARE
	n bigint;
	full_at timestamptz;
BEGIN
	DELETE FROM greylist d WHERE d.ctid = ANY (ARRAY(
	    SELECT g.ctid FROM greylist g WHERE g.expires_at <= now()
	    LIMIT most FOR UPDATE SKIP LOCKED));
	GET DIAGNOSTICS n = ROW_COUNT;
	IF n >= most THEN
		RETURN n;
	END IF;
	SELECT g.expires_at INTO full_at FROM greylist g
	WHERE g.passed_at IS NULL
	ORDER BY g.expires_at DESC OFFSET 500000 LIMIT 1;
	IF full_at IS NOT NULL THEN
		DELETE FROM greylist d WHERE d.ctid = ANY (ARRAY(
		    SELECT g.ctid FROM greylist g
		    WHERE g.passed_at IS NULL AND g.expires_at <= full_at
		    ORDER BY g.expires_at LIMIT most FOR UPDATE SKIP LOCKED));
		GET DIAGNOSTICS n = ROW_COUNT;
	END IF;
	RETURN n;
END $$;
COMMENT ON FUNCTION greylist_expire(bigint) IS 'Deletes what has expired, and of more than 500,000 that wait the oldest.';

-- --------------------------------------------------------------------------
CREATE FUNCTION greylist_origin_merge(writer text, batch bigint,
    origins text[], passes bigint[], last_passes bigint[], waiteds bigint[],
    lasts bigint[], expires bigint[])
RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER
SET search_path = postern, pg_temp
AS $$
DECLARE
	r bigint := share_begin('greylist_origin', writer, batch);
BEGIN
	IF r = 0 THEN
		RETURN 0;
	END IF;
	INSERT INTO greylist_origin AS g (origin, passes, last_pass_at,
	    waited_ms, last_seen_at, revision, expires_at)
	SELECT o, p, share_time(lp), w, share_time(l), r, share_time(e)
	FROM unnest(origins, passes, last_passes, waiteds, lasts, expires)
	    AS t(o, p, lp, w, l, e)
	ON CONFLICT ON CONSTRAINT greylist_origin_pkey DO UPDATE SET
	    passes = CASE WHEN g.forgotten THEN excluded.passes
		ELSE greatest(g.passes, excluded.passes) END,
	    last_pass_at = greatest(g.last_pass_at, excluded.last_pass_at),
	    waited_ms = CASE WHEN g.forgotten THEN excluded.waited_ms
		ELSE greatest(g.waited_ms, excluded.waited_ms) END,
	    last_seen_at = greatest(g.last_seen_at, excluded.last_seen_at),
	    expires_at = CASE WHEN g.forgotten THEN excluded.expires_at
		ELSE greatest(g.expires_at, excluded.expires_at) END,
	    forgotten = false, revision = r;
	RETURN r;
END $$;
COMMENT ON FUNCTION greylist_origin_merge(text, bigint, text[], bigint[], bigint[], bigint[], bigint[], bigint[]) IS 'A batch of gatekeeper''s. Figures are what that host knows in all, so the greatest counts; two hosts at the same moment may count one pass for two.';

CREATE FUNCTION greylist_origin_changed(since bigint, most bigint)
RETURNS TABLE (revision bigint, origin text, passes bigint,
    last_pass_ms bigint, waited_ms bigint, last_ms bigint, expires_ms bigint)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = postern, pg_temp
AS $$
	SELECT g.revision, g.origin, g.passes, share_ms(g.last_pass_at),
	    g.waited_ms, share_ms(g.last_seen_at),
	    CASE WHEN g.forgotten THEN 0 ELSE share_ms(g.expires_at) END
	FROM greylist_origin g
	WHERE g.revision > since AND g.expires_at > now()
	ORDER BY g.revision LIMIT most
$$;
COMMENT ON FUNCTION greylist_origin_changed(bigint, bigint) IS 'Rows behind a revision; expires_ms 0: forgotten.';

CREATE FUNCTION greylist_origin_expire(most bigint) RETURNS bigint
LANGUAGE sql SECURITY DEFINER SET search_path = postern, pg_temp
AS $$
	WITH gone AS (
		DELETE FROM greylist_origin d WHERE d.ctid = ANY (ARRAY(
		    SELECT g.ctid FROM greylist_origin g
		    WHERE g.expires_at <= now() LIMIT most
		    FOR UPDATE SKIP LOCKED)) RETURNING 1)
	SELECT count(*) FROM gone
$$;
COMMENT ON FUNCTION greylist_origin_expire(bigint) IS 'Deletes origins that were silent for too long.';

-- --------------------------------------------------------------------------
CREATE FUNCTION greylist_exempt_merge(writer text, batch bigint,
    items text[], expires bigint[])
RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER
SET search_path = postern, pg_temp
AS $$
DECLARE
	r bigint := share_begin('greylist_exempt', writer, batch);
BEGIN
	IF r = 0 THEN
		RETURN 0;
	END IF;
	INSERT INTO greylist_exempt AS g (item, why, revision, expires_at)
	SELECT i, 'written', r, share_time(e)
	FROM unnest(items, expires) AS t(i, e)
	ON CONFLICT ON CONSTRAINT greylist_exempt_pkey DO UPDATE SET
	    expires_at = greatest(g.expires_at, excluded.expires_at),
	    why = CASE WHEN g.forgotten THEN 'written' ELSE g.why END,
	    forgotten = false, revision = r;
	RETURN r;
END $$;
COMMENT ON FUNCTION greylist_exempt_merge(text, bigint, text[], bigint[]) IS 'Addresses that users of ours wrote to.';

CREATE FUNCTION greylist_exempt_changed(since bigint, most bigint)
RETURNS TABLE (revision bigint, item text, why text, expires_ms bigint)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = postern, pg_temp
AS $$
	SELECT g.revision, g.item, g.why,
	    CASE WHEN g.forgotten THEN 0 ELSE share_ms(g.expires_at) END
	FROM greylist_exempt g
	WHERE g.revision > since AND g.expires_at > now()
	ORDER BY g.revision LIMIT most
$$;
COMMENT ON FUNCTION greylist_exempt_changed(bigint, bigint) IS 'Rows behind a revision; expires_ms 0: forgotten.';

CREATE FUNCTION greylist_exempt_expire(most bigint) RETURNS bigint
LANGUAGE sql SECURITY DEFINER SET search_path = postern, pg_temp
AS $$
	WITH gone AS (
		DELETE FROM greylist_exempt d WHERE d.ctid = ANY (ARRAY(
		    SELECT g.ctid FROM greylist_exempt g
		    WHERE g.expires_at <= now() LIMIT most
		    FOR UPDATE SKIP LOCKED)) RETURNING 1)
	SELECT count(*) FROM gone
$$;
COMMENT ON FUNCTION greylist_exempt_expire(bigint) IS 'Deletes addresses nobody wrote to for too long.';

-- --------------------------------------------------------------------------
-- For the CLI.
-- Those that change something run as the owner, as share_changed is nobody
-- else's.
CREATE FUNCTION greylist_allow(item text) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = postern, pg_temp
AS $$
	INSERT INTO greylist_exempt AS g (item, why, revision, expires_at)
	VALUES (greylist_allow.item, 'admin',
	    share_changed('greylist_exempt'), now() + interval '100 years')
	ON CONFLICT ON CONSTRAINT greylist_exempt_pkey DO UPDATE SET
	    why = 'admin', forgotten = false, revision = excluded.revision,
	    expires_at = excluded.expires_at
$$;
COMMENT ON FUNCTION greylist_allow(text) IS 'This need not wait, from now on.';

CREATE FUNCTION greylist_forget_exempt(item text) RETURNS bigint
LANGUAGE sql SECURITY DEFINER SET search_path = postern, pg_temp
AS $$
	WITH gone AS (
		UPDATE greylist_exempt g SET forgotten = true,
		    revision = share_changed('greylist_exempt'),
		    expires_at = now() + interval '1 hour'
		WHERE g.item = greylist_forget_exempt.item COLLATE "C"
		    AND NOT g.forgotten RETURNING 1)
	SELECT count(*) FROM gone
$$;
COMMENT ON FUNCTION greylist_forget_exempt(text) IS 'Takes an exemption back; how many there were.';

CREATE FUNCTION greylist_choose(address text, wanted boolean) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = postern, pg_temp
AS $$
DECLARE
	-- A domain is "@domain" among recipients.
	who text := CASE WHEN strpos(address, '@') > 0 THEN address
	    ELSE '@' || address END;
BEGIN
	IF strpos(address, '@') > 0 THEN
		PERFORM need_mailbox(address);
	ELSE
		PERFORM need_domain(address);
	END IF;
	IF wanted THEN
		PERFORM greylist_forget_exempt('to:' || who);
	ELSE
		PERFORM greylist_allow('to:' || who);
	END IF;
END $$;
COMMENT ON FUNCTION greylist_choose(text, boolean) IS 'Is a mailbox, or a domain, to be greylisted?';

CREATE FUNCTION greylist_forget(what text) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = postern, pg_temp
AS $$
DECLARE
	n bigint;
	k bigint;
	r bigint := share_changed('greylist');
	o bigint := share_changed('greylist_origin');
BEGIN
	UPDATE greylist g SET forgotten = true, revision = r,
	    expires_at = now() + interval '1 hour'
	WHERE NOT g.forgotten AND greylist_forget.what IN (g.origin, g.sender,
	    g.recipient);
	GET DIAGNOSTICS n = ROW_COUNT;
	UPDATE greylist_origin g SET forgotten = true, revision = o,
	    expires_at = now() + interval '1 hour'
	WHERE NOT g.forgotten AND g.origin = greylist_forget.what COLLATE "C";
	GET DIAGNOSTICS k = ROW_COUNT;
	n := n + k;
	SELECT n + sum(greylist_forget_exempt(kind || greylist_forget.what))
	INTO n FROM unnest(ARRAY['client:', 'net:', 'from:', 'to:', '']) kind;
	IF n = 0 THEN
		RAISE EXCEPTION 'nothing is known of %', greylist_forget.what
		    USING ERRCODE = 'no_data_found';
	END IF;
	RETURN n;
END $$;
COMMENT ON FUNCTION greylist_forget(text) IS 'Forgets what is known of an origin, an address, an exemption; how many rows. P0002 when there is nothing.';

CREATE FUNCTION greylist_waiting(delay_ms bigint)
RETURNS TABLE (origin text, sender text, recipient text,
    first_seen timestamptz, may_pass timestamptz, until timestamptz)
LANGUAGE sql STABLE SET search_path = postern, pg_temp
AS $$
	SELECT g.origin, g.sender, g.recipient, g.first_seen_at,
	    g.first_seen_at + delay_ms * interval '1 millisecond',
	    g.expires_at
	FROM greylist g WHERE g.passed_at IS NULL AND NOT g.forgotten
	    AND g.expires_at > now()
	ORDER BY g.first_seen_at, g.origin, g.sender, g.recipient LIMIT 10000
$$;
COMMENT ON FUNCTION greylist_waiting(bigint) IS 'Who waits, since when, from when on it may pass, and until when.';

CREATE FUNCTION greylist_list()
RETURNS TABLE (item text, why text, passes bigint, waited interval,
    last_seen timestamptz, until timestamptz)
LANGUAGE sql STABLE SET search_path = postern, pg_temp
AS $$
	(SELECT g.item, g.why, NULL::bigint, NULL::interval,
	    NULL::timestamptz,
	    CASE WHEN g.why <> 'admin' THEN g.expires_at END
	FROM greylist_exempt g WHERE NOT g.forgotten AND g.expires_at > now()
	ORDER BY g.item LIMIT 10000)
	UNION ALL
	(SELECT g.origin, 'origin', g.passes,
	    date_trunc('second', g.waited_ms * interval '1 millisecond'),
	    g.last_seen_at, g.expires_at
	FROM greylist_origin g WHERE NOT g.forgotten AND g.expires_at > now()
	ORDER BY g.origin LIMIT 10000)
$$;
COMMENT ON FUNCTION greylist_list() IS 'Who need not wait, and what origins have proved so far.';

CREATE FUNCTION greylist_stats()
RETURNS TABLE (waiting bigint, known bigint, came_back bigint,
    usual_wait interval, origins bigint, exempt bigint, written_to bigint)
LANGUAGE sql STABLE SET search_path = postern, pg_temp
AS $$
	SELECT count(*) FILTER (WHERE g.passed_at IS NULL),
	    count(*) FILTER (WHERE g.passed_at IS NOT NULL),
	    count(*) FILTER (WHERE g.passed_at > now() - interval '1 day'),
	    date_trunc('second', percentile_cont(0.5) WITHIN GROUP
		(ORDER BY g.passed_at - g.first_seen_at)),
	    (SELECT count(*) FROM greylist_origin o
		WHERE NOT o.forgotten AND o.expires_at > now()),
	    (SELECT count(*) FROM greylist_exempt x WHERE NOT x.forgotten
		AND x.expires_at > now() AND x.why = 'admin'),
	    (SELECT count(*) FROM greylist_exempt x WHERE NOT x.forgotten
		AND x.expires_at > now() AND x.why = 'written')
	FROM greylist g WHERE NOT g.forgotten AND g.expires_at > now()
$$;
COMMENT ON FUNCTION greylist_stats() IS 'How many wait and are known; came_back: since a day; usual_wait: the median of those that came back.';

-- Runs as the owner: `postern explain` asks as the role that looks up.
CREATE FUNCTION greylist_explain(origin text, sender text, recipient text,
    items text[])
RETURNS TABLE (what text, first_seen timestamptz, first_ms bigint,
    passed timestamptz, passes bigint, waited_ms bigint, until timestamptz,
    now_ms bigint)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = postern, pg_temp
AS $$
	SELECT 'exempt ' || g.item, g.created_at, 0::bigint,
	    NULL::timestamptz, 0::bigint, 0::bigint,
	    g.expires_at, share_ms(now())
	FROM greylist_exempt g WHERE g.item = ANY (greylist_explain.items)
	    AND NOT g.forgotten AND g.expires_at > now()
	UNION ALL
	SELECT 'origin', g.last_pass_at, 0, NULL, g.passes, g.waited_ms,
	    g.expires_at, share_ms(now())
	FROM greylist_origin g
	WHERE g.origin = greylist_explain.origin COLLATE "C"
	    AND NOT g.forgotten AND g.expires_at > now()
	UNION ALL
	SELECT 'triplet', g.first_seen_at, share_ms(g.first_seen_at),
	    g.passed_at, 0, 0, g.expires_at, share_ms(now())
	FROM greylist g WHERE g.origin = greylist_explain.origin COLLATE "C"
	    AND g.sender = greylist_explain.sender COLLATE "C"
	    AND g.recipient = greylist_explain.recipient COLLATE "C"
	    AND NOT g.forgotten AND g.expires_at > now()
$$;
COMMENT ON FUNCTION greylist_explain(text, text, text, text[]) IS 'What is known of one message''s envelope.';

-- --------------------------------------------------------------------------
DO $$
DECLARE
	f regprocedure;
BEGIN
	FOR f IN SELECT p.oid FROM pg_proc p
	    WHERE p.pronamespace = 'postern'::regnamespace
	    AND p.proname LIKE 'greylist%' LOOP
		EXECUTE format('REVOKE EXECUTE ON FUNCTION %s FROM PUBLIC', f);
		IF f::text ~ '_(merge|changed|expire)\(' THEN
			EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO '
			    'postern_gate', f);
		ELSIF f::text !~ '_explain\(' THEN
			EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO '
			    'postern_admin', f);
		END IF;
	END LOOP;
END $$;
GRANT EXECUTE ON FUNCTION greylist_explain(text, text, text, text[])
    TO postern_lookup, postern_admin;
