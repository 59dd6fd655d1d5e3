-- Who has passed which first-contact test (Postfix: postscreen_cache_map): what
-- the gatekeepers of all hosts share by lib/db/share.h.

SET LOCAL search_path = postern, pg_temp;

CREATE TABLE first_contact (
	client			inet PRIMARY KEY,
	greet_until		timestamptz,
	dnsbl_until		timestamptz,
	pipelining_until	timestamptz,
	non_smtp_command_until	timestamptz,
	bare_newline_until	timestamptz,
	first_at		timestamptz NOT NULL DEFAULT now(),
	revision		bigint NOT NULL,
	expires_at		timestamptz NOT NULL
);
CREATE INDEX first_contact_revision ON first_contact (revision);
CREATE INDEX first_contact_expires_at ON first_contact (expires_at);
COMMENT ON TABLE first_contact IS 'Clients of smtpd that have passed first-contact tests.';
COMMENT ON COLUMN first_contact.client IS 'An IPv4 address or an IPv6 /64.';
COMMENT ON COLUMN first_contact.greet_until IS 'It waited for the greeting and need not until then. NULL here and below: it has not passed.';
COMMENT ON COLUMN first_contact.dnsbl_until IS 'Its score in DNS lists was good.';
COMMENT ON COLUMN first_contact.pipelining_until IS 'It waited for replies.';
COMMENT ON COLUMN first_contact.non_smtp_command_until IS 'It spoke SMTP.';
COMMENT ON COLUMN first_contact.bare_newline_until IS 'It ended its lines.';
COMMENT ON COLUMN first_contact.expires_at IS 'Until then it is no NEW client. A row in which all tests are NULL says that an administrator made us forget it; it stays for an hour, so that all hosts hear of it.';
GRANT SELECT, INSERT, UPDATE, DELETE ON first_contact TO postern_admin;

-- --------------------------------------------------------------------------
CREATE FUNCTION first_contact_text(client inet) RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = postern, pg_temp
AS $$
	SELECT host(client) || CASE WHEN family(client) = 6 THEN '/64'
	    ELSE '' END
$$;
COMMENT ON FUNCTION first_contact_text(inet) IS 'As gatekeeper writes a client.';

-- These run as the owner: service roles read no table.
CREATE FUNCTION first_contact_merge(writer text, batch bigint, clients text[],
    greet bigint[], dnsbl bigint[], pipelining bigint[],
    non_smtp_command bigint[], bare_newline bigint[], expires bigint[])
RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = postern, pg_temp
AS $$
#variable_conflict use_column
DECLARE
	r bigint := share_begin('first_contact', writer, batch);
BEGIN
	IF r = 0 THEN
		RETURN 0;
	END IF;
	INSERT INTO first_contact AS f (client, greet_until, dnsbl_until,
	    pipelining_until, non_smtp_command_until, bare_newline_until,
	    revision, expires_at)
	SELECT c::inet, share_time(nullif(g, 0)), share_time(nullif(d, 0)),
	    share_time(nullif(p, 0)), share_time(nullif(s, 0)),
	    share_time(nullif(b, 0)), r, share_time(e)
	FROM unnest(first_contact_merge.clients, first_contact_merge.greet,
	    first_contact_merge.dnsbl, first_contact_merge.pipelining,
	    first_contact_merge.non_smtp_command,
	    first_contact_merge.bare_newline, first_contact_merge.expires)
	    t (c, g, d, p, s, b, e)
	ON CONFLICT (client) DO UPDATE SET
	    greet_until = greatest(f.greet_until, excluded.greet_until),
	    dnsbl_until = greatest(f.dnsbl_until, excluded.dnsbl_until),
	    pipelining_until = greatest(f.pipelining_until,
		excluded.pipelining_until),
	    non_smtp_command_until = greatest(f.non_smtp_command_until,
		excluded.non_smtp_command_until),
	    bare_newline_until = greatest(f.bare_newline_until,
		excluded.bare_newline_until),
	    revision = r,
	    expires_at = greatest(f.expires_at, excluded.expires_at);
	RETURN r;
END $$;
COMMENT ON FUNCTION first_contact_merge(text, bigint, text[], bigint[], bigint[], bigint[], bigint[], bigint[], bigint[]) IS 'Takes what one host learned: of each test the later end (milliseconds, 0 none) holds. The revision, or 0 when this batch was merged before.';

CREATE FUNCTION first_contact_changed(since bigint, most bigint)
RETURNS TABLE (revision bigint, client text, greet bigint, dnsbl bigint,
    pipelining bigint, non_smtp_command bigint, bare_newline bigint,
    expires bigint)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = postern, pg_temp
AS $$
	SELECT f.revision, first_contact_text(f.client),
	    coalesce(share_ms(f.greet_until), 0),
	    coalesce(share_ms(f.dnsbl_until), 0),
	    coalesce(share_ms(f.pipelining_until), 0),
	    coalesce(share_ms(f.non_smtp_command_until), 0),
	    coalesce(share_ms(f.bare_newline_until), 0),
	    share_ms(f.expires_at)
	FROM first_contact f
	WHERE f.revision > first_contact_changed.since AND f.expires_at > now()
	ORDER BY f.revision LIMIT most
$$;
COMMENT ON FUNCTION first_contact_changed(bigint, bigint) IS 'Clients that changed behind a revision, the oldest change first.';

CREATE FUNCTION first_contact_expire(most bigint) RETURNS bigint
LANGUAGE sql SECURITY DEFINER SET search_path = postern, pg_temp
AS $$
	WITH gone AS (
		DELETE FROM first_contact f WHERE f.client IN (
		    SELECT o.client FROM first_contact o
		    WHERE o.expires_at <= now() LIMIT most)
		RETURNING 1)
	SELECT count(*) FROM gone
$$;
COMMENT ON FUNCTION first_contact_expire(bigint) IS 'Deletes at most so many clients whose time is over.';

-- --------------------------------------------------------------------------
CREATE FUNCTION first_contact_client(address text) RETURNS inet
LANGUAGE plpgsql IMMUTABLE SET search_path = postern, pg_temp
AS $$
DECLARE
	a inet;
BEGIN
	a := first_contact_client.address::inet;
	IF family(a) = 6 AND masklen(a) IN (64, 128) THEN
		RETURN network(set_masklen(a, 64));
	ELSIF family(a) = 4 AND masklen(a) = 32 THEN
		RETURN a;
	END IF;
	RAISE invalid_text_representation;
EXCEPTION WHEN invalid_text_representation THEN
	RAISE EXCEPTION '"%" is no address of a client',
	    first_contact_client.address
	    USING ERRCODE = 'invalid_text_representation';
END $$;
COMMENT ON FUNCTION first_contact_client(text) IS 'What an address is known as: itself, or its /64.';

CREATE FUNCTION first_contact_list(address text)
RETURNS TABLE (client text, greet_until timestamptz, dnsbl_until timestamptz,
    pipelining_until timestamptz, non_smtp_command_until timestamptz,
    bare_newline_until timestamptz, first_at timestamptz,
    known_until timestamptz)
LANGUAGE sql STABLE SET search_path = postern, pg_temp
AS $$
	SELECT first_contact_text(f.client), f.greet_until, f.dnsbl_until, f.pipelining_until,
	    f.non_smtp_command_until, f.bare_newline_until, f.first_at,
	    f.expires_at
	FROM first_contact f
	WHERE f.expires_at > now() AND (first_contact_list.address IS NULL
	    OR f.client = first_contact_client(first_contact_list.address))
	    AND coalesce(f.greet_until, f.dnsbl_until, f.pipelining_until,
	    f.non_smtp_command_until, f.bare_newline_until) IS NOT NULL
	ORDER BY f.client
$$;
COMMENT ON FUNCTION first_contact_list(text) IS 'Known clients, or one (NULL: all).';

CREATE FUNCTION first_contact_forget(address text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = postern, pg_temp
AS $$
#variable_conflict use_column
DECLARE
	r bigint := share_changed('first_contact');
BEGIN
	UPDATE first_contact f SET greet_until = NULL, dnsbl_until = NULL,
	    pipelining_until = NULL, non_smtp_command_until = NULL,
	    bare_newline_until = NULL, first_at = now(), revision = r,
	    expires_at = now() + interval '1 hour'
	WHERE f.client = first_contact_client(first_contact_forget.address)
	    AND f.expires_at > now() AND coalesce(f.greet_until, f.dnsbl_until,
	    f.pipelining_until, f.non_smtp_command_until,
	    f.bare_newline_until) IS NOT NULL;
	IF NOT FOUND THEN
		RAISE EXCEPTION '% is no known client',
		    first_contact_forget.address
		    USING ERRCODE = 'no_data_found';
	END IF;
END $$;
COMMENT ON FUNCTION first_contact_forget(text) IS 'All hosts forget a client; P0002 when none knows it. Runs as the owner, as share_changed is nobody else''s.';

INSERT INTO shared_kind (kind) VALUES ('first_contact');

REVOKE EXECUTE ON FUNCTION first_contact_merge(text, bigint, text[], bigint[],
    bigint[], bigint[], bigint[], bigint[], bigint[]),
    first_contact_changed(bigint, bigint), first_contact_expire(bigint),
    first_contact_client(text), first_contact_text(inet),
    first_contact_list(text), first_contact_forget(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION first_contact_merge(text, bigint, text[], bigint[],
    bigint[], bigint[], bigint[], bigint[], bigint[]),
    first_contact_changed(bigint, bigint), first_contact_expire(bigint)
    TO postern_gate;
GRANT EXECUTE ON FUNCTION first_contact_client(text), first_contact_text(inet),
    first_contact_list(text), first_contact_forget(text) TO postern_admin;
