-- What 0004 tells by NOTIFY is also written down, so that an authd whose
-- connection was lost for a while can ask what it has missed.

SET LOCAL search_path = postern, pg_temp;

CREATE TABLE login_change (
	mailbox_id	bigint PRIMARY KEY,
	changed_at	timestamptz NOT NULL
);
CREATE INDEX login_change_changed_at ON login_change (changed_at);
COMMENT ON TABLE login_change IS 'When the password or the right to log in of a mailbox last changed: its sessions from before must end.';
COMMENT ON COLUMN login_change.mailbox_id IS 'No foreign key: a deleted mailbox has sessions to end, too.';
COMMENT ON COLUMN login_change.changed_at IS 'Begin of the transaction, so a little before it could be seen.';

-- Runs as the owner: who writes credentials need not write here.
CREATE FUNCTION login_changed(ids bigint[]) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = postern, pg_temp
AS $$
	INSERT INTO login_change (mailbox_id, changed_at)
	SELECT DISTINCT id, now() FROM unnest(ids) id
	ON CONFLICT (mailbox_id) DO UPDATE SET changed_at = now();
	SELECT pg_notify('postern_login', id::text) FROM unnest(ids) id;
$$;
COMMENT ON FUNCTION login_changed(bigint[]) IS 'Ends the sessions of these mailboxes.';

CREATE FUNCTION login_changed_since(since timestamptz) RETURNS SETOF bigint
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = postern, pg_temp
AS $$
	SELECT c.mailbox_id FROM login_change c
	WHERE c.changed_at >= since - interval '1 minute'
$$;
COMMENT ON FUNCTION login_changed_since(timestamptz) IS 'For an authd that was away; the minute is for transactions that had begun before.';

CREATE OR REPLACE FUNCTION login_notify_mailboxes(domains bigint[])
RETURNS void
LANGUAGE sql SET search_path = postern, pg_temp
AS $$
	SELECT login_changed(ARRAY(SELECT m.id FROM mailbox m
	    WHERE m.domain_id = ANY (domains) AND m.state <> 'deleted'))
$$;

CREATE OR REPLACE FUNCTION credential_notify() RETURNS trigger
LANGUAGE plpgsql SET search_path = postern, pg_temp
AS $$ BEGIN
	PERFORM login_changed(ARRAY[OLD.mailbox_id]);
	RETURN NULL;
END $$;

CREATE OR REPLACE FUNCTION mailbox_login_notify() RETURNS trigger
LANGUAGE plpgsql SET search_path = postern, pg_temp
AS $$ BEGIN
	PERFORM login_changed(ARRAY[OLD.id]);
	RETURN NULL;
END $$;

REVOKE EXECUTE ON FUNCTION login_changed(bigint[]),
    login_changed_since(timestamptz) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION login_changed(bigint[]) TO postern_admin;
GRANT EXECUTE ON FUNCTION login_changed_since(timestamptz) TO postern_auth;
