-- Channel postern_login tells authd whose right to log in changed: payload a
-- mailbox id (its sessions end, remembered logins are forgotten), or * (only
-- remembered logins are forgotten: an alias domain or an organisation
-- changed names, nobody's password did).
-- A rehash at login changes secret but not changed_at and tells nobody.

SET LOCAL search_path = postern, pg_temp;

CREATE FUNCTION login_notify_mailboxes(domains bigint[]) RETURNS void
LANGUAGE sql SET search_path = postern, pg_temp
AS $$
	SELECT pg_notify('postern_login', m.id::text) FROM mailbox m
	WHERE m.domain_id = ANY (domains) AND m.state <> 'deleted'
$$;
COMMENT ON FUNCTION login_notify_mailboxes(bigint[]) IS 'Ends the sessions of all mailboxes of these domains.';

CREATE FUNCTION credential_notify() RETURNS trigger
LANGUAGE plpgsql SET search_path = postern, pg_temp
AS $$ BEGIN
	PERFORM pg_notify('postern_login', OLD.mailbox_id::text);
	RETURN NULL;
END $$;
COMMENT ON FUNCTION credential_notify() IS 'A credential was changed by its owner or an admin, or ended.';

CREATE FUNCTION mailbox_login_notify() RETURNS trigger
LANGUAGE plpgsql SET search_path = postern, pg_temp
AS $$ BEGIN
	PERFORM pg_notify('postern_login', OLD.id::text);
	RETURN NULL;
END $$;
COMMENT ON FUNCTION mailbox_login_notify() IS 'A mailbox was disabled, moved, renamed or deleted.';

CREATE FUNCTION domain_login_notify() RETURNS trigger
LANGUAGE plpgsql SET search_path = postern, pg_temp
AS $$ BEGIN
	PERFORM login_notify_mailboxes(ARRAY[OLD.id]);
	PERFORM pg_notify('postern_login', '*');
	RETURN NULL;
END $$;
COMMENT ON FUNCTION domain_login_notify() IS 'A domain was disabled or renamed; logins by its aliases may be remembered.';

CREATE FUNCTION organisation_login_notify() RETURNS trigger
LANGUAGE plpgsql SET search_path = postern, pg_temp
AS $$ BEGIN
	PERFORM login_notify_mailboxes(ARRAY(
	    SELECT d.id FROM domain d WHERE d.org_id = OLD.id));
	PERFORM pg_notify('postern_login', '*');
	RETURN NULL;
END $$;
COMMENT ON FUNCTION organisation_login_notify() IS 'An organisation was disabled or enabled.';

CREATE TRIGGER login_notify_update AFTER UPDATE ON credential FOR EACH ROW
	WHEN (OLD.changed_at IS DISTINCT FROM NEW.changed_at
	    OR OLD.scope IS DISTINCT FROM NEW.scope
	    OR OLD.expires_at IS DISTINCT FROM NEW.expires_at
	    OR OLD.mailbox_id IS DISTINCT FROM NEW.mailbox_id)
	EXECUTE FUNCTION credential_notify();
CREATE TRIGGER login_notify_delete AFTER DELETE ON credential FOR EACH ROW
	EXECUTE FUNCTION credential_notify();
CREATE TRIGGER login_notify_update AFTER UPDATE ON mailbox FOR EACH ROW
	WHEN (OLD.state IS DISTINCT FROM NEW.state
	    OR OLD.host_id IS DISTINCT FROM NEW.host_id
	    OR OLD.domain_id IS DISTINCT FROM NEW.domain_id
	    OR OLD.local_part IS DISTINCT FROM NEW.local_part)
	EXECUTE FUNCTION mailbox_login_notify();
CREATE TRIGGER login_notify_delete AFTER DELETE ON mailbox FOR EACH ROW
	EXECUTE FUNCTION mailbox_login_notify();
CREATE TRIGGER login_notify_update AFTER UPDATE ON domain FOR EACH ROW
	WHEN (OLD.active IS DISTINCT FROM NEW.active
	    OR OLD.name IS DISTINCT FROM NEW.name
	    OR OLD.class IS DISTINCT FROM NEW.class
	    OR OLD.alias_of IS DISTINCT FROM NEW.alias_of)
	EXECUTE FUNCTION domain_login_notify();
CREATE TRIGGER login_notify_update AFTER UPDATE ON organisation FOR EACH ROW
	WHEN (OLD.active IS DISTINCT FROM NEW.active)
	EXECUTE FUNCTION organisation_login_notify();

REVOKE EXECUTE ON FUNCTION login_notify_mailboxes(bigint[]),
    credential_notify(), mailbox_login_notify(), domain_login_notify(),
    organisation_login_notify() FROM PUBLIC;
-- What triggers call runs with the rights of who writes.
GRANT EXECUTE ON FUNCTION login_notify_mailboxes(bigint[]) TO postern_admin;
