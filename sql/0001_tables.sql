-- The tables of Postern, their checks, comments and grants.
--
-- Run by `postern db migrate`, inside one transaction. Grants stand next to
-- the table. Service roles have no right on any table: they call functions
-- (0002, 0003) that run as the owner and give out one answer at a time, so a
-- hijacked smtpd can't list addresses and a hijacked imapd has no database.

CREATE SCHEMA IF NOT EXISTS postern;
COMMENT ON SCHEMA postern IS 'Postern mail server: directory, credentials, usage.';
SET LOCAL search_path = postern, pg_temp;

DO $$
DECLARE
	r text;
BEGIN
	FOREACH r IN ARRAY ARRAY['postern_lookup', 'postern_usage',
	    'postern_auth', 'postern_queue', 'postern_admin'] LOOP
		IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = r) THEN
			EXECUTE format('CREATE ROLE %I LOGIN', r);
			IF r <> 'postern_admin' THEN
				EXECUTE format('ALTER ROLE %I SET '
				    'statement_timeout = ''10s''', r);
			END IF;
		END IF;
	END LOOP;
EXCEPTION WHEN insufficient_privilege THEN
	RAISE EXCEPTION 'role "%" is missing and % may not create it', r,
	    current_user USING HINT = 'Run the migration as a user with '
	    'CREATEROLE, or create the roles named in doc/database.md first.';
END $$;

REVOKE ALL ON SCHEMA postern FROM PUBLIC;
GRANT USAGE ON SCHEMA postern TO postern_lookup, postern_usage, postern_auth,
    postern_queue, postern_admin;

-- --------------------------------------------------------------------------
CREATE TABLE migration (
	revision	integer PRIMARY KEY CHECK (revision > 0),
	name		text NOT NULL,
	checksum	text NOT NULL,
	applied_at	timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE migration IS 'Which numbered migrations this database has.';
COMMENT ON COLUMN migration.checksum IS 'SHA-256 of the file as it was applied; a file must not change afterwards.';
GRANT SELECT ON migration TO postern_admin;

CREATE FUNCTION schema_revision() RETURNS integer
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = postern, pg_temp
AS $$ SELECT coalesce(max(revision), 0) FROM migration $$;
COMMENT ON FUNCTION schema_revision() IS 'Programs compare this with the revision they were built for.';

-- --------------------------------------------------------------------------
-- One normal form of an address, as lib/mail/address.h makes it. The SQL side
-- never repairs, it refuses: what is not normal could never be found.

CREATE FUNCTION is_domain_name(d text) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$ SELECT octet_length(d) <= 255 AND d ~ '^([a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?\.)*[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?$' $$;
COMMENT ON FUNCTION is_domain_name(text) IS 'Lower-case A-labels without a last dot.';

CREATE FUNCTION is_local_part(l text) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$ SELECT octet_length(l) <= 256 AND CASE
	WHEN l ~ '^[^]A-Z\u0001-\u0020\u007f():;<>@\\[,."]+(\.[^]A-Z\u0001-\u0020\u007f():;<>@\\[,."]+)*$'
		THEN true
	-- Quoted only where a dot-string could not say it, and only " and \
	-- behind a backslash.
	WHEN l ~ '^"([^A-Z\u0001-\u001f\u007f"\\]|\\["\\])*"$'
		THEN substr(l, 2, length(l) - 2) !~ '^[^]A-Z\u0001-\u0020\u007f():;<>@\\[,."]+(\.[^]A-Z\u0001-\u0020\u007f():;<>@\\[,."]+)*$'
	ELSE false END $$;
COMMENT ON FUNCTION is_local_part(text) IS 'ASCII folded, unquoted where possible; UTF-8 letters as they are.';

CREATE DOMAIN domain_name AS text COLLATE "C"
	CONSTRAINT domain_name_is_normal CHECK (postern.is_domain_name(VALUE));
COMMENT ON DOMAIN domain_name IS 'A mail domain or host name in normal form.';
CREATE DOMAIN local_part AS text COLLATE "C"
	CONSTRAINT local_part_is_normal CHECK (postern.is_local_part(VALUE));
COMMENT ON DOMAIN local_part IS 'What stands before the @, in normal form.';

-- --------------------------------------------------------------------------
CREATE TABLE host (
	id		bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	name		domain_name NOT NULL UNIQUE,
	incarnation	bigint NOT NULL DEFAULT 0 CHECK (incarnation >= 0),
	started_at	timestamptz,
	created_at	timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE host IS 'Machines of this installation; each holds the homes of its mailboxes.';
COMMENT ON COLUMN host.incarnation IS 'Highest start counter its spool has shown; a spool that is behind was restored from a backup (J14).';
COMMENT ON COLUMN host.started_at IS 'Last start of qmgr there; NULL: never.';
GRANT SELECT, INSERT, UPDATE, DELETE ON host TO postern_admin;

-- --------------------------------------------------------------------------
CREATE TABLE organisation (
	id		bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	name		text NOT NULL UNIQUE
			CHECK (name <> '' AND name !~ '[[:cntrl:]]'),
	active		boolean NOT NULL DEFAULT true,
	max_domains	bigint NOT NULL DEFAULT 0 CHECK (max_domains >= 0),
	max_mailboxes	bigint NOT NULL DEFAULT 0 CHECK (max_mailboxes >= 0),
	max_aliases	bigint NOT NULL DEFAULT 0 CHECK (max_aliases >= 0),
	max_quota_bytes	bigint NOT NULL DEFAULT 0 CHECK (max_quota_bytes >= 0),
	created_at	timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE organisation IS 'Who domains belong to, and the pool they share.';
COMMENT ON COLUMN organisation.active IS 'False: none of its addresses takes mail and nobody logs in.';
COMMENT ON COLUMN organisation.max_domains IS '0: no limit. Alias and relay domains count.';
COMMENT ON COLUMN organisation.max_mailboxes IS '0: no limit. Deleted mailboxes do not count.';
COMMENT ON COLUMN organisation.max_aliases IS '0: no limit. Catch-alls count.';
COMMENT ON COLUMN organisation.max_quota_bytes IS '0: no limit; else the sum of mailbox.quota_bytes, and each mailbox must have one.';
GRANT SELECT, INSERT, UPDATE, DELETE ON organisation TO postern_admin;

-- --------------------------------------------------------------------------
CREATE TABLE transport (
	id		bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	name		text NOT NULL UNIQUE CHECK (name ~ '^[a-z0-9_.-]{1,64}$'),
	kind		text NOT NULL CHECK (kind IN ('smtp', 'lmtp', 'error')),
	next_hop	text NOT NULL DEFAULT ''
			CHECK (next_hop ~ '^[A-Za-z0-9_.:\[\]-]*$'
			AND length(next_hop) <= 300),
	created_at	timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE transport IS 'Ways out of here: where mail of a relay domain goes.';
COMMENT ON COLUMN transport.next_hop IS 'As in Postfix: domain (MX), [host], either with :port; empty: the recipient domain. For kind error: unused.';
GRANT SELECT, INSERT, UPDATE, DELETE ON transport TO postern_admin;

-- --------------------------------------------------------------------------
CREATE TABLE domain (
	id		bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	org_id		bigint NOT NULL REFERENCES organisation,
	name		domain_name NOT NULL UNIQUE,
	class		text NOT NULL CHECK (class IN ('mailbox', 'relay', 'alias')),
	alias_of	bigint REFERENCES domain,
	transport_id	bigint REFERENCES transport,
	relay_recipients text NOT NULL DEFAULT 'any'
			CHECK (relay_recipients IN ('any', 'listed')),
	active		boolean NOT NULL DEFAULT true,
	quota_bytes	bigint NOT NULL DEFAULT 0 CHECK (quota_bytes >= 0),
	quota_messages	bigint NOT NULL DEFAULT 0 CHECK (quota_messages >= 0),
	created_at	timestamptz NOT NULL DEFAULT now(),
	CONSTRAINT domain_alias_of_fits_class
		CHECK ((class = 'alias') = (alias_of IS NOT NULL)),
	CONSTRAINT domain_alias_of_other CHECK (alias_of <> id),
	CONSTRAINT domain_transport_fits_class
		CHECK (class = 'relay' OR transport_id IS NULL)
);
CREATE INDEX domain_org_id ON domain (org_id);
CREATE INDEX domain_alias_of ON domain (alias_of) WHERE alias_of IS NOT NULL;
CREATE INDEX domain_transport_id ON domain (transport_id)
	WHERE transport_id IS NOT NULL;
COMMENT ON TABLE domain IS 'Domains that are ours. Names match whole: a subdomain is a domain of its own.';
COMMENT ON COLUMN domain.class IS 'mailbox: homes here; relay: passed on; alias: another name for alias_of.';
COMMENT ON COLUMN domain.alias_of IS 'NULL but for class alias.';
COMMENT ON COLUMN domain.transport_id IS 'How relay mail leaves; NULL: by MX.';
COMMENT ON COLUMN domain.relay_recipients IS 'listed: only those in relay_recipient exist; any: all do (backscatter is then up to the next hop).';
COMMENT ON COLUMN domain.active IS 'False: addresses are refused as disabled.';
COMMENT ON COLUMN domain.quota_bytes IS 'Given to new mailboxes; 0: no limit.';
COMMENT ON COLUMN domain.quota_messages IS 'Given to new mailboxes; 0: no limit.';
GRANT SELECT, INSERT, UPDATE, DELETE ON domain TO postern_admin;

-- --------------------------------------------------------------------------
CREATE TABLE mailbox (
	id		bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	domain_id	bigint REFERENCES domain ON DELETE SET NULL,
	local_part	local_part NOT NULL,
	host_id		bigint NOT NULL REFERENCES host,
	state		text NOT NULL DEFAULT 'active' CHECK (state IN
			('active', 'no_login', 'disabled', 'deleted')),
	quota_bytes	bigint NOT NULL DEFAULT 0 CHECK (quota_bytes >= 0),
	quota_messages	bigint NOT NULL DEFAULT 0 CHECK (quota_messages >= 0),
	full_name	text NOT NULL DEFAULT '' CHECK (full_name !~ '[[:cntrl:]]'),
	created_at	timestamptz NOT NULL DEFAULT now(),
	deleted_at	timestamptz,
	CONSTRAINT mailbox_has_domain
		CHECK (domain_id IS NOT NULL OR state = 'deleted'),
	CONSTRAINT mailbox_deleted_at
		CHECK ((state = 'deleted') = (deleted_at IS NOT NULL))
);
CREATE UNIQUE INDEX mailbox_address ON mailbox (domain_id, local_part)
	WHERE state <> 'deleted';
CREATE INDEX mailbox_domain_id ON mailbox (domain_id);
CREATE INDEX mailbox_host_id ON mailbox (host_id);
CREATE INDEX mailbox_deleted ON mailbox (deleted_at) WHERE state = 'deleted';
COMMENT ON TABLE mailbox IS 'Homes of mail. A row is never reused: deleting and making anew gives another id and another, empty home.';
COMMENT ON COLUMN mailbox.id IS 'Names the home on disk: store/<id % 256>/<id>.';
COMMENT ON COLUMN mailbox.domain_id IS 'NULL: deleted together with its domain.';
COMMENT ON COLUMN mailbox.host_id IS 'The only host that opens this home.';
COMMENT ON COLUMN mailbox.state IS 'no_login: takes mail, logins are refused; disabled: neither; deleted: address is free, the home waits for its purge.';
COMMENT ON COLUMN mailbox.quota_bytes IS '0: no limit.';
COMMENT ON COLUMN mailbox.quota_messages IS '0: no limit.';
COMMENT ON COLUMN mailbox.deleted_at IS 'NULL unless state is deleted.';
GRANT SELECT, INSERT, UPDATE, DELETE ON mailbox TO postern_admin;

-- --------------------------------------------------------------------------
CREATE TABLE alias (
	id		bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	domain_id	bigint NOT NULL REFERENCES domain ON DELETE CASCADE,
	local_part	text COLLATE "C" NOT NULL
			CONSTRAINT alias_local_part_is_normal
			CHECK (local_part = '' OR is_local_part(local_part)),
	active		boolean NOT NULL DEFAULT true,
	note		text NOT NULL DEFAULT '' CHECK (note !~ '[[:cntrl:]]'),
	created_at	timestamptz NOT NULL DEFAULT now(),
	CONSTRAINT alias_address UNIQUE (domain_id, local_part)
);
COMMENT ON TABLE alias IS 'Addresses that stand for others; targets in alias_target.';
COMMENT ON COLUMN alias.local_part IS 'Empty: the catch-all of its domain, asked last.';
COMMENT ON COLUMN alias.active IS 'False: refused as disabled; does not fall through to the catch-all.';
GRANT SELECT, INSERT, UPDATE, DELETE ON alias TO postern_admin;

CREATE TABLE alias_target (
	alias_id	bigint NOT NULL REFERENCES alias ON DELETE CASCADE,
	target_domain	domain_name NOT NULL,
	target_local	local_part NOT NULL,
	PRIMARY KEY (alias_id, target_domain, target_local)
);
CREATE INDEX alias_target_address ON alias_target (target_domain, target_local);
COMMENT ON TABLE alias_target IS 'Where an alias leads: own addresses (nested up to 10 deep) or others'' (forwards). Loops are refused when written.';
GRANT SELECT, INSERT, UPDATE, DELETE ON alias_target TO postern_admin;

-- --------------------------------------------------------------------------
CREATE TABLE relay_recipient (
	domain_id	bigint NOT NULL REFERENCES domain ON DELETE CASCADE,
	local_part	local_part NOT NULL,
	created_at	timestamptz NOT NULL DEFAULT now(),
	PRIMARY KEY (domain_id, local_part)
);
COMMENT ON TABLE relay_recipient IS 'Who exists behind a relay domain with relay_recipients = listed.';
GRANT SELECT, INSERT, UPDATE, DELETE ON relay_recipient TO postern_admin;

-- --------------------------------------------------------------------------
CREATE TABLE credential (
	id		bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	mailbox_id	bigint NOT NULL REFERENCES mailbox ON DELETE CASCADE,
	kind		text NOT NULL CHECK (kind IN ('password', 'app')),
	label		text NOT NULL CHECK (label !~ '[[:cntrl:]]'
			AND length(label) BETWEEN 1 AND 100),
	secret		text NOT NULL CHECK (secret <> ''
			AND secret !~ '[[:cntrl:]]' AND length(secret) <= 1000),
	scope		text[] NOT NULL DEFAULT '{}'
			CHECK (scope <@ ARRAY['imap', 'smtp']),
	created_at	timestamptz NOT NULL DEFAULT now(),
	changed_at	timestamptz NOT NULL DEFAULT now(),
	last_used_at	timestamptz,
	expires_at	timestamptz,
	CONSTRAINT credential_label UNIQUE (mailbox_id, label)
);
CREATE UNIQUE INDEX credential_password ON credential (mailbox_id)
	WHERE kind = 'password';
COMMENT ON TABLE credential IS 'What opens a mailbox: its password and any number of app passwords.';
COMMENT ON COLUMN credential.secret IS 'A verifier or hash with its scheme, never a password: SCRAM-SHA-256$..., {SHA512-CRYPT}$6$..., {BLF-CRYPT}...';
COMMENT ON COLUMN credential.scope IS 'Services it is good for; empty: all.';
COMMENT ON COLUMN credential.changed_at IS 'When the owner last changed it; a rehash at login does not count.';
COMMENT ON COLUMN credential.last_used_at IS 'To the minute; NULL: not yet.';
COMMENT ON COLUMN credential.expires_at IS 'NULL: never.';
-- The secret itself can be written by the admin role, not read.
GRANT SELECT (id, mailbox_id, kind, label, scope, created_at, changed_at,
    last_used_at, expires_at), INSERT, UPDATE, DELETE ON credential
    TO postern_admin;

-- --------------------------------------------------------------------------
CREATE TABLE access_rule (
	list		text NOT NULL CHECK (list ~ '^[a-z0-9_.-]{1,64}$'),
	key		text COLLATE "C" NOT NULL
			CHECK (key <> '' AND length(key) <= 600),
	action		text NOT NULL CHECK (action <> ''
			AND action !~ '[[:cntrl:]]' AND length(action) <= 1000),
	note		text NOT NULL DEFAULT '',
	created_at	timestamptz NOT NULL DEFAULT now(),
	expires_at	timestamptz,
	PRIMARY KEY (list, key)
);
COMMENT ON TABLE access_rule IS 'access(5) tables kept in the database.';
COMMENT ON COLUMN access_rule.list IS 'Name used in postern.conf: check_client_access pgsql:NAME.';
COMMENT ON COLUMN access_rule.key IS 'What access(5) looks up: address, domain, .domain, user@, IP address, network prefix.';
COMMENT ON COLUMN access_rule.action IS 'Result in the language of access(5).';
COMMENT ON COLUMN access_rule.expires_at IS 'NULL: never.';
GRANT SELECT, INSERT, UPDATE, DELETE ON access_rule TO postern_admin;

-- --------------------------------------------------------------------------
CREATE TABLE greylist (
	network		inet NOT NULL,
	sender		text COLLATE "C" NOT NULL CHECK (length(sender) <= 600),
	recipient	text COLLATE "C" NOT NULL CHECK (length(recipient) <= 600),
	first_seen_at	timestamptz NOT NULL DEFAULT now(),
	last_seen_at	timestamptz NOT NULL DEFAULT now(),
	passed		bigint NOT NULL DEFAULT 0,
	PRIMARY KEY (network, sender, recipient)
);
CREATE INDEX greylist_last_seen_at ON greylist (last_seen_at);
COMMENT ON TABLE greylist IS 'Triplets shared by all hosts; written in batches by the gatekeeper.';
COMMENT ON COLUMN greylist.network IS 'Client address cut to /24 or /64.';
COMMENT ON COLUMN greylist.passed IS 'Messages let through; 0: still waiting.';
GRANT SELECT, DELETE ON greylist TO postern_admin;

-- --------------------------------------------------------------------------
CREATE TABLE policy (
	id		bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	org_id		bigint REFERENCES organisation ON DELETE CASCADE,
	domain_id	bigint REFERENCES domain ON DELETE CASCADE,
	mailbox_id	bigint REFERENCES mailbox ON DELETE CASCADE,
	name		text NOT NULL CHECK (name ~ '^[a-z0-9_]{1,64}$'),
	value		text NOT NULL CHECK (length(value) <= 1000),
	CONSTRAINT policy_one_subject
		CHECK (num_nonnulls(org_id, domain_id, mailbox_id) <= 1),
	CONSTRAINT policy_subject_name UNIQUE NULLS NOT DISTINCT
		(org_id, domain_id, mailbox_id, name)
);
CREATE INDEX policy_domain_id ON policy (domain_id);
CREATE INDEX policy_mailbox_id ON policy (mailbox_id);
COMMENT ON TABLE policy IS 'Settings per organisation, domain or mailbox; the most special wins.';
COMMENT ON COLUMN policy.org_id IS 'All three NULL: everybody.';
GRANT SELECT, INSERT, UPDATE, DELETE ON policy TO postern_admin;

-- --------------------------------------------------------------------------
CREATE TABLE usage (
	mailbox_id	bigint PRIMARY KEY REFERENCES mailbox ON DELETE CASCADE,
	bytes		bigint NOT NULL,
	messages	bigint NOT NULL,
	version		bigint NOT NULL,
	reported_at	timestamptz NOT NULL DEFAULT now()
) WITH (fillfactor = 70);
COMMENT ON TABLE usage IS 'How full mailboxes are, as last told by the store, which has the truth.';
COMMENT ON COLUMN usage.version IS 'Rises with every report of one mailbox; an older report never overwrites a newer one.';
GRANT SELECT ON usage TO postern_admin;

-- --------------------------------------------------------------------------
CREATE TABLE event (
	id		bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	at		timestamptz NOT NULL DEFAULT now(),
	host		text NOT NULL DEFAULT '',
	name		text NOT NULL CHECK (name ~ '^[a-z0-9_.-]{1,64}$'),
	subject		text NOT NULL DEFAULT '' CHECK (length(subject) <= 1000),
	detail		jsonb NOT NULL DEFAULT '{}'
);
CREATE INDEX event_at ON event (at);
COMMENT ON TABLE event IS 'What should be remembered across hosts and log rotation: alarms, admin actions.';
COMMENT ON COLUMN event.subject IS 'The address, domain or queue id it is about.';
GRANT SELECT ON event TO postern_admin;

REVOKE EXECUTE ON ALL FUNCTIONS IN SCHEMA postern FROM PUBLIC;
GRANT EXECUTE ON FUNCTION schema_revision() TO postern_lookup, postern_usage,
    postern_auth, postern_queue, postern_admin;
-- Checks of the types run with the rights of who writes.
GRANT EXECUTE ON FUNCTION is_domain_name(text), is_local_part(text)
    TO postern_admin;
