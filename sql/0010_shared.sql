-- What all hosts share from memory to memory: lib/db/share.h. A kind of such
-- state (greylist, passes of first-contact tests, ...) is a table with a
-- revision, a row here, and three functions of its own:
--
--	X_merge(writer, batch, arrays...)	merges what one host changed
--	X_changed(since, most)			what changed behind a revision
--	X_expire(most)				deletes what is too old
--
-- Channel postern_shared tells "KIND REVISION" of each batch.

SET LOCAL search_path = postern, pg_temp;

DO $$ BEGIN
	IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'postern_gate') THEN
		CREATE ROLE postern_gate LOGIN;
		ALTER ROLE postern_gate SET statement_timeout = '10s';
	END IF;
EXCEPTION WHEN insufficient_privilege THEN
	RAISE EXCEPTION 'role "postern_gate" is missing and % may not create it',
	    current_user USING HINT = 'Run the migration as a user with '
	    'CREATEROLE, or create the roles named in doc/database.md first.';
END $$;
GRANT USAGE ON SCHEMA postern TO postern_gate;
GRANT EXECUTE ON FUNCTION schema_revision(), host_id_of(text),
    event_add(text, text, text, jsonb) TO postern_gate;

-- --------------------------------------------------------------------------
CREATE TABLE shared_kind (
	kind		text COLLATE "C" PRIMARY KEY
			CHECK (kind ~ '^[a-z0-9_]{1,32}$'),
	revision	bigint NOT NULL DEFAULT 0 CHECK (revision >= 0)
);
COMMENT ON TABLE shared_kind IS 'State that hosts keep in memory and share through here; one row each.';
COMMENT ON COLUMN shared_kind.revision IS 'Of the newest batch. Its row lock lasts until that batch commits, so revisions become visible in order and nobody who reads behind one misses a row.';
GRANT SELECT ON shared_kind TO postern_admin;

CREATE TABLE shared_writer (
	kind		text COLLATE "C" NOT NULL REFERENCES shared_kind,
	writer		text COLLATE "C" NOT NULL
			CHECK (length(writer) BETWEEN 1 AND 64),
	batch		bigint NOT NULL CHECK (batch > 0),
	at		timestamptz NOT NULL DEFAULT now(),
	PRIMARY KEY (kind, writer)
);
COMMENT ON TABLE shared_writer IS 'The last batch of each process that writes: one whose answer was lost is sent again and must not count twice.';
COMMENT ON COLUMN shared_writer.writer IS 'Drawn anew at each start of a process.';
GRANT SELECT ON shared_writer TO postern_admin;

-- --------------------------------------------------------------------------
CREATE FUNCTION share_begin(kind text, writer text, batch bigint)
RETURNS bigint LANGUAGE plpgsql SET search_path = postern, pg_temp
AS $$
#variable_conflict use_column
DECLARE
	r bigint;
BEGIN
	UPDATE shared_kind k SET revision = k.revision + 1
	WHERE k.kind = share_begin.kind RETURNING k.revision INTO STRICT r;
	INSERT INTO shared_writer AS w (kind, writer, batch)
	VALUES (share_begin.kind, share_begin.writer, share_begin.batch)
	ON CONFLICT ON CONSTRAINT shared_writer_pkey
	DO UPDATE SET batch = excluded.batch, at = now()
	WHERE w.batch < excluded.batch;
	IF NOT FOUND THEN
		RETURN 0;
	END IF;
	PERFORM pg_notify('postern_shared', share_begin.kind || ' ' || r);
	RETURN r;
END $$;
COMMENT ON FUNCTION share_begin(text, text, bigint) IS 'The revision for a batch; 0: it was merged before. What calls it holds the lock of its kind until it commits.';

CREATE FUNCTION share_changed(kind text) RETURNS bigint
LANGUAGE plpgsql SET search_path = postern, pg_temp
AS $$
#variable_conflict use_column
DECLARE
	r bigint;
BEGIN
	UPDATE shared_kind k SET revision = k.revision + 1
	WHERE k.kind = share_changed.kind RETURNING k.revision INTO STRICT r;
	PERFORM pg_notify('postern_shared', share_changed.kind || ' ' || r);
	RETURN r;
END $$;
COMMENT ON FUNCTION share_changed(text) IS 'The revision for rows that an administrator changes.';

CREATE FUNCTION share_time(ms bigint) RETURNS timestamptz
LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = postern, pg_temp
AS $$ SELECT timestamptz 'epoch' + ms * interval '1 millisecond' $$;
COMMENT ON FUNCTION share_time(bigint) IS 'From milliseconds since 1970.';
CREATE FUNCTION share_ms(t timestamptz) RETURNS bigint
LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = postern, pg_temp
AS $$ SELECT (extract(epoch FROM t) * 1000)::bigint $$;
COMMENT ON FUNCTION share_ms(timestamptz) IS 'In milliseconds since 1970.';

-- Runs as the owner: service roles read no table.
CREATE FUNCTION share_state(kinds text[])
RETURNS TABLE (kind text, revision bigint, now_ms bigint)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = postern, pg_temp
AS $$
	SELECT k.kind, k.revision, share_ms(clock_timestamp())
	FROM shared_kind k WHERE k.kind = ANY (share_state.kinds)
$$;
COMMENT ON FUNCTION share_state(text[]) IS 'How far these kinds are, and what time it is here.';

CREATE FUNCTION share_expire(most bigint) RETURNS bigint
LANGUAGE sql SECURITY DEFINER SET search_path = postern, pg_temp
AS $$
	WITH gone AS (
		DELETE FROM shared_writer w WHERE (w.kind, w.writer) IN (
		    SELECT o.kind, o.writer FROM shared_writer o
		    WHERE o.at < now() - interval '2 days' LIMIT most)
		RETURNING 1)
	SELECT count(*) FROM gone
$$;
COMMENT ON FUNCTION share_expire(bigint) IS 'Forgets processes that wrote nothing for two days.';

REVOKE EXECUTE ON FUNCTION share_begin(text, text, bigint),
    share_changed(text), share_time(bigint), share_ms(timestamptz),
    share_state(text[]), share_expire(bigint) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION share_state(text[]), share_expire(bigint)
    TO postern_gate, postern_auth;
