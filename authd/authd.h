/*
 * The program: exchanges on behalf of smtpd and imapd over IPC, credentials
 * from the database. Owns all of authd's state.
 */
#ifndef AUTHD_AUTHD_H
#define AUTHD_AUTHD_H

#include "proto/service.h"

extern const struct service authd_service;

#endif
