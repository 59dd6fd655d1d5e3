# The schema as numbered migrations, and the private server its tests use.
EXTRA_DIST += tests/pgcluster
