/*
 * A private PostgreSQL cluster of one instance, in DIR/db: its data, a unix
 * socket, no network. Each of Postern's users may connect only as the role
 * that is his (peer authentication); root and who made the cluster as any.
 * Run as user `postgres' or, failing that, `nobody' when we are root.
 */
#ifndef ADMIN_CLUSTER_H
#define ADMIN_CLUSTER_H

#include "base/conf.h"

/* Superuser of the cluster, owner of the database `postern`. */
#define CLUSTER_OWNER	"postern"

struct cluster {
	char *dir;		/* DIR/db, absolute */
};

/* dir of the instance. The cluster need not exist yet. */
void cluster_init(struct cluster *c, const char *instance_dir);
void cluster_fini(struct cluster *c);
bool cluster_exists(const struct cluster *c);
bool cluster_running(const struct cluster *c);
/* Makes it (with conf's users let in) and its database; leaves it running. */
int cluster_make(const struct cluster *c, const struct conf *conf,
    struct err *err) MUST_CHECK;
int cluster_start(const struct cluster *c, struct err *err) MUST_CHECK;
int cluster_stop(const struct cluster *c, struct err *err) MUST_CHECK;
/* libpq URL, yours. */
char *cluster_url(const struct cluster *c);

#endif
