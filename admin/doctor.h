/*
 * `postern doctor`: looks at everything around the server that goes wrong in
 * real life, and names the cure of what it finds. Each part is a function
 * that reports findings; none changes anything. For the CLI: blocks.
 */
#ifndef ADMIN_DOCTOR_H
#define ADMIN_DOCTOR_H

#include "admin/cli.h"

enum finding {
	FINDING_OK,
	FINDING_NOTE,		/* good to know */
	FINDING_WARNING,	/* works, will hurt */
	FINDING_FAULT,		/* does not work */
	FINDING_COUNT
};

struct doctor;

/* `subject`: the domain, file or process that it is about. `cure`: what to
 * do, NULL where there is nothing to do. */
void doctor_report(struct doctor *d, enum finding level, const char *part,
    const char *subject, const char *cure, const char *fmt, ...)
    PRINTF(6, 7);

/* The parts. */
void doctor_database(struct doctor *d, struct cli *cli);
void doctor_server(struct doctor *d, struct cli *cli);
void doctor_files(struct doctor *d, struct cli *cli);
void doctor_certificates(struct doctor *d, struct cli *cli);
void doctor_clock(struct doctor *d, struct cli *cli);
void doctor_dns(struct doctor *d, struct cli *cli);

#endif
