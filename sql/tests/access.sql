-- Access lists: written in one form, told of when they change.
SELECT access_set('c', 'Bad.Example', 'REJECT go away', '', NULL);
SELECT access_set('c', 'old.example', 'OK', '', now() - interval '1 s');
SELECT access_set('c', 'soon.example', 'OK', 'for a day',
    now() + interval '1 day');
SELECT access_set('d', 'bad.example', 'DUNNO', '', NULL);
SELECT pg_temp.expect('folded', (SELECT string_agg(pattern, ' ')
    FROM access_list('c')), 'bad.example old.example soon.example');
SELECT pg_temp.expect('one', (SELECT action FROM
    access_load('c', 'bad.example', 1)), 'REJECT go away');
SELECT pg_temp.expect('for ever', (SELECT lives_ms FROM
    access_load('c', 'bad.example', 1)), NULL::bigint);
SELECT pg_temp.expect('expired', (SELECT count(*) FROM
    access_load('c', 'old.example', 1)), 0::bigint);
SELECT pg_temp.expect('for a while', (SELECT lives_ms BETWEEN 86000000 AND
    86400000 FROM access_load('c', 'soon.example', 1)), true);
SELECT pg_temp.expect('whole', (SELECT count(*) FROM
    access_load('c', NULL, 10)), 2::bigint);
SELECT pg_temp.expect('no more than asked', (SELECT count(*) FROM
    access_load('c', NULL, 1)), 1::bigint);
SELECT access_set('c', 'bad.example', 'DUNNO', '', NULL);
SELECT pg_temp.expect('replaced', (SELECT action FROM
    access_load('c', 'bad.example', 1)), 'DUNNO');
SELECT access_del('c', 'BAD.example');
SELECT pg_temp.refused($$SELECT access_del('c', 'bad.example')$$,
    'has no entry');
SELECT pg_temp.expect('lists', (SELECT string_agg(name || ' ' || entries,
    ', ') FROM access_lists()), 'c 2, d 1');
SELECT pg_temp.expect('import', access_import('c', '{A.example,b.example}',
    '{OK,REJECT}', false), 4::bigint);
SELECT pg_temp.expect('import instead', access_import('c',
    '{b.example,z.example}', '{OK,"450 wait"}', true), 2::bigint);
SELECT pg_temp.expect('imported', (SELECT string_agg(pattern || '=' || action,
    ' ') FROM access_list('c')), 'b.example=OK z.example=450 wait');
SELECT pg_temp.refused($$SELECT access_import('c', '{a,A}', '{OK,OK}',
    false)$$, 'there twice');
SELECT pg_temp.refused($$SELECT access_set('no/name', 'a', 'OK', '', NULL)$$,
    'access_rule_list_check');
SELECT pg_temp.refused($$SELECT access_set('c', '', 'OK', '', NULL)$$,
    'access_rule_key_check');
SELECT pg_temp.refused($$SELECT access_set('c', E'a\nb', 'OK', '', NULL)$$,
    'access_rule_key_is_printable');
SELECT pg_temp.refused($$SELECT access_set('c', 'a', E'OK\nx', '', NULL)$$,
    'access_rule_action_check');
SELECT pg_temp.refused($$INSERT INTO access_rule (list, key, action)
    VALUES ('c', 'UPPER', 'OK')$$, 'access_rule_key_is_folded');

-- the roles
SET ROLE postern_lookup;
SELECT pg_temp.expect('lookup reads', (SELECT action FROM
    access_load('d', 'bad.example', 1)), 'DUNNO');
SELECT pg_temp.refused($$SELECT access_set('c', 'a', 'OK', '', NULL)$$,
    'permission denied');
SELECT pg_temp.refused('SELECT * FROM access_rule', 'permission denied');
SET ROLE postern_admin;
SELECT access_set('e', 'a', 'OK', '', NULL);
SELECT access_import('e', '{b}', '{OK}', true);
SELECT access_del('e', 'b');
SELECT count(*) FROM access_list('c'), access_lists();
RESET ROLE;
