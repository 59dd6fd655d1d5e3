-- What authds share: counts add up once per batch, the newest is read, what is
-- old goes.
SELECT pg_temp.expect('one batch', login_guess_merge('w1', 1,
    '{account,network}', '{kim@a.example,192.0.2.0/24}', '{0,0}',
    ARRAY[extract(epoch FROM now())::bigint / 1800,
    extract(epoch FROM now())::bigint / 1800], '{3,1}') > 0, true);
SELECT pg_temp.expect('the same again', login_guess_merge('w1', 1,
    '{account}', '{kim@a.example}', '{0}',
    ARRAY[extract(epoch FROM now())::bigint / 1800], '{3}'), 0::bigint);
SELECT pg_temp.expect('another host', login_guess_merge('w2', 1,
    '{account}', '{kim@a.example}', '{0}',
    ARRAY[extract(epoch FROM now())::bigint / 1800], '{4}') > 0, true);
SELECT pg_temp.expect('added up', (SELECT array_agg(subject || ' ' || guesses
    ORDER BY subject) FROM login_guess_changed(0, 10)),
    '{192.0.2.0/24 1,kim@a.example 7}'::text[]);
SELECT pg_temp.expect('behind a revision', (SELECT count(*) FROM
    login_guess_changed((SELECT revision - 1 FROM shared_kind
    WHERE kind = 'login_guess'), 10)), 1::bigint);
SELECT pg_temp.expect('no more than a slot holds', (SELECT
    login_guess_merge('w2', 2, '{account}', '{kim@a.example}', '{0}',
    ARRAY[extract(epoch FROM now())::bigint / 1800], '{9000000}') > 0),
    true);
SELECT pg_temp.expect('capped', (SELECT max(guesses) FROM login_guess),
    60000::bigint);
SELECT pg_temp.expect('long ago', login_guess_merge('w2', 3,
    '{account}', '{old@a.example}', '{0}', '{1}', '{4}') > 0, true);
SELECT pg_temp.expect('not told', (SELECT count(*) FROM
    login_guess_changed(0, 10) WHERE subject = 'old@a.example'), 0::bigint);
SELECT pg_temp.expect('gone', login_guess_expire(100), 1::bigint);
SELECT pg_temp.refused($$SELECT login_guess_merge('w2', 4, '{other}', '{x}',
    '{0}', '{1}', '{1}')$$, 'login_guess_kind_check');

SELECT pg_temp.expect('known', login_known_merge('w1', 1,
    '{kim@a.example,lee@a.example}', '{192.0.2.0/24,192.0.2.0/24}',
    ARRAY[share_ms(now()) + 60000, share_ms(now()) - 60000]) > 0, true);
SELECT pg_temp.expect('an earlier end', login_known_merge('w2', 1,
    '{kim@a.example}', '{192.0.2.0/24}',
    ARRAY[share_ms(now()) + 1000]) > 0, true);
SELECT pg_temp.expect('the later one stays', (SELECT array_agg(account) FROM
    login_known_changed(0, 10) WHERE until_ms > share_ms(now()) + 50000),
    '{kim@a.example}'::text[]);
SELECT pg_temp.expect('known no more', login_known_expire(100), 1::bigint);

-- bounds: one account's networks, and what a flood of names leaves
SELECT pg_temp.expect('from everywhere', login_known_merge('w1', 2,
    array_agg('mallory@a.example'::text), array_agg('2001:db8:0:' || i || '::/64'),
    array_agg(share_ms(now()) + 60000 + i)) > 0, true)
    FROM generate_series(1000, 1999) i;
SELECT pg_temp.expect('the last ones stay', (SELECT count(*) || ' ' ||
    min(network) FROM login_known WHERE account = 'mallory@a.example'),
    '128 2001:db8:0:1872::/64');
SELECT pg_temp.expect('and those of others', (SELECT count(*) FROM login_known
    WHERE account = 'kim@a.example'), 1::bigint);
INSERT INTO login_guess SELECT 'account', 'u' || i || '@a.example', 0, 0, 1,
    now() + interval '1 hour' + i * interval '1 ms', 1
    FROM generate_series(1, 500100) i;
SELECT pg_temp.expect('too many', login_guess_expire(1000) > 0, true);
SELECT pg_temp.expect('the oldest went', (SELECT count(*) FROM login_guess
    WHERE subject IN ('u1@a.example', 'u90@a.example')), 0::bigint);
SELECT pg_temp.expect('what a mailbox has to fear stays', (SELECT count(*)
    FROM login_guess WHERE subject = 'kim@a.example'), 1::bigint);
SELECT pg_temp.expect('no more than that', login_guess_expire(1000),
    0::bigint);
