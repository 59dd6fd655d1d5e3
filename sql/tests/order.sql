-- The written order of the resolver, and the six bugs that catch-alls and
-- user+extension had elsewhere (FEATURES item 73).
SELECT domain_add('a.example', 'mailbox', NULL, NULL);
SELECT domain_add('b.example', 'alias', 'a.example', NULL);
SELECT domain_add('c.example', 'alias', 'b.example', NULL);
SELECT domain_add('r.example', 'relay', NULL, NULL);
SELECT domain_add('l.example', 'relay', NULL, NULL);
SELECT domain_set('l.example', 'relay_recipients', 'listed');
SELECT mailbox_add(x || '@a.example', 'mx.example', NULL, NULL, NULL)
    FROM unnest(ARRAY['kim', 'lee', 'trash', 'kim+real', 'off', 'list-request',
    'owner-list', 'list', '"a b"']) x;
SELECT mailbox_set('off@a.example', 'state', 'disabled');
SELECT alias_add('sales@a.example', ARRAY['kim@a.example', 'lee@a.example']);
SELECT alias_add('both@a.example', ARRAY['sales@a.example', 'kim@a.example',
    'x@far.example']);
SELECT alias_add('gone@a.example', ARRAY['nobody@a.example']);

SELECT pg_temp.expect('no catch-all', pg_temp.resolved('zed@a.example'),
    'unknown');
SELECT pg_temp.expect('alias to nobody', pg_temp.resolved('gone@a.example'),
    'unknown');
SELECT alias_add('@a.example', ARRAY['trash@a.example']);

-- 1-6: the catch-all swallows nothing that is there.
SELECT pg_temp.expect('mailbox', pg_temp.resolved('kim@a.example'),
    'mailbox kim@a.example');
SELECT pg_temp.expect('mailbox+ext', pg_temp.resolved('lee+x@a.example'),
    'mailbox lee@a.example [x]');
SELECT pg_temp.expect('alias', pg_temp.resolved('sales@a.example'),
    'mailbox kim@a.example lee@a.example');
SELECT pg_temp.expect('alias+ext', pg_temp.resolved('sales+q@a.example'),
    'mailbox kim@a.example [q] lee@a.example [q]');
SELECT pg_temp.expect('mailbox by alias domain',
    pg_temp.resolved('kim@b.example'), 'mailbox kim@a.example');
SELECT pg_temp.expect('mailbox+ext by alias domain',
    pg_temp.resolved('kim+t@c.example'), 'mailbox kim@a.example [t]');
SELECT pg_temp.expect('catch-all', pg_temp.resolved('zed@a.example'),
    'mailbox trash@a.example');
SELECT pg_temp.expect('catch-all by alias domain',
    pg_temp.resolved('zed@c.example'), 'mailbox trash@a.example');
SELECT pg_temp.expect('disabled', pg_temp.resolved('off@a.example'),
    'disabled');

-- exact before base; an alias domain's own entries before its target's
SELECT pg_temp.expect('exact+ext', pg_temp.resolved('kim+real@a.example'),
    'mailbox kim+real@a.example');
SELECT alias_add('kim@b.example', ARRAY['lee@a.example']);
SELECT pg_temp.expect('alias domain''s own alias',
    pg_temp.resolved('kim@b.example'), 'mailbox lee@a.example');
SELECT pg_temp.expect('and its base',
    pg_temp.resolved('kim+x@c.example'), 'mailbox lee@a.example [x]');
SELECT alias_add('@b.example', ARRAY['x@far.example']);
SELECT pg_temp.expect('alias domain''s own catch-all comes after its target',
    pg_temp.resolved('trash@b.example'), 'mailbox trash@a.example');
SELECT pg_temp.expect('and before its target''s catch-all',
    pg_temp.resolved('zed@b.example'), 'mailbox x@far.example');

-- one copy for many ways; forwards; nested
SELECT pg_temp.expect('nested', pg_temp.resolved('both@a.example'),
    'mailbox kim@a.example lee@a.example x@far.example');
SELECT pg_temp.expect('an extension does not go abroad',
    pg_temp.resolved('both+x@a.example'),
    'mailbox kim@a.example [x] lee@a.example [x] x@far.example');

-- delimiters
SELECT pg_temp.expect('none', pg_temp.resolved('lee+x@a.example', ''),
    'mailbox trash@a.example');
SELECT pg_temp.expect('several', pg_temp.resolved('lee-x@a.example', '+-'),
    'mailbox lee@a.example [x]');
SELECT pg_temp.expect('the first counts',
    pg_temp.resolved('lee-x+y@a.example', '+-'),
    'mailbox lee@a.example [x+y]');
SELECT pg_temp.expect('no base of nothing', address_base('+x', '+'),
    NULL::text);
SELECT pg_temp.expect('lists', pg_temp.resolved('list-request@a.example',
    '-'), 'mailbox list-request@a.example');
SELECT pg_temp.expect('owner', address_base('owner-list', '-'), NULL::text);
SELECT pg_temp.expect('quoted', pg_temp.resolved('"a b"@a.example'),
    'mailbox "a b"@a.example');

-- relay
SELECT pg_temp.expect('relay any', pg_temp.resolved('x@r.example'),
    'relay x@r.example');
SELECT pg_temp.expect('relay listed', pg_temp.resolved('x@l.example'),
    'unknown');
SELECT relay_recipient_add('x@l.example');
SELECT pg_temp.expect('relay listed', pg_temp.resolved('x@l.example'),
    'relay x@l.example');
SELECT pg_temp.expect('relay listed+ext', pg_temp.resolved('x+t@l.example'),
    'relay x+t@l.example');
SELECT relay_recipient_del('x@l.example');
SELECT pg_temp.expect('relay unlisted', pg_temp.resolved('x@l.example'),
    'unknown');
SELECT alias_add('me@r.example', ARRAY['kim@a.example']);
SELECT pg_temp.expect('alias in a relay domain',
    pg_temp.resolved('me@r.example'), 'mailbox kim@a.example');

-- not ours, disabled, deleted
SELECT pg_temp.expect('stranger', pg_temp.resolved('x@far.example'),
    'not_local');
SELECT pg_temp.expect('subdomain', pg_temp.resolved('kim@x.a.example'),
    'not_local');
SELECT pg_temp.expect('nonsense', pg_temp.resolved('nonsense'), 'not_local');
SELECT mailbox_del('kim@a.example');
SELECT pg_temp.expect('deleted', pg_temp.resolved('kim@a.example'),
    'mailbox trash@a.example');
SELECT alias_del('@a.example', NULL);
SELECT pg_temp.expect('deleted', pg_temp.resolved('kim@a.example'),
    'unknown');
SELECT mailbox_add('kim@a.example', 'mx.example', NULL, NULL, NULL);
SELECT pg_temp.expect('a new home under the old name', (SELECT count(*)
    FROM mailbox WHERE local_part = 'kim'), 2::bigint);
SELECT alias_set('sales@a.example', 'active', 'no');
SELECT pg_temp.expect('alias off', pg_temp.resolved('sales@a.example'),
    'disabled');
SELECT domain_set('a.example', 'active', 'no');
SELECT pg_temp.expect('domain off', pg_temp.resolved('kim@c.example'),
    'disabled');

-- resolve_explain gives the same answer and the way to it
SELECT pg_temp.expect('explain', (SELECT count(*) FROM resolve_explain(
    'both@a.example', '+') WHERE item = 'step') > 0, true);

-- every answer says what it depends on
SELECT domain_set('a.example', 'active', 'yes');
SELECT pg_temp.expect('depends', (SELECT array_agg(value ORDER BY value)
    FROM resolve_recipient('zed+x@b.example', '+') WHERE item = 'depends'),
    ARRAY['a.example', 'a.example/zed', 'a.example/zed+x', 'b.example',
    'b.example/', 'b.example/zed', 'b.example/zed+x', 'far.example',
    'org:1']);
