-- Pools: sums that follow every change, and who is told.
SELECT domain_add('a.example', 'mailbox', NULL, NULL);
SELECT domain_add('b.example', 'mailbox', NULL, NULL);
SELECT mailbox_add('kim@a.example', 'mx.example', NULL, NULL, NULL);
SELECT mailbox_add('lee@a.example', 'mx.example', NULL, 900, 9);
SELECT mailbox_add('pat@b.example', 'mx.example', NULL, NULL, NULL);

CREATE FUNCTION pg_temp.sums() RETURNS text LANGUAGE sql AS $$
	SELECT string_agg(d.name || '=' || u.bytes || '/' || u.messages, ' '
	    ORDER BY d.name) FROM domain_usage u
	JOIN domain d ON d.id = u.domain_id
$$;
CREATE FUNCTION pg_temp.roots(id bigint) RETURNS text LANGUAGE sql AS $$
	SELECT string_agg(q.kind || ' ' || q.name || ' ' || q.bytes || ' of '
	    || q.limit_bytes, ', ' ORDER BY q.kind DESC)
	FROM quota_of(ARRAY[id]) q
$$;

SELECT usage_report('{1,2,3}', '{100,200,400}', '{1,2,4}', '{5,5,5}');
SELECT pg_temp.expect('sums', pg_temp.sums(),
    'a.example=300/3 b.example=400/4');
SELECT usage_report('{1,2,3}', '{50,250,1}', '{1,1,1}', '{6,6,4}');
SELECT pg_temp.expect('an old report changes nothing', pg_temp.sums(),
    'a.example=300/2 b.example=400/4');

-- without a pool a mailbox is alone
SELECT pg_temp.expect('no pool', pg_temp.roots(2),
    'mailbox lee@a.example 250 of 900');
SELECT pg_temp.expect('no pool row', (SELECT count(*) FROM
    resolve_recipient('lee@a.example', '+') r WHERE r.item = 'pool'),
    0::bigint);
SELECT quota_set('domain', 'a.example', 1000, NULL);
SELECT quota_set('organisation', 'default', NULL, 50);
SELECT pg_temp.expect('two pools', pg_temp.roots(1), 'organisation default '
    '700 of 0, mailbox kim@a.example 50 of 0, domain a.example 300 of 1000');
SELECT pg_temp.expect('pool row behind the mailbox', (SELECT string_agg(
    r.item || r.id, ' ') FROM resolve_recipient('kim+x@a.example', '+') r
    WHERE r.item IN ('mailbox', 'pool')), 'mailbox1 pool1');
SELECT pg_temp.expect('unknown ids', (SELECT count(*) FROM
    quota_of('{98,99}')), 0::bigint);

-- what moves is counted where it is
UPDATE mailbox SET domain_id = 2 WHERE id = 1;
SELECT pg_temp.expect('moved', pg_temp.sums(),
    'a.example=250/1 b.example=450/5');
SELECT mailbox_del('pat@b.example');
SELECT pg_temp.expect('deleted', pg_temp.sums(),
    'a.example=250/1 b.example=50/1');
SELECT usage_report('{3}', '{500}', '{5}', '{9}');
SELECT pg_temp.expect('a late report of a deleted one', pg_temp.sums(),
    'a.example=250/1 b.example=50/1');
UPDATE mailbox SET state = 'active', deleted_at = NULL WHERE id = 3;
SELECT pg_temp.expect('undeleted', pg_temp.sums(),
    'a.example=250/1 b.example=550/6');
DELETE FROM mailbox WHERE id = 3;
SELECT pg_temp.expect('purged', pg_temp.sums(),
    'a.example=250/1 b.example=50/1');
SELECT organisation_add('other');
SELECT quota_set('organisation', 'other', 60, 0);
SELECT domain_set('b.example', 'organisation', 'other');
SELECT pg_temp.expect('a domain takes its mail along', pg_temp.roots(1),
    'organisation other 50 of 60, mailbox kim@b.example 50 of 0');
SELECT pg_temp.expect('and leaves nothing', (SELECT bytes FROM
    organisation_usage(need_organisation('default'))), 250::bigint);
SELECT domain_del('b.example', true);
SELECT pg_temp.expect('a domain ends', pg_temp.sums(), 'a.example=250/1');

-- show and set
SELECT pg_temp.expect('show all', (SELECT string_agg(root || ' ' || subject,
    ', ') FROM quota_list('all', NULL)),
    'organisation default, organisation other, domain a.example');
SELECT pg_temp.expect('show one', (SELECT string_agg(root || ' ' || subject,
    ', ') FROM quota_list('mailbox', 'lee@a.example')),
    'organisation default, domain a.example, mailbox lee@a.example');
SELECT quota_set('mailbox', 'lee@a.example', 0, NULL);
SELECT pg_temp.expect('one figure only', (SELECT quota_bytes || ' ' ||
    quota_messages FROM mailbox WHERE id = 2), '0 9');
SELECT pg_temp.refused($$SELECT quota_set('domain', 'no.example', 1, 1)$$,
    'no domain');
SELECT pg_temp.refused($$SELECT quota_set('mailbox', 'lee@a.example', -1, 1)$$,
    'quota_bytes');

-- warnings: once per crossing, with a margin on the way back
SELECT mailbox_add('max@a.example', 'mx.example', NULL, 1000, 0);
CREATE FUNCTION pg_temp.at(bytes bigint, version bigint) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
	id bigint := need_mailbox('max@a.example');
	said text;
BEGIN
	PERFORM usage_report(ARRAY[id], ARRAY[bytes], '{1}', ARRAY[version]);
	PERFORM quota_judge('mx.example', ARRAY[id], '{80,90,95}', 2, 0, false);
	SELECT string_agg(q.level || '#' || q.number, ' ') INTO said
	    FROM quota_due('mx.example', 10, 0, false) q;
	UPDATE quota_warning SET due = false;
	RETURN said;
END $$;
SELECT pg_temp.expect('below', pg_temp.at(799, 1), NULL);
SELECT pg_temp.expect('at 80', pg_temp.at(800, 2), '80#1');
SELECT pg_temp.expect('again', pg_temp.at(850, 3), NULL);
SELECT pg_temp.expect('two steps at once', pg_temp.at(999, 4), '95#2');
SELECT pg_temp.expect('a little less', pg_temp.at(930, 5), NULL);
SELECT pg_temp.expect('95 is left by now', pg_temp.at(960, 6), NULL);
SELECT pg_temp.expect('much less', pg_temp.at(810, 7), NULL);
SELECT pg_temp.expect('and up', pg_temp.at(950, 8), '95#3');
SELECT pg_temp.expect('within the margin', pg_temp.at(785, 9), NULL);
SELECT pg_temp.expect('back under', pg_temp.at(770, 10), '0#4');
SELECT pg_temp.expect('stays there', pg_temp.at(500, 11), NULL);
SELECT quota_set('mailbox', 'max@a.example', 500, NULL);
SELECT pg_temp.expect('a lowered limit', pg_temp.at(500, 12), '95#5');
SELECT pg_temp.expect('another host''s', quota_judge('other.example',
    ARRAY(SELECT id FROM mailbox), '{1}', 0, 0, false), 0::bigint);
SELECT pg_temp.expect('no thresholds', quota_judge('mx.example',
    ARRAY[2::bigint], '{}', 2, 0, false), 0::bigint);
SELECT pg_temp.expect('events', (SELECT string_agg(name || ' ' ||
    (detail->>'level'), ', ' ORDER BY id) FROM event
    WHERE subject = 'max@a.example'), 'quota.warning 80, quota.warning 95, '
    'quota.cleared 80, quota.warning 95, quota.cleared 80, quota.cleared 0, '
    'quota.warning 95');
SELECT quota_set('domain', 'a.example', 800, 0);
SELECT pg_temp.at(500, 13);
SELECT pg_temp.expect('a pool has an event', (SELECT name || ' ' ||
    (detail->>'percent') FROM event WHERE subject = 'a.example'
    ORDER BY id DESC LIMIT 1), 'quota.warning 93');
SELECT pg_temp.expect('site limits', (SELECT string_agg(
    quota_limit_bytes(s, 100, o)::text, ' ') FROM (VALUES (0::bigint, false),
    (50, false), (200, false), (200, true), (0, true)) x (s, o)),
    '100 50 100 200 100');

-- audit
SELECT pg_temp.expect('sums are right', (SELECT count(*)
    FROM quota_sums(false)), 0::bigint);
UPDATE domain_usage SET bytes = bytes + 5;
SELECT pg_temp.expect('wrong sums are told', (SELECT bytes - sum_bytes
    FROM quota_sums(false)), 5::bigint);
SET ROLE postern_admin;
SELECT quota_sums(true);
RESET ROLE;
SELECT pg_temp.expect('and mended', (SELECT count(*)
    FROM quota_sums(false)), 0::bigint);
SELECT pg_temp.expect('what mailboxes are said to hold', (SELECT string_agg(
    address || ' ' || bytes, ', ') FROM quota_reported('mx.example', 'all',
    NULL)), 'lee@a.example 250, max@a.example 500');
