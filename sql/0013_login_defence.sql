-- What all authds know of guessed passwords (authd/defence.h), shared through
-- lib/db/share.h: how many different wrong passwords came for whom, and from
-- which networks accounts logged in. Nothing here tells of a password.

SET LOCAL search_path = postern, pg_temp;

INSERT INTO shared_kind (kind) VALUES ('login_guess'), ('login_known');

CREATE TABLE login_guess (
	kind		text COLLATE "C" NOT NULL
			CHECK (kind IN ('account', 'network', 'known')),
	subject		text COLLATE "C" NOT NULL
			CHECK (length(subject) BETWEEN 1 AND 1000),
	epoch		bigint NOT NULL CHECK (epoch >= 0),
	slot		bigint NOT NULL CHECK (slot BETWEEN 0 AND 10000000),
	guesses		bigint NOT NULL CHECK (guesses >= 0),
	expires_at	timestamptz NOT NULL,
	revision	bigint NOT NULL,
	PRIMARY KEY (kind, subject, epoch, slot)
);
CREATE INDEX login_guess_revision ON login_guess (revision);
CREATE INDEX login_guess_expires_at ON login_guess (expires_at);
COMMENT ON TABLE login_guess IS 'Different wrong passwords, counted by all hosts together.';
COMMENT ON COLUMN login_guess.kind IS 'account: from networks it does not know. network: for whatever names. known: for an account from a network it knows.';
COMMENT ON COLUMN login_guess.subject IS 'An address, a network, or both with a space between.';
COMMENT ON COLUMN login_guess.epoch IS 'When it was last forgiven, in ms since 1970, or 0. Only rows of the highest epoch count.';
COMMENT ON COLUMN login_guess.slot IS 'Half hours since 1970.';
GRANT SELECT ON login_guess TO postern_admin;

CREATE TABLE login_known (
	account		text COLLATE "C" NOT NULL
			CHECK (length(account) BETWEEN 1 AND 1000),
	network		text COLLATE "C" NOT NULL
			CHECK (length(network) BETWEEN 1 AND 64),
	expires_at	timestamptz NOT NULL,
	revision	bigint NOT NULL,
	PRIMARY KEY (account, network)
);
CREATE INDEX login_known_revision ON login_known (revision);
CREATE INDEX login_known_expires_at ON login_known (expires_at);
COMMENT ON TABLE login_known IS 'Networks from which accounts logged in lately.';
COMMENT ON COLUMN login_known.account IS 'No foreign key: it only says who is no stranger.';
COMMENT ON COLUMN login_known.network IS 'IPv4 /24 or IPv6 /64.';
COMMENT ON COLUMN login_known.expires_at IS 'login_defence_known_time after the last login, give or take a thirtieth of that.';
GRANT SELECT ON login_known TO postern_admin;

-- --------------------------------------------------------------------------
-- All run as the owner: service roles read and write no table.
CREATE FUNCTION login_guess_merge(writer text, batch bigint, kinds text[],
    subjects text[], epochs bigint[], slots bigint[], guesses bigint[])
RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = postern, pg_temp
AS $$
DECLARE
	r bigint := share_begin('login_guess', writer, batch);
BEGIN
	IF r = 0 THEN
		RETURN 0;
	END IF;
	INSERT INTO login_guess AS g (kind, subject, epoch, slot, guesses,
	    expires_at, revision)
	-- a slot counts for a day at most
	SELECT t.k, t.s, t.e, t.at, t.n,
	    share_time((t.at + 49) * 1800000), r
	FROM unnest(kinds, subjects, epochs, slots, login_guess_merge.guesses)
	    t(k, s, e, at, n)
	ON CONFLICT ON CONSTRAINT login_guess_pkey DO UPDATE SET
	    guesses = least(g.guesses + excluded.guesses, 60000),
	    revision = r;
	RETURN r;
END $$;
COMMENT ON FUNCTION login_guess_merge(text, bigint, text[], text[], bigint[], bigint[], bigint[]) IS 'Adds what one host counted; a guess count of 0 begins an epoch.';

CREATE FUNCTION login_guess_changed(since bigint, most bigint)
RETURNS TABLE (revision bigint, kind text, subject text, epoch bigint,
    slot bigint, guesses bigint)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = postern, pg_temp
AS $$
	SELECT g.revision, g.kind, g.subject, g.epoch, g.slot, g.guesses
	FROM login_guess g
	WHERE g.revision > since AND g.expires_at > now()
	ORDER BY g.revision LIMIT most
$$;
COMMENT ON FUNCTION login_guess_changed(bigint, bigint) IS 'Counts that changed behind a revision.';

CREATE FUNCTION login_guess_expire(most bigint) RETURNS bigint
LANGUAGE sql SECURITY DEFINER SET search_path = postern, pg_temp
AS $$
	WITH gone AS (
		DELETE FROM login_guess g WHERE (g.kind, g.subject, g.epoch,
		    g.slot) IN (SELECT o.kind, o.subject, o.epoch, o.slot
		    FROM login_guess o WHERE o.expires_at <= now()
		    ORDER BY o.expires_at LIMIT most FOR UPDATE SKIP LOCKED)
		RETURNING 1)
	SELECT count(*) FROM gone
$$;
COMMENT ON FUNCTION login_guess_expire(bigint) IS 'Deletes counts that are too old.';

CREATE FUNCTION login_known_merge(writer text, batch bigint,
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
	RETURN r;
END $$;
COMMENT ON FUNCTION login_known_merge(text, bigint, text[], text[], bigint[]) IS 'Notes from where accounts logged in.';

CREATE FUNCTION login_known_changed(since bigint, most bigint)
RETURNS TABLE (revision bigint, account text, network text, until_ms bigint)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = postern, pg_temp
AS $$
	SELECT k.revision, k.account, k.network, share_ms(k.expires_at)
	FROM login_known k
	WHERE k.revision > since AND k.expires_at > now()
	ORDER BY k.revision LIMIT most
$$;
COMMENT ON FUNCTION login_known_changed(bigint, bigint) IS 'Known networks that changed behind a revision.';

CREATE FUNCTION login_known_expire(most bigint) RETURNS bigint
LANGUAGE sql SECURITY DEFINER SET search_path = postern, pg_temp
AS $$
	WITH gone AS (
		DELETE FROM login_known k WHERE (k.account, k.network) IN (
		    SELECT o.account, o.network FROM login_known o
		    WHERE o.expires_at <= now()
		    ORDER BY o.expires_at LIMIT most FOR UPDATE SKIP LOCKED)
		RETURNING 1)
	SELECT count(*) FROM gone
$$;
COMMENT ON FUNCTION login_known_expire(bigint) IS 'Deletes networks that nobody logged in from for long.';

REVOKE EXECUTE ON FUNCTION
    login_guess_merge(text, bigint, text[], text[], bigint[], bigint[],
    bigint[]), login_guess_changed(bigint, bigint),
    login_guess_expire(bigint),
    login_known_merge(text, bigint, text[], text[], bigint[]),
    login_known_changed(bigint, bigint), login_known_expire(bigint)
    FROM PUBLIC;
GRANT EXECUTE ON FUNCTION
    login_guess_merge(text, bigint, text[], text[], bigint[], bigint[],
    bigint[]), login_guess_changed(bigint, bigint),
    login_guess_expire(bigint),
    login_known_merge(text, bigint, text[], text[], bigint[]),
    login_known_changed(bigint, bigint), login_known_expire(bigint)
    TO postern_auth;
