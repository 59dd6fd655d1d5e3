-- Domain admins: their organisation's rows and no others, whatever they run;
-- each function that they may call, against what is not theirs.
SELECT organisation_add('acme');
SELECT organisation_add('other');
SELECT domain_add('acme.example', 'mailbox', NULL, 'acme');
SELECT domain_add('other.example', 'mailbox', NULL, 'other');
SELECT domain_add('relay.other.example', 'relay', NULL, 'other');
SELECT transport_add('way', 'smtp', 'mx.example');
SELECT mailbox_add('kim@acme.example', 'mx.example', '{X}y', 1000, 10);
SELECT mailbox_add('lee@other.example', 'mx.example', '{X}y', 1000, 10);
SELECT credential_add('lee@other.example', 'phone', '{X}p', '{}');
SELECT alias_add('all@other.example', ARRAY['lee@other.example']);
SELECT relay_recipient_add('lee@relay.other.example');
SELECT organisation_set('acme', 'max_mailboxes', '3');
-- password "pencil"
SELECT admin_add('ada@acme.example', 'acme', '{SCRAM-SHA-256}4096,W22ZaJ0SNY7soEsUEjb6gQ==,WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=,wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=', false);
SELECT admin_add('otto', 'other', NULL, true);
SELECT pg_temp.refused($$SELECT admin_add('otto', 'acme', NULL, true)$$,
    'already');
SELECT pg_temp.refused($$SELECT admin_add('Otto', 'acme', NULL, true)$$,
    'admin_name_is_normal');
SELECT pg_temp.refused($$SELECT admin_add('o', 'acme', '{PLAIN}x', true)$$,
    'admin_secret_is_scram');

-- whose triggers a delegate sets off must see everything
SELECT pg_temp.expect('triggers without the owner''s rights', (SELECT
    array_agg(DISTINCT p.proname) FROM pg_trigger t
    JOIN pg_proc p ON p.oid = t.tgfoid JOIN pg_class c ON c.oid = t.tgrelid
    WHERE c.relnamespace = 'postern'::regnamespace AND c.relrowsecurity
    AND NOT t.tgisinternal AND NOT p.prosecdef), NULL);
-- tables that delegates have rights on, and no policy
SELECT pg_temp.expect('tables open to delegates', (SELECT
    array_agg(c.relname ORDER BY c.relname) FROM pg_class c
    WHERE c.relnamespace = 'postern'::regnamespace AND c.relkind = 'r'
    AND NOT c.relrowsecurity AND has_any_column_privilege('postern_delegate',
    c.oid, 'SELECT, INSERT, UPDATE')), ARRAY['host', 'transport']::name[]);
SELECT pg_temp.expect('functions of delegates', (SELECT string_agg(p.proname,
    ' ' ORDER BY p.proname) FROM pg_proc p
    WHERE p.pronamespace = 'postern'::regnamespace AND p.prosecdef
    AND has_function_privilege('postern_delegate', p.oid, 'EXECUTE')),
    'admin_adds_domains admin_current admin_has_domain admin_login admin_org admin_passwd admin_salt password_salt schema_revision secret_is');

-- --- nobody yet
SET ROLE postern_delegate;
SELECT pg_temp.expect('nobody sees nothing', (SELECT count(*)
    FROM domain_list(), mailbox_list(NULL)), 0::bigint);
SELECT pg_temp.refused($$SELECT admin_enter('otto')$$, 'permission denied');
SELECT pg_temp.refused($$SELECT admin_begin(1)$$, 'permission denied');
SELECT pg_temp.refused($$SELECT admin_token(1)$$, 'permission denied');
SELECT pg_temp.refused($$SELECT key FROM admin_key$$, 'permission denied');
SELECT pg_temp.refused($$SELECT secret FROM admin$$, 'permission denied');
-- forged
SET postern.admin = '1:';
SELECT pg_temp.expect('forged', admin_org(), NULL);
SET postern.admin = '1:0000000000000000000000000000000000000000000000000000000000000000';
SELECT pg_temp.expect('forged', admin_org(), NULL);
SET postern.admin = 'x';
SELECT pg_temp.expect('forged', admin_org(), NULL);
SELECT pg_temp.refused($$SELECT admin_login('ada@acme.example', '\x00')$$,
    'name or password is wrong');
SELECT pg_temp.refused($$SELECT admin_login('nobody', '\x00')$$,
    'name or password is wrong');
SELECT pg_temp.refused($$SELECT admin_login('otto', '\x00')$$,
    'name or password is wrong');
SELECT pg_temp.expect('salt', (SELECT iterations || ' ' || salt
    FROM admin_salt('ada@acme.example')), '4096 W22ZaJ0SNY7soEsUEjb6gQ==');
SELECT pg_temp.expect('salt of nobody', (SELECT a = b AND a <> c
    FROM (SELECT (SELECT salt FROM admin_salt('x')) a,
    (SELECT salt FROM admin_salt('x')) b,
    (SELECT salt FROM admin_salt('y')) c) s), true);
RESET ROLE;
SELECT pg_temp.refused($$SELECT admin_enter('nobody')$$, 'no domain admin');

-- --- ada, who looks after acme
SELECT admin_enter('ada@acme.example');
SET ROLE postern_delegate;
SELECT pg_temp.expect('domains', (SELECT array_agg(name) FROM domain_list()),
    ARRAY['acme.example']);
SELECT pg_temp.expect('mailboxes', (SELECT array_agg(address)
    FROM mailbox_list(NULL)), ARRAY['kim@acme.example']);
SELECT pg_temp.expect('organisations', (SELECT array_agg(name)
    FROM organisation_list()), ARRAY['acme']);
SELECT pg_temp.expect('aliases', (SELECT count(*) FROM alias_list(NULL)),
    0::bigint);
SELECT pg_temp.expect('relay', (SELECT count(*)
    FROM relay_recipient_list(NULL)), 0::bigint);
SELECT pg_temp.expect('rows', (SELECT count(*) FROM credential), 1::bigint);
SELECT pg_temp.expect('import', (SELECT why FROM import_rows('[{"n": 0,
    "type": "alias", "address": "all@other.example", "targets": ["a@b.c"]}]',
    'mx.example', true, false, NULL)),
    'there is no domain other.example. --make-domains adds it.');

-- each function, against what is not hers
SELECT pg_temp.refused(s, w) FROM (VALUES
	($$SELECT domain_set('other.example', 'quota_bytes', '1')$$,
	    'there is no domain'),
	($$SELECT domain_del('other.example', true)$$, 'there is no domain'),
	($$SELECT mailbox_add('x@other.example', 'mx.example', NULL, 1, 1)$$,
	    'there is no domain'),
	($$SELECT mailbox_set('lee@other.example', 'state', 'disabled')$$,
	    'there is no mailbox'),
	($$SELECT mailbox_del('lee@other.example')$$, 'there is no mailbox'),
	($$SELECT mailbox_passwd('lee@other.example', '{X}')$$,
	    'there is no mailbox'),
	($$SELECT mailbox_rename('lee@other.example', 'lee@acme.example',
	    false)$$, 'there is no'),
	($$SELECT mailbox_rename('kim@acme.example', 'kim@other.example',
	    false)$$, 'there is no domain'),
	($$SELECT credential_add('lee@other.example', 'x', '{X}', '{}')$$,
	    'there is no mailbox'),
	($$SELECT credential_del('lee@other.example', 'phone')$$,
	    'there is no mailbox'),
	($$SELECT * FROM credential_list('lee@other.example')$$,
	    'there is no mailbox'),
	($$SELECT alias_add('x@other.example', '{kim@acme.example}')$$,
	    'there is no domain'),
	($$SELECT alias_del('all@other.example', NULL)$$,
	    'there is no alias'),
	($$SELECT alias_set('all@other.example', 'active', 'no')$$,
	    'there is no alias'),
	($$SELECT relay_recipient_add('x@relay.other.example')$$,
	    'there is no domain'),
	($$SELECT relay_recipient_del('lee@relay.other.example')$$,
	    'there is no domain'),
	($$SELECT quota_set('mailbox', 'lee@other.example', 1, 1)$$,
	    'there is no mailbox'),
	($$SELECT quota_set('domain', 'other.example', 1, 1)$$,
	    'there is no domain'),
	($$SELECT * FROM quota_list('mailbox', 'lee@other.example')$$,
	    'there is no mailbox'),
	($$SELECT * FROM quota_list('domain', 'other.example')$$,
	    'there is no domain'),
	($$SELECT import_mailbox('{"address": "x@other.example"}',
	    'mx.example', false)$$, 'there is no domain'),
	($$SELECT import_credential('{"address": "lee@other.example",
	    "label": "x", "secret": "y"}', true)$$, 'there is no mailbox'),
	($$SELECT import_recipient('{"address": "x@relay.other.example"}')$$,
	    'there is no domain'),
	-- hers, but not hers to say
	($$SELECT quota_set('domain', 'acme.example', 0, 0)$$,
	    'permission denied'),
	($$SELECT quota_set('organisation', 'acme', 0, 0)$$,
	    'permission denied'),
	($$SELECT organisation_set('acme', 'max_mailboxes', '100')$$,
	    'permission denied'),
	($$SELECT organisation_add('new')$$, 'permission denied'),
	($$SELECT organisation_del('acme')$$, 'permission denied'),
	($$SELECT admin_add('eve', 'acme', NULL, true)$$, 'permission denied'),
	($$SELECT admin_set('ada@acme.example', 'may_add_domains', 'yes')$$,
	    'permission denied'),
	($$SELECT admin_passwd('otto', '{SCRAM-SHA-256}1,a,b,c')$$,
	    'only their own'),
	($$SELECT admin_enter('otto')$$, 'permission denied'),
	($$SELECT domain_add('new.example', 'mailbox', NULL, NULL)$$,
	    'may not add domains'),
	($$SELECT domain_del('acme.example', true)$$, 'may not'),
	($$SELECT domain_set('acme.example', 'organisation', 'other')$$,
	    'permission denied'),
	($$SELECT domain_set('acme.example', 'active', 'no')$$,
	    'permission denied'),
	($$SELECT domain_rename('acme.example', 'big.example')$$,
	    'permission denied'),
	($$SELECT transport_add('t', 'smtp', '')$$, 'permission denied'),
	($$SELECT access_set('l', 'k', 'OK', '', NULL)$$, 'permission denied'),
	($$SELECT resolve_explain('lee@other.example', '+')$$,
	    'permission denied'),
	-- and by hand
	($$UPDATE organisation SET max_mailboxes = 0$$, 'permission denied'),
	($$UPDATE domain SET org_id = 1$$, 'permission denied'),
	($$UPDATE domain SET name = 'x.example'$$, 'permission denied'),
	($$SELECT secret FROM credential$$, 'permission denied'),
	($$DELETE FROM mailbox$$, 'permission denied'),
	($$SELECT * FROM login_change$$, 'permission denied'),
	($$SELECT login_changed('{1}')$$, 'permission denied'),
	($$SELECT organisation_check('{1}')$$, 'permission denied'),
	($$INSERT INTO mailbox (domain_id, local_part, host_id) VALUES
	    (2, 'x', 1)$$, 'row-level security'),
	($$INSERT INTO alias (domain_id, local_part) VALUES (2, 'x')$$,
	    'row-level security'),
	($$INSERT INTO alias_target VALUES (1, 'acme.example', 'kim')$$,
	    'row-level security'),
	($$INSERT INTO credential (mailbox_id, kind, label, secret) VALUES
	    (2, 'app', 'x', 'y')$$, 'row-level security'),
	($$INSERT INTO relay_recipient (domain_id, local_part) VALUES
	    (3, 'x')$$, 'row-level security'),
	($$INSERT INTO domain (org_id, name, class) VALUES
	    (1, 'x.example', 'mailbox')$$, 'row-level security'),
	($$UPDATE mailbox SET domain_id = 2$$, 'row-level security')
) AS t (s, w);
UPDATE mailbox SET full_name = 'mine' WHERE true;
DELETE FROM credential WHERE label = 'phone';
DELETE FROM alias;

-- what is hers
SELECT mailbox_add('lee@acme.example', 'mx.example', '{X}y', NULL, NULL);
SELECT mailbox_set('lee@acme.example', 'full_name', 'Lee');
SELECT mailbox_passwd('lee@acme.example', '{X}z');
SELECT credential_add('lee@acme.example', 'phone', '{X}p', '{imap}');
SELECT credential_del('lee@acme.example', 'phone');
SELECT alias_add('all@acme.example', '{kim@acme.example,lee@other.example}');
SELECT alias_set('all@acme.example', 'note', 'x');
SELECT mailbox_rename('lee@acme.example', 'leo@acme.example', true);
SELECT domain_set('acme.example', 'quota_bytes', '5');
SELECT quota_set('mailbox', 'kim@acme.example', 900, NULL);
SELECT pg_temp.expect('pools', (SELECT array_agg(subject ORDER BY subject)
    FROM quota_list('all', NULL)), ARRAY['acme', 'acme.example']);
SELECT pg_temp.refused($$SELECT alias_add('kim@acme.example',
    '{x@acme.example}')$$, 'would always win');
SELECT mailbox_add('a@acme.example', 'mx.example', NULL, NULL, NULL);
SELECT pg_temp.refused($$SELECT mailbox_add('b@acme.example', 'mx.example',
    NULL, NULL, NULL)$$, 'may have 3 mailboxes');
SELECT mailbox_del('a@acme.example');
SELECT alias_del('all@acme.example', NULL);
SELECT admin_passwd('ada@acme.example', '{SCRAM-SHA-256}1,a,b,c');
RESET ROLE;

-- nothing else was touched
SELECT pg_temp.expect('others'' names', (SELECT full_name FROM mailbox
    WHERE local_part = 'lee' AND domain_id = 2), '');
SELECT pg_temp.expect('others'' aliases', (SELECT count(*)
    FROM alias_list('other.example')), 1::bigint);
SELECT pg_temp.expect('others'' credentials', (SELECT count(*)
    FROM credential_list('lee@other.example')), 2::bigint);

-- a loop through another's alias is still seen
SELECT alias_add('loop@other.example', '{loop@acme.example}');
SET ROLE postern_delegate;
SELECT pg_temp.refused($$SELECT alias_add('loop@acme.example',
    '{loop@other.example}')$$, 'lead back');
RESET ROLE;

-- disabled in the middle of a session
SELECT admin_set('ada@acme.example', 'active', 'no');
SET ROLE postern_delegate;
SELECT pg_temp.expect('disabled', (SELECT count(*) FROM domain_list()),
    0::bigint);
RESET ROLE;
SELECT pg_temp.refused($$SELECT admin_enter('ada@acme.example')$$,
    'disabled');

-- --- otto, who may add domains
SELECT admin_enter('otto');
SET ROLE postern_delegate;
SELECT domain_add('new.example', 'mailbox', NULL, NULL);
SELECT domain_add('also.example', 'alias', 'new.example', NULL);
SELECT pg_temp.expect('new', (SELECT organisation FROM domain_list()
    WHERE name = 'also.example'), 'other');
SELECT pg_temp.refused(s, w) FROM (VALUES
	($$SELECT domain_add('z.example', 'alias', 'acme.example', NULL)$$,
	    'there is no domain'),
	($$SELECT domain_add('z.example', 'mailbox', NULL, 'acme')$$,
	    'no organisation'),
	($$SELECT domain_add('z.example', 'relay', NULL, NULL)$$,
	    'may not add relay'),
	($$SELECT domain_add('acme.example', 'mailbox', NULL, NULL)$$,
	    'already'),
	($$SELECT domain_set('also.example', 'alias_of', 'acme.example')$$,
	    'there is no domain'),
	($$UPDATE domain SET alias_of = 1 WHERE name = 'also.example'$$,
	    'row-level security')
) AS t (s, w);
SELECT domain_del('also.example', false);
SELECT mailbox_del('lee@other.example');
RESET ROLE;
SELECT admin_del('otto');
SELECT pg_temp.expect('left', (SELECT array_agg(name) FROM admin_list()),
    ARRAY['ada@acme.example']);

-- --- an owner who is no superuser, and not in postern_admin
CREATE ROLE plain_owner;
GRANT USAGE, CREATE ON SCHEMA postern TO plain_owner;
GRANT SELECT ON admin_key TO plain_owner;
GRANT SELECT ON admin, organisation, domain, credential, mailbox
    TO plain_owner;
GRANT UPDATE ON admin TO plain_owner;
GRANT postern_delegate TO plain_owner;
ALTER FUNCTION admin_token(bigint) OWNER TO plain_owner;
ALTER FUNCTION admin_is_operator() OWNER TO plain_owner;
SELECT admin_set('ada@acme.example', 'active', 'yes');
SELECT admin_enter('ada@acme.example');
SELECT pg_temp.expect('entered', admin_org(), (SELECT id FROM organisation
    WHERE name = 'acme'));
SET SESSION AUTHORIZATION plain_owner;
SELECT pg_temp.expect('the owner is an operator', admin_is_operator(), true);
RESET SESSION AUTHORIZATION;
SET SESSION AUTHORIZATION postern_delegate;
SELECT pg_temp.refused($$SELECT admin_is_operator()$$, 'permission denied');
RESET SESSION AUTHORIZATION;
DROP OWNED BY plain_owner CASCADE;
DROP ROLE plain_owner;
