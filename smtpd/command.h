/*
 * The commands as data: verb, the phases in which it may come, what is said
 * otherwise, the function that carries it out. The dispatcher knows no
 * command.
 */
#ifndef SMTPD_COMMAND_H
#define SMTPD_COMMAND_H

#include "smtpd/session.h"

enum {				/* where the conversation stands */
	IN_START = 1,		/* no HELO yet */
	IN_READY = 2,
	IN_MAIL = 4,		/* MAIL, no recipient accepted */
	IN_RCPT = 8,
	IN_CHUNKS = 16,		/* between BDATs */
	IN_ANY = 31
};

enum {
	COMMAND_JUNK = 1,	/* counts for smtpd_junk_command_limit */
	COMMAND_LAST = 2,	/* last of a pipelined group: RFC 2920 3.1 */
	COMMAND_PRE_TLS = 4	/* also when TLS is required and missing */
};

struct command {
	const char *verb;
	unsigned phases, flags;
	const char *wrong;	/* reply in a phase that is not its own */
	/* args: behind the verb, white space trimmed. */
	enum step (*fn)(struct session *s, struct span args);
};

extern const struct command commands[];
extern const size_t n_commands;
/* Row that stands for what is no command. */
extern const struct command *const command_unknown;

enum step command_run(struct session *s, struct span line) MUST_CHECK;
/* "ehlo=1 mail=1 rcpt=0/1 commands=2/3" */
void command_counts(const struct session *s, struct buf *out);

/* The handlers. */
enum step cmd_helo(struct session *s, struct span args);
enum step cmd_ehlo(struct session *s, struct span args);
enum step cmd_starttls(struct session *s, struct span args);
enum step cmd_auth(struct session *s, struct span args);
enum step cmd_mail(struct session *s, struct span args);
enum step cmd_rcpt(struct session *s, struct span args);
enum step cmd_data(struct session *s, struct span args);
enum step cmd_bdat(struct session *s, struct span args);
enum step cmd_rset(struct session *s, struct span args);
enum step cmd_noop(struct session *s, struct span args);
enum step cmd_vrfy(struct session *s, struct span args);
enum step cmd_etrn(struct session *s, struct span args);
enum step cmd_help(struct session *s, struct span args);
enum step cmd_xclient(struct session *s, struct span args);
enum step cmd_xforward(struct session *s, struct span args);
enum step cmd_quit(struct session *s, struct span args);

/* What input means in the states that are not a command. */
enum step sasl_input(struct session *s);
enum step text_input(struct session *s);	/* DATA */
enum step chunk_input(struct session *s);	/* BDAT */

#endif
