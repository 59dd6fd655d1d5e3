/*
 * PostfixAdmin's tables in PostgreSQL: domain, mailbox, alias, alias_domain.
 * Reads them and hands each row to the import as ours.
 */
#ifndef ADMIN_POSTFIXADMIN_H
#define ADMIN_POSTFIXADMIN_H

#include "admin/import.h"

/* False was explained, *rc says how to end. */
bool postfixadmin_read(struct import *im, const char *conninfo, int *rc)
    MUST_CHECK;

#endif
