-- Verdicts about addresses, for reject_unverified_sender and
-- reject_unverified_recipient, edited by `postern verify`.
--
-- Channel postern_verify tells who holds verdicts which of them changed: an
-- address, or * for everything.

SET LOCAL search_path = postern, pg_temp;

CREATE TABLE verdict (
	address		text COLLATE "C" PRIMARY KEY
			CHECK (length(address) BETWEEN 3 AND 600
			AND strpos(address, '@') > 1
			AND right(address, 1) <> '@'
			AND address !~ '[[:cntrl:]]'),
	status		text NOT NULL
			CHECK (status IN ('ok', 'defer', 'bounce')),
	why		text NOT NULL
			CHECK (length(why) <= 250 AND why !~ '[[:cntrl:]]'),
	updated_at	timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE verdict IS 'Does mail to an address of some other server arrive? Addresses of our own domains are not here: the directory knows them.';
COMMENT ON COLUMN verdict.address IS 'Normal form, as smtpd looks it up.';
COMMENT ON COLUMN verdict.status IS 'ok: it takes mail. defer: it could not be found out. bounce: it does not.';
COMMENT ON COLUMN verdict.why IS 'What the other server said, for the reply to who uses the address.';
COMMENT ON COLUMN verdict.updated_at IS 'It is believed for address_verify_positive_expire_time (ok) or _negative_expire_time from then on.';
GRANT SELECT, INSERT, UPDATE, DELETE ON verdict TO postern_admin;

-- --------------------------------------------------------------------------
-- Runs as the owner: the role that looks up reads no table.
CREATE FUNCTION verify_lookup(address text)
RETURNS TABLE (status text, why text, age_s bigint)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = postern, pg_temp
AS $$
	SELECT v.status, v.why,
	    greatest(0, extract(epoch FROM now() - v.updated_at))::bigint
	FROM verdict v WHERE v.address = verify_lookup.address COLLATE "C"
$$;
COMMENT ON FUNCTION verify_lookup(text) IS 'What is known of an address, however old; no row: nothing.';

CREATE FUNCTION verify_set(address text, status text, why text) RETURNS void
LANGUAGE sql SET search_path = postern, pg_temp
AS $$
	INSERT INTO verdict (address, status, why) VALUES
	    (verify_set.address, verify_set.status, verify_set.why)
	ON CONFLICT ON CONSTRAINT verdict_pkey DO UPDATE SET
	    status = excluded.status, why = excluded.why, updated_at = now()
$$;
COMMENT ON FUNCTION verify_set(text, text, text) IS 'Notes a verdict as of now, whatever was there.';

CREATE FUNCTION verify_forget(address text) RETURNS void
LANGUAGE plpgsql SET search_path = postern, pg_temp
AS $$
#variable_conflict use_column
BEGIN
	DELETE FROM verdict v WHERE v.address = verify_forget.address
	    COLLATE "C";
	IF NOT FOUND THEN
		RAISE EXCEPTION 'there is no verdict about %',
		    verify_forget.address USING ERRCODE = 'no_data_found';
	END IF;
END $$;
COMMENT ON FUNCTION verify_forget(text) IS 'Forgets a verdict; P0002 when there is none.';

CREATE FUNCTION verify_list(domain text)
RETURNS TABLE (address text, status text, why text, updated_at timestamptz)
LANGUAGE sql STABLE SET search_path = postern, pg_temp
AS $$
	SELECT v.address, v.status, v.why, v.updated_at FROM verdict v
	WHERE verify_list.domain IS NULL
	    OR address_domain(v.address) = verify_list.domain
	ORDER BY address_domain(v.address), v.address
$$;
COMMENT ON FUNCTION verify_list(text) IS 'Verdicts about addresses of one domain, or all (NULL).';

-- --------------------------------------------------------------------------
CREATE FUNCTION verdict_notify() RETURNS trigger
LANGUAGE plpgsql SET search_path = postern, pg_temp
AS $$
DECLARE
	-- One more than 100 is enough to know.
	payloads text[] := ARRAY(SELECT address FROM changed LIMIT 101);
BEGIN
	IF cardinality(payloads) > 100 THEN
		payloads := ARRAY['*'];
	END IF;
	PERFORM pg_notify('postern_verify', p) FROM unnest(payloads) p;
	RETURN NULL;
END $$;
COMMENT ON FUNCTION verdict_notify() IS 'Tells who holds verdicts what changed.';
CREATE FUNCTION verdict_notify_all() RETURNS trigger
LANGUAGE plpgsql SET search_path = postern, pg_temp
AS $$ BEGIN
	PERFORM pg_notify('postern_verify', '*');
	RETURN NULL;
END $$;
COMMENT ON FUNCTION verdict_notify_all() IS 'After a TRUNCATE.';
CREATE TRIGGER verdict_insert AFTER INSERT ON verdict
	REFERENCING NEW TABLE AS changed
	FOR EACH STATEMENT EXECUTE FUNCTION verdict_notify();
CREATE TRIGGER verdict_update AFTER UPDATE ON verdict
	REFERENCING NEW TABLE AS changed
	FOR EACH STATEMENT EXECUTE FUNCTION verdict_notify();
CREATE TRIGGER verdict_delete AFTER DELETE ON verdict
	REFERENCING OLD TABLE AS changed
	FOR EACH STATEMENT EXECUTE FUNCTION verdict_notify();
CREATE TRIGGER verdict_truncate AFTER TRUNCATE ON verdict
	FOR EACH STATEMENT EXECUTE FUNCTION verdict_notify_all();

REVOKE EXECUTE ON FUNCTION verify_lookup(text), verify_set(text, text, text),
    verify_forget(text), verify_list(text), verdict_notify(),
    verdict_notify_all() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION verify_lookup(text) TO postern_lookup;
GRANT EXECUTE ON FUNCTION verify_lookup(text), verify_set(text, text, text),
    verify_forget(text), verify_list(text) TO postern_admin;
