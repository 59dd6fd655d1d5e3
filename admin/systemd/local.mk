# Units for systemd and a file for logrotate. Directories are known to make,
# not to configure: prefix may still be changed there.
if SYSTEMD_UNITS
systemdsystemunit_DATA = admin/systemd/postern.service \
	admin/systemd/postern-db.service
endif
dist_pkgdata_DATA = admin/systemd/postern.logrotate
EXTRA_DIST += admin/systemd/README.md admin/systemd/postern.service.in \
	admin/systemd/postern-db.service.in
CLEANFILES += admin/systemd/postern.service admin/systemd/postern-db.service

admin/systemd/postern.service: admin/systemd/postern.service.in
admin/systemd/postern-db.service: admin/systemd/postern-db.service.in
admin/systemd/postern.service admin/systemd/postern-db.service: Makefile
	$(AM_V_GEN)$(MKDIR_P) admin/systemd && \
	$(SED) -e 's|@sbindir[@]|$(sbindir)|g' -e 's|@bindir[@]|$(bindir)|g' \
	    -e 's|@sysconfdir[@]|$(sysconfdir)|g' \
	    '$(srcdir)/$@.in' >$@.tmp && mv $@.tmp $@
