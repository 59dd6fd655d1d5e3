/*
 * The restriction chain as data (DESIGN §7). Lists are parsed once per
 * configuration snapshot into arrays of rules; a rule is a row of the table
 * in checks.c and its argument. smtpd, `postern config check` and (later)
 * `postern explain` use this one table and this one evaluator.
 *
 * Semantics are Postfix's: a PERMIT ends its own list only, a REJECT ends
 * all; DEFER_IF_PERMIT turns a final permit, DEFER_IF_REJECT a reject, into
 * "try again later". A rule that can't be decided never becomes a permit or
 * a 5xx.
 */
#ifndef GATE_GATE_H
#define GATE_GATE_H

#include "base/buf.h"
#include "base/conf.h"
#include "base/span.h"
#include "db/directory.h"
#include "db/verdicts.h"
#include "gate/clientlist.h"
#include "gate/grey.h"
#include "gate/listhealth.h"
#include "gate/netlist.h"
#include "net/client_name.h"
#include "net/dns.h"
#include "table/table.h"

enum gate_stage {
	GATE_CLIENT, GATE_HELO, GATE_SENDER, GATE_RELAY, GATE_RECIPIENT,
	GATE_DATA, GATE_END_OF_DATA, GATE_ETRN, GATE_STAGES
};

/* When lists are looked at; with smtpd_delay_reject those about client, HELO
 * and sender wait for RCPT. */
enum gate_moment {
	GATE_AT_CONNECT, GATE_AT_HELO, GATE_AT_MAIL, GATE_AT_RCPT,
	GATE_AT_DATA, GATE_AT_END_OF_DATA, GATE_AT_ETRN
};

enum gate_result {
	GATE_DUNNO,		/* go on with the next rule */
	GATE_PERMIT,		/* this list is done */
	GATE_REJECT,		/* reply is set, 5xx */
	GATE_DEFER,		/* reply is set, 4xx, final like REJECT */
	GATE_DEFER_IF_PERMIT,	/* reply is set, go on */
	GATE_DEFER_IF_REJECT,	/* reply is set, go on */
	GATE_PARKED		/* a fact was asked for; ask me again then */
};

enum gate_arg {
	GATE_ARG_NONE,
	GATE_ARG_TABLE,		/* type:name, opened by gate_new */
	GATE_ARG_CCERT_TABLE,	/* that, or as ccert_arg.h has it */
	GATE_ARG_DNSLIST,	/* domain[=filter] */
	GATE_ARG_SECONDS,	/* 0 to GATE_SLEEP_MAX */
	GATE_ARG_POLICY,	/* policy/spec.h */
	GATE_ARG_SCORE		/* none, or =NUMBER behind the name */
};

struct gate_eval;
struct gate_rule;
typedef enum gate_result gate_check_fn(struct gate_eval *e,
    const struct gate_rule *rule);

enum gate_flags {
	GATE_GUARDS = 1,	/* no stranger relays past it */
	GATE_ENDS = 2,		/* nothing behind it is ever looked at */
	GATE_IN_ORDER = 4,	/* asks what is only asked when it is its turn
				 * (policy services, sleep) */
	GATE_OLD = 8,		/* an old name: `help` names the new one */
	GATE_OPENS = 16,	/* permits whoever says the right words */
	GATE_OF_NAMES = 32	/* its DNS list is one of names */
};

/* One row of the table. */
struct gate_restriction {
	const char *name;
	unsigned stages;	/* bits 1 << enum gate_stage */
	enum gate_arg arg;
	unsigned flags;
	gate_check_fn *fn;
	const char *help;
};
const struct gate_restriction *gate_restrictions(size_t *n);

#define GATE_SLEEP_MAX	300	/* as long as clients wait: RFC 5321 4.5.3.2 */

struct dnslist;
struct greywhite;
struct dnssites;
struct gate_list;
struct policy_spec;
struct spf_verdict;

struct gate_rule {
	const struct gate_restriction *is;
	char *arg;		/* NULL without */
	struct table *table;	/* GATE_ARG_TABLE; the gate's */
	struct dnslist *dnslist;	/* GATE_ARG_DNSLIST; the rule's */
	uint32_t seconds;	/* GATE_ARG_SECONDS */
	int64_t score;		/* GATE_ARG_SCORE, when arg is not NULL */
	struct policy_spec *policy;	/* GATE_ARG_POLICY; the gate's */
	const struct gate_list *class;	/* a restriction class; the gate's */
	bool warn;		/* behind warn_if_reject */
};

struct gate_list {
	char *param;		/* "smtpd_relay_restrictions" */
	char *where;		/* "file:line" or "" */
	struct gate_rule *rules;
	size_t n;
};

/* The lists of one conf or section, immutable. Keeps a reference to conf. */
struct gate;

/*
 * NULL when something is wrong; each mistake, an open-relay shape among
 * them, is then a line "file:line: message" in complaints.
 */
struct gate *gate_new(struct conf *conf, struct buf *complaints) MUST_CHECK;
struct gate *gate_ref(struct gate *g);
void gate_unref(struct gate **g);
const struct conf *gate_conf(const struct gate *g);	/* lent */
/* The table that some list names so, or NULL. */
struct table *gate_table(const struct gate *g, struct span spec);
/* The i-th policy service that some list names, or NULL. */
struct policy_spec *gate_policy(const struct gate *g, size_t i);
/* Next word of a list; braces keep a word together. */
bool gate_word_next(struct span *rest, struct span *word);
/* Can a table name these restrictions, at one stage at least? Else *why. */
bool gate_words_ok(const struct gate *g, struct span words, struct buf *why);
/* The restriction class of that name, or NULL. */
const struct gate_list *gate_class(const struct gate *g, struct span name);
const struct gate_list *gate_list(const struct gate *g, enum gate_stage s);
/* "reject_rbl_client", or the name of the class it stands for. */
const char *gate_rule_name(const struct gate_rule *r);
/* The lists of a moment, as bits 1 << enum gate_stage. */
unsigned gate_stages_at(const struct gate *g, enum gate_moment m);
bool gate_is_mynetworks(const struct gate *g, const struct net_addr *a);
/* Addresses of this host's interfaces and of proxy_interfaces. */
const struct netlist *gate_own_addresses(const struct gate *g);
/* NULL: permit_mx_backup_networks is empty. */
const struct netlist *gate_mx_backup_networks(const struct gate *g);
/* The i-th table of all that the lists name, or NULL. */
struct table *gate_table_at(const struct gate *g, size_t i);
/* The i-th table of rbl_reply_maps, or NULL. */
struct table *gate_rbl_reply_map(const struct gate *g, size_t i);
/* The i-th list of maps_rbl_domains, or NULL. */
const struct dnslist *gate_old_rbl(const struct gate *g, size_t i);
/* Is it in spf_skip_addresses or spf_whitelist? */
bool gate_spf_skips(const struct gate *g, const struct net_addr *a);
/* postscreen_dnsbl_sites (dnsscore.h). */
const struct dnssites *gate_score_sites(const struct gate *g);
/* The i-th table of postscreen_dnsbl_reply_map, or NULL. */
struct table *gate_score_reply_map(const struct gate *g, size_t i);
/* The i-th DNS list that anything here names, or NULL; some come twice.
 * *names: it is asked about names, not addresses. */
const struct dnslist *gate_dnslist_at(const struct gate *g, size_t i,
    bool *names);
/* The i-th table of smtpd_sender_login_maps, or NULL. */
struct table *gate_login_map(const struct gate *g, size_t i);
/* Who need not wait for greylisting by postgrey's files; lent. */
const struct greywhite *gate_greywhite(const struct gate *g);
/* The i-th list of greylist_dnswl_domains, or NULL. */
const struct dnslist *gate_grey_dnswl(const struct gate *g, size_t i);
/* smtpd_client_event_limit_exceptions; lent. */
const struct client_list *gate_exceptions(const struct gate *g);
/* For `postern config check`: the main part and every SMTP service section.
 * True when all is well. */
bool gate_conf_check(struct conf *conf, struct buf *complaints) MUST_CHECK;
/* What is no mistake but might be said better, a line each: old names. */
void gate_hints(const struct gate *g, struct buf *hints);

/* --- evaluation --- */

/* What a check may look at. Everything is lent and may grow between runs:
 * what is not known yet is NULL or empty. */
struct gate_facts {
	const char *where;		/* the command: "CONNECT", "RCPT" */
	const char *client_name, *client_ip;
	const char *reverse_name;	/* unconfirmed; NULL: as client_name */
	enum client_name_state name_state, reverse_state;
	struct net_addr client;
	const char *client_port;	/* "0" when it has none */
	const char *server_ip, *server_port;	/* where it reached us */
	const char *helo;		/* "" before HELO */
	struct span sender;		/* as given, without <> */
	struct span recipient;		/* as given, without <> */
	struct span etrn;		/* the domain of ETRN */
	bool authenticated, tls, esmtp;
	const char *user;		/* who, when authenticated */
	uint64_t mailbox_id;		/* of that user */
	const char *sasl_method;	/* NULL: not logged in */
	bool early_input;		/* it once spoke before it may */
	uint32_t n_recipients;		/* accepted before this one */
	bool discard;			/* the message will be thrown away */
	bool stress;			/* this process is near its limit */
	/* The message, once MAIL was accepted; 0 before. The two make what
	 * policy services know as its instance. */
	int64_t message_us;		/* when */
	uint32_t message_no;
	const char *queue_id;		/* "" before a recipient */
	uint64_t size;			/* declared; at its end, its own */
	struct span sasl_sender;	/* MAIL's AUTH= */
	/* When there is but one recipient, from DATA on. */
	struct span sole_recipient;
	/* In TLS; NULL and 0 outside it. The certificate's are NULL when the
	 * client has shown none. */
	const char *tls_protocol, *tls_cipher, *tls_sni;
	int tls_bits;
	const char *ccert_subject, *ccert_issuer;
	const char *ccert_fingerprint, *ccert_pubkey_fingerprint;
	bool ccert_trusted;		/* an issuer we trust vouches for it */
	/* Answered by gate_ops.need. */
	const struct resolution *rcpt_domain;
	const struct resolution *rcpt;
	const struct resolution *from;	/* the sender's */
};

static inline const char *
gate_reverse_name(const struct gate_facts *f)
{
	return f->reverse_name != NULL ? f->reverse_name : f->client_name;
}

enum gate_need { GATE_NEED_RCPT_DOMAIN, GATE_NEED_RCPT, GATE_NEED_SENDER };

/* What a rule wants done with the message: access(5). */
enum gate_do {
	GATE_DO_HOLD,		/* keep it until somebody releases it */
	GATE_DO_DISCARD,	/* say 250 and throw it away */
	GATE_DO_PREPEND,	/* "Name: value" on top of its header */
	GATE_DO_REDIRECT,	/* to this address instead; the last counts */
	GATE_DO_BCC,		/* to this address, too */
	GATE_DO_FILTER,		/* through transport:destination; the last */
	/* A field of ours about what was found, "Name: value" with folds of
	 * CR LF TAB; above all, and each once per message */
	GATE_DO_RESULT
};
#define GATE_FILTER_MAX	1024

/*
 * Where facts come from (ask.h is the real one; tests bring their own). Each
 * asks for what is not known yet, says so, and gate_run is called again when
 * it has come. All but `need` may be NULL: the fact is a temporary failure.
 */
struct gate_ops {
	/* Fill the fact now and return true, or false: asked for. */
	bool (*need)(enum gate_need what, struct gate_facts *f, void *arg);
	/* A line for the log: what is "reject_warning", "warn" or "info".
	 * Once for each. */
	void (*note)(const char *what, const char *text, void *arg);
	/* The answer, lent until gate_end; NULL: asked for. */
	const struct dns_answer *(*dns)(const char *name, enum dns_type type,
	    void *arg);
	/* May this DNS list be asked about such things (dnshealth.h)?
	 * LIST_USE_WAIT: asked for. NULL: all may. */
	enum list_use (*list)(const char *zone, enum list_kind kind,
	    void *arg);
	/* It gave an answer that can't be true. May be NULL. */
	void (*list_odd)(const char *zone, enum list_kind kind, void *arg);
	/* What SPF (mail/spf.h) says of the client, who calls itself `helo`,
	 * when it sends for `sender` ("": for helo itself); lent until
	 * gate_end. NULL: asked for. */
	const struct spf_verdict *(*spf)(const struct conf *conf,
	    const char *helo, const char *sender, void *arg);
	/* As table_look_up, for any type; TABLE_PARKED: asked for. NULL:
	 * table_look_up itself. */
	enum table_result (*table)(struct table *t, struct span key,
	    struct buf *out, struct err *err, void *arg);
	/* What is known about an address of another server (normal form),
	 * lent until gate_end; NULL: asked for. */
	const struct verdict *(*verify)(struct span address, void *arg);
	/* False until that time is over, once for each; NULL: no time
	 * passes. */
	bool (*sleep)(uint32_t seconds, void *arg);
	/* The action of a policy service, lent until gate_end; NULL: asked
	 * for. */
	const char *(*policy)(struct policy_spec *spec, void *arg);
	/* Greylisting's answer, lent until gate_end; NULL: asked for. */
	const struct grey_answer *(*greylist)(const struct grey_question *q,
	    void *arg);
	/* What a rule answered, for `postern explain`. depth 0: a rule of
	 * the list itself; before it come those of the classes and lists
	 * that it named. GATE_PARKED: forget these, they come again. */
	void (*trace)(const struct gate_eval *e, const struct gate_rule *rule,
	    enum gate_result r, unsigned depth, void *arg);
	/* A rule has decided something, or would have but for warn_if_reject
	 * ("warn"): once for each, and of rules inside a rule the innermost.
	 * `list' is a parameter, `argument' NULL without. May be NULL. */
	void (*count)(const char *list, const char *rule,
	    const char *argument, const char *action, void *arg);
	/* Do so with the message. Once for each; `text` holds no control
	 * byte but tabs, `line` is for the log: "<x>: Sender address
	 * triggers FILTER y". */
	void (*effect)(enum gate_do what, struct span text, const char *line,
	    void *arg);
};

#define GATE_REPLY_MAX	512

struct gate_eval {
	const struct gate *gate;
	const struct gate_ops *ops;
	void *arg;
	struct gate_facts *facts;
	unsigned stages;	/* still to be evaluated, in order */
	enum gate_stage stage;	/* the present one */
	size_t rule;
	bool list_done;		/* only the implicit check is left of it */
	bool carries;		/* no recipient yet: see gate_carried */
	/* The reply of the deciding rule, "554 5.7.1 <x>: ..." */
	char reply[GATE_REPLY_MAX];
	/* Rule that decided, and the list it stands in, for the log and
	 * explain; NULL: none. */
	const struct gate_rule *by;
	const struct gate_list *by_list;
	/* private: what the present rule has logged, done to the message and
	 * slept, in this run of it and in all runs; lists that tables named so
	 * far */
	unsigned notes_now, notes_done, lists;
	/* private: a rule is parked and this is one behind it: it may ask,
	 * but says and decides nothing */
	bool probing;
	/* private: the reply tells of a mistake or an outage of ours, which
	 * warn_if_reject does not cover */
	bool broken;
	bool warning;		/* private: inside warn_if_reject */
	bool counted;		/* private: a rule inside was, gate_ops.count */
	unsigned depth;		/* private: of classes and lists of tables */
	/* private: first reply of each DEFER_IF_ */
	struct gate_doubt {
		char *reply;		/* NULL: none */
		const struct gate_rule *by;
		const struct gate_list *list;
	} if_permit, if_reject;
};

/* Begins the lists named by the bits of `stages`. */
void gate_begin(struct gate_eval *e, const struct gate *g, unsigned stages,
    struct gate_facts *facts, const struct gate_ops *ops, void *arg);
/*
 * Goes on until the verdict: GATE_PERMIT, GATE_REJECT or GATE_DEFER (reply
 * is set for these two), or GATE_PARKED.
 */
enum gate_result gate_run(struct gate_eval *e) MUST_CHECK;
/* After a permit: can the recipient take mail at all? GATE_DUNNO: yes (or it is
 * not ours); else a refusal, or GATE_PARKED. */
enum gate_result gate_unlisted_recipient(struct gate_eval *e);
/* Forgets what gate_begin and gate_run hold; fine at any time, twice too. */
void gate_end(struct gate_eval *e);

/*
 * With smtpd_delay_reject = no the client, helo and sender lists run each at
 * its own command. What one of them would defer if it were permitted is told
 * at RCPT: gate_carried hands that reply out after such a run (NULL: nothing;
 * the caller frees it), gate_carry gives it to the next one, after gate_begin.
 */
char *gate_carried(struct gate_eval *e);
void gate_carry(struct gate_eval *e, const char *reply);

/* For checks: fills e->reply. Control bytes become '?'. */
enum gate_result gate_reply(struct gate_eval *e, enum gate_result r,
    int code, const char *dsn, const char *fmt, ...) PRINTF(5, 6);
/* For checks: logs once, however often the check is asked again. */
void gate_note(struct gate_eval *e, const char *what, const char *text);
/* For checks: gate_ops.effect, once. */
void gate_effect(struct gate_eval *e, enum gate_do what, struct span text,
    const char *line);
/* For checks: GATE_DUNNO when that time is over, once. */
enum gate_result gate_sleep(struct gate_eval *e, uint32_t seconds);
/* For checks: "451 4.3.5 Server configuration error", with a warning. */
enum gate_result gate_broken(struct gate_eval *e, const char *fmt, ...)
    PRINTF(2, 3);
/* For checks: "451 4.3.0 <what>: Temporary lookup failure". */
enum gate_result gate_lookup_failed(struct gate_eval *e, struct span what);
/* For checks: a warning in the log, once, like gate_note. */
void gate_warn(struct gate_eval *e, const char *fmt, ...) PRINTF(2, 3);
/* For checks: evaluates restrictions that a table named. */
enum gate_result gate_run_words(struct gate_eval *e, struct span words);
/* For checks: a DNS fact. NULL: park. Never NULL without ops->dns. */
const struct dns_answer *gate_dns(struct gate_eval *e, const char *name,
    enum dns_type type);
/* For checks: the SPF verdict on HELO, or on the sender. NULL: park. Never NULL
 * without ops->spf. */
const struct spf_verdict *gate_spf_helo(struct gate_eval *e);
const struct spf_verdict *gate_spf_sender(struct gate_eval *e);
/*
 * For checks: the domain for which SPF lets this client speak, in normal form:
 * the sender's, of a null sender HELO's. GATE_PARKED; else GATE_PERMIT with
 * *domain, or GATE_DUNNO: there is none.
 */
enum gate_result gate_spf_domain(struct gate_eval *e, struct buf *domain);
/* For checks: any table. TABLE_PARKED: park. */
enum table_result gate_look_up(struct gate_eval *e, struct table *t,
    struct span key, struct buf *out, struct err *err);
/* "<kim@a.example>: Recipient address" for the present stage, lent. */
void gate_subject(const struct gate_eval *e, struct buf *out);

#endif
