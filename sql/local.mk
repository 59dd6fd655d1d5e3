# The schema as numbered migrations, and the private server its tests use.
dist_pkgdata_sql_DATA += sql/0001_tables.sql sql/0002_lookup.sql \
	sql/0003_admin.sql sql/0004_login_notify.sql \
	sql/0005_login_changes.sql sql/0006_access.sql sql/0007_verify.sql \
	sql/0008_admin_more.sql sql/0009_quota_pools.sql \
	sql/0010_shared.sql sql/0011_domain_admins.sql \
	sql/0012_first_contact.sql sql/0013_login_defence.sql \
	sql/0014_quota_watch.sql sql/0015_import.sql sql/0016_gate_count.sql \
	sql/0017_greylist.sql sql/0018_purge.sql sql/0019_quota_percent.sql \
	sql/0020_plain_owner.sql sql/0021_login_bounds.sql \
	sql/0022_limits_hold.sql sql/0023_greylist_list.sql \
	sql/0024_greylist_follows.sql
TESTS += sql/t_sql sql/t_no_built_sql
EXTRA_DIST += sql/README.md tests/pgcluster sql/t_sql sql/t_no_built_sql \
	sql/tests/access.sql sql/tests/delegate.sql sql/tests/first_contact.sql \
	sql/tests/gate_count.sql sql/tests/helpers.sql sql/tests/growth.sql sql/tests/login_defence.sql sql/tests/order.sql sql/tests/quota.sql \
	sql/tests/refused.sql sql/tests/rights.sql sql/tests/service.sql \
	sql/tests/site.sql sql/tests/verify.sql
