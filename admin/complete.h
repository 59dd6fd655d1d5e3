/*
 * What the last word of a command line may become, from the table of commands,
 * the parameters, and what is in the database. For the shells' completion:
 * whatever is wrong, nothing is offered and nothing is said.
 */
#ifndef ADMIN_COMPLETE_H
#define ADMIN_COMPLETE_H

#include "admin/cli.h"

/* Instead of candidates: names of files. */
#define COMPLETE_FILES	"!files"

/* Appends the candidates for the end of `line`, each with a line end. One
 * that ends in '=' wants a value. */
void complete_line(struct cli *cli, struct span line, struct buf *out);

#endif
