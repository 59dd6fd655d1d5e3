-- Read first by sql/t_sql: ways to say what must hold.
SET client_min_messages = warning;
SET search_path = postern, pg_temp;

CREATE FUNCTION pg_temp.expect(what text, got anyelement, want anyelement)
RETURNS void LANGUAGE plpgsql AS $$ BEGIN
	IF got IS DISTINCT FROM want THEN
		RAISE EXCEPTION '%: got % instead of %', what, got, want;
	END IF;
END $$;

-- The statement must fail, with a message that holds the words.
CREATE FUNCTION pg_temp.refused(statement text, words text)
RETURNS void LANGUAGE plpgsql AS $$
DECLARE
	got text;
BEGIN
	BEGIN
		EXECUTE statement;
	EXCEPTION WHEN OTHERS THEN
		got := SQLERRM;
	END;
	IF got IS NULL THEN
		RAISE EXCEPTION 'not refused: %', statement;
	ELSIF strpos(got, words) = 0 THEN
		RAISE EXCEPTION '%: refused with "%"', statement, got;
	END IF;
END $$;

-- "class mailbox... forward..." of an address, in one line.
CREATE FUNCTION pg_temp.resolved(address text, delimiter text DEFAULT '+')
RETURNS text LANGUAGE sql AS $$
	SELECT string_agg(r.value || CASE WHEN r.extension <> ''
	    THEN ' [' || r.extension || ']' ELSE '' END, ' '
	    ORDER BY strpos('class mailbox forward', r.item), r.value)
	FROM resolve_recipient(address, delimiter) r
	WHERE r.item IN ('class', 'mailbox', 'forward')
$$;

SELECT host_add('mx.example');
