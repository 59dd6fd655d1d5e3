/*
 * The host part of new file names, set once by store_host_set (account.h).
 */
#ifndef STORE_HOST_H
#define STORE_HOST_H

const char *store_host(void);

#endif
