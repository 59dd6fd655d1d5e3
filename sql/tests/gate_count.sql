-- Verdicts of the gate: added up once, by day and since a host's start.
SET ROLE postern_gate;
SELECT pg_temp.expect('first batch', gate_count_merge('w', 1,
    ARRAY['mx1', 'mx1', 'mx1'], ARRAY['1000', '1000', '1000'],
    ARRAY['l', 'l', 'l'], ARRAY['reject_rbl_client a', 'check_spf',
    'reject_rbl_client a'], ARRAY['reject', 'permit', 'reject'],
    ARRAY[3, 4, 2]), 1::bigint);
SELECT pg_temp.expect('once only', gate_count_merge('w', 1, ARRAY['mx1'],
    ARRAY['1000'], ARRAY['l'], ARRAY['check_spf'], ARRAY['permit'],
    ARRAY[100]), 0::bigint);
SELECT pg_temp.expect('another host', gate_count_merge('v', 1, ARRAY['mx2'],
    ARRAY['5000'], ARRAY['l'], ARRAY['check_spf'], ARRAY['permit'],
    ARRAY[10]), 3::bigint);
SELECT pg_temp.expect('nothing comes back', (SELECT count(*) FROM
    gate_count_changed(0, 100)), 0::bigint);
SELECT pg_temp.refused('SELECT * FROM gate_stats(NULL)', 'permission denied');
SELECT pg_temp.refused('SELECT * FROM gate_count', 'permission denied');
SET ROLE postern_admin;
SELECT pg_temp.expect('all hosts', (SELECT array_agg(concat_ws(' ', rule,
    action, since_start, today, last_7_days, last_30_days)) FROM
    gate_stats(NULL)), ARRAY['check_spf permit 14 14 14 14',
    'reject_rbl_client a reject 5 5 5 5']);
SELECT pg_temp.expect('one host', (SELECT array_agg(concat_ws(' ', rule,
    action, since_start)) FROM gate_stats('mx2')),
    ARRAY['check_spf permit 10']);
-- mx1 is started anew: what it counted before is not since its start
SET ROLE postern_gate;
SELECT gate_count_merge('w2', 1, ARRAY['mx1'], ARRAY['9000'], ARRAY['l'],
    ARRAY['check_spf'], ARRAY['permit'], ARRAY[1]);
RESET ROLE;
UPDATE gate_count SET day = day - 8 WHERE rule = 'reject_rbl_client a';
INSERT INTO gate_count VALUES (current_date - 402, 'mx1', 'l', 'old',
    'reject', 7);
SET ROLE postern_admin;
SELECT pg_temp.expect('since start and by day', (SELECT array_agg(
    concat_ws(' ', rule, action, since_start, today, last_7_days,
    last_30_days)) FROM gate_stats('mx1')),
    ARRAY['check_spf permit 1 5 5 5', 'reject_rbl_client a reject 0 0 0 5']);
SELECT pg_temp.expect('days', (SELECT array_agg(concat_ws(' ', rule, n))
    FROM gate_stats_days(NULL, 30)), ARRAY['check_spf 15',
    'reject_rbl_client a 5']);
SELECT pg_temp.expect('one day', (SELECT array_agg(concat_ws(' ', rule, n))
    FROM gate_stats_days(NULL, 1)), ARRAY['check_spf 15']);
SELECT pg_temp.refused('DELETE FROM gate_count', 'permission denied');
SET ROLE postern_gate;
SELECT pg_temp.expect('the old go', gate_count_expire(10), 1::bigint);
SELECT pg_temp.expect('and no others', gate_count_expire(10), 0::bigint);
RESET ROLE;
