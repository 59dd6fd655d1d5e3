# The schema as numbered migrations, and the private server its tests use.
dist_pkgdata_sql_DATA += sql/0001_tables.sql sql/0002_lookup.sql \
	sql/0003_admin.sql
EXTRA_DIST += sql/README.md tests/pgcluster
