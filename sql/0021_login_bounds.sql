-- What login defence keeps is bounded in the database as it is in memory: who
-- guesses with a million names, or logs in from a million networks, must not
-- fill the disk, nor what an authd reads when it starts.

SET LOCAL search_path = postern, pg_temp;

CREATE OR REPLACE FUNCTION login_guess_expire(most bigint) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = postern, pg_temp
AS $$
DECLARE
	n bigint;
	full_at timestamptz;
BEGIN
	DELETE FROM login_guess d WHERE d.ctid = ANY (ARRAY(
	    SELECT g.ctid FROM login_guess g WHERE g.expires_at <= now()
	    ORDER BY g.expires_at LIMIT most FOR UPDATE SKIP LOCKED));
	GET DIAGNOSTICS n = ROW_COUNT;
	IF n >= most THEN
		RETURN n;
	END IF;
	SELECT g.expires_at INTO full_at FROM login_guess g
	ORDER BY g.expires_at DESC OFFSET 500000 LIMIT 1;
	IF full_at IS NOT NULL THEN
		-- A flood has few guesses for each name.
		DELETE FROM login_guess d WHERE d.ctid = ANY (ARRAY(
		    SELECT g.ctid FROM login_guess g
		    WHERE g.expires_at <= full_at
		    ORDER BY g.expires_at, g.guesses LIMIT most
		    FOR UPDATE SKIP LOCKED));
		GET DIAGNOSTICS n = ROW_COUNT;
	END IF;
	RETURN n;
END $$;
COMMENT ON FUNCTION login_guess_expire(bigint) IS 'Deletes counts that are too old, and of more than 500,000 the oldest.';

CREATE OR REPLACE FUNCTION login_known_merge(writer text, batch bigint,
    accounts text[], networks text[], untils bigint[]) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = postern, pg_temp
AS $$
DECLARE
	r bigint := share_begin('login_known', writer, batch);
BEGIN
	IF r = 0 THEN
		RETURN 0;
	END IF;
	INSERT INTO login_known AS k (account, network, expires_at, revision)
	SELECT t.a, t.n, share_time(t.u), r
	FROM unnest(accounts, networks, untils) t(a, n, u)
	ON CONFLICT ON CONSTRAINT login_known_pkey DO UPDATE SET
	    expires_at = greatest(k.expires_at, excluded.expires_at),
	    revision = r;
	-- DEFENCE_KNOWN_MAX of authd/defence.h
	DELETE FROM login_known k USING (
	    SELECT x.account, x.network, row_number() OVER (
		PARTITION BY x.account
		ORDER BY x.expires_at DESC, x.network) AS place
	    FROM login_known x WHERE x.account = ANY (accounts)) p
	WHERE k.account = p.account AND k.network = p.network
	    AND p.place > 128;
	RETURN r;
END $$;
COMMENT ON FUNCTION login_known_merge(text, bigint, text[], text[], bigint[]) IS 'Notes from where accounts logged in, of each the 128 networks used last.';
