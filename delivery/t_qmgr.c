/*
 * qmgr driven by hand: J10, J13, back-off, poison, back-pressure, the CLI's
 * commands. The test is smtpd, deliver and the CLI at the other ends.
 */
#include "delivery/qmgr.h"
#include "lib/spool/t_spool.h"

#include "base/clock.h"
#include "base/log.h"
#include "proto/proto.h"
#include "spool/cold.h"

#define JOBS_MAX	64

struct seen_job {
	uint64_t id;
	char queue_id[QUEUE_ID_LEN + 1];
	bool maybe_done, cold;
	uint32_t rcpt[8];
	size_t n;
	uint64_t offset, length;
};

static struct {
	char *root;
	struct loop *loop;
	struct conf *conf;
	struct service_env env;
	struct qmgr *q;
	/* deliver */
	struct ipc *deliver;
	struct seen_job job[JOBS_MAX];
	size_t n_jobs;
	struct segment_ref seg;
	uint64_t checkpoint_id;
	unsigned checkpoints, done_sent;
	/* smtpd */
	struct ipc *smtpd;
	struct journal_writer *w;
	uint64_t borrow_id;
	unsigned pressure;
	/* CLI */
	struct ipc *cli;
	char rows[16384];
	unsigned n_rows;
	int ended;
	char error[200];
	/* the log */
	char log[65536];
} t;

static void
tap(enum log_level level, const char *line, void *arg)
{
	size_t n = strlen(t.log);

	(void)level;
	(void)arg;
	(void)snprintf(t.log + n, sizeof(t.log) - n, "%s\n", line);
}

static void
gone_cb(struct ipc *c, void *arg)
{
	(void)c;
	(void)arg;
}

/* --- deliver's end ------------------------------------------------------------- */

static int
job_segment_cb(struct ipc *c, struct ipc_msg *m, void *arg)
{
	struct msg_job_segment in;
	char byte = 0;

	assert_true(msg_job_segment_unpack(m->body, &in));
	assert_int_equal(m->nfds, 1);
	if (t.seg.fd > 0)
		(void)close(t.seg.fd);
	t.seg = (struct segment_ref){ .fd = m->fd[0], .id = in.segment,
	    .size = 1 << 30 };
	memcpy(t.seg.epoch, in.epoch.p, EPOCH_SIZE);
	m->fd[0] = -1;
	/* deliver may read it and nothing else */
	assert_int_equal(pwrite(t.seg.fd, &byte, 1, 0), -1);
	return 0;
}

static int
job_deliver_cb(struct ipc *c, struct ipc_msg *m, void *arg)
{
	struct msg_job_deliver in;
	struct entry_job_rcpt r;
	struct seen_job *j = &t.job[t.n_jobs++];
	struct segment_ref ref = t.seg;
	struct record rec;

	assert_true(t.n_jobs < JOBS_MAX);
	assert_true(msg_job_deliver_unpack(m->body, &in));
	memset(j, 0, sizeof(*j));
	j->id = m->id;
	memcpy(j->queue_id, in.queue_id.p, QUEUE_ID_LEN);
	j->maybe_done = in.maybe_done;
	j->cold = m->nfds == 1;
	for (; entry_job_rcpt_next(&in.rcpts, &r); j->n++)
		if (j->n < ARRAY_LEN(j->rcpt))
			j->rcpt[j->n] = r.rcpt;
	if (j->cold)
		assert_int_equal(cold_ref(m->fd[0], &ref, NULL), 0);
	else
		assert_int_equal(in.segment, t.seg.id);
	/* J10: what the job names is that very record */
	assert_int_equal(record_open(&ref, in.offset, in.length, j->queue_id,
	    1 << 20, &rec, NULL), 0);
	record_close(&rec);
	return 0;
}

static int
job_checkpoint_cb(struct ipc *c, struct ipc_msg *m, void *arg)
{
	t.checkpoint_id = m->id;
	t.checkpoints++;
	return 0;
}

static const struct ipc_handler deliver_handlers[] = {
	{ MSG_JOB_SEGMENT, job_segment_cb, IPC_ANY_PHASE },
	{ MSG_JOB_DELIVER, job_deliver_cb, IPC_ANY_PHASE },
	{ MSG_JOB_CHECKPOINT, job_checkpoint_cb, IPC_ANY_PHASE },
};

static void
answer(const struct seen_job *j, enum job_outcome result)
{
	struct buf b;
	size_t i;

	buf_init(&b, 4096);
	for (i = 0; i < j->n; i++)
		entry_job_result_pack(&b, &(struct entry_job_result){
		    .rcpt = j->rcpt[i], .result = (uint8_t)result,
		    .dsn = SPAN_LIT("4.0.0"), .text = SPAN_LIT("because") });
	PROTO_SEND(t.deliver, j->id, JOB_DONE, job_done,
	    .results = buf_span(&b));
	buf_fini(&b);
	t.done_sent++;
}

static void
checkpointed(bool ok)
{
	PROTO_SEND(t.deliver, t.checkpoint_id, JOB_CHECKPOINTED,
	    job_checkpointed, .ok = ok, .covered = t.done_sent);
	t.checkpoint_id = 0;
}

static int
peer_at(enum service_role role, unsigned index)
{
	int fd[2];

	assert_int_equal(ipc_pair(fd, NULL), 0);
	qmgr_service.peer(t.q, role, index, fd[0]);
	return fd[1];
}

static int
peer(enum service_role role)
{
	return peer_at(role, 0);
}

static void
deliver_up_at(unsigned lane)
{
	t.done_sent = 0;
	t.checkpoint_id = 0;
	t.deliver = ipc_new(t.loop, peer_at(ROLE_DELIVER, lane), "qmgr",
	    deliver_handlers, ARRAY_LEN(deliver_handlers), gone_cb, NULL);
}

static void
deliver_up(void)
{
	deliver_up_at(0);
}

/* --- smtpd's end ---------------------------------------------------------------- */

static void
need_cb(void *arg)
{
	t.borrow_id = ipc_next_id();
	PROTO_SEND(t.smtpd, t.borrow_id, QUEUE_BORROW, queue_borrow);
}

static void
durable_cb(void *arg, uint32_t segment, uint64_t offset)
{
	PROTO_SEND(t.smtpd, 0, QUEUE_DURABLE, queue_durable,
	    .segment = segment, .offset = offset);
}

static void
returned_cb(void *arg, uint32_t segment, uint64_t offset, bool failed)
{
	PROTO_SEND(t.smtpd, 0, QUEUE_RETURN, queue_return,
	    .segment = segment, .offset = offset, .failed = failed);
}

static const struct journal_writer_ops wops = { need_cb, durable_cb,
	returned_cb };

static int
queue_segment_cb(struct ipc *c, struct ipc_msg *m, void *arg)
{
	struct msg_queue_segment in;

	assert_true(msg_queue_segment_unpack(m->body, &in));
	journal_writer_segment(t.w, in.segment, in.epoch, in.start, in.size,
	    m->fd[0]);
	m->fd[0] = -1;
	return 0;
}

static int
queue_pressure_cb(struct ipc *c, struct ipc_msg *m, void *arg)
{
	struct msg_queue_pressure in;

	assert_true(msg_queue_pressure_unpack(m->body, &in));
	t.pressure = in.level;
	return 0;
}

static const struct ipc_handler smtpd_handlers[] = {
	{ MSG_QUEUE_SEGMENT, queue_segment_cb, IPC_ANY_PHASE },
	{ MSG_QUEUE_PRESSURE, queue_pressure_cb, IPC_ANY_PHASE },
};

static void
send_mail(struct t_msg *m, unsigned n)
{
	if (t.w == NULL) {
		t.smtpd = ipc_new(t.loop, peer(ROLE_SMTPD), "qmgr",
		    smtpd_handlers, ARRAY_LEN(smtpd_handlers), gone_cb,
		    NULL);
		t.w = journal_writer_new(t.loop, &wops, NULL);
	}
	assert_int_equal(journal_append(t.w, &m->a, &m->env, NULL), 0);
	T_UNTIL(t.loop, m->answered);
	assert_true(m->ok);
}

/* --- the CLI's end ---------------------------------------------------------------- */

static int
row_cb(struct ipc *c, struct ipc_msg *m, void *arg)
{
	struct msg_ctl_row in;
	size_t n = strlen(t.rows);

	assert_true(msg_ctl_row_unpack(m->body, &in));
	t.n_rows++;
	(void)snprintf(t.rows + n, sizeof(t.rows) - n, "%.*s\n",
	    SPAN_ARG(in.json));
	return 0;
}

static int
end_cb(struct ipc *c, struct ipc_msg *m, void *arg)
{
	struct msg_ctl_end in;

	assert_true(msg_ctl_end_unpack(m->body, &in));
	t.ended = (int)in.exit;
	(void)snprintf(t.error, sizeof(t.error), "%.*s", SPAN_ARG(in.error));
	return 0;
}

static const struct ipc_handler cli_handlers[] = {
	{ MSG_CTL_ROW, row_cb, IPC_ANY_PHASE },
	{ MSG_CTL_END, end_cb, IPC_ANY_PHASE },
};

/* Exit code of a command; its rows are in t.rows. */
static int
command(const char *verb, const char *word)
{
	struct buf b;

	if (t.cli == NULL)
		t.cli = ipc_new(t.loop, peer(ROLE_CONTROL), "qmgr",
		    cli_handlers, ARRAY_LEN(cli_handlers), gone_cb, NULL);
	buf_init(&b, 1024);
	if (word != NULL)
		entry_ctl_arg_pack(&b, &(struct entry_ctl_arg){
		    .value = span_str(word) });
	t.rows[0] = '\0';
	t.n_rows = 0;
	t.ended = -1;
	PROTO_SEND(t.cli, 1, CTL_REQUEST, ctl_request,
	    .verb = span_str(verb), .args = buf_span(&b));
	buf_fini(&b);
	T_UNTIL(t.loop, t.ended != -1);
	return t.ended;
}

/* --- life ---------------------------------------------------------------------- */

static void
qmgr_up(void)
{
	t.env.incarnation++;
	t.q = qmgr_service.init(&t.env, NULL);
	assert_non_null(t.q);
	T_UNTIL(t.loop, t.q->ready);
}

static int
setup(void **state)
{
	static const char text[] = "journal_segment_size = 1m\n"
	    "journal_segments = 3\ncheckpoint_interval = 50ms\n"
	    "minimal_backoff_time = 1s\nmaximal_backoff_time = 2s\n"
	    "queue_minfree = 0\n";
	struct buf complaints;

	memset(&t, 0, sizeof(t));
	t.root = disk_record_tmpdir("t_qmgr");
	t.loop = loop_new();
	buf_init(&complaints, 4096);
	t.conf = conf_parse("t", span_str(text), &complaints);
	if (t.conf == NULL)
		fail_msg("%s", buf_cstr(&complaints));
	buf_fini(&complaints);
	t.env = (struct service_env){ .loop = t.loop, .conf = t.conf,
	    .role = ROLE_QMGR, .spool_dir = t_dir(AT_FDCWD, t.root),
	    .store_dir = -1 };
	t.env.count[ROLE_DELIVER] = 1;
	log_tap(tap, NULL);
	qmgr_up();
	return 0;
}

/* As when the process is killed: nothing is told to anybody. */
static void
qmgr_kill(void)
{
	ipc_free(&t.deliver);
	if (t.w != NULL) {
		journal_writer_lost(t.w);
		journal_writer_free(&t.w);
	}
	ipc_free(&t.smtpd);
	ipc_free(&t.cli);
	t_turn(t.loop);
	t_turn(t.loop);
	qmgr_free(&t.q);
	t_turn(t.loop);
	t.n_jobs = 0;
}

static int
teardown(void **state)
{
	qmgr_kill();
	if (t.seg.fd > 0)
		(void)close(t.seg.fd);
	log_tap(NULL, NULL);
	(void)close(t.env.spool_dir);
	conf_unref(&t.conf);
	loop_free(&t.loop);
	disk_record_rmdir(t.root);
	free(t.root);
	return 0;
}

static struct t_msg m[16];

static void
mail(unsigned n)
{
	t_msg_init(&m[n], n, "body", 4);
	send_mail(&m[n], n);
}

static size_t
in_queue(void)
{
	struct spool_stats st;

	spool_stats(t.q->spool, &st);
	return st.messages;
}

/* Whatever was answered is in its log: a crash forgets none of it. */
static bool
noted(size_t outcomes)
{
	struct spool_stats st;

	spool_stats(t.q->spool, &st);
	return st.uncovered == outcomes && st.unwritten == 0;
}

static bool
logged(const char *text)
{
	return strstr(t.log, text) != NULL;
}

/* --- tests ------------------------------------------------------------------------ */

static void
a_message_is_given_answered_covered_and_removed(void **state)
{
	deliver_up();
	mail(1);
	T_UNTIL(t.loop, t.n_jobs == 1);
	assert_string_equal(t.job[0].queue_id, "Tmsg00000001");
	assert_false(t.job[0].maybe_done);
	assert_true(logged("Tmsg00000001: from=<sender@a.example>, size=4, "
	    "nrcpt=1 (queue active)"));
	answer(&t.job[0], JOB_SENT);
	T_UNTIL(t.loop, t.checkpoint_id != 0);
	assert_int_equal(in_queue(), 1);
	checkpointed(true);
	T_UNTIL(t.loop, in_queue() == 0);
	assert_true(logged("Tmsg00000001: removed"));
}

static void
j10_a_job_ends_by_its_answer_or_its_agents_death_only(void **state)
{
	unsigned i;

	deliver_up();
	mail(1);
	mail(2);
	T_UNTIL(t.loop, t.n_jobs == 2);
	for (i = 0; i < 1500; i++)	/* more than any back-off here */
		t_turn(t.loop);
	assert_int_equal(t.n_jobs, 2);
	answer(&t.job[1], JOB_SENT);
	T_UNTIL(t.loop, t.checkpoint_id != 0);
	ipc_free(&t.deliver);
	for (i = 0; i < 20; i++)
		t_turn(t.loop);
	assert_int_equal(t.n_jobs, 2);
	/* the successor gets what was not answered, marked; not the other */
	deliver_up();
	T_UNTIL(t.loop, t.n_jobs == 3);
	assert_string_equal(t.job[2].queue_id, "Tmsg00000001");
	assert_true(t.job[2].maybe_done);
	answer(&t.job[2], JOB_SENT);
	T_UNTIL(t.loop, t.checkpoint_id != 0);
	checkpointed(true);
	T_UNTIL(t.loop, in_queue() == 0);
	assert_int_equal(t.n_jobs, 3);
}

static void
j10_an_answer_that_is_none_ends_the_agent_not_the_job(void **state)
{
	struct seen_job wrong;

	deliver_up();
	mail(1);
	T_UNTIL(t.loop, t.n_jobs == 1);
	wrong = t.job[0];
	wrong.rcpt[0] = 7;
	answer(&wrong, JOB_SENT);
	T_UNTIL(t.loop, t.q->agent[0].ipc == NULL);
	ipc_free(&t.deliver);
	deliver_up();
	T_UNTIL(t.loop, t.n_jobs == 2);
	assert_true(t.job[1].maybe_done);
}

static void
j7_qmgrs_own_crash_repeats_nothing_that_was_answered(void **state)
{
	deliver_up();
	mail(1);
	mail(2);
	T_UNTIL(t.loop, t.n_jobs == 2);
	answer(&t.job[0], JOB_SENT);
	T_UNTIL(t.loop, t.checkpoint_id != 0 && noted(1));
	qmgr_kill();
	qmgr_up();
	deliver_up();
	T_UNTIL(t.loop, t.n_jobs == 1);
	assert_string_equal(t.job[0].queue_id, "Tmsg00000002");
	assert_true(t.job[0].maybe_done);
	answer(&t.job[0], JOB_SENT);
	T_UNTIL(t.loop, t.checkpoint_id != 0);
	checkpointed(true);
	T_UNTIL(t.loop, in_queue() == 0);
}

/* All was answered, nothing was covered, and no new mail comes (there may be
 * no segment left for it): the checkpoint comes all the same. */
static void
j6_what_a_crash_left_uncovered_is_covered_unasked(void **state)
{
	unsigned i;

	deliver_up();
	mail(1);
	T_UNTIL(t.loop, t.n_jobs == 1);
	answer(&t.job[0], JOB_SENT);
	T_UNTIL(t.loop, noted(1));
	qmgr_kill();
	qmgr_up();
	for (i = 0; i < 100; i++)	/* its agents come late */
		t_turn(t.loop);
	deliver_up();
	T_UNTIL(t.loop, t.checkpoint_id != 0);
	checkpointed(true);
	T_UNTIL(t.loop, in_queue() == 0);
	qmgr_kill();
	/* and when they were there before it was ready */
	qmgr_up();
	deliver_up();
	mail(2);
	T_UNTIL(t.loop, t.n_jobs == 1);
	answer(&t.job[0], JOB_SENT);
	T_UNTIL(t.loop, noted(1));
	qmgr_kill();
	t.env.incarnation++;
	t.q = qmgr_service.init(&t.env, NULL);
	deliver_up();
	T_UNTIL(t.loop, t.checkpoint_id != 0);
	checkpointed(true);
	T_UNTIL(t.loop, in_queue() == 0);
}

static void
deferred_mail_is_tried_again_after_its_back_off(void **state)
{
	uint64_t before;

	deliver_up();
	mail(1);
	T_UNTIL(t.loop, t.n_jobs == 1);
	before = loop_now_ms(t.loop);
	answer(&t.job[0], JOB_DEFERRED);
	T_UNTIL(t.loop, t.n_jobs == 2);
	assert_true(loop_now_ms(t.loop) - before >= 900);
	answer(&t.job[1], JOB_SENT);
	T_UNTIL(t.loop, t.checkpoint_id != 0);
	checkpointed(true);
	T_UNTIL(t.loop, in_queue() == 0);
}

static void
j5_a_failed_checkpoint_sends_the_jobs_again(void **state)
{
	deliver_up();
	mail(1);
	T_UNTIL(t.loop, t.n_jobs == 1);
	answer(&t.job[0], JOB_SENT);
	T_UNTIL(t.loop, t.checkpoint_id != 0);
	checkpointed(false);
	T_UNTIL(t.loop, t.n_jobs == 2);
	assert_true(t.job[1].maybe_done);
	assert_int_equal(in_queue(), 1);
}

static void
old_mail(unsigned n)
{
	t_msg_init(&m[n], n, "body", 4);
	m[n].env.arrival_us = clock_wall_us() - 100LL * 86400 * 1000000;
	send_mail(&m[n], n);
}

/* However old it says it is: two tries since the start first. */
static void
j13_expiry_needs_two_tries_since_the_start(void **state)
{
	deliver_up();
	old_mail(1);
	T_UNTIL(t.loop, t.n_jobs == 1);
	answer(&t.job[0], JOB_DEFERRED);
	T_UNTIL(t.loop, t.n_jobs == 2);
	qmgr_kill();
	qmgr_up();
	deliver_up();
	T_UNTIL(t.loop, t.n_jobs == 1);
	answer(&t.job[0], JOB_DEFERRED);
	T_UNTIL(t.loop, t.n_jobs == 2);		/* tried again: not expired */
	assert_false(logged("days old and held"));
	answer(&t.job[1], JOB_DEFERRED);
	T_UNTIL(t.loop, logged("days old and held"));
	assert_int_equal(in_queue(), 1);
}

static void
j13_a_jumping_clock_suspends_expiry(void **state)
{
	deliver_up();
	t.q->wall_offset_us -= 2LL * 3600 * 1000000;
	T_UNTIL(t.loop, logged("the clock jumped by"));
	old_mail(1);
	T_UNTIL(t.loop, t.n_jobs == 1);
	answer(&t.job[0], JOB_DEFERRED);
	T_UNTIL(t.loop, t.n_jobs == 2);
	answer(&t.job[1], JOB_DEFERRED);
	T_UNTIL(t.loop, t.n_jobs == 3);
	assert_false(logged("days old and held"));
}

static void
s36_a_message_that_kills_its_agents_is_held(void **state)
{
	unsigned i;

	mail(1);
	for (i = 1; i < 12; i++) {
		deliver_up();
		T_UNTIL(t.loop, t.n_jobs == i || logged("held"));
		if (logged("held"))
			break;
		ipc_free(&t.deliver);
		T_UNTIL(t.loop, t.q->agent[0].ipc == NULL);
	}
	assert_true(i >= 3 && i < 12);
	/* other mail goes on */
	mail(2);
	T_UNTIL(t.loop, t.n_jobs == i);
	assert_string_equal(t.job[i - 1].queue_id, "Tmsg00000002");
}

/* A message of many recipients is with its agent in several jobs. */
static void
s36_one_death_counts_once_however_many_jobs(void **state)
{
	static struct envelope_rcpt many[9000];
	unsigned i;

	deliver_up();
	t_msg_init(&m[1], 1, "body", 4);
	for (i = 0; i < ARRAY_LEN(many); i++)
		many[i] = m[1].rcpt[0];
	m[1].env.rcpt = many;
	m[1].env.n_rcpt = ARRAY_LEN(many);
	send_mail(&m[1], 1);
	T_UNTIL(t.loop, t.n_jobs == 5);
	ipc_free(&t.deliver);
	T_UNTIL(t.loop, t.q->agent[0].ipc == NULL);
	assert_false(logged("held"));
	deliver_up();
	T_UNTIL(t.loop, t.n_jobs == 10);
}

/* A scan that is under way goes on behind mail of a dead lane; what comes
 * meanwhile for a living one is not forgotten. */
static void
mail_that_comes_during_a_scan_is_started(void **state)
{
	struct spool_msg *last;
	unsigned i;

	qmgr_kill();
	t.env.count[ROLE_DELIVER] = 2;
	qmgr_up();
	for (i = 1; i <= 601; i++) {
		t_msg_init(&m[1], i, "body", 4);
		m[1].rcpt[0].mailbox_id = i == 601 ? 1 : 2;
		send_mail(&m[1], 1);
	}
	T_UNTIL(t.loop, t.q->n_due == 601);
	last = spool_msg_find(t.q->spool, span_str("Tmsg00000601"));
	spool_hold(t.q->spool, last, true);
	sched_consider(t.q, last);
	deliver_up_at(1);
	while (t.q->scan_left == 0) {
		struct timer now;

		timer_init(&now, t.loop, t_stop_cb, t.loop);
		timer_set_ms(&now, 0);
		loop_run(t.loop);
		timer_clear(&now);
	}
	spool_hold(t.q->spool, last, false);
	sched_consider(t.q, last);
	T_UNTIL(t.loop, t.n_jobs == 1);
	assert_string_equal(t.job[0].queue_id, "Tmsg00000601");
}

static void
recipients_elsewhere_stay_deferred_with_the_reason(void **state)
{
	deliver_up();
	t_msg_init(&m[1], 1, "body", 4);
	m[1].rcpt[0].kind = ENVELOPE_EXTERNAL;
	m[1].rcpt[0].mailbox_id = 0;
	send_mail(&m[1], 1);
	T_UNTIL(t.loop, logged("to=<kim@b.example>, relay=none, "));
	assert_true(logged("status=deferred (mail transport unavailable: "
	    "relaying is not built yet)"));
	assert_int_equal(in_queue(), 1);
	assert_int_equal(t.n_jobs, 0);
}

static void
what_failed_for_good_is_kept_and_held(void **state)
{
	deliver_up();
	mail(1);
	T_UNTIL(t.loop, t.n_jobs == 1);
	answer(&t.job[0], JOB_FAILED);
	T_UNTIL(t.loop, command("queue list", NULL) == 0 &&
	    strstr(t.rows, "\"hold\"") != NULL);
	assert_int_equal(in_queue(), 1);
	assert_int_equal(command("queue release", "Tmsg00000001"), 0);
	T_UNTIL(t.loop, t.n_jobs == 2);
}

static void
the_queue_can_be_listed_shown_held_released_and_deleted(void **state)
{
	t.conf->minimal_backoff_time = t.conf->maximal_backoff_time = 3600000;
	mail(1);
	mail(2);
	T_UNTIL(t.loop, in_queue() == 2);
	assert_int_equal(command("queue list", NULL), 0);
	assert_int_equal(t.n_rows, 2);
	assert_int_equal(command("queue show", "Tmsg00000002"), 0);
	assert_non_null(strstr(t.rows, "kim@b.example"));
	assert_int_not_equal(command("queue show", "Tmsg00000009"), 0);
	assert_int_equal(command("queue hold", "Tmsg00000001"), 0);
	deliver_up();
	T_UNTIL(t.loop, t.n_jobs == 1);
	assert_string_equal(t.job[0].queue_id, "Tmsg00000002");
	/* with its agent: cannot be deleted */
	assert_int_not_equal(command("queue delete", "Tmsg00000002"), 0);
	answer(&t.job[0], JOB_DEFERRED);
	assert_int_equal(command("queue release", "ALL"), 0);
	T_UNTIL(t.loop, t.n_jobs >= 2);
	answer(&t.job[1], JOB_DEFERRED);
	T_UNTIL(t.loop, t.q->n_waiting == 2);
	assert_int_equal(t.n_jobs, 2);
	assert_int_equal(command("queue delete", "ALL"), 0);
	T_UNTIL(t.loop, in_queue() == 0);
	assert_int_not_equal(command("queue dance", NULL), 0);
}

/* HOLD and FILTER of access(5): never given to an agent, listed with the
 * reason, and delivered when somebody says so. */
static void
what_an_access_rule_holds_waits_for_its_release(void **state)
{
	deliver_up();
	t_msg_init(&m[1], 1, "body", 4);
	m[1].env.flags |= ENVELOPE_HOLD;
	m[1].env.hold = SPAN_LIT("<x@y.example>: Sender address look \"here\"");
	send_mail(&m[1], 1);
	t_msg_init(&m[2], 2, "body", 4);
	m[2].env.filter = SPAN_LIT("smtp:[127.0.0.1]:10025");
	send_mail(&m[2], 2);
	mail(3);
	T_UNTIL(t.loop, t.n_jobs == 1);
	assert_string_equal(t.job[0].queue_id, "Tmsg00000003");
	answer(&t.job[0], JOB_SENT);
	assert_true(logged("Tmsg00000001: from=<sender@a.example>, size=4, "
	    "nrcpt=1 (queue hold)"));
	assert_int_equal(command("queue flush", NULL), 0);
	assert_int_equal(command("queue list", NULL), 0);
	assert_non_null(strstr(t.rows, "held by an access rule: "
	    "<x@y.example>: Sender address look \\\"here\\\""));
	assert_non_null(strstr(t.rows, "FILTER smtp:[127.0.0.1]:10025: "));
	assert_int_equal(t.n_jobs, 1);
	/* qmgr was killed: still held, then released by hand */
	qmgr_kill();
	qmgr_up();
	deliver_up();
	assert_int_equal(command("queue list", NULL), 0);
	assert_non_null(strstr(t.rows, "held by an access rule"));
	assert_int_equal(command("queue release", "Tmsg00000001"), 0);
	T_UNTIL(t.loop, t.n_jobs == 1);
	assert_string_equal(t.job[0].queue_id, "Tmsg00000001");
	assert_int_equal(command("queue release", "Tmsg00000002"), 0);
	T_UNTIL(t.loop, t.n_jobs == 2);
}

/* Deleted or moving while it stands on the due list: never started. */
static void
a_message_on_its_way_out_is_not_started(void **state)
{
	mail(1);
	mail(2);
	T_UNTIL(t.loop, in_queue() == 2 && t.q->n_due == 2);
	assert_int_equal(spool_delete(t.q->spool, spool_msg_find(t.q->spool,
	    span_str("Tmsg00000001"))), 0);
	deliver_up();
	T_UNTIL(t.loop, in_queue() == 1 && t.n_jobs == 1);
	assert_string_equal(t.job[0].queue_id, "Tmsg00000002");
}

static void
a_dead_smtpds_segment_is_read_and_its_successor_served(void **state)
{
	mail(1);
	journal_writer_lost(t.w);
	journal_writer_free(&t.w);
	ipc_free(&t.smtpd);
	mail(2);
	T_UNTIL(t.loop, in_queue() == 2);
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(a_message_is_given_answered_covered_and_removed),
		T(j10_a_job_ends_by_its_answer_or_its_agents_death_only),
		T(j10_an_answer_that_is_none_ends_the_agent_not_the_job),
		T(j7_qmgrs_own_crash_repeats_nothing_that_was_answered),
		T(j6_what_a_crash_left_uncovered_is_covered_unasked),
		T(deferred_mail_is_tried_again_after_its_back_off),
		T(j5_a_failed_checkpoint_sends_the_jobs_again),
		T(j13_expiry_needs_two_tries_since_the_start),
		T(j13_a_jumping_clock_suspends_expiry),
		T(s36_a_message_that_kills_its_agents_is_held),
		T(s36_one_death_counts_once_however_many_jobs),
		T(mail_that_comes_during_a_scan_is_started),
		T(recipients_elsewhere_stay_deferred_with_the_reason),
		T(what_failed_for_good_is_kept_and_held),
		T(the_queue_can_be_listed_shown_held_released_and_deleted),
		T(what_an_access_rule_holds_waits_for_its_release),
		T(a_message_on_its_way_out_is_not_started),
		T(a_dead_smtpds_segment_is_read_and_its_successor_served),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
