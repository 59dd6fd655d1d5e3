-- What the service roles call besides looking up.
SELECT domain_add('a.example', 'mailbox', NULL, NULL);
SELECT domain_add('b.example', 'alias', 'a.example', NULL);
SELECT domain_set('a.example', 'quota_bytes', '5000');
SELECT mailbox_add('kim@a.example', 'mx.example', '{X}y', NULL, 7);
SELECT alias_add('k@a.example', ARRAY['kim@a.example']);

-- logins
SELECT pg_temp.expect('quota of the domain', (SELECT quota_bytes || ' ' ||
    quota_messages FROM login_lookup('kim@a.example')), '5000 7');
SELECT credential_add('kim@a.example', 'phone', '{X}p', '{imap}');
SELECT credential_add('kim@a.example', 'old', '{X}o', '{}');
UPDATE credential SET expires_at = now() - interval '1 s' WHERE label = 'old';
SELECT pg_temp.expect('password first, no expired one', (SELECT string_agg(
    secret || '/' || scope, ' ') FROM login_lookup('kim@b.example')),
    '{X}y/ {X}p/imap');
SELECT pg_temp.expect('an alias is no login', (SELECT count(*)
    FROM login_lookup('k@a.example')), 0::bigint);
SELECT pg_temp.expect('an extension is no login', (SELECT count(*)
    FROM login_lookup('kim+x@a.example')), 0::bigint);
SELECT pg_temp.expect('nonsense', (SELECT count(*)
    FROM login_lookup('kim')), 0::bigint);
SELECT domain_set('b.example', 'active', 'no');
SELECT pg_temp.expect('by a disabled name', (SELECT min(state)
    FROM login_lookup('kim@b.example')), 'disabled');
SELECT pg_temp.expect('by the other', (SELECT min(state)
    FROM login_lookup('kim@a.example')), 'active');
SELECT pg_temp.expect('rehash', credential_rehash(1, '{X}y', '{Y}y'), true);
SELECT pg_temp.expect('rehash of a changed one',
    credential_rehash(1, '{X}y', '{Z}y'), false);
SELECT credential_used(1);
SELECT pg_temp.expect('used', (SELECT last_used_at = date_trunc('minute',
    now()) FROM credential WHERE id = 1), true);
SELECT pg_temp.refused($$SELECT mailbox_passwd('kim@a.example', '')$$,
    'secret');
SELECT pg_temp.refused($$SELECT credential_add('kim@a.example', 'x', '{X}p',
    '{pop3}')$$, 'scope');

-- usage: absolute, with a version, unknown ids skipped
SELECT pg_temp.expect('report', usage_report('{1,99}', '{10,10}', '{1,1}',
    '{5,5}'), 1::bigint);
SELECT pg_temp.expect('an older one', usage_report('{1}', '{9}', '{9}',
    '{4}'), 0::bigint);
SELECT pg_temp.expect('usage', (SELECT bytes || ' ' || messages
    FROM usage_of(1)), '10 1');
SELECT pg_temp.expect('a newer one', usage_report('{1}', '{20}', '{2}',
    '{6}'), 1::bigint);
SELECT pg_temp.expect('list', (SELECT bytes FROM mailbox_list('a.example')),
    20::bigint);

-- incarnation (J14)
SELECT pg_temp.expect('first start', host_started('mx.example', 3),
    0::bigint);
SELECT pg_temp.expect('next', host_started('mx.example', 4), 3::bigint);
SELECT pg_temp.expect('a restored spool', host_started('mx.example', 2),
    4::bigint);
SELECT pg_temp.expect('is remembered', (SELECT incarnation FROM host),
    4::bigint);
SELECT pg_temp.expect('no such host', host_started('no.example', 2),
    NULL::bigint);
SELECT pg_temp.expect('event', event_add('mx.example', 'spool.restored',
    'mx.example', '{"was": 4}') > 0, true);

-- access lists
INSERT INTO access_rule (list, key, action) VALUES ('c', 'example', 'OK'),
    ('c', 'bad.example', 'REJECT go away'), ('d', 'bad.example', 'DUNNO');
INSERT INTO access_rule (list, key, action, expires_at)
    VALUES ('c', 'x.bad.example', 'OK', now() - interval '1 s');
SELECT pg_temp.expect('access', access_lookup('c', ARRAY['x.bad.example',
    'bad.example', 'example']), 'REJECT go away');
SELECT pg_temp.expect('no access', access_lookup('c', ARRAY['y']),
    NULL::text);
