-- The example of doc/database.md: a site's own tables behind our names.
CREATE SCHEMA site;
CREATE TABLE site.people (mail text PRIMARY KEY, uid bigint, quota bigint);
INSERT INTO site.people VALUES ('kim@a.example', 7, 500);
GRANT USAGE ON SCHEMA site TO postern_lookup, postern_auth;
CREATE FUNCTION site.resolve_recipient(address text, delimiter text)
RETURNS TABLE (item text, value text, id bigint, host_id bigint,
    state text, quota_bytes bigint, quota_messages bigint, extension text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = site, pg_temp AS $$
    SELECT 'class', 'mailbox', NULL::bigint, NULL::bigint, NULL::text,
        NULL::bigint, NULL::bigint, NULL::text
        FROM people WHERE mail = address
    UNION ALL SELECT 'mailbox', mail, uid, 1, 'active', quota, 0, ''
        FROM people WHERE mail = address
    UNION ALL SELECT 'class', 'unknown', NULL, NULL, NULL, NULL, NULL, NULL
        WHERE NOT EXISTS (SELECT FROM people WHERE mail = address)
$$;
GRANT EXECUTE ON FUNCTION site.resolve_recipient(text, text)
    TO postern_lookup;

SET search_path = site, postern;
SET ROLE postern_lookup;
SELECT pg_temp.expect('found', pg_temp.resolved('kim@a.example'),
    'mailbox kim@a.example');
SELECT pg_temp.expect('id', (SELECT id FROM resolve_recipient(
    'kim@a.example', '+') WHERE item = 'mailbox'), 7::bigint);
SELECT pg_temp.expect('not found', pg_temp.resolved('lee@a.example'),
    'unknown');
SELECT pg_temp.refused('SELECT * FROM people', 'permission denied');
SELECT pg_temp.expect('the rest is still ours', host_id_of('mx.example'),
    1::bigint);
