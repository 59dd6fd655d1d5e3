-- Passes of first-contact tests: merged in any order, told, forgotten, expired.
SET ROLE postern_gate;
SELECT pg_temp.expect('first batch', first_contact_merge('w', 1,
    ARRAY['192.0.2.7', '2001:db8:1:2::/64'],
    ARRAY[4000000000000, 0], ARRAY[0, 0], ARRAY[0, 4000000000000],
    ARRAY[0, 0], ARRAY[0, 0], ARRAY[4100000000000, 4100000000000]), 1::bigint);
SELECT pg_temp.expect('once only', first_contact_merge('w', 1,
    ARRAY['192.0.2.9'], ARRAY[4000000000000], ARRAY[0], ARRAY[0], ARRAY[0],
    ARRAY[0], ARRAY[4100000000000]), 0::bigint);
SELECT pg_temp.expect('an earlier end', first_contact_merge('v', 1,
    ARRAY['192.0.2.7'], ARRAY[3900000000000], ARRAY[3900000000000], ARRAY[0],
    ARRAY[0], ARRAY[0], ARRAY[3950000000000]), 3::bigint);
SELECT pg_temp.expect('the later end holds', (SELECT array_agg(
    concat_ws(' ', revision, client, greet, dnsbl, pipelining,
    non_smtp_command, bare_newline, expires)) FROM
    first_contact_changed(0, 10)),
    ARRAY['1 2001:db8:1:2::/64 0 0 4000000000000 0 0 4100000000000',
    '3 192.0.2.7 4000000000000 3900000000000 0 0 0 4100000000000']);
SELECT pg_temp.expect('behind a revision', (SELECT count(*) FROM
    first_contact_changed(1, 10)), 1::bigint);
SELECT pg_temp.refused('SELECT first_contact_forget(''192.0.2.7'')',
    'permission denied');
SELECT pg_temp.refused('SELECT * FROM first_contact', 'permission denied');
SET ROLE postern_admin;
SELECT pg_temp.expect('list', (SELECT string_agg(client, ' ') FROM
    first_contact_list(NULL)), '192.0.2.7 2001:db8:1:2::/64');
SELECT pg_temp.expect('one of a /64', (SELECT string_agg(client, ' ') FROM
    first_contact_list('2001:db8:1:2::77')), '2001:db8:1:2::/64');
SELECT first_contact_forget('2001:db8:1:2:3::1');
SELECT pg_temp.refused('SELECT first_contact_forget(''2001:db8:1:2::/64'')',
    'is no known client');
SELECT pg_temp.refused('SELECT first_contact_forget(''kim'')',
    'is no address of a client');
SELECT pg_temp.refused('SELECT first_contact_forget(''192.0.2.0/24'')',
    'is no address of a client');
SELECT pg_temp.expect('not listed any more', (SELECT string_agg(client, ' ')
    FROM first_contact_list(NULL)), '192.0.2.7');
SET ROLE postern_gate;
SELECT pg_temp.expect('all hosts hear of it', (SELECT concat_ws(' ', client,
    greet, dnsbl, pipelining, non_smtp_command, bare_newline) FROM
    first_contact_changed(3, 10)), '2001:db8:1:2::/64 0 0 0 0 0');
-- a new pass is a new beginning
SELECT first_contact_merge('w', 2, ARRAY['2001:db8:1:2::/64'],
    ARRAY[4000000000000], ARRAY[0], ARRAY[0], ARRAY[0], ARRAY[0],
    ARRAY[4100000000000]);
RESET ROLE;
UPDATE first_contact SET expires_at = now() WHERE client = '192.0.2.7';
SET ROLE postern_gate;
SELECT pg_temp.expect('known again', (SELECT string_agg(client, ' ') FROM
    first_contact_changed(0, 10)), '2001:db8:1:2::/64');
SELECT pg_temp.expect('expiry', first_contact_expire(10), 1::bigint);
SELECT pg_temp.expect('and no more', first_contact_expire(10), 0::bigint);
RESET ROLE;
