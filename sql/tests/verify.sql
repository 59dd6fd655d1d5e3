-- Verdicts: written, read, forgotten; nothing that could not be told.
SELECT verify_set('kim@far.example', 'ok', '');
SELECT verify_set('lee@far.example', 'bounce', 'no such user');
SELECT verify_set('x@other.example', 'defer', 'timed out');
SELECT pg_temp.expect('lookup', (SELECT status || '/' || why || '/' || age_s
    FROM verify_lookup('lee@far.example')), 'bounce/no such user/0');
SELECT pg_temp.expect('nothing known', (SELECT count(*)
    FROM verify_lookup('Lee@far.example')), 0::bigint);
UPDATE verdict SET updated_at = now() - interval '2 hours'
    WHERE address = 'kim@far.example';
SELECT pg_temp.expect('age', (SELECT age_s
    FROM verify_lookup('kim@far.example')), 7200::bigint);
SELECT verify_set('kim@far.example', 'bounce', 'gone');
SELECT pg_temp.expect('as of now', (SELECT status || '/' || age_s
    FROM verify_lookup('kim@far.example')), 'bounce/0');
-- a clock that was put back makes nothing younger than now
UPDATE verdict SET updated_at = now() + interval '1 day';
SELECT pg_temp.expect('from the future', (SELECT age_s
    FROM verify_lookup('kim@far.example')), 0::bigint);
SELECT pg_temp.expect('list', (SELECT string_agg(address, ' ')
    FROM verify_list('far.example')), 'kim@far.example lee@far.example');
SELECT pg_temp.expect('all', (SELECT count(*) FROM verify_list(NULL)),
    3::bigint);
SELECT verify_forget('kim@far.example');
SELECT pg_temp.refused($$SELECT verify_forget('kim@far.example')$$,
    'there is no verdict about kim@far.example');
SELECT pg_temp.refused($$SELECT verify_set('kim', 'ok', '')$$,
    'verdict_address_check');
SELECT pg_temp.refused($$SELECT verify_set('kim@', 'ok', '')$$,
    'verdict_address_check');
SELECT pg_temp.refused($$SELECT verify_set('k@a.example', 'maybe', '')$$,
    'verdict_status_check');
SELECT pg_temp.refused($$SELECT verify_set('k@a.example', 'bounce',
    E'550 no\r\n250 yes')$$, 'verdict_why_check');
SET ROLE postern_lookup;
SELECT pg_temp.refused($$SELECT verify_set('k@a.example', 'ok', '')$$,
    'permission denied');
SELECT pg_temp.expect('as smtpd', (SELECT status
    FROM verify_lookup('lee@far.example')), 'bounce');
RESET ROLE;
SET ROLE postern_admin;
SELECT verify_set('k@a.example', 'ok', '');
SELECT verify_forget('k@a.example');
