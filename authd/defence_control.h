/*
 * `postern login list|why|forgive`: what the login defence knows and thinks,
 * for the CLI whose connection posternd handed over.
 */
#ifndef AUTHD_DEFENCE_CONTROL_H
#define AUTHD_DEFENCE_CONTROL_H

#include "authd/defence.h"
#include "authd/defence_share.h"
#include "base/loop.h"

struct defence_control;

struct defence_control *defence_control_new(struct loop *l,
    struct defence *d, struct defence_share *clock);
void defence_control_free(struct defence_control **c);
/* A connection of ROLE_CONTROL; takes fd. */
void defence_control_peer(struct defence_control *c, int fd);

#endif
