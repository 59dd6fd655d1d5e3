#include "admin/roles.h"

#include <unistd.h>

#define AT(member)	offsetof(struct conf, member)

static const struct role roles[] = {
	{ .role = ROLE_AUTHD, .program = "authd", .build_dir = "authd",
	    .user_offset = AT(mail_owner_auth),
	    .db_role_offset = AT(database_role_auth), .stop_stage = 3 },
	{ .role = ROLE_DELIVER, .program = "deliver",
	    .build_dir = "delivery", .user_offset = AT(mail_owner_store),
	    .workers_offset = AT(deliver_workers),
	    .db_role_offset = AT(database_role_usage), .stop_stage = 2,
	    .store = true },
	{ .role = ROLE_QMGR, .program = "qmgr", .build_dir = "delivery",
	    .user_offset = AT(mail_owner_queue), .stop_stage = 1,
	    .spool = true },
	{ .role = ROLE_GATEKEEPER, .program = "gatekeeper",
	    .build_dir = "smtpd", .user_offset = AT(mail_owner_smtpd),
	    .db_role_offset = AT(database_role_gate), .stop_stage = 1 },
	{ .role = ROLE_SMTPD, .program = "smtpd", .build_dir = "smtpd",
	    .user_offset = AT(mail_owner_smtpd),
	    .workers_offset = AT(smtpd_workers),
	    .db_role_offset = AT(database_role_lookup), .stop_stage = 0,
	    .tls = true, .only_with_listener = true },
	{ .role = ROLE_IMAPD, .program = "imapd", .build_dir = "imapd",
	    .user_offset = AT(mail_owner_imap),
	    .workers_offset = AT(imapd_workers), .stop_stage = 0,
	    .store_group = true, .tls = true, .only_with_listener = true },
};

/* doc/architecture.md, "Processes and the wires between them" */
static const struct {
	enum service_role a, b;
} wires[] = {
	{ ROLE_SMTPD, ROLE_QMGR },
	{ ROLE_SMTPD, ROLE_DELIVER },
	{ ROLE_SMTPD, ROLE_AUTHD },
	{ ROLE_SMTPD, ROLE_GATEKEEPER },
	{ ROLE_IMAPD, ROLE_AUTHD },
	{ ROLE_IMAPD, ROLE_DELIVER },
	{ ROLE_QMGR, ROLE_DELIVER },
};

static const struct {
	const char *protocol;
	enum service_role role;
} protocols[] = {
	{ "smtp", ROLE_SMTPD },
	{ "submission", ROLE_SMTPD },
	{ "imap", ROLE_IMAPD },
};

const struct role *
role_table(size_t *n)
{
	*n = ARRAY_LEN(roles);
	return roles;
}

enum service_role
role_of_protocol(const char *protocol)
{
	size_t i;

	for (i = 0; i < ARRAY_LEN(protocols); i++)
		if (strcmp(protocols[i].protocol, protocol) == 0)
			return protocols[i].role;
	return ROLE_NONE;
}

bool
role_talks(enum service_role a, enum service_role b)
{
	size_t i;

	for (i = 0; i < ARRAY_LEN(wires); i++)
		if ((wires[i].a == a && wires[i].b == b) ||
		    (wires[i].a == b && wires[i].b == a))
			return true;
	return false;
}

static const char *
conf_text_at(const struct conf *conf, size_t offset)
{
	return *(char *const *)(const void *)((const char *)conf + offset);
}

const char *
role_user(const struct role *r, const struct conf *conf)
{
	return conf_text_at(conf, r->user_offset);
}

const char *
role_db_role(const struct role *r, const struct conf *conf)
{
	return r->db_role_offset == 0 ? NULL :
	    conf_text_at(conf, r->db_role_offset);
}

unsigned
role_workers(const struct role *r, const struct conf *conf)
{
	int64_t n;
	long cores;

	if (r->workers_offset == 0)
		return 1;
	memcpy(&n, (const char *)conf + r->workers_offset, sizeof(n));
	if (n > 0)
		return (unsigned)n;
	cores = sysconf(_SC_NPROCESSORS_ONLN);
	return cores < 1 ? 1 : cores > 256 ? 256 : (unsigned)cores;
}
