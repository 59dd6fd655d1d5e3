-- Comments everywhere, nothing for PUBLIC, least privilege per role.
SELECT domain_add('a.example', 'mailbox', NULL, NULL);
SELECT mailbox_add('kim@a.example', 'mx.example', '{X}y', NULL, NULL);

SELECT pg_temp.expect('tables without comment', (SELECT array_agg(c.relname)
    FROM pg_class c WHERE c.relnamespace = 'postern'::regnamespace
    AND c.relkind IN ('r', 'v') AND obj_description(c.oid, 'pg_class')
    IS NULL), NULL);
SELECT pg_temp.expect('functions without comment', (SELECT
    array_agg(p.proname) FROM pg_proc p
    WHERE p.pronamespace = 'postern'::regnamespace
    AND obj_description(p.oid, 'pg_proc') IS NULL), NULL);
SELECT pg_temp.expect('nullable columns without comment', (SELECT
    array_agg(c.relname || '.' || a.attname) FROM pg_attribute a
    JOIN pg_class c ON c.oid = a.attrelid
    WHERE c.relnamespace = 'postern'::regnamespace AND c.relkind = 'r'
    AND a.attnum > 0 AND NOT a.attisdropped AND NOT a.attnotnull
    AND col_description(c.oid, a.attnum) IS NULL
    -- told at org_id
    AND (c.relname, a.attname) NOT IN (('policy', 'domain_id'),
    ('policy', 'mailbox_id'))), NULL);
SELECT pg_temp.expect('foreign keys without index', (SELECT
    array_agg(k.conname) FROM pg_constraint k
    WHERE k.connamespace = 'postern'::regnamespace AND k.contype = 'f'
    AND NOT EXISTS (SELECT FROM pg_index i WHERE i.indrelid = k.conrelid
    AND i.indkey[0] = k.conkey[1])), NULL);
SELECT pg_temp.expect('functions open to PUBLIC', (SELECT
    array_agg(p.proname) FROM pg_proc p,
    aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) x
    WHERE p.pronamespace = 'postern'::regnamespace AND x.grantee = 0), NULL);
SELECT pg_temp.expect('owner''s functions with an open search_path', (SELECT
    array_agg(p.proname) FROM pg_proc p
    WHERE p.pronamespace = 'postern'::regnamespace AND p.prosecdef
    AND NOT 'search_path=postern, pg_temp' = ANY (p.proconfig)), NULL);
SELECT pg_temp.expect('tables of service roles', (SELECT array_agg(DISTINCT
    c.relname) FROM pg_class c, unnest(ARRAY['postern_lookup',
    'postern_usage', 'postern_auth', 'postern_queue', 'postern_gate']) r
    WHERE c.relnamespace = 'postern'::regnamespace AND c.relkind = 'r'
    AND (has_table_privilege(r, c.oid, 'SELECT')
    OR has_any_column_privilege(r, c.oid, 'SELECT, INSERT, UPDATE')
    OR has_table_privilege(r, c.oid, 'INSERT, UPDATE, DELETE, TRUNCATE'))),
    NULL);
-- Exactly these, so that a new function is given out on purpose only.
SELECT pg_temp.expect('functions of service roles', (SELECT string_agg(
    r || ': ' || (SELECT string_agg(p.proname, ' ' ORDER BY p.proname)
    FROM pg_proc p WHERE p.pronamespace = 'postern'::regnamespace
    AND has_function_privilege(r, p.oid, 'EXECUTE')), E'\n' ORDER BY r)
    FROM unnest(ARRAY['postern_lookup', 'postern_usage', 'postern_auth',
    'postern_queue', 'postern_gate']) r),
'postern_auth: credential_rehash credential_used event_add host_id_of login_changed_since login_guess_changed login_guess_expire login_guess_merge login_known_changed login_known_expire login_known_merge login_lookup schema_revision share_expire share_state
postern_gate: event_add first_contact_changed first_contact_expire first_contact_merge gate_count_changed gate_count_expire gate_count_merge greylist_changed greylist_exempt_changed greylist_exempt_expire greylist_exempt_merge greylist_expire greylist_merge greylist_origin_changed greylist_origin_expire greylist_origin_merge host_id_of schema_revision share_expire share_state
postern_lookup: access_load access_lookup event_add greylist_explain host_id_of resolve_domain resolve_recipient schema_revision usage_of verify_lookup
postern_queue: event_add host_id_of host_started schema_revision
postern_usage: event_add quota_due quota_judge quota_of quota_warned schema_revision usage_of usage_report');

-- and as the roles themselves
SET ROLE postern_lookup;
SELECT pg_temp.refused('SELECT * FROM mailbox', 'permission denied');
SELECT pg_temp.refused('SELECT login_lookup(''kim@a.example'')',
    'permission denied');
SELECT pg_temp.refused('SELECT mailbox_del(''kim@a.example'')',
    'permission denied');
SELECT pg_temp.expect('lookup', pg_temp.resolved('kim@a.example'),
    'mailbox kim@a.example');
SET ROLE postern_auth;
SELECT pg_temp.refused('SELECT secret FROM credential', 'permission denied');
SELECT pg_temp.expect('login', (SELECT secret FROM
    login_lookup('kim@a.example')), '{X}y');
SET ROLE postern_admin;
SELECT pg_temp.refused('SELECT secret FROM credential', 'permission denied');
SELECT pg_temp.refused('SELECT * FROM login_lookup(''kim@a.example'')',
    'permission denied');
SELECT mailbox_passwd('kim@a.example', '{X}z');
SELECT credential_add('kim@a.example', 'phone', '{X}p', '{imap}');
SELECT credential_del('kim@a.example', 'phone');
SELECT count(*) FROM credential_list('kim@a.example');
SELECT alias_add('s@a.example', ARRAY['kim@a.example', 'x@far.example']);
SELECT domain_add('b.example', 'mailbox', NULL, NULL);
SELECT transport_add('g', 'smtp', 'aspmx.l.google.com');
SELECT domain_add('r.example', 'relay', 'g', NULL);
SELECT host_add('mx9.example');
SELECT organisation_set('default', 'max_domains', '5');
SELECT count(*) FROM domain_list(), alias_list(NULL), organisation_list(),
    transport_list();
SELECT pg_temp.expect('admin', (SELECT address FROM mailbox_list(NULL)),
    'kim@a.example');
SELECT count(*) FROM resolve_explain('s@a.example', '+');
SELECT mailbox_del('kim@a.example');
SELECT domain_del('a.example', true);
RESET ROLE;
