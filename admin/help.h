/*
 * What postern(8) says about its own commands, from their table.
 */
#ifndef ADMIN_HELP_H
#define ADMIN_HELP_H

#include <stddef.h>

/* All commands, those of a group ("mailbox") or one ("mailbox add"), as the
 * first words say. How to end. */
int help_print(const char *const *word, size_t n_words);
/* The short form, to stderr. */
void help_intro(void);
/* There is no such command: names the nearest. Returns EX_USAGE. */
int help_unknown(const char *const *word, size_t n_words);

#endif
