-- `postern quota show` of a domain admin shows percentages, too.

SET LOCAL search_path = postern, pg_temp;

GRANT EXECUTE ON FUNCTION quota_percent(bigint, bigint, bigint, bigint)
    TO postern_delegate;
