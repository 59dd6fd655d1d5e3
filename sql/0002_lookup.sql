-- Looking up: resolve_recipient and its kin, what the service roles may call,
-- what is refused when written, and the NOTIFYs that keep caches true.
--
-- A site with its own tables puts functions of the same name and result into
-- a schema of its own and names it first in database_search_path; see
-- doc/database.md.

SET LOCAL search_path = postern, pg_temp;

-- --------------------------------------------------------------------------
-- The base of user+extension. Each character of the delimiter separates; the
-- first one in the local part counts, as in Postfix, and owner-list and
-- list-request are no extensions. NULL: there is no base.
CREATE FUNCTION address_base(local text, delimiter text) RETURNS text
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
AS $$
DECLARE
	first text := left(delimiter, 1);
	pos integer;
BEGIN
	IF first = '' OR local LIKE '"%' THEN
		RETURN NULL;
	END IF;
	pos := strpos(translate(local, delimiter,
	    repeat(first, length(delimiter))), first);
	IF pos <= 1 THEN
		RETURN NULL;
	END IF;
	IF substr(local, pos, 1) = '-' AND (local LIKE 'owner-%'
	    OR local LIKE '%-request' OR local = 'mailer-daemon') THEN
		RETURN NULL;
	END IF;
	RETURN left(local, pos - 1);
END $$;
COMMENT ON FUNCTION address_base(text, text) IS 'user of user+extension; NULL when there is no extension.';

CREATE FUNCTION address_local(address text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$ SELECT left(address, -strpos(reverse(address), '@')) WHERE strpos(address, '@') > 0 $$;
COMMENT ON FUNCTION address_local(text) IS 'What stands before the last @.';
CREATE FUNCTION address_domain(address text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$ SELECT right(address, strpos(reverse(address), '@') - 1) WHERE strpos(address, '@') > 0 $$;
COMMENT ON FUNCTION address_domain(text) IS 'What stands behind the last @.';

-- --------------------------------------------------------------------------
-- The one resolver. Follows addresses breadth first; `todo` may be several.
-- For each address, along its domain and what that is an alias of:
--
--	exact mailbox, exact alias, then both for the base of user+extension,
--	then the next domain of the chain; only then the catch-alls.
--
-- Everything whose change could change the answer is given as a `depends`
-- row, in the very words of the NOTIFY that tells of such a change.
CREATE FUNCTION resolve_walk(todo text[], delimiter text, watch bigint,
    explain boolean)
RETURNS TABLE (item text, value text, id bigint, host_id bigint, state text,
    quota_bytes bigint, quota_messages bigint, extension text)
LANGUAGE plpgsql STABLE
SET search_path = postern, pg_temp
SET enable_seqscan = off	-- a plan made while tables were small stays good
AS $$
DECLARE
	max_depth CONSTANT integer := 10;
	max_addresses CONSTANT integer := 1000;	-- the asked one included
	asked CONSTANT integer := cardinality(todo);
	depths integer[] := array_fill(0, ARRAY[cardinality(todo)]);
	depends text[] := '{}';
	forwards text[] := '{}';
	boxes bigint[] := '{}';
	i integer := 0;
	addr text; loc text; dom text; base text; ext text; part text;
	d domain%ROWTYPE;		-- last of the chain
	org_active boolean;
	chain bigint[]; names text[];
	m mailbox%ROWTYPE;
	a postern.alias%ROWTYPE;
	t record;
	next text;
	usable boolean; hit boolean;
	place text;
	deepest integer := 0;
	first_known boolean := false; first_relay boolean := false;
	first_org bigint;
	disabled integer := 0;
	trouble text;
	transport_name text := '';
BEGIN
	IF cardinality(todo) >= max_addresses THEN
		trouble := 'wide';
	END IF;
	WHILE i < cardinality(todo) AND trouble IS NULL LOOP
		i := i + 1;
		addr := todo[i];
		loc := address_local(addr);
		dom := address_domain(addr);
		depends := depends || dom;
		deepest := greatest(deepest, depths[i]);

		SELECT * INTO d FROM domain WHERE name = dom;
		IF NOT FOUND THEN
			IF depths[i] > 0 OR asked > 1 THEN
				forwards := forwards || addr;
			END IF;
			item := 'step'; value := addr || ': not ours';
			IF explain THEN RETURN NEXT; END IF;
			CONTINUE;
		END IF;

		-- The domain and what it is an alias of.
		chain := '{}'; names := '{}'; usable := true;
		LOOP
			chain := chain || d.id;
			names := names || d.name::text;
			SELECT o.active INTO org_active FROM organisation o
			    WHERE o.id = d.org_id;
			depends := depends || ('org:' || d.org_id);
			usable := usable AND d.active AND org_active;
			IF i = 1 AND cardinality(chain) = 1 THEN
				first_known := true;
				first_org := d.org_id;
			END IF;
			EXIT WHEN d.class <> 'alias'
			    OR cardinality(chain) >= max_depth;
			SELECT * INTO d FROM domain x WHERE x.id = d.alias_of;
			depends := depends || d.name::text;
		END LOOP;
		IF NOT usable THEN
			disabled := disabled + 1;
			item := 'step'; value := addr || ': domain is disabled';
			IF explain THEN RETURN NEXT; END IF;
			CONTINUE;
		END IF;

		base := address_base(loc, delimiter);
		hit := false;
		<<order_of_look_up>>
		FOR k IN 1 .. cardinality(chain) LOOP
			ext := '';
			FOREACH part IN ARRAY ARRAY[loc, base] LOOP
				CONTINUE WHEN part IS NULL;
				IF part <> loc THEN
					ext := substr(loc, length(part) + 2);
				END IF;
				place := names[k];
				depends := depends || (place || '/' || part);
				SELECT * INTO m FROM mailbox x
				    WHERE x.domain_id = chain[k]
				    AND x.local_part = part
				    AND x.state <> 'deleted';
				IF FOUND THEN
					hit := true;
					item := 'step';
					value := addr || ': mailbox ' || part
					    || '@' || place || ' (' || m.id
					    || ', ' || m.state || ')';
					IF explain THEN RETURN NEXT; END IF;
					IF m.state = 'disabled' THEN
						disabled := disabled + 1;
						EXIT order_of_look_up;
					END IF;
					EXIT order_of_look_up
					    WHEN m.id = ANY (boxes);
					boxes := boxes || m.id;
					item := 'mailbox';
					value := part || '@' || place;
					id := m.id; host_id := m.host_id;
					state := m.state;
					quota_bytes := m.quota_bytes;
					quota_messages := m.quota_messages;
					extension := ext;
					RETURN NEXT;
					id := NULL; host_id := NULL; state := NULL;
					quota_bytes := NULL;
					quota_messages := NULL;
					extension := NULL;
					EXIT order_of_look_up;
				END IF;
				SELECT * INTO a FROM alias x
				    WHERE x.domain_id = chain[k]
				    AND x.local_part = part;
				hit := FOUND;
				EXIT order_of_look_up WHEN hit;
				IF d.class = 'relay' AND k = cardinality(chain)
				    AND d.relay_recipients = 'listed' THEN
					PERFORM FROM relay_recipient x
					    WHERE x.domain_id = d.id
					    AND x.local_part = part;
					hit := FOUND;
					EXIT order_of_look_up WHEN hit;
				END IF;
			END LOOP;
			IF d.class = 'relay' AND k = cardinality(chain)
			    AND d.relay_recipients = 'any' THEN
				hit := true;
				EXIT order_of_look_up;
			END IF;
			a := NULL;
		END LOOP;
		CONTINUE WHEN hit AND m.id IS NOT NULL;

		IF NOT hit THEN
			FOR k IN 1 .. cardinality(chain) LOOP
				place := names[k];
				depends := depends || (place || '/');
				SELECT * INTO a FROM alias x
				    WHERE x.domain_id = chain[k]
				    AND x.local_part = '';
				hit := FOUND;
				ext := '';
				part := '';
				EXIT WHEN hit;
			END LOOP;
		END IF;

		IF NOT hit THEN
			item := 'step'; value := addr || ': no such user';
			IF explain THEN RETURN NEXT; END IF;
		ELSIF a.id IS NULL THEN
			next := loc || '@' || d.name;
			IF NOT next = ANY (forwards) THEN
				forwards := forwards || next;
			END IF;
			IF depths[i] = 0 THEN
				first_relay := true;
				SELECT x.name INTO transport_name
				    FROM transport x WHERE x.id = d.transport_id;
			END IF;
			item := 'step'; value := addr || ': relayed as ' || next;
			IF explain THEN RETURN NEXT; END IF;
		ELSIF NOT a.active THEN
			disabled := disabled + 1;
			item := 'step'; value := addr || ': alias is disabled';
			IF explain THEN RETURN NEXT; END IF;
		ELSE
			IF a.id = watch THEN
				trouble := 'loop';
			ELSIF depths[i] >= max_depth THEN
				trouble := 'deep';
			END IF;
			FOR t IN SELECT x.target_local, x.target_domain
			    FROM alias_target x WHERE x.alias_id = a.id LOOP
				next := t.target_local;
				-- An extension goes along, but not abroad.
				IF ext <> '' AND next NOT LIKE '"%' AND EXISTS (
				    SELECT FROM domain x
				    WHERE x.name = t.target_domain) THEN
					next := next || substr(loc,
					    length(part) + 1);
				END IF;
				next := next || '@' || t.target_domain;
				item := 'step';
				value := addr || ': ' || CASE WHEN part = ''
				    THEN 'catch-all' ELSE 'alias' END || ' of '
				    || place || ' leads to ' || next;
				IF explain THEN RETURN NEXT; END IF;
				CONTINUE WHEN next = ANY (todo);
				IF cardinality(todo) >= max_addresses THEN
					trouble := 'wide';
					EXIT;
				END IF;
				todo := todo || next;
				depths := depths || (depths[i] + 1);
			END LOOP;
		END IF;
	END LOOP;

	item := 'class';
	value := CASE
	    WHEN trouble IS NOT NULL THEN 'error'
	    WHEN first_relay THEN 'relay'
	    WHEN boxes <> '{}' OR forwards <> '{}' THEN 'mailbox'
	    WHEN NOT first_known THEN 'not_local'
	    WHEN disabled > 0 THEN 'disabled'
	    ELSE 'unknown' END;
	id := first_org;
	state := trouble;
	RETURN NEXT;
	id := NULL; state := NULL;
	IF transport_name <> '' THEN
		item := 'transport'; value := transport_name;
		RETURN NEXT;
	END IF;
	item := 'forward';
	FOR value IN SELECT DISTINCT unnest(forwards) LOOP
		RETURN NEXT;
	END LOOP;
	item := 'depends';
	FOR value IN SELECT DISTINCT unnest(depends) LOOP
		RETURN NEXT;
	END LOOP;
	IF watch IS NOT NULL THEN
		item := 'depth'; value := ''; id := deepest;
		RETURN NEXT;
	END IF;
END $$;
COMMENT ON FUNCTION resolve_walk(text[], text, bigint, boolean) IS 'The resolver behind resolve_recipient, resolve_explain and the loop check; watch is the alias whose loops are looked for.';

CREATE FUNCTION resolve_recipient(address text, delimiter text)
RETURNS TABLE (item text, value text, id bigint, host_id bigint, state text,
    quota_bytes bigint, quota_messages bigint, extension text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = postern, pg_temp
AS $$ SELECT * FROM resolve_walk(ARRAY[address], delimiter, NULL, false) $$;
COMMENT ON FUNCTION resolve_recipient(text, text) IS
'Who gets mail for a normal-form address. Rows, told apart by item:
class: value mailbox, relay, unknown, disabled, not_local or error (then state says loop, deep or wide), id the organisation;
mailbox: value its own address, id, host_id, state, quotas (0: none), extension;
forward: value an address elsewhere; transport: value its name;
depends: value domain/local, domain or org:N: the NOTIFYs that end this answer.';

CREATE FUNCTION resolve_explain(address text, delimiter text)
RETURNS TABLE (item text, value text, id bigint, host_id bigint, state text,
    quota_bytes bigint, quota_messages bigint, extension text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = postern, pg_temp
AS $$ SELECT * FROM resolve_walk(ARRAY[address], delimiter, NULL, true) $$;
COMMENT ON FUNCTION resolve_explain(text, text) IS 'As resolve_recipient, with a row of item step for each decision on the way: for people.';

CREATE FUNCTION resolve_domain(name text)
RETURNS TABLE (item text, value text, id bigint)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = postern, pg_temp
SET enable_seqscan = off
AS $$
#variable_conflict use_column
DECLARE
	d domain%ROWTYPE;
	org bigint;
	org_active boolean;
	usable boolean := true;
	hops integer := 0;
	transport_name text;
BEGIN
	item := 'depends'; value := name;
	RETURN NEXT;
	SELECT * INTO d FROM domain x WHERE x.name = resolve_domain.name;
	IF NOT FOUND THEN
		item := 'class'; value := 'not_local';
		RETURN NEXT;
		RETURN;
	END IF;
	org := d.org_id;
	LOOP
		SELECT o.active INTO org_active FROM organisation o
		    WHERE o.id = d.org_id;
		usable := usable AND d.active AND org_active;
		item := 'depends'; value := 'org:' || d.org_id;
		RETURN NEXT;
		hops := hops + 1;
		EXIT WHEN d.class <> 'alias' OR hops >= 10;
		SELECT * INTO d FROM domain x WHERE x.id = d.alias_of;
		item := 'depends'; value := d.name;
		RETURN NEXT;
	END LOOP;
	SELECT x.name INTO transport_name FROM transport x
	    WHERE x.id = d.transport_id;
	IF FOUND THEN
		item := 'transport'; value := transport_name;
		RETURN NEXT;
	END IF;
	item := 'class'; id := org;
	value := CASE WHEN usable THEN d.class ELSE 'disabled' END;
	RETURN NEXT;
END $$;
COMMENT ON FUNCTION resolve_domain(text) IS 'What a domain is to us: rows class (mailbox, relay, disabled, not_local), transport, depends, as of resolve_recipient.';

CREATE FUNCTION host_id_of(name text) RETURNS bigint
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = postern, pg_temp
AS $$ SELECT h.id FROM host h WHERE h.name = host_id_of.name $$;
COMMENT ON FUNCTION host_id_of(text) IS 'Id of a host by name; NULL: no such host.';

CREATE FUNCTION access_lookup(list text, keys text[]) RETURNS text
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = postern, pg_temp
AS $$
	SELECT r.action FROM unnest(keys) WITH ORDINALITY k (key, rank)
	JOIN access_rule r ON r.list = access_lookup.list AND r.key = k.key
	WHERE r.expires_at IS NULL OR r.expires_at > now()
	ORDER BY k.rank LIMIT 1
$$;
COMMENT ON FUNCTION access_lookup(text, text[]) IS 'Action of the first key that a list has; NULL: none.';

-- --------------------------------------------------------------------------
-- authd: everything about one login name at once.
CREATE FUNCTION login_lookup(address text)
RETURNS TABLE (mailbox_id bigint, mailbox text, host_id bigint, state text,
    quota_bytes bigint, quota_messages bigint, credential_id bigint,
    kind text, secret text, scope text, label text)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = postern, pg_temp
SET enable_seqscan = off
AS $$
#variable_conflict use_column
DECLARE
	d domain%ROWTYPE;
	m mailbox%ROWTYPE;
	org_active boolean;
	usable boolean := true;
	hops integer := 0;
BEGIN
	SELECT * INTO d FROM domain x WHERE x.name = address_domain(address);
	WHILE FOUND LOOP
		SELECT o.active INTO org_active FROM organisation o
		    WHERE o.id = d.org_id;
		usable := usable AND d.active AND org_active;
		hops := hops + 1;
		EXIT WHEN d.class <> 'alias' OR hops >= 10;
		SELECT * INTO d FROM domain x WHERE x.id = d.alias_of;
	END LOOP;
	SELECT * INTO m FROM mailbox x WHERE x.domain_id = d.id
	    AND x.local_part = address_local(address) AND x.state <> 'deleted';
	IF NOT FOUND THEN
		RETURN;
	END IF;
	RETURN QUERY SELECT m.id, m.local_part || '@' || d.name, m.host_id,
	    CASE WHEN usable THEN m.state ELSE 'disabled' END,
	    m.quota_bytes, m.quota_messages, c.id, c.kind, c.secret,
	    array_to_string(c.scope, ' '), c.label
	    FROM (SELECT) one LEFT JOIN credential c ON c.mailbox_id = m.id
	    AND (c.expires_at IS NULL OR c.expires_at > now())
	    ORDER BY c.kind DESC, c.id;
END $$;
COMMENT ON FUNCTION login_lookup(text) IS 'A mailbox and its valid credentials, one row each; one row with NULLs when it has none, no row when it does not exist. Aliases are no logins.';

CREATE FUNCTION credential_rehash(id bigint, was text, now text)
RETURNS boolean
LANGUAGE sql SECURITY DEFINER SET search_path = postern, pg_temp
AS $$
	WITH done AS (UPDATE credential c SET secret = credential_rehash.now
	    WHERE c.id = credential_rehash.id AND c.secret = was RETURNING 1)
	SELECT EXISTS (SELECT FROM done)
$$;
COMMENT ON FUNCTION credential_rehash(bigint, text, text) IS 'Stores the same password in a better scheme, unless it was changed meanwhile.';

CREATE FUNCTION credential_used(id bigint) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = postern, pg_temp
AS $$
	UPDATE credential c SET last_used_at = date_trunc('minute', now())
	WHERE c.id = credential_used.id AND (c.last_used_at IS NULL
	    OR c.last_used_at < date_trunc('minute', now()))
$$;
COMMENT ON FUNCTION credential_used(bigint) IS 'Notes a login, to the minute.';

-- --------------------------------------------------------------------------
CREATE FUNCTION usage_report(ids bigint[], bytes bigint[], messages bigint[],
    versions bigint[]) RETURNS bigint
LANGUAGE sql SECURITY DEFINER SET search_path = postern, pg_temp
AS $$
	WITH done AS (
		INSERT INTO usage AS u
		    (mailbox_id, bytes, messages, version, reported_at)
		SELECT r.id, r.b, r.m, r.v, now()
		FROM unnest(ids, bytes, messages, versions) r (id, b, m, v)
		JOIN mailbox x ON x.id = r.id
		ORDER BY r.id	-- two batches can't deadlock
		ON CONFLICT (mailbox_id) DO UPDATE SET bytes = excluded.bytes,
		    messages = excluded.messages, version = excluded.version,
		    reported_at = excluded.reported_at
		    WHERE excluded.version > u.version
		RETURNING 1)
	SELECT count(*) FROM done
$$;
COMMENT ON FUNCTION usage_report(bigint[], bigint[], bigint[], bigint[]) IS 'Absolute figures of many mailboxes; each id at most once a call. Returns how many were news.';

CREATE FUNCTION usage_of(id bigint)
RETURNS TABLE (bytes bigint, messages bigint)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = postern, pg_temp
AS $$ SELECT u.bytes, u.messages FROM usage u WHERE u.mailbox_id = usage_of.id $$;
COMMENT ON FUNCTION usage_of(bigint) IS 'Last reported figures of one mailbox.';

CREATE FUNCTION host_started(name text, incarnation bigint) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = postern, pg_temp
AS $$
#variable_conflict use_column
DECLARE
	was bigint;
BEGIN
	SELECT h.incarnation INTO was FROM host h
	    WHERE h.name = host_started.name FOR UPDATE;
	UPDATE host h SET started_at = now(),
	    incarnation = greatest(was, host_started.incarnation)
	    WHERE h.name = host_started.name;
	RETURN was;
END $$;
COMMENT ON FUNCTION host_started(text, bigint) IS 'Raises a host''s incarnation; returns what it was. Greater than what the spool says: the spool is an old copy (J14). NULL: no such host.';

CREATE FUNCTION event_add(host text, name text, subject text, detail jsonb)
RETURNS bigint
LANGUAGE sql SECURITY DEFINER SET search_path = postern, pg_temp
AS $$
	INSERT INTO event (host, name, subject, detail)
	VALUES (event_add.host, event_add.name, left(event_add.subject, 1000),
	    event_add.detail) RETURNING id
$$;
COMMENT ON FUNCTION event_add(text, text, text, jsonb) IS 'Remembers one event.';

-- --------------------------------------------------------------------------
-- What is refused when written.

CREATE FUNCTION domain_check() RETURNS trigger
LANGUAGE plpgsql SET search_path = postern, pg_temp
AS $$
DECLARE
	at bigint := NEW.alias_of;
	hops integer := 0;
BEGIN
	WHILE at IS NOT NULL LOOP
		hops := hops + 1;
		IF at = NEW.id OR hops > 5 THEN
			RAISE EXCEPTION 'alias domain % leads back to itself or '
			    'through more than 5 others', NEW.name;
		END IF;
		SELECT d.alias_of INTO at FROM domain d WHERE d.id = at;
	END LOOP;
	IF TG_OP = 'UPDATE' AND NEW.class <> 'mailbox' AND EXISTS (
	    SELECT FROM mailbox m WHERE m.domain_id = NEW.id
	    AND m.state <> 'deleted') THEN
		RAISE EXCEPTION 'domain % has mailboxes and can''t be of class %',
		    NEW.name, NEW.class;
	END IF;
	RETURN NULL;
END $$;
COMMENT ON FUNCTION domain_check() IS 'Refuses alias domains in circles and mailboxes outside mailbox domains.';
CREATE TRIGGER domain_check AFTER INSERT OR UPDATE OF class, alias_of
	ON domain FOR EACH ROW EXECUTE FUNCTION domain_check();

CREATE FUNCTION mailbox_check() RETURNS trigger
LANGUAGE plpgsql SET search_path = postern, pg_temp
AS $$
DECLARE
	bad text;
BEGIN
	SELECT c.local_part || '@' || d.name INTO bad FROM changed c
	    JOIN domain d ON d.id = c.domain_id
	    WHERE d.class <> 'mailbox' AND c.state <> 'deleted' LIMIT 1;
	IF FOUND THEN
		RAISE EXCEPTION 'no mailbox %: its domain is not of class '
		    'mailbox', bad;
	END IF;
	SELECT c.local_part || '@' || d.name INTO bad FROM changed c
	    JOIN alias a ON a.domain_id = c.domain_id
	    AND a.local_part = c.local_part
	    JOIN domain d ON d.id = c.domain_id
	    WHERE c.state <> 'deleted' LIMIT 1;
	IF FOUND THEN
		RAISE EXCEPTION 'no mailbox %: there is an alias of that address',
		    bad;
	END IF;
	RETURN NULL;
END $$;
COMMENT ON FUNCTION mailbox_check() IS 'Refuses mailboxes in relay and alias domains, and where an alias is.';
CREATE TRIGGER mailbox_check_insert AFTER INSERT ON mailbox
	REFERENCING NEW TABLE AS changed
	FOR EACH STATEMENT EXECUTE FUNCTION mailbox_check();
CREATE TRIGGER mailbox_check_update AFTER UPDATE ON mailbox
	REFERENCING NEW TABLE AS changed
	FOR EACH STATEMENT EXECUTE FUNCTION mailbox_check();

CREATE FUNCTION alias_check() RETURNS trigger
LANGUAGE plpgsql SET search_path = postern, pg_temp
AS $$
DECLARE
	bad text;
BEGIN
	SELECT c.local_part || '@' || d.name INTO bad FROM changed c
	    JOIN mailbox m ON m.domain_id = c.domain_id
	    AND m.local_part = c.local_part AND m.state <> 'deleted'
	    JOIN domain d ON d.id = c.domain_id LIMIT 1;
	IF FOUND THEN
		RAISE EXCEPTION 'no alias %: there is a mailbox of that address, '
		    'which would always win', bad;
	END IF;
	RETURN NULL;
END $$;
COMMENT ON FUNCTION alias_check() IS 'Refuses aliases that a mailbox hides.';
CREATE TRIGGER alias_check_insert AFTER INSERT ON alias
	REFERENCING NEW TABLE AS changed
	FOR EACH STATEMENT EXECUTE FUNCTION alias_check();
CREATE TRIGGER alias_check_update AFTER UPDATE ON alias
	REFERENCING NEW TABLE AS changed
	FOR EACH STATEMENT EXECUTE FUNCTION alias_check();

-- A loop needs a new edge, so it is enough to walk from each alias that got
-- one. Extensions are taken to be user+extension here; with another delimiter
-- the walk's own limits still end every loop.
CREATE FUNCTION alias_target_check() RETURNS trigger
LANGUAGE plpgsql SET search_path = postern, pg_temp
AS $$
DECLARE
	a record;
	r record;
	above integer;
	deepest integer;
BEGIN
	-- One at a time: two halves of a loop, written at once by two, would
	-- not see each other. What follows sees all that the last one wrote.
	PERFORM pg_advisory_xact_lock(7209375164);
	FOR a IN SELECT DISTINCT x.id, x.local_part, d.name
	    FROM changed c JOIN alias x ON x.id = c.alias_id
	    JOIN domain d ON d.id = x.domain_id LOOP
		FOR r IN SELECT w.item, w.state, w.id FROM resolve_walk(
		    ARRAY(SELECT t.target_local || '@' || t.target_domain
		    FROM alias_target t WHERE t.alias_id = a.id), '+', a.id,
		    false) w WHERE w.item IN ('class', 'depth') LOOP
			IF r.state = 'loop' THEN
				RAISE EXCEPTION 'alias %@% would lead back to '
				    'itself', a.local_part, a.name;
			ELSIF r.state = 'wide' THEN
				RAISE EXCEPTION 'alias %@% would lead to more '
				    'than 1000 addresses', a.local_part, a.name;
			ELSIF r.item = 'depth' THEN
				deepest := r.id;
			END IF;
		END LOOP;
		WITH RECURSIVE up (id, depth) AS (
			SELECT a.id, 0
			UNION
			SELECT t.alias_id, up.depth + 1 FROM up
			JOIN alias x ON x.id = up.id
			JOIN domain d ON d.id = x.domain_id
			JOIN alias_target t ON t.target_domain = d.name
			AND t.target_local = x.local_part
			WHERE up.depth <= 10)
		SELECT max(up.depth) INTO above FROM up;
		IF above + deepest + 1 > 10 THEN
			RAISE EXCEPTION 'alias %@% would be nested more than 10 '
			    'deep', a.local_part, a.name;
		END IF;
	END LOOP;
	RETURN NULL;
END $$;
COMMENT ON FUNCTION alias_target_check() IS 'Refuses loops, over-depth and over-width when an alias is written.';
CREATE TRIGGER alias_target_check_insert AFTER INSERT ON alias_target
	REFERENCING NEW TABLE AS changed
	FOR EACH STATEMENT EXECUTE FUNCTION alias_target_check();
CREATE TRIGGER alias_target_check_update AFTER UPDATE ON alias_target
	REFERENCING NEW TABLE AS changed
	FOR EACH STATEMENT EXECUTE FUNCTION alias_target_check();

-- Limits of organisations hold for everybody, whatever program writes. The
-- row is locked first, so that two writers can't both take the last place.
CREATE FUNCTION organisation_check(orgs bigint[]) RETURNS void
LANGUAGE plpgsql SET search_path = postern, pg_temp
AS $$
DECLARE
	o organisation%ROWTYPE;
	n bigint; sum_bytes bigint; unlimited bigint;
BEGIN
	FOR o IN SELECT * FROM organisation x WHERE x.id = ANY (orgs)
	    AND greatest(x.max_domains, x.max_mailboxes, x.max_aliases,
	    x.max_quota_bytes) > 0 ORDER BY x.id FOR UPDATE LOOP
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
		IF o.max_quota_bytes > 0 AND unlimited > 0 THEN
			RAISE EXCEPTION 'organisation % has a pool of % bytes: '
			    'every mailbox needs a quota', o.name,
			    o.max_quota_bytes;
		END IF;
		IF o.max_quota_bytes > 0 AND sum_bytes > o.max_quota_bytes THEN
			RAISE EXCEPTION 'organisation % may give % bytes of quota',
			    o.name, o.max_quota_bytes;
		END IF;
	END LOOP;
END $$;
COMMENT ON FUNCTION organisation_check(bigint[]) IS 'Holds organisations to their limits.';

CREATE FUNCTION organisation_check_domain() RETURNS trigger
LANGUAGE plpgsql SET search_path = postern, pg_temp
AS $$ BEGIN
	PERFORM organisation_check(ARRAY(
	    SELECT DISTINCT c.org_id FROM changed c));
	RETURN NULL;
END $$;
COMMENT ON FUNCTION organisation_check_domain() IS 'After domains were written.';
CREATE FUNCTION organisation_check_address() RETURNS trigger
LANGUAGE plpgsql SET search_path = postern, pg_temp
AS $$ BEGIN
	PERFORM organisation_check(ARRAY(SELECT DISTINCT d.org_id
	    FROM changed c JOIN domain d ON d.id = c.domain_id));
	RETURN NULL;
END $$;
COMMENT ON FUNCTION organisation_check_address() IS 'After mailboxes or aliases were written.';
CREATE TRIGGER organisation_check_insert AFTER INSERT ON domain
	REFERENCING NEW TABLE AS changed
	FOR EACH STATEMENT EXECUTE FUNCTION organisation_check_domain();
CREATE TRIGGER organisation_check_update AFTER UPDATE ON domain
	REFERENCING NEW TABLE AS changed
	FOR EACH STATEMENT EXECUTE FUNCTION organisation_check_domain();
CREATE TRIGGER organisation_check_insert AFTER INSERT ON mailbox
	REFERENCING NEW TABLE AS changed
	FOR EACH STATEMENT EXECUTE FUNCTION organisation_check_address();
CREATE TRIGGER organisation_check_update AFTER UPDATE ON mailbox
	REFERENCING NEW TABLE AS changed
	FOR EACH STATEMENT EXECUTE FUNCTION organisation_check_address();
CREATE TRIGGER organisation_check_insert AFTER INSERT ON alias
	REFERENCING NEW TABLE AS changed
	FOR EACH STATEMENT EXECUTE FUNCTION organisation_check_address();
CREATE TRIGGER organisation_check_update AFTER UPDATE ON alias
	REFERENCING NEW TABLE AS changed
	FOR EACH STATEMENT EXECUTE FUNCTION organisation_check_address();

-- --------------------------------------------------------------------------
-- NOTIFY. Channel postern_directory; payloads domain/local, domain/ (its
-- catch-all), domain, org:N, * (everything); the empty payload is the
-- heartbeat. A statement that touches more than 100 addresses tells of their
-- domains instead; more than 100 domains, of everything.

CREATE FUNCTION directory_notify(payloads text[]) RETURNS void
LANGUAGE sql SET search_path = postern, pg_temp
AS $$
	SELECT pg_notify('postern_directory', p) FROM unnest(
	    CASE WHEN cardinality(payloads) > 100 THEN ARRAY['*']
	    ELSE payloads END) p
$$;
COMMENT ON FUNCTION directory_notify(text[]) IS 'Tells all directory caches what changed.';

CREATE FUNCTION address_notify() RETURNS trigger
LANGUAGE plpgsql SET search_path = postern, pg_temp
AS $$
DECLARE
	payloads text[];
BEGIN
	-- One more than 100 is enough to know.
	IF TG_OP = 'UPDATE' THEN
		payloads := ARRAY(SELECT d.name || '/' || c.local_part FROM
		    (SELECT domain_id, local_part FROM changed UNION
		    SELECT domain_id, local_part FROM was) c
		    JOIN domain d ON d.id = c.domain_id LIMIT 101);
	ELSE
		payloads := ARRAY(SELECT d.name || '/' || c.local_part
		    FROM changed c JOIN domain d ON d.id = c.domain_id
		    LIMIT 101);
	END IF;
	IF cardinality(payloads) > 100 AND TG_OP = 'UPDATE' THEN
		payloads := ARRAY(SELECT DISTINCT d.name::text FROM
		    (SELECT domain_id FROM changed UNION
		    SELECT domain_id FROM was) c
		    JOIN domain d ON d.id = c.domain_id LIMIT 101);
	ELSIF cardinality(payloads) > 100 THEN
		payloads := ARRAY(SELECT DISTINCT d.name::text
		    FROM changed c JOIN domain d ON d.id = c.domain_id
		    LIMIT 101);
	END IF;
	PERFORM directory_notify(payloads);
	RETURN NULL;
END $$;
COMMENT ON FUNCTION address_notify() IS 'For tables with domain_id and local_part.';

CREATE FUNCTION alias_target_notify() RETURNS trigger
LANGUAGE plpgsql SET search_path = postern, pg_temp
AS $$
DECLARE
	payloads text[];
BEGIN
	payloads := ARRAY(SELECT DISTINCT d.name || '/' || a.local_part
	    FROM changed c JOIN alias a ON a.id = c.alias_id
	    JOIN domain d ON d.id = a.domain_id LIMIT 101);
	IF cardinality(payloads) > 100 THEN
		payloads := ARRAY(SELECT DISTINCT d.name::text
		    FROM changed c JOIN alias a ON a.id = c.alias_id
		    JOIN domain d ON d.id = a.domain_id LIMIT 101);
	END IF;
	PERFORM directory_notify(payloads);
	RETURN NULL;
END $$;
COMMENT ON FUNCTION alias_target_notify() IS 'A target moved: its alias changed. Targets of a deleted alias are told of by the alias.';

CREATE FUNCTION domain_notify() RETURNS trigger
LANGUAGE plpgsql SET search_path = postern, pg_temp
AS $$ BEGIN
	IF TG_OP = 'UPDATE' THEN
		PERFORM directory_notify(ARRAY(SELECT name::text FROM changed
		    UNION SELECT name::text FROM was LIMIT 101));
	ELSE
		PERFORM directory_notify(ARRAY(
		    SELECT name::text FROM changed LIMIT 101));
	END IF;
	RETURN NULL;
END $$;
COMMENT ON FUNCTION domain_notify() IS 'Names before and after.';

CREATE FUNCTION organisation_notify() RETURNS trigger
LANGUAGE plpgsql SET search_path = postern, pg_temp
AS $$ BEGIN
	PERFORM directory_notify(ARRAY(
	    SELECT 'org:' || id FROM changed LIMIT 101));
	RETURN NULL;
END $$;
COMMENT ON FUNCTION organisation_notify() IS 'Only updates matter: an organisation has domains before it is in any answer.';

CREATE FUNCTION everything_notify() RETURNS trigger
LANGUAGE plpgsql SET search_path = postern, pg_temp
AS $$ BEGIN
	PERFORM pg_notify('postern_directory', '*');
	RETURN NULL;
END $$;
COMMENT ON FUNCTION everything_notify() IS 'For rare changes with far reach: hosts, transports, TRUNCATE.';

DO $$
DECLARE
	t text; f text;
BEGIN
	FOREACH t IN ARRAY ARRAY['mailbox', 'alias', 'relay_recipient',
	    'alias_target', 'domain'] LOOP
		f := CASE t WHEN 'domain' THEN 'domain_notify'
		    WHEN 'alias_target' THEN 'alias_target_notify'
		    ELSE 'address_notify' END;
		EXECUTE format('CREATE TRIGGER notify_insert AFTER INSERT ON %I '
		    'REFERENCING NEW TABLE AS changed FOR EACH STATEMENT '
		    'EXECUTE FUNCTION %I()', t, f);
		EXECUTE format('CREATE TRIGGER notify_delete AFTER DELETE ON %I '
		    'REFERENCING OLD TABLE AS changed FOR EACH STATEMENT '
		    'EXECUTE FUNCTION %I()', t, f);
		EXECUTE format('CREATE TRIGGER notify_update AFTER UPDATE ON %I '
		    'REFERENCING OLD TABLE AS was NEW TABLE AS changed '
		    'FOR EACH STATEMENT EXECUTE FUNCTION %I()', t, f);
		EXECUTE format('CREATE TRIGGER notify_truncate AFTER TRUNCATE '
		    'ON %I FOR EACH STATEMENT EXECUTE FUNCTION '
		    'everything_notify()', t);
	END LOOP;
END $$;
CREATE TRIGGER notify_update AFTER UPDATE ON organisation
	REFERENCING NEW TABLE AS changed
	FOR EACH STATEMENT EXECUTE FUNCTION organisation_notify();
CREATE TRIGGER notify_change AFTER INSERT OR DELETE OR UPDATE OF name
	ON host FOR EACH STATEMENT EXECUTE FUNCTION everything_notify();
CREATE TRIGGER notify_change AFTER UPDATE OR DELETE
	ON transport FOR EACH STATEMENT EXECUTE FUNCTION everything_notify();

-- --------------------------------------------------------------------------
REVOKE EXECUTE ON ALL FUNCTIONS IN SCHEMA postern FROM PUBLIC;
GRANT EXECUTE ON FUNCTION resolve_recipient(text, text), resolve_domain(text),
    host_id_of(text), access_lookup(text, text[]) TO postern_lookup;
GRANT EXECUTE ON FUNCTION usage_report(bigint[], bigint[], bigint[], bigint[]),
    usage_of(bigint) TO postern_usage;
GRANT EXECUTE ON FUNCTION usage_of(bigint) TO postern_lookup;
GRANT EXECUTE ON FUNCTION login_lookup(text), host_id_of(text),
    credential_rehash(bigint, text, text), credential_used(bigint)
    TO postern_auth;
GRANT EXECUTE ON FUNCTION host_started(text, bigint), host_id_of(text)
    TO postern_queue;
GRANT EXECUTE ON FUNCTION event_add(text, text, text, jsonb) TO postern_lookup,
    postern_usage, postern_auth, postern_queue, postern_admin;
-- What triggers call runs with the rights of who writes.
GRANT EXECUTE ON FUNCTION resolve_recipient(text, text), host_id_of(text),
    resolve_explain(text, text), resolve_domain(text),
    resolve_walk(text[], text, bigint, boolean), address_base(text, text),
    address_local(text), address_domain(text), organisation_check(bigint[]),
    directory_notify(text[]), access_lookup(text, text[]), usage_of(bigint)
    TO postern_admin;
