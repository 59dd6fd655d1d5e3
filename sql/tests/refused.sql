-- What the database refuses, whatever program writes.
SELECT domain_add('a.example', 'mailbox', NULL, NULL);
SELECT domain_add('b.example', 'alias', 'a.example', NULL);
SELECT domain_add('r.example', 'relay', NULL, NULL);
SELECT mailbox_add('kim@a.example', 'mx.example', '{X}y', NULL, NULL);

-- loops
SELECT alias_add('one@a.example', ARRAY['two@a.example']);
SELECT pg_temp.refused($$SELECT alias_add('two@a.example',
    ARRAY['one@a.example'])$$, 'back to itself');
SELECT pg_temp.refused($$SELECT alias_add('self@a.example',
    ARRAY['self@a.example'])$$, 'back to itself');
SELECT pg_temp.refused($$SELECT alias_add('self@a.example',
    ARRAY['self+x@a.example'])$$, 'back to itself');
SELECT pg_temp.refused($$SELECT alias_add('self@a.example',
    ARRAY['kim@a.example', 'self@b.example'])$$, 'back to itself');
SELECT pg_temp.refused($$SELECT alias_add('@a.example',
    ARRAY['nobody@a.example'])$$, 'back to itself');
SELECT alias_add('@a.example', ARRAY['kim@a.example']);
SELECT alias_add('three@a.example', ARRAY['four@r.example']);
SELECT pg_temp.refused($$INSERT INTO alias_target SELECT id, 'a.example',
    'one' FROM (INSERT INTO alias (domain_id, local_part)
    VALUES (1, 'x') RETURNING id) x$$, 'syntax');
SELECT pg_temp.refused($$UPDATE alias_target SET target_local = 'three',
    target_domain = 'b.example' WHERE target_local = 'four'$$,
    'back to itself');

-- depth, counted on both sides of the new link
SELECT alias_add('d' || i || '@a.example', ARRAY['d' || i + 1 || '@a.example'])
    FROM generate_series(9, 6, -1) i;
SELECT alias_add('d' || i || '@a.example', ARRAY['d' || i + 1 || '@a.example'])
    FROM generate_series(1, 4) i;
SELECT pg_temp.refused($$SELECT alias_add('d10@a.example',
    ARRAY['d11@a.example'])$$, 'back to itself') WHERE false;
SELECT alias_add('d5@a.example', ARRAY['d6@a.example']);
SELECT alias_add('d10@a.example', ARRAY['kim@a.example']);
SELECT pg_temp.expect('ten deep', pg_temp.resolved('d1@a.example'),
    'mailbox kim@a.example');
SELECT pg_temp.refused($$SELECT alias_add('d0@a.example',
    ARRAY['d1@a.example'])$$, 'more than 10 deep');
SELECT alias_add('e2@a.example', ARRAY['kim@a.example']);
SELECT alias_add('e1@a.example', ARRAY['e2@a.example']);
SELECT pg_temp.refused($$SELECT alias_add('d10@a.example',
    ARRAY['e1@a.example'])$$, 'more than 10 deep');
SELECT pg_temp.refused($$SELECT alias_add('wide@a.example',
    ARRAY(SELECT i || '@far.example' FROM generate_series(1, 1001) i))$$,
    'more than 1000');

-- What gets past the checks (written with triggers off) still ends.
SET session_replication_role = replica;
UPDATE alias_target SET target_local = 'd1', target_domain = 'a.example'
    WHERE alias_id = need_alias('d10@a.example');
SET session_replication_role = origin;
SELECT pg_temp.expect('a loop ends', pg_temp.resolved('d3@a.example'),
    'unknown');

-- alias domains
SELECT pg_temp.refused($$SELECT domain_set('b.example', 'alias_of',
    'b.example')$$, 'domain_alias_of_other');
SELECT domain_add('b2.example', 'alias', 'b.example', NULL);
SELECT pg_temp.refused($$SELECT domain_set('b.example', 'alias_of',
    'b2.example')$$, 'back to itself');
SELECT pg_temp.refused($$SELECT domain_add('x.example', 'alias', NULL,
    NULL)$$, 'needs the domain');
SELECT pg_temp.refused($$SELECT domain_del('a.example', true)$$,
    'has alias domains');
SELECT pg_temp.refused($$UPDATE domain SET class = 'relay'
    WHERE name = 'a.example'$$, 'has mailboxes');

-- mailboxes
SELECT pg_temp.refused($$SELECT mailbox_add('x@b.example', 'mx.example',
    NULL, NULL, NULL)$$, 'not of class mailbox');
SELECT pg_temp.refused($$SELECT mailbox_add('x@r.example', 'mx.example',
    NULL, NULL, NULL)$$, 'not of class mailbox');
SELECT pg_temp.refused($$SELECT mailbox_add('one@a.example', 'mx.example',
    NULL, NULL, NULL)$$, 'there is an alias');
SELECT pg_temp.refused($$SELECT mailbox_add('kim@a.example', 'mx.example',
    NULL, NULL, NULL)$$, 'already');
SELECT pg_temp.refused($$SELECT alias_add('kim@a.example',
    ARRAY['x@far.example'])$$, 'always win');
SELECT pg_temp.refused($$SELECT mailbox_add('x@no.example', 'mx.example',
    NULL, NULL, NULL)$$, 'no domain no.example');
SELECT pg_temp.refused($$SELECT mailbox_add('x@a.example', 'no.example',
    NULL, NULL, NULL)$$, 'no host no.example');
SELECT pg_temp.refused($$SELECT domain_del('a.example', false)$$, 'has');

-- normal form
SELECT pg_temp.refused(format('SELECT domain_add(%L, ''mailbox'', NULL, '
    'NULL)', x), 'domain_name_is_normal') FROM unnest(ARRAY['A.example',
    'a.example.', '', '.', 'a..b', '-a.example', 'a-.example', 'ü.example',
    'a/b', 'a b', '[192.0.2.1]', repeat('a', 64) || '.example',
    repeat('a.', 130) || 'b']) x;
SELECT pg_temp.refused(format('SELECT mailbox_add(%L, ''mx.example'', NULL, '
    'NULL, NULL)', x || '@a.example'), 'local_part_is_normal')
    FROM unnest(ARRAY['Kim2', 'a..b', '.a', 'a.', 'a b', '"kim2"', '"a.b"',
    E'a\nb', E'"a\nb"', '"A b"', 'a@b', 'a,b', '"a\b c"', repeat('x', 257)]) x;
SELECT pg_temp.expect('fine', (SELECT bool_and(is_local_part(x)) FROM unnest(
    ARRAY['a', 'a.b', 'a+b', '!#$%&''*/=?^_`{|}~-', 'jürgen', '"a b"', '"@"',
    '"a\"b"', '"a\\b"', '""', '"a..b"', repeat('x', 256)]) x), true);
SELECT pg_temp.expect('fine', (SELECT bool_and(is_domain_name(x)) FROM unnest(
    ARRAY['a', 'a.example', 'xn--mgba3a4f16a.ir', '_x.example', '1.2',
    repeat('a', 63) || '.example']) x), true);
SELECT pg_temp.refused($$SELECT mailbox_add('@a.example', 'mx.example', NULL,
    NULL, NULL)$$, 'not an address');
SELECT pg_temp.refused($$SELECT alias_add('x@a.example', ARRAY['nonsense'])$$,
    'not an address');
SELECT pg_temp.refused($$SELECT alias_add('x@a.example', '{}')$$,
    'needs a target');

-- settings
SELECT pg_temp.refused($$SELECT mailbox_set('kim@a.example', 'quota_bytes',
    'much')$$, 'not a number');
SELECT pg_temp.refused($$SELECT mailbox_set('kim@a.example', 'qouta_bytes',
    '1')$$, 'no setting "qouta_bytes"');
SELECT pg_temp.refused($$SELECT mailbox_set('kim@a.example', 'state',
    'deleted')$$, 'none of');
SELECT pg_temp.refused($$SELECT alias_del('one@a.example', 'x@a.example')$$,
    'does not lead to');

-- limits of an organisation
SELECT organisation_add('small');
SELECT organisation_set('small', 'max_domains', '1');
SELECT organisation_set('small', 'max_mailboxes', '2');
SELECT organisation_set('small', 'max_aliases', '1');
SELECT organisation_set('small', 'max_quota_bytes', '1000');
SELECT domain_add('s.example', 'mailbox', NULL, 'small');
SELECT pg_temp.refused($$SELECT domain_add('t.example', 'mailbox', NULL,
    'small')$$, 'may have 1 domains');
SELECT pg_temp.refused($$SELECT domain_set('a.example', 'organisation',
    'small')$$, 'may have 1 domains');
SELECT pg_temp.refused($$SELECT mailbox_add('x@s.example', 'mx.example',
    NULL, NULL, NULL)$$, 'so every mailbox needs one');
SELECT mailbox_add('x@s.example', 'mx.example', NULL, 600, NULL);
SELECT pg_temp.refused($$SELECT mailbox_add('y@s.example', 'mx.example',
    NULL, 600, NULL)$$, 'may give 1000 bytes');
SELECT mailbox_add('y@s.example', 'mx.example', NULL, 400, NULL);
SELECT pg_temp.refused($$SELECT mailbox_add('z@s.example', 'mx.example',
    NULL, 0, NULL)$$, 'may have 2 mailboxes');
SELECT pg_temp.refused($$SELECT mailbox_set('y@s.example', 'quota_bytes',
    '500')$$, 'may give 1000 bytes');
SELECT alias_add('@s.example', ARRAY['x@s.example']);
SELECT pg_temp.refused($$SELECT alias_add('w@s.example',
    ARRAY['x@s.example'])$$, 'may have 1 aliases');
SELECT pg_temp.refused($$SELECT organisation_set('small', 'max_mailboxes',
    '1')$$, 'may have 1 mailboxes');
-- One picture from begin to end would not show what others took meanwhile.
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT pg_temp.refused($$SELECT mailbox_set('x@s.example', 'quota_bytes',
    '1')$$, 'can''t be checked in a transaction that is repeatable read');
COMMIT;
BEGIN ISOLATION LEVEL SERIALIZABLE;
SELECT pg_temp.refused($$SELECT mailbox_set('x@s.example', 'quota_bytes',
    '1')$$, 'can''t be checked in a transaction that is serializable');
COMMIT;
SELECT mailbox_del('y@s.example');
SELECT mailbox_add('z@s.example', 'mx.example', NULL, 400, NULL);
SELECT pg_temp.refused($$SELECT organisation_del('small')$$, 'has domains');

-- deleting a domain keeps its homes for the purge, and frees its name
SELECT pg_temp.expect('mailboxes gone', domain_del('s.example', true),
    2::bigint);
SELECT pg_temp.expect('homes wait', (SELECT count(*) FROM mailbox
    WHERE domain_id IS NULL AND state = 'deleted'), 3::bigint);
SELECT pg_temp.expect('no credential is left', (SELECT count(*) FROM credential
    c JOIN mailbox m ON m.id = c.mailbox_id WHERE m.state = 'deleted'),
    0::bigint);
SELECT organisation_del('small');
