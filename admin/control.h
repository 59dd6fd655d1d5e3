/*
 * The control socket `control` in the run directory, where `postern` asks.
 * Only root and the user posternd runs as are let in; whatever they send,
 * the worst that follows is the end of their connection (S18).
 *
 * CTL_REQUEST verbs (answers are CTL_ROWs and one CTL_END):
 *   status		one row for posternd, one for each process
 *   reload		as SIGHUP; complaints in CTL_END's error. What is taken
 *			is answered when every process has it
 *   config		rows {"of", "text"}: pieces of the configuration that it
 *			started with (of "start") and of the one it has now
 *   stop		CTL_END comes when all processes have ended
 *   connect ROLE [N]	CTL_END, then the connection belongs to process N (0) of
 *			ROLE ("qmgr", "authd", "smtpd", "imapd"): ask it again
 *			there. EX_NOINPUT: there is no N, EX_TEMPFAIL: it is
 *			not running
 */
#ifndef ADMIN_CONTROL_H
#define ADMIN_CONTROL_H

#include "admin/supervisor.h"

struct control;

struct control_events {
	/* As for SIGHUP; complaints and notes as supervisor_reload(). */
	bool (*reload)(struct buf *complaints, struct buf *notes, void *arg);
	void (*stop)(void *arg);
	void *arg;
};

/* run_dir: descriptor and path of the run directory. */
struct control *control_new(struct loop *l, struct supervisor *s,
    int run_dir, const char *run_path, const struct control_events *events,
    struct err *err);
/* Answers those who wait for the end, takes the socket away. */
void control_free(struct control **c);

/* As supervisor_events' status. */
void control_status(struct control *c, const struct child *child,
    uint64_t id, struct span json);

#endif
