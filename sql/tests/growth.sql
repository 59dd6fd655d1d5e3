-- Looking up must not cost more when there are many: no sequential scan, and
-- a count of pages that only an index's depth can raise. The plans are made
-- while the tables are empty, which is the bad case.
SELECT domain_add('a.example', 'mailbox', NULL, NULL);
SELECT mailbox_add('kim@a.example', 'mx.example', '{X}y', NULL, NULL);

CREATE FUNCTION pg_temp.pages(query text) RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE
	plan json;
BEGIN
	EXECUTE 'EXPLAIN (ANALYZE, BUFFERS, TIMING OFF, FORMAT JSON) '
	    || query INTO plan;
	RETURN (plan -> 0 -> 'Plan' ->> 'Shared Hit Blocks')::bigint
	    + (plan -> 0 -> 'Plan' ->> 'Shared Read Blocks')::bigint;
END $$;
SELECT pg_temp.pages(q) FROM generate_series(1, 8), unnest(ARRAY[
    $$SELECT * FROM resolve_recipient('kim+x@a.example', '+')$$,
    $$SELECT * FROM resolve_recipient('nobody@a.example', '+')$$,
    $$SELECT * FROM login_lookup('kim@a.example')$$]) q;

INSERT INTO domain (org_id, name, class)
    SELECT 1, 'd' || i || '.example', 'mailbox'
    FROM generate_series(1, 2000) i;
INSERT INTO mailbox (domain_id, local_part, host_id)
    SELECT 1, 'user' || i, 1 FROM generate_series(1, 60000) i;
INSERT INTO mailbox (domain_id, local_part, host_id)
    SELECT 2 + i % 2000, 'user' || i, 1 FROM generate_series(1, 60000) i;
INSERT INTO alias (domain_id, local_part)
    SELECT 1, 'alias' || i FROM generate_series(1, 20000) i;

SELECT pg_temp.expect(q || ': pages', pg_temp.pages(q) < 60, true)
    FROM unnest(ARRAY[
    $$SELECT * FROM resolve_recipient('user777@a.example', '+')$$,
    $$SELECT * FROM resolve_recipient('user777+x@a.example', '+')$$,
    $$SELECT * FROM resolve_recipient('nobody@a.example', '+')$$,
    $$SELECT * FROM resolve_recipient('nobody+x@a.example', '+')$$,
    $$SELECT * FROM resolve_recipient('x@far.example', '+')$$,
    $$SELECT * FROM resolve_domain('d7.example')$$,
    $$SELECT * FROM login_lookup('user777@a.example')$$,
    $$SELECT * FROM login_lookup('nobody@a.example')$$]) q;
