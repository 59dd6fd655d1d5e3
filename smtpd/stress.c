#include "smtpd/stress.h"

#include "base/log.h"

/* Nobody is sent away who spoke so lately: that is a pause between commands,
 * and a flood of newcomers must not end every dialogue. */
#define SHED_IDLE_MS	1000

static bool
is_stranger(const struct session *s)
{
	return !s->trusted && !session_authenticated(s);
}

bool
stress_applies(const struct session *s)
{
	return s->srv->stress && is_stranger(s);
}

int64_t
stress_value(const struct session *s, int64_t normal, int64_t stress)
{
	return stress_applies(s) ? MIN(normal, stress) : normal;
}

/* --- the state --- */

/* Patience ends earlier for those who wait already, too. */
static void
begin(struct server *srv, const struct conf *conf)
{
	struct session *s;

	srv->stress = true;
	srv->stress_until = (size_t)(conf->smtpd_client_connection_limit *
	    MIN(conf->smtpd_stress_end_percent,
	    conf->smtpd_stress_begin_percent - 1) / 100);
	log_warning("stress begins: %zu of %lld sessions", srv->n_sessions,
	    (long long)conf->smtpd_client_connection_limit);
	TAILQ_FOREACH(s, &srv->idlers, idle_link)
		session_clock_limit(s, s->idle_ms +
		    (uint64_t)session_conf(s)->smtpd_stress_timeout);
}

/* The stranger that was idle longest; NULL when all are busy. */
static struct session *
victim(struct server *srv)
{
	struct session *s = TAILQ_FIRST(&srv->idlers);

	return s == NULL || loop_now_ms(srv->loop) - s->idle_ms <
	    SHED_IDLE_MS ? NULL : s;
}

bool
stress_arrived(struct session *s)
{
	const struct conf *conf = session_conf(s);
	struct server *srv = s->srv;
	size_t limit = (size_t)conf->smtpd_client_connection_limit;
	struct session *old;

	if (!srv->stress && srv->n_sessions * 100 >= limit *
	    (size_t)conf->smtpd_stress_begin_percent)
		begin(srv, conf);
	if (srv->n_sessions <= limit)
		return true;
	if ((old = victim(srv)) == NULL)
		return false;
	log_info("sending %s away, idle after %s, as the server is full",
	    session_peer(old), old->where);
	srv->stat.shed++;
	session_kick(old, "421 4.3.2 Server is overloaded, try again later");
	return true;
}

void
stress_left(struct server *srv)
{
	if (!srv->stress || srv->n_sessions > srv->stress_until)
		return;
	srv->stress = false;
	log_info("stress is over: %zu sessions", srv->n_sessions);
}

/* --- who is idle --- */

void
stress_busy(struct session *s)
{
	if (!s->idling)
		return;
	TAILQ_REMOVE(&s->srv->idlers, s, idle_link);
	s->idling = false;
}

void
stress_idle(struct session *s)
{
	stress_busy(s);
	s->idle_ms = loop_now_ms(s->srv->loop);
	if (!is_stranger(s))
		return;
	TAILQ_INSERT_TAIL(&s->srv->idlers, s, idle_link);
	s->idling = true;
}
