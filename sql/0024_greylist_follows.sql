-- Who wants no greylisting is named by address among the exemptions (0017):
-- that follows a mailbox or domain that gets another name, and ends with it.
-- Whoever has the address next is somebody else.

SET LOCAL search_path = postern, pg_temp;

CREATE FUNCTION greylist_item_moved(was text, becomes text) RETURNS void
LANGUAGE plpgsql SET search_path = postern, pg_temp
AS $$
BEGIN
	-- The lock of the kind only where there is something.
	IF NOT EXISTS (SELECT FROM greylist_exempt g
	    WHERE g.item = was COLLATE "C" AND NOT g.forgotten) THEN
		RETURN;
	END IF;
	PERFORM greylist_forget_exempt(was);
	IF becomes IS NOT NULL THEN
		PERFORM greylist_allow(becomes);
	END IF;
END $$;
COMMENT ON FUNCTION greylist_item_moved(text, text) IS 'Gives an exemption, if there is one, another item; NULL: it ends.';

-- Both run as the owner, as shared state is nobody else's; domain admins
-- rename and delete, too.
CREATE FUNCTION greylist_mailbox_follow() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = postern, pg_temp
AS $$
DECLARE
	was text := 'to:' || OLD.local_part || '@' ||
	    (SELECT d.name FROM domain d WHERE d.id = OLD.domain_id);
	becomes text;
BEGIN
	IF OLD.state = 'deleted' THEN
		RETURN NULL;
	END IF;
	IF TG_OP = 'UPDATE' AND NEW.state <> 'deleted' THEN
		becomes := 'to:' || NEW.local_part || '@' ||
		    (SELECT d.name FROM domain d WHERE d.id = NEW.domain_id);
	END IF;
	IF was IS DISTINCT FROM becomes THEN
		PERFORM greylist_item_moved(was, becomes);
	END IF;
	RETURN NULL;
END $$;
COMMENT ON FUNCTION greylist_mailbox_follow() IS 'Its choice goes where a mailbox goes.';
CREATE TRIGGER greylist_follow AFTER DELETE OR UPDATE OF domain_id, local_part,
    state ON mailbox FOR EACH ROW EXECUTE FUNCTION greylist_mailbox_follow();

CREATE FUNCTION greylist_domain_follow() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = postern, pg_temp
AS $$
DECLARE
	name text := '@' || OLD.name;
	i text;
BEGIN
	IF TG_OP = 'UPDATE' AND OLD.name = NEW.name THEN
		RETURN NULL;
	END IF;
	FOR i IN SELECT g.item FROM greylist_exempt g
	    WHERE starts_with(g.item, 'to:') AND NOT g.forgotten
	    AND right(g.item, length(name)) = name LOOP
		PERFORM greylist_item_moved(i, CASE WHEN TG_OP = 'UPDATE'
		    THEN left(i, -length(name)) || '@' || NEW.name END);
	END LOOP;
	RETURN NULL;
END $$;
COMMENT ON FUNCTION greylist_domain_follow() IS 'Its choice, and that of its mailboxes, goes where a domain goes.';
CREATE TRIGGER greylist_follow AFTER DELETE OR UPDATE OF name ON domain
    FOR EACH ROW EXECUTE FUNCTION greylist_domain_follow();

REVOKE EXECUTE ON FUNCTION greylist_item_moved(text, text),
    greylist_mailbox_follow(), greylist_domain_follow() FROM PUBLIC;
