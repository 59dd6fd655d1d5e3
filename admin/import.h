/*
 * Bulk import: takes rows as they are read, puts their values into normal form,
 * and has the database carry them out some hundred at a time, in one
 * transaction. Faults of the rows are told as they are found.
 */
#ifndef ADMIN_IMPORT_H
#define ADMIN_IMPORT_H

#include "admin/cli.h"
#include "admin/userfile.h"

struct import;

struct import_how {
	bool check;		/* rolled back at the end */
	bool keep_going;	/* what is good is kept, whatever else is not */
	bool update;
	bool make_domains;
	const char *organisation;	/* of domains that are made, or NULL */
	const char *domain;		/* of addresses without, or NULL */
	const char *scheme;		/* of hashes without, or NULL */
};

/* Begins the transaction. NULL was explained, *rc says how to end. */
struct import *import_begin(struct cli *cli, const struct import_how *how,
    int *rc);
/* One row; `where' is for people: "users.csv:12". */
void import_row(struct import *im, const char *where,
    const struct user_row *row);
/* A row that could not even be read, or can't be brought along. */
void import_fault(struct import *im, const char *where, const char *fmt, ...)
    PRINTF(3, 4);
/* Something that people should know, and that is no fault. */
void import_note(struct import *im, const char *where, const char *fmt, ...)
    PRINTF(3, 4);
/* What is to be read can't be read to its end: nothing is kept. */
void import_give_up(struct import *im);
/* Ends it, and tells what was done; how the command ends. */
int import_end(struct import **im);

#endif
