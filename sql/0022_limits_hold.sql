-- Limits of organisations hold in transactions of every kind, and an app
-- password that is imported again is found to be the same.

SET LOCAL search_path = postern, pg_temp;

-- As before, and first: a transaction that sees one picture of the database
-- from its beginning to its end does not see what others took meanwhile, so
-- it could take the last place once more.
CREATE OR REPLACE FUNCTION organisation_check(orgs bigint[]) RETURNS void
LANGUAGE plpgsql SET search_path = postern, pg_temp
AS $$
DECLARE
	o organisation%ROWTYPE;
	n bigint; sum_bytes bigint; unlimited bigint;
BEGIN
	FOR o IN SELECT * FROM organisation x WHERE x.id = ANY (orgs)
	    AND greatest(x.max_domains, x.max_mailboxes, x.max_aliases,
	    x.max_quota_bytes) > 0 ORDER BY x.id FOR UPDATE LOOP
		IF current_setting('transaction_isolation') IN
		    ('repeatable read', 'serializable') THEN
			RAISE EXCEPTION 'organisation % has limits, which can''t '
			    'be checked in a transaction that is %', o.name,
			    current_setting('transaction_isolation')
			    USING ERRCODE = 'feature_not_supported',
			    HINT = 'Use READ COMMITTED.';
		END IF;
		IF o.max_domains > 0 THEN
			SELECT count(*) INTO n FROM domain d
			    WHERE d.org_id = o.id;
			IF n > o.max_domains THEN
				RAISE EXCEPTION 'organisation % may have % domains',
				    o.name, o.max_domains;
			END IF;
		END IF;
		IF o.max_aliases > 0 THEN
			SELECT count(*) INTO n FROM domain d
			    JOIN alias a ON a.domain_id = d.id
			    WHERE d.org_id = o.id;
			IF n > o.max_aliases THEN
				RAISE EXCEPTION 'organisation % may have % aliases',
				    o.name, o.max_aliases;
			END IF;
		END IF;
		CONTINUE WHEN greatest(o.max_mailboxes, o.max_quota_bytes) = 0;
		SELECT count(*), coalesce(sum(m.quota_bytes), 0),
		    count(*) FILTER (WHERE m.quota_bytes = 0)
		    INTO n, sum_bytes, unlimited
		    FROM domain d JOIN mailbox m ON m.domain_id = d.id
		    WHERE d.org_id = o.id AND m.state <> 'deleted';
		IF o.max_mailboxes > 0 AND n > o.max_mailboxes THEN
			RAISE EXCEPTION 'organisation % may have % mailboxes',
			    o.name, o.max_mailboxes;
		END IF;
		-- Not its pool, which limits what is used.
		IF o.max_quota_bytes > 0 AND unlimited > 0 THEN
			RAISE EXCEPTION 'organisation % may give % bytes of '
			    'quota, so every mailbox needs one', o.name,
			    o.max_quota_bytes;
		END IF;
		IF o.max_quota_bytes > 0 AND sum_bytes > o.max_quota_bytes THEN
			RAISE EXCEPTION 'organisation % may give % bytes of quota',
			    o.name, o.max_quota_bytes;
		END IF;
	END LOOP;
END $$;

-- --------------------------------------------------------------------------
-- By label: also of app passwords. Without this they got a new verifier each
-- time, which ends the sessions of the mailbox.
DROP FUNCTION password_salt(text);
CREATE FUNCTION password_salt(address text, label text)
RETURNS TABLE (iterations text, salt text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = postern, pg_temp
AS $$
	SELECT split_part(v.rest, ',', 1), split_part(v.rest, ',', 2)
	FROM (SELECT substr(c.secret, 16) AS rest FROM credential c
	    JOIN mailbox m ON m.id = c.mailbox_id
	    JOIN domain d ON d.id = m.domain_id
	    WHERE d.name = address_domain(address)
	    AND m.local_part = address_local(address) AND m.state <> 'deleted'
	    AND c.label = password_salt.label
	    AND c.secret LIKE '{SCRAM-SHA-256}%'
	    AND (admin_has_domain(d.id) OR admin_is_operator())) v
$$;
COMMENT ON FUNCTION password_salt(text, text) IS 'With what a clear password is made into the verifier that is stored, if it is the same one; no row: none is. The mailbox''s own has the label password.';
REVOKE EXECUTE ON FUNCTION password_salt(text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION password_salt(text, text)
    TO postern_admin, postern_delegate;
