/* The folder names below an account's directory. Blocks. */
#ifndef STORE_FOLDERS_H
#define STORE_FOLDERS_H

#include "store/account.h"

/* Sorted, INBOX ("") first; at most FOLDERS_MAX. */
#define FOLDERS_MAX	10000
int folders_read(int account_dir, struct name_list *out, struct err *err)
    MUST_CHECK;
/* All names in a directory but . and .., of at most FOLDER_NAME_MAX bytes
 * longer ones are left out. */
int dir_names(int dir, struct name_list *out, struct err *err) MUST_CHECK;
/* Removes a directory with all that is in it, but no more than *left files. */
void dir_remove(int parent, const char *name, size_t *left);
void name_list_add(struct name_list *l, struct span name);
void name_list_sort(struct name_list *l);

#endif
