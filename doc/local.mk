# doc: guides, formats, manual pages. Pages whose middle is a table of the
# program are made from a frame and what the program prints of it.
EXTRA_DIST += doc/README.md doc/architecture.md doc/database.md \
	doc/first-domain.md doc/from-postfix.md doc/imap.md doc/import.md doc/install.md doc/quota.md \
	doc/performance.md doc/policy.md doc/postern.8.in \
	doc/postern.conf.5.in doc/restrictions.md doc/roadmap.md \
	doc/spam.md \
	doc/spool-format.md doc/store-format.md doc/tables.md doc/testing.md
dist_man_MANS += doc/posternd.8 doc/qmgr.8
man_MANS = doc/postern.8 doc/postern.conf.5
CLEANFILES += doc/postern.8 doc/postern.conf.5

doc/postern.8: doc/postern.8.in admin/postern$(EXEEXT)
	$(AM_V_GEN)$(MKDIR_P) doc && \
	admin/postern help man >$@.commands && \
	$(SED) -e '/^@COMMANDS@$$/{r $@.commands' -e 'd;}' \
	    '$(srcdir)/doc/postern.8.in' >$@.tmp && \
	rm -f $@.commands && mv $@.tmp $@

# what the shells complete
bashcompletiondir = $(datadir)/bash-completion/completions
zshcompletiondir = $(datadir)/zsh/site-functions
nodist_bashcompletion_DATA = doc/bash/postern
nodist_zshcompletion_DATA = doc/zsh/_postern
CLEANFILES += doc/bash/postern doc/zsh/_postern

doc/bash/postern: admin/postern$(EXEEXT)
	$(AM_V_GEN)$(MKDIR_P) doc/bash && \
	admin/postern completion bash >$@.tmp && mv $@.tmp $@

doc/zsh/_postern: admin/postern$(EXEEXT)
	$(AM_V_GEN)$(MKDIR_P) doc/zsh && \
	admin/postern completion zsh >$@.tmp && mv $@.tmp $@

doc/postern.conf.5: doc/postern.conf.5.in admin/postern$(EXEEXT)
	$(AM_V_GEN)$(MKDIR_P) doc && \
	admin/postern config man >$@.parameters && \
	admin/postern config man restrictions >$@.restrictions && \
	$(SED) -e '/^@PARAMETERS@$$/{r $@.parameters' -e 'd;}' \
	    -e '/^@RESTRICTIONS@$$/{r $@.restrictions' -e 'd;}' \
	    '$(srcdir)/doc/postern.conf.5.in' >$@.tmp && \
	rm -f $@.parameters $@.restrictions && mv $@.tmp $@
