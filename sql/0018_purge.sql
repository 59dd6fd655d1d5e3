-- Deleted mailboxes: which wait for `postern mailbox purge', and their end.

SET LOCAL search_path = postern, pg_temp;

CREATE FUNCTION mailbox_deleted(host text, older interval)
RETURNS TABLE (id bigint, address text, deleted_at timestamptz,
    bytes bigint, messages bigint)
LANGUAGE sql STABLE SET search_path = postern, pg_temp
AS $$
	SELECT m.id, m.local_part || '@' || coalesce(d.name, '(deleted)'),
	    m.deleted_at, u.bytes, u.messages
	FROM mailbox m JOIN host h ON h.id = m.host_id
	LEFT JOIN domain d ON d.id = m.domain_id
	LEFT JOIN usage u ON u.mailbox_id = m.id
	WHERE h.name = mailbox_deleted.host AND m.state = 'deleted'
	AND m.deleted_at <= now() - mailbox_deleted.older
	ORDER BY m.deleted_at, m.id
$$;
COMMENT ON FUNCTION mailbox_deleted(text, interval) IS 'Deleted mailboxes of a host whose homes are still there, the oldest first.';

CREATE FUNCTION mailbox_purged(host text, id bigint) RETURNS void
LANGUAGE plpgsql SET search_path = postern, pg_temp
AS $$
#variable_conflict use_column
BEGIN
	DELETE FROM mailbox m USING host h WHERE m.id = mailbox_purged.id
	    AND h.id = m.host_id AND h.name = mailbox_purged.host
	    AND m.state = 'deleted';
	IF NOT FOUND THEN
		RAISE EXCEPTION 'mailbox % of % is not deleted',
		    mailbox_purged.id, mailbox_purged.host
		    USING ERRCODE = 'no_data_found';
	END IF;
END $$;
COMMENT ON FUNCTION mailbox_purged(text, bigint) IS 'Its home is gone. The id is not given out again.';

REVOKE EXECUTE ON FUNCTION mailbox_deleted(text, interval),
    mailbox_purged(text, bigint) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION mailbox_deleted(text, interval),
    mailbox_purged(text, bigint) TO postern_admin;
