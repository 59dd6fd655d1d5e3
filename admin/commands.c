#include "admin/cli.h"

/* Order and wording are those of postern(8), which is printed from here. */
static const struct cli_command commands[] = {
	/* --- domains --- */
	{ "domain add", "NAME", 1, 1, CLI_CONFIG | CLI_DELEGATE,
	    { "--alias-of=DOMAIN", "--relay", "--transport=NAME",
	    "--organisation=NAME" }, cmd_domain_add,
	    "Adds a domain: for mailboxes, or as another name of DOMAIN, or to "
	    "be relayed (to its MX, or by a transport).",
	    "postern domain add example.org" },
	{ "domain del", "NAME", 1, 1, CLI_CONFIG | CLI_DELEGATE | CLI_DESTROYS,
	    { "--with-mailboxes" }, cmd_domain_del,
	    "Deletes a domain and its aliases; its mailboxes only when told "
	    "so. Their mail stays in the store until it is purged.",
	    "postern domain del example.org" },
	{ "domain list", "", 0, 0, CLI_CONFIG | CLI_DELEGATE, { NULL }, cmd_domain_list,
	    "Lists all domains.", "postern domain list --json" },
	{ "domain show", "NAME", 1, 1, CLI_CONFIG | CLI_DELEGATE, { NULL }, cmd_domain_show,
	    "Shows one domain.", "postern domain show example.org" },
	{ "domain set", "NAME SETTING VALUE", 3, 3, CLI_CONFIG | CLI_DELEGATE, { NULL },
	    cmd_domain_set,
	    "Changes a setting: active, organisation, alias_of, "
	    "relay_recipients, quota_bytes, quota_messages, transport, "
	    "greylist (on, off).",
	    "postern domain set example.org quota_bytes 2g" },

	{ "domain rename", "NAME NEW", 2, 2, CLI_CONFIG | CLI_DESTROYS,
	    { NULL }, cmd_domain_rename,
	    "Gives a domain another name, and with it all its addresses. The "
	    "old ones are nobody's then: `domain add OLD --alias-of NEW' "
	    "keeps them.", "postern domain rename example.org example.com" },

	/* --- organisations --- */
	{ "org add", "NAME", 1, 1, CLI_CONFIG, { NULL }, cmd_org_add,
	    "Adds an organisation: who domains belong to.",
	    "postern org add acme" },
	{ "org del", "NAME", 1, 1, CLI_CONFIG | CLI_DESTROYS, { NULL },
	    cmd_org_del, "Deletes an organisation that has no domain.",
	    "postern org del acme" },
	{ "org list", "", 0, 0, CLI_CONFIG | CLI_DELEGATE, { NULL }, cmd_org_list,
	    "Lists organisations: what each has, and may have.",
	    "postern org list" },
	{ "org show", "NAME", 1, 1, CLI_CONFIG | CLI_DELEGATE, { NULL }, cmd_org_show,
	    "Shows one organisation.", "postern org show acme" },
	{ "org set", "NAME SETTING VALUE", 3, 3, CLI_CONFIG, { NULL },
	    cmd_org_set,
	    "Changes a setting: active, max_domains, max_mailboxes, "
	    "max_aliases, max_quota_bytes. The database holds everybody to "
	    "these limits; one below what is there is refused.",
	    "postern org set acme max_mailboxes 50" },

	/* --- domain admins --- */
	{ "admin add", "NAME", 1, 1, CLI_CONFIG,
	    { "--organisation=NAME", "--may-add-domains", "--password-stdin",
	    "--no-password" }, cmd_admin_add,
	    "Adds a domain admin: somebody who looks after the domains of one "
	    "organisation, within its limits, and sees nothing else. Asks for "
	    "their password. Whoever runs this may act as one: postern --as "
	    "NAME. --may-add-domains: domains too, of any name, since nothing "
	    "proves whose a name is.",
	    "postern admin add ada@acme.example --organisation acme" },
	{ "admin del", "NAME", 1, 1, CLI_CONFIG | CLI_DESTROYS, { NULL },
	    cmd_admin_del, "Ends a domain admin, at once.",
	    "postern admin del ada@acme.example" },
	{ "admin list", "", 0, 0, CLI_CONFIG, { NULL }, cmd_admin_list,
	    "Lists domain admins.", "postern admin list" },
	{ "admin show", "NAME", 1, 1, CLI_CONFIG, { NULL }, cmd_admin_show,
	    "Shows one domain admin.", "postern admin show ada@acme.example" },
	{ "admin set", "NAME SETTING VALUE", 3, 3, CLI_CONFIG, { NULL },
	    cmd_admin_set,
	    "Changes a setting: active, may_add_domains, organisation.",
	    "postern admin set ada@acme.example active no" },
	{ "admin passwd", "NAME", 1, 1, CLI_CONFIG | CLI_DELEGATE,
	    { "--password-stdin" }, cmd_admin_passwd,
	    "Sets the password of a domain admin; they may set their own.",
	    "postern admin passwd ada@acme.example" },

	/* --- mailboxes --- */
	{ "mailbox add", "ADDRESS", 1, 1, CLI_CONFIG | CLI_DELEGATE,
	    { "--password-stdin", "--no-password", "--quota=SIZE",
	    "--quota-messages=N", "--name=TEXT" }, cmd_mailbox_add,
	    "Adds a mailbox on this host. Asks for its password, or reads it "
	    "from standard input (first line).",
	    "postern mailbox add kim@example.org --quota 2g" },
	{ "mailbox del", "ADDRESS", 1, 1, CLI_CONFIG | CLI_DELEGATE | CLI_DESTROYS,
	    { NULL }, cmd_mailbox_del,
	    "Deletes a mailbox: its address is free at once, its sessions "
	    "end, its mail stays in the store until it is purged.",
	    "postern mailbox del kim@example.org" },
	{ "mailbox list", "[DOMAIN]", 0, 1, CLI_CONFIG | CLI_DELEGATE, { NULL },
	    cmd_mailbox_list, "Lists mailboxes, of one domain or of all.",
	    "postern mailbox list example.org" },
	{ "mailbox show", "ADDRESS", 1, 1, CLI_CONFIG | CLI_DELEGATE, { NULL },
	    cmd_mailbox_show, "Shows one mailbox.",
	    "postern mailbox show kim@example.org" },
	{ "mailbox set", "ADDRESS SETTING VALUE", 3, 3, CLI_CONFIG | CLI_DELEGATE,
	    { NULL }, cmd_mailbox_set,
	    "Changes a setting: state (active, no_login, disabled), "
	    "quota_bytes, quota_messages, full_name, greylist (on, off).",
	    "postern mailbox set kim@example.org state no_login" },
	{ "mailbox passwd", "ADDRESS", 1, 1, CLI_CONFIG | CLI_DELEGATE,
	    { "--password-stdin" }, cmd_mailbox_passwd,
	    "Sets the password. App passwords stay.",
	    "postern mailbox passwd kim@example.org" },
	{ "mailbox adopt", "ADDRESS DIR", 2, 2, CLI_CONFIG | CLI_DESTROYS,
	    { "--check", "--copy" }, cmd_mailbox_adopt,
	    "Takes over a maildir of Dovecot's or Courier's as the mail of "
	    "ADDRESS, with UIDs, flags, keywords, folders and subscriptions: "
	    "the files are renamed into the store, or with --copy copied. "
	    "--check only says what would be done. The other server must not "
	    "use the maildir any more. Killed half way, it goes on when "
	    "called again.",
	    "postern mailbox adopt kim@example.org /var/vmail/kim/Maildir" },

	{ "mailbox deleted", "", 0, 0, CLI_CONFIG, { NULL },
	    cmd_mailbox_deleted,
	    "Lists this host's deleted mailboxes whose mail is still there.",
	    "postern mailbox deleted" },
	{ "mailbox purge", "", 0, 0, CLI_CONFIG | CLI_DESTROYS,
	    { "--older-than=TIME" }, cmd_mailbox_purge,
	    "Removes the mail of mailboxes that were deleted on this host "
	    "longer ago than TIME, 30 days if not given. It can't be had "
	    "back. Run it as root or as the owner of the store.",
	    "postern mailbox purge --older-than '7 days'" },
	{ "mailbox rename", "ADDRESS NEW", 2, 2, CLI_CONFIG | CLI_DELEGATE | CLI_DESTROYS,
	    { "--keep-alias" }, cmd_mailbox_rename,
	    "Gives a mailbox another address. Its mail, passwords and the "
	    "aliases that lead to it follow, its sessions end. With "
	    "--keep-alias mail to the old address still comes.",
	    "postern mailbox rename kim@example.org k.lee@example.org "
	    "--keep-alias" },

	/* --- quota --- */
	{ "quota show", "[ADDRESS|DOMAIN]", 0, 1,
	    CLI_CONFIG | CLI_DELEGATE, { "--org" }, cmd_quota_show,
	    "Shows limits and what is used of them: of a mailbox and the "
	    "pools it shares, of a domain and its mailboxes, of an "
	    "organisation (--org) and its domains, or of all pools.",
	    "postern quota show example.org" },
	{ "quota set", "ADDRESS|DOMAIN", 1, 1, CLI_CONFIG | CLI_DELEGATE,
	    { "--bytes=SIZE", "--messages=N", "--org" }, cmd_quota_set,
	    "Sets the limits of a mailbox, or those of the pool that the "
	    "mailboxes of a domain or an organisation (--org) share. `none' "
	    "takes one away. It acts at once, in open sessions, too.",
	    "postern quota set example.org --bytes 50g" },
	{ "quota audit", "[ADDRESS|DOMAIN]", 0, 1, CLI_CONFIG, { "--fix" },
	    cmd_quota_audit,
	    "Compares what the database, the indexes and the files say of this "
	    "host's mailboxes, and the sums of domains; shows what differs "
	    "and ends with 65 then. --fix repairs: the files win.",
	    "postern quota audit --fix" },

	/* --- app passwords --- */
	{ "credential add", "ADDRESS LABEL", 2, 2, CLI_CONFIG | CLI_DELEGATE,
	    { "--scope=SERVICES", "--for=TIME", "--password-stdin" },
	    cmd_credential_add,
	    "Makes an app password, for one device or program, and shows it "
	    "this once. --scope: smtp (sending), imap (reading), or both as "
	    "`smtp,imap'; all services if not given. --for says after which "
	    "time it ends, such as `90 days'.",
	    "postern credential add kim@example.org phone --scope smtp,imap" },
	{ "credential del", "ADDRESS LABEL", 2, 2, CLI_CONFIG | CLI_DELEGATE | CLI_DESTROYS,
	    { NULL }, cmd_credential_del,
	    "Ends a credential and the sessions of its mailbox.",
	    "postern credential del kim@example.org phone" },
	{ "credential list", "ADDRESS", 1, 1, CLI_CONFIG | CLI_DELEGATE, { NULL },
	    cmd_credential_list, "Lists what opens a mailbox: its password "
	    "(kind password) and app passwords, and when each was last used.",
	    "postern credential list kim@example.org" },
	{ "credential show", "ADDRESS LABEL", 2, 2, CLI_CONFIG | CLI_DELEGATE, { NULL },
	    cmd_credential_show, "Shows one credential; never the password.",
	    "postern credential show kim@example.org phone" },

	/* --- aliases --- */
	{ "alias add", "ADDRESS TARGET...", 2, 100, CLI_CONFIG | CLI_DELEGATE, { NULL },
	    cmd_alias_add,
	    "Makes an alias or adds targets to it; @DOMAIN is a catch-all.",
	    "postern alias add info@example.org kim@example.org" },
	{ "alias del", "ADDRESS [TARGET]", 1, 2, CLI_CONFIG | CLI_DELEGATE | CLI_DESTROYS,
	    { NULL }, cmd_alias_del,
	    "Takes one target off an alias, or deletes it.",
	    "postern alias del info@example.org" },
	{ "alias list", "[DOMAIN]", 0, 1, CLI_CONFIG | CLI_DELEGATE, { NULL },
	    cmd_alias_list, "Lists aliases, one row for each target.",
	    "postern alias list" },
	{ "alias show", "ADDRESS", 1, 1, CLI_CONFIG | CLI_DELEGATE, { NULL },
	    cmd_alias_show, "Shows one alias.",
	    "postern alias show info@example.org" },
	{ "alias set", "ADDRESS SETTING VALUE", 3, 3, CLI_CONFIG | CLI_DELEGATE, { NULL },
	    cmd_alias_set, "Changes a setting: active, note.",
	    "postern alias set info@example.org active no" },

	/* --- relaying --- */
	{ "transport add", "NAME smtp|lmtp|error [NEXT_HOP]", 2, 3,
	    CLI_CONFIG, { NULL }, cmd_transport_add,
	    "Adds a way out for relay domains. NEXT_HOP is as in Postfix: a "
	    "domain (its MX), [host], either with :port; the recipient's "
	    "domain if not given.",
	    "postern transport add inside smtp [mail.inside.example]:25" },
	{ "transport del", "NAME", 1, 1, CLI_CONFIG | CLI_DESTROYS, { NULL },
	    cmd_transport_del, "Deletes a transport that no domain uses.",
	    "postern transport del inside" },
	{ "transport list", "", 0, 0, CLI_CONFIG, { NULL },
	    cmd_transport_list, "Lists transports.",
	    "postern transport list" },
	{ "relay-recipient add", "ADDRESS", 1, 1, CLI_CONFIG | CLI_DELEGATE, { NULL },
	    cmd_recipient_add,
	    "Lists an address of a relay domain. Only those listed exist when "
	    "the domain's relay_recipients is `listed'.",
	    "postern relay-recipient add kim@passed.example" },
	{ "relay-recipient del", "ADDRESS", 1, 1, CLI_CONFIG | CLI_DELEGATE, { NULL },
	    cmd_recipient_del, "Takes an address off that list.",
	    "postern relay-recipient del kim@passed.example" },
	{ "relay-recipient list", "[DOMAIN]", 0, 1, CLI_CONFIG | CLI_DELEGATE, { NULL },
	    cmd_recipient_list, "Lists them, of one domain or of all.",
	    "postern relay-recipient list passed.example" },

	{ "resolve", "ADDRESS", 1, 1, CLI_CONFIG, { NULL }, cmd_resolve,
	    "Who gets mail for an address, and by which steps: the answer "
	    "smtpd itself would use.", "postern resolve info+x@example.org" },

	{ "explain", "", 0, 0, CLI_CONFIG,
	    { "--client=IP", "--name=NAME", "--reverse-name=NAME",
	    "--helo=NAME", "--from=ADDRESS", "--to=ADDRESS", "--sasl=ADDRESS",
	    "--tls", "--size=SIZE", "--listener=NAME", "--policy", "--batch" },
	    cmd_explain,
	    "Plays a message through the restriction lists and shows each "
	    "rule, what it looked up, and which one decided. It is smtpd's "
	    "own evaluator, with nothing carried out and quota not asked for. "
	    "Without --name the DNS is asked for the client's name; `unknown' "
	    "says that it has none. --listener is a [service] section. "
	    "Policy services are asked only with --policy, as they may "
	    "remember it. --batch reads lines of such words from standard "
	    "input, separated by tabs: client=192.0.2.1 helo=... from=... "
	    "to=...",
	    "postern explain --client 192.0.2.7 --helo mx.example.net --from "
	    "x@example.net --to kim@example.org" },

	/* --- many at once --- */
	{ "import", "FILE|CONNINFO", 1, 1, CLI_CONFIG | CLI_DELEGATE,
	    { "--check", "--keep-going", "--update", "--make-domains",
	    "--format=FORMAT", "--organisation=NAME", "--domain=NAME",
	    "--scheme=NAME" }, cmd_import,
	    "Adds mailboxes, aliases and domains from a file (- is standard "
	    "input): csv, Dovecot's passwd-file, or, with CONNINFO, the "
	    "PostgreSQL tables of postfixadmin. All rows or, if one has a "
	    "fault, none; --keep-going: what is good. --check does all of it "
	    "and takes it back: every fault is told with its line. --update "
	    "changes what is there already, else that is a fault. "
	    "--make-domains adds domains that are missing, to --organisation. "
	    "--domain is for addresses without, --scheme for hashes without.",
	    "postern import --check --make-domains users.csv" },
	{ "export", "[DOMAIN]", 0, 1, CLI_CONFIG | CLI_DELEGATE,
	    { "--format=FORMAT", "--no-passwords", "--role=NAME" },
	    cmd_export,
	    "Prints all domains or one, with mailboxes, app passwords, "
	    "aliases and relay recipients, as import takes it: csv, or the "
	    "mailboxes as passwd-file. Hashes are read as the owner of the "
	    "database.", "postern export example.org" },

	/* --- tables --- */
	{ "access add", "TABLE PATTERN ACTION...", 3, CLI_WORDS_MAX,
	    CLI_CONFIG, { "--note=TEXT", "--for=TIME" }, cmd_access_add,
	    "Adds an entry to an access list in the database, or replaces "
	    "it: a list that restrictions name as pg:TABLE. Patterns and "
	    "actions are those of access(5). It is live at once. --for says "
	    "after which time it ends, such as `2 hours'.",
	    "postern access add senders bad.example REJECT no mail from "
	    "there" },
	{ "access remove", "TABLE PATTERN", 2, 2, CLI_CONFIG, { NULL },
	    cmd_access_remove, "Takes an entry off an access list.",
	    "postern access remove senders bad.example" },
	{ "access list", "[TABLE]", 0, 1, CLI_CONFIG, { NULL },
	    cmd_access_list, "Lists the entries of one access list, or all "
	    "lists.", "postern access list senders" },
	{ "access import", "TABLE FILE", 2, 2, CLI_CONFIG | CLI_DESTROYS,
	    { "--replace" }, cmd_access_import,
	    "Adds the lines of an access(5) file (- is standard input) to a "
	    "list, all of them or, if one has a mistake, none. With --replace "
	    "the list is then what the file is.",
	    "postern access import senders /etc/postfix/sender_access" },
	{ "access export", "TABLE", 1, 1, CLI_CONFIG, { NULL },
	    cmd_access_export, "Prints a list as such a file.",
	    "postern access export senders" },
	{ "map query", "TYPE:NAME KEY...", 2, CLI_WORDS_MAX, CLI_CONFIG,
	    { NULL }, cmd_map_query,
	    "Looks keys up in any table, as `postmap -q' does; KEY `-' reads "
	    "them from standard input. Ends with 0 when one is found, 1 when "
	    "none is, 75 when a look-up failed for now. pg: and pgsql: are "
	    "asked as who runs it.",
	    "postern map query hash:/etc/postern/access example.org" },
	{ "map types", "", 0, 0, 0, { NULL }, cmd_map_types,
	    "Lists the types of tables.", "postern map types" },
	{ "verify list", "[DOMAIN]", 0, 1, CLI_CONFIG, { NULL },
	    cmd_verify_list,
	    "Lists what is noted about addresses of other servers, for "
	    "reject_unverified_sender and reject_unverified_recipient.",
	    "postern verify list" },
	{ "verify set", "ADDRESS ok|defer|bounce [TEXT]", 2, 3, CLI_CONFIG,
	    { NULL }, cmd_verify_set,
	    "Notes that an address takes mail, or takes none (TEXT is told to "
	    "who uses it), or that this could not be found out.",
	    "postern verify set kim@example.net bounce 'no such user'" },
	{ "verify forget", "ADDRESS", 1, 1, CLI_CONFIG, { NULL },
	    cmd_verify_forget, "Forgets what is noted about an address.",
	    "postern verify forget kim@example.net" },

	{ "firstcontact list", "[ADDRESS]", 0, 1, CLI_CONFIG, { NULL },
	    cmd_firstcontact_list,
	    "Lists the clients that have passed first-contact tests, and until "
	    "when that is good; or one of them. An IPv6 client is its /64.",
	    "postern firstcontact list 192.0.2.7" },
	{ "greylist waiting", "", 0, 0, CLI_CONFIG, { NULL },
	    cmd_greylist_waiting,
	    "Lists who waits: since when, from when on it may pass, and until "
	    "when it must have come back.", "postern greylist waiting" },
	{ "greylist list", "", 0, 0, CLI_CONFIG, { NULL }, cmd_greylist_list,
	    "Lists who need not wait, and why: an administrator said so, a "
	    "user wrote to that address; and what origins have proved so far.",
	    "postern greylist list" },
	{ "greylist allow", "WHO", 1, 1, CLI_CONFIG, { NULL },
	    cmd_greylist_allow,
	    "Never lets WHO wait: a sender's address, a client's address or "
	    "network, or a domain, which is the client's name, those below it "
	    "and that organisation.", "postern greylist allow example.net" },
	{ "greylist forget", "WHAT", 1, 1, CLI_CONFIG, { NULL },
	    cmd_greylist_forget,
	    "Forgets what is known of an origin, a sender, a recipient, and "
	    "what `greylist allow' said. Within a minute.",
	    "postern greylist forget example.net" },
	{ "greylist stats", "", 0, 0, CLI_CONFIG, { NULL },
	    cmd_greylist_stats,
	    "Counts who waits and who is known, and how long those waited "
	    "that came back.", "postern greylist stats" },
	{ "firstcontact forget", "ADDRESS", 1, 1, CLI_CONFIG, { NULL },
	    cmd_firstcontact_forget,
	    "Makes all hosts forget a client: at its next connection it is "
	    "tested anew.", "postern firstcontact forget 192.0.2.7" },

	/* --- the running server --- */
	{ "queue list", "", 0, 0, CLI_CONFIG | CLI_SERVER, { NULL }, cmd_queue,
	    "Lists the messages that are not done yet. One that is `sent' is "
	    "in its maildir and waits for the next checkpoint.",
	    "postern queue list" },
	{ "queue show", "ID", 1, 1, CLI_CONFIG | CLI_SERVER, { NULL }, cmd_queue,
	    "Shows one queued message.", "postern queue show 0A00001c3kF9tQ" },
	{ "queue flush", "[ID...]", 0, 1000, CLI_CONFIG | CLI_SERVER, { NULL },
	    cmd_queue, "Tries deferred messages now, some or all.",
	    "postern queue flush" },
	{ "queue delete", "ID...|ALL", 1, 1000, CLI_CONFIG | CLI_SERVER | CLI_DESTROYS,
	    { NULL }, cmd_queue,
	    "Deletes queued messages for good; nobody is told.",
	    "postern queue delete 0A00001c3kF9tQ" },
	{ "queue hold", "ID...|ALL", 1, 1000, CLI_CONFIG | CLI_SERVER, { NULL }, cmd_queue,
	    "Keeps messages from being delivered until they are released.",
	    "postern queue hold 0A00001c3kF9tQ" },
	{ "queue release", "ID...|ALL", 1, 1000, CLI_CONFIG | CLI_SERVER, { NULL },
	    cmd_queue, "Releases held messages, some or all.",
	    "postern queue release ALL" },
	{ "trace", "ID|ADDRESS|MESSAGE-ID|IP", 1, 1, CLI_CONFIG,
	    { "--log=FILE", "--all" }, cmd_trace,
	    "What became of a message: its lines of the mail log, from the "
	    "client's connection to the mailbox, and its place in the queue. "
	    "ID is a queue id, or a session id for all messages of a session. "
	    "An address, Message-ID or client's address finds the last 20 "
	    "messages, and refusals; --all: as many as 1000. Rotated and "
	    "compressed logs are read too; without a file (see maillog_file), "
	    "the journal.",
	    "postern trace kim@example.org" },
	{ "doctor", "[DOMAIN...]", 0, CLI_WORDS_MAX, CLI_CONFIG,
	    { "--only=PARTS", "--problems" }, cmd_doctor,
	    "Looks for what is wrong around the server, and names the cure: "
	    "processes and listeners, database, directories and disk space, "
	    "keys and certificates, clock, and in the DNS our own name and "
	    "its reverse and of each domain (or those named) MX, SPF and "
	    "DMARC. --only names parts: server, database, files, "
	    "certificates, clock, dns. Ends with 0 when all is well, 1 with "
	    "warnings, 2 with faults. Changes nothing.",
	    "postern doctor --problems" },
	{ "session list", "", 0, 0, CLI_CONFIG | CLI_SERVER,
	    { "--user=ADDRESS", "--ip=ADDRESS", "--service=NAME" },
	    cmd_session_list,
	    "Lists the SMTP and IMAP sessions that are there now: who, from "
	    "where, since when, for how long silent, and what each is at. "
	    "--user also takes @DOMAIN, --ip also ADDRESS/BITS, --service is "
	    "smtp or imap.", "postern session list --user kim@example.org" },
	{ "session kick", "ID|USER|IP", 1, 1, CLI_CONFIG | CLI_SERVER,
	    { NULL }, cmd_session_kick,
	    "Ends sessions: one by its id, or all of a user (or @DOMAIN), or "
	    "from an address (or ADDRESS/BITS). Clients are told, by 421 or "
	    "BYE, and may come back. A message that is being taken is taken "
	    "first.", "postern session kick kim@example.org" },
	{ "login list", "", 0, 0, CLI_CONFIG | CLI_SERVER,
	    { "--refused", "--known" }, cmd_login_list,
	    "Lists for whom different wrong passwords came lately: accounts, "
	    "networks, and accounts in networks they know; how many, the "
	    "limit, and whether logins are slowed or refused, and until when. "
	    "--refused: only those; --known: the networks from which accounts "
	    "logged in.", "postern login list --refused" },
	{ "login why", "ADDRESS|NETWORK", 1, 1, CLI_CONFIG | CLI_SERVER,
	    { NULL }, cmd_login_why,
	    "Shows all that the login defence knows of an account or a "
	    "network: why logins of kim fail from here and work from there.",
	    "postern login why kim@example.org" },
	{ "login forgive", "ADDRESS|NETWORK", 1, 1, CLI_CONFIG | CLI_SERVER,
	    { NULL }, cmd_login_forgive,
	    "Forgets the wrong passwords counted for an account or a network, "
	    "on all hosts: it is open again at once.",
	    "postern login forgive 192.0.2.0/24" },
	{ "status", "", 0, 0, CLI_CONFIG | CLI_SERVER, { "--prometheus" },
	    cmd_status,
	    "Shows the processes and their figures; --prometheus: in "
	    "Prometheus' text format, for its textfile collector.",
	    "postern status" },
	{ "stats gate", "", 0, 0, CLI_CONFIG, { "--host=NAME", "--days=N" },
	    cmd_stats_gate,
	    "How often each rule said what, of all hosts or one: since the "
	    "start (of the host's gatekeeper), today (UTC) and in the last "
	    "days; --days: day by day. `warn' is what warn_if_reject let "
	    "pass. Of a class or a table's list the rule inside it counts.",
	    "postern stats gate --days=7" },
	{ "dnsbl status", "", 0, 0, CLI_CONFIG | CLI_SERVER, { NULL },
	    cmd_dnsbl_status,
	    "Shows the DNS lists that the restrictions name, as the smtpd "
	    "processes find them: tested at start and each "
	    "dnsbl_self_test_interval by the entries of RFC 5782. One that "
	    "is suspended is asked by no restriction until it is well again.",
	    "postern dnsbl status" },
	{ "reload", "", 0, 0, CLI_CONFIG | CLI_SERVER, { NULL }, cmd_reload,
	    "Makes the running server read its configuration and "
	    "certificates anew, and waits until every process has them. A "
	    "faulty file is refused, the old one stays.",
	    "postern reload" },
	{ "stop", "", 0, 0, CLI_CONFIG | CLI_SERVER, { NULL }, cmd_stop,
	    "Stops the server and waits until it has stopped.",
	    "postern stop" },

	/* --- configuration --- */
	{ "config show", "[NAME...]", 0, 200, CLI_CONFIG,
	    { "--section=NAME" }, cmd_config_show,
	    "Shows parameters as they are in force, and where they were set.",
	    "postern config show myhostname smtpd_relay_restrictions" },
	{ "config check", "", 0, 0, 0, { NULL }, cmd_config_check,
	    "Checks the whole file: words, values, restriction lists, "
	    "listeners, certificates, and that it makes no open relay. Warns "
	    "of policy services that do not answer.",
	    "postern config check" },
	{ "config diff", "", 0, 0, CLI_CONFIG, { "--running" },
	    cmd_config_diff,
	    "Shows the parameters that differ from their defaults; --running: "
	    "those in which the running server differs from the file, and "
	    "whether `postern reload' or a restart makes them the same. Ends "
	    "with 1 when there are some.", "postern config diff --running" },
	{ "config restrictions", "", 0, 0, 0, { NULL },
	    cmd_config_restrictions,
	    "Lists the restrictions: argument, the lists in which each may "
	    "stand, what it does.", "postern config restrictions" },
	{ "config man", "[restrictions]", 0, 1, CLI_HIDDEN, { NULL },
	    cmd_config_man,
	    "Prints the parameters or restrictions in mdoc, for "
	    "postern.conf(5).", "postern config man" },

	/* --- database --- */
	{ "db migrate", "", 0, 0, CLI_CONFIG, { "--role=NAME" },
	    cmd_db_migrate, "Brings the database up to what this build needs.",
	    "postern db migrate" },
	{ "db status", "", 0, 0, CLI_CONFIG, { "--role=NAME" },
	    cmd_db_status, "Shows the revision of the database.",
	    "postern db status" },
	{ "db start", "", 0, 0, CLI_CONFIG, { NULL }, cmd_db_start,
	    "Starts the private database of an instance made by `postern "
	    "setup --private-db'.", "postern -c DIR/postern.conf db start" },
	{ "db stop", "", 0, 0, CLI_CONFIG, { NULL }, cmd_db_stop,
	    "Stops that database.", "postern -c DIR/postern.conf db stop" },
	{ "setup", "DIR", 1, 1, 0, { "--private-db", "--database=URL",
	    "--port-base=N", "--hostname=NAME" }, cmd_setup,
	    "Makes an instance in DIR: configuration, self-signed "
	    "certificate, directories, and its database, a private one or at "
	    "URL. It listens on the loopback at N+25, N+587, N+465, N+143 "
	    "and N+993; N is 10000 if not given.", "postern setup /srv/postern --private-db" },
	{ "completion", "bash|zsh", 1, 1, 0, { NULL }, cmd_completion,
	    "Prints what makes the shell complete commands, options, and the "
	    "domains and mailboxes there are. `make install' puts it where "
	    "the shells look; else: source <(postern completion bash)",
	    "postern completion bash" },
	{ "complete", "LINE", 1, 1, CLI_HIDDEN, { NULL }, cmd_complete,
	    "Prints what the last word of a command line may become.",
	    "postern complete 'postern mail'" },
	{ "help man", "", 0, 0, CLI_HIDDEN, { NULL }, cmd_help_man,
	    "Prints the commands in mdoc, for postern(8).",
	    "postern help man" },
};

const struct cli_command *
cli_commands(size_t *n)
{
	*n = ARRAY_LEN(commands);
	return commands;
}
