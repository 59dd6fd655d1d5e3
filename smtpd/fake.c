#include "smtpd/fake.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/log.h"
#include "base/xmalloc.h"

#define TURNS	8		/* of the loop until all is quiet */

static struct fake *fake;

/* --- net/stream.h --- */

struct stream {
	struct buf in, out;
	const struct stream_cbs *cbs;
	void *arg;
	bool paused, finished;
};

struct stream *
stream_new(struct loop *l, int fd, const struct stream_cbs *cbs, void *arg)
{
	struct stream *s = xcalloc(1, sizeof(*s));

	buf_init(&s->in, BUF_NO_CAP);
	buf_init(&s->out, BUF_NO_CAP);
	s->cbs = cbs;
	s->arg = arg;
	return s;
}

void
stream_free(struct stream **sp)
{
	struct stream *s = *sp;

	*sp = NULL;
	if (s == NULL)
		return;
	buf_fini(&s->in);
	buf_fini(&s->out);
	free(s);
}

/* The test looks at the output afterwards: fake_connect frees. One that the
 * session made itself is nobody's any more. */
void
stream_finish(struct stream **s, uint64_t limit_ms)
{
	(*s)->finished = true;
	if (*s != fake->stream)
		stream_free(s);
	*s = NULL;
}

void
stream_ack_now(struct stream *s)
{
	(void)s;
}

void
stream_peer_done(struct stream *s)
{
	(void)s;
}

void
stream_arg_set(struct stream *s, const struct stream_cbs *cbs, void *arg)
{
	s->cbs = cbs;
	s->arg = arg;
}

int
stream_fd(const struct stream *s)
{
	return -1;
}

struct buf *
stream_in(struct stream *s)
{
	return &s->in;
}

void
stream_in_limit(struct stream *s, size_t bytes)
{
}

void
stream_pause(struct stream *s)
{
	s->paused = true;
}

void
stream_resume(struct stream *s)
{
	s->paused = false;
}

bool
stream_paused(const struct stream *s)
{
	return s->paused;
}

void
stream_write(struct stream *s, struct span bytes)
{
	buf_span_add(&s->out, bytes);
}

struct buf *
stream_out(struct stream *s)
{
	return &s->out;
}

void
stream_out_marks(struct stream *s, size_t low, size_t high)
{
}

bool
stream_full(struct stream *s)
{
	return false;
}

size_t
stream_tls_accept(struct stream *s, struct certs *certs)
{
	size_t n = buf_len(&s->in);

	buf_clear(&s->in);
	return n;
}

void
stream_tls_ask_ccert(struct stream *s, struct ccert_policy *p)
{
}

struct ccert *
stream_ccert(const struct stream *s)
{
	return NULL;
}

bool
stream_tls_info(const struct stream *s, struct stream_tls *info)
{
	*info = (struct stream_tls){ .protocol = "TLSv1.3",
		.cipher = "TLS_AES_256_GCM_SHA384", .bits = 256,
		.alg_bits = 256, .sni = "" };
	return fake->tls;
}

size_t
stream_binding(const struct stream *s, const char **type,
    uint8_t out[STREAM_BINDING_MAX])
{
	*type = "";
	return 0;
}

bool
certs_usable(const struct certs *c)
{
	return c != NULL;
}

/* (no test of ours has a DNS) */
struct client_name_ask *
client_name_find(struct dnscache *c, const char *ip,
    struct client_name *known, client_name_cb *cb, void *arg)
{
	return NULL;
}

void
client_name_cancel(struct client_name_ask **a)
{
	*a = NULL;
}

/* --- policy/policy.h --- */

struct policy_ask {
	struct defer defer;
	struct policy_spec *spec;
	policy_cb *cb;
	void *arg;
};

static void
policy_answer_cb(void *arg)
{
	struct policy_ask *a = arg;
	struct policy_answer answer = { .action = a->spec->policy_context };

	a->cb(&answer, a->arg);
	policy_cancel(&a);
}

struct policy_ask *
policy_ask(struct policy *p, struct policy_spec *spec, struct span request,
    policy_cb *cb, void *arg)
{
	struct policy_ask *a = xcalloc(1, sizeof(*a));

	a->spec = policy_spec_ref(spec);
	a->cb = cb;
	a->arg = arg;
	defer_init(&a->defer, fake->loop, policy_answer_cb, a);
	defer_call(&a->defer);
	fake->policy_asks++;
	return a;
}

void
policy_cancel(struct policy_ask **ap)
{
	struct policy_ask *a = *ap;

	*ap = NULL;
	if (a == NULL)
		return;
	defer_cancel(&a->defer);
	policy_spec_unref(&a->spec);
	free(a);
}

/* --- db/directory.h --- */

static const struct {
	const char *address;
	enum resolve_class class;
	size_t n_mailboxes, n_forwards;
	struct resolved_mailbox mailbox[2];
	const char *forward[1];
} people[] = {
	{ "kim@a.example", RESOLVE_MAILBOX, 1, 0,
	  { { .id = 1, .local = true, .address = "kim@a.example" } }, { NULL } },
	{ "lee@a.example", RESOLVE_MAILBOX, 1, 0,
	  { { .id = 2, .local = true, .address = "lee@a.example",
	      .quota_bytes = 1000 } },
	  { NULL } },
	{ "full@a.example", RESOLVE_MAILBOX, 1, 0,
	  { { .id = 3, .local = true, .address = "full@a.example",
	      .quota_bytes = 1 } },
	  { NULL } },
	{ "k@a.example", RESOLVE_MAILBOX, 1, 0,
	  { { .id = 1, .local = true, .address = "kim@a.example" } }, { NULL } },
	{ "both@a.example", RESOLVE_MAILBOX, 2, 0,
	  { { .id = 1, .local = true, .address = "kim@a.example" },
	    { .id = 2, .local = true, .address = "lee@a.example",
	      .quota_bytes = 1000 } },
	  { NULL } },
	{ "far@a.example", RESOLVE_MAILBOX, 1, 0,
	  { { .id = 4, .address = "far@a.example" } }, { NULL } },
	{ "fwd@a.example", RESOLVE_MAILBOX, 0, 1, { { .id = 0 } },
	  { "x@out.example" } },
	{ "off@a.example", RESOLVE_DISABLED, 0, 0, { { .id = 0 } }, { NULL } },
	{ "x@relay.example", RESOLVE_RELAY, 0, 1, { { .id = 0 } },
	  { "x@relay.example" } },
};

struct directory_ask {
	struct defer defer;
	directory_cb *cb;
	void *arg;
	struct resolution *res;
};

struct resolution *
resolution_ref(const struct resolution *r)
{
	struct resolution *mine = (struct resolution *)(uintptr_t)r;

	mine->refs++;
	return mine;
}

void
resolution_unref(struct resolution **rp)
{
	struct resolution *r = *rp;

	*rp = NULL;
	if (r != NULL && --r->refs == 0)
		free(r);
}

static struct resolution *
resolution_new(enum resolve_class class)
{
	struct resolution *r = xcalloc(1, sizeof(*r));

	r->refs = 1;
	r->class = class;
	r->address = r->domain = r->transport = r->why = "";
	return r;
}

static struct resolution *
domain_of(struct span domain)
{
	if (span_is(domain, "a.example"))
		return resolution_new(RESOLVE_MAILBOX);
	if (span_is(domain, "relay.example"))
		return resolution_new(RESOLVE_RELAY);
	return resolution_new(span_is(domain, "temp.example") ?
	    RESOLVE_TEMP : RESOLVE_NOT_LOCAL);
}

static struct resolution *
resolve(struct span address)
{
	struct resolution *r;
	size_t i;

	for (i = 0; i < ARRAY_LEN(people); i++) {
		if (!span_is(address, people[i].address))
			continue;
		r = resolution_new(people[i].class);
		r->n_mailboxes = people[i].n_mailboxes;
		r->mailboxes = people[i].mailbox;
		r->n_forwards = people[i].n_forwards;
		r->forwards = people[i].forward;
		return r;
	}
	if (span_ends(address, "@temp.example"))
		return resolution_new(RESOLVE_TEMP);
	return resolution_new(span_ends(address, "@a.example") ||
	    span_ends(address, "@relay.example") ? RESOLVE_UNKNOWN :
	    RESOLVE_NOT_LOCAL);
}

struct resolution *
directory_peek(struct directory *d, struct span address)
{
	return fake->late ? NULL : resolve(address);
}

struct resolution *
directory_domain_peek(struct directory *d, struct span domain)
{
	return fake->late ? NULL : domain_of(domain);
}

static void
ask_cb(void *arg)
{
	struct directory_ask *a = arg;

	a->cb(a->res, a->arg);
	resolution_unref(&a->res);
	free(a);
}

static struct directory_ask *
ask_new(struct resolution *res, directory_cb *cb, void *arg)
{
	struct directory_ask *a = xcalloc(1, sizeof(*a));

	a->cb = cb;
	a->arg = arg;
	a->res = res;
	defer_init(&a->defer, fake->loop, ask_cb, a);
	defer_call(&a->defer);
	return a;
}

struct directory_ask *
directory_resolve(struct directory *d, struct span address, directory_cb *cb,
    void *arg)
{
	return ask_new(resolve(address), cb, arg);
}

struct directory_ask *
directory_domain(struct directory *d, struct span domain, directory_cb *cb,
    void *arg)
{
	return ask_new(domain_of(domain), cb, arg);
}

void
directory_cancel(struct directory_ask **a)
{
	if (*a == NULL)
		return;
	defer_cancel(&(*a)->defer);
	resolution_unref(&(*a)->res);
	free(*a);
	*a = NULL;
}

/* --- db/verdicts.h --- */

static const struct {
	const char *address;
	enum verdict_status status;
} verdicts[] = {
	{ "ok@far.example", VERDICT_OK },
	{ "no@far.example", VERDICT_BOUNCE },
	{ "slow@far.example", VERDICT_DEFER },
	{ "x@temp.far.example", VERDICT_TEMP },
};

struct verdict_ask {
	struct defer defer;
	verdict_cb *cb;
	void *arg;
	struct verdict *v;
};

struct verdict *
verdict_ref(const struct verdict *v)
{
	struct verdict *mine = (struct verdict *)(uintptr_t)v;

	mine->refs++;
	return mine;
}

void
verdict_unref(struct verdict **vp)
{
	struct verdict *v = *vp;

	*vp = NULL;
	if (v != NULL && --v->refs == 0)
		free(v);
}

static struct verdict *
verdict_of(struct span address)
{
	static const char why[] = "said so";
	struct verdict *v = xcalloc(1, sizeof(*v) + sizeof(why));
	size_t i;

	v->refs = 1;
	for (i = 0; i < ARRAY_LEN(verdicts); i++)
		if (span_is(address, verdicts[i].address))
			v->status = verdicts[i].status;
	memcpy(v->why, why, sizeof(why));
	return v;
}

struct verdict *
verdicts_peek(struct verdicts *d, struct span address)
{
	return fake->late ? NULL : verdict_of(address);
}

static void
verdict_ask_cb(void *arg)
{
	struct verdict_ask *a = arg;

	a->cb(a->v, a->arg);
	verdict_unref(&a->v);
	free(a);
}

struct verdict_ask *
verdicts_ask(struct verdicts *d, struct span address, verdict_cb *cb,
    void *arg)
{
	struct verdict_ask *a = xcalloc(1, sizeof(*a));

	a->cb = cb;
	a->arg = arg;
	a->v = verdict_of(address);
	defer_init(&a->defer, fake->loop, verdict_ask_cb, a);
	defer_call(&a->defer);
	return a;
}

void
verdicts_cancel(struct verdict_ask **a)
{
	if (*a == NULL)
		return;
	defer_cancel(&(*a)->defer);
	verdict_unref(&(*a)->v);
	free(*a);
	*a = NULL;
}

/* --- spool/journal.h --- */

struct fake_append {
	struct defer defer;
	struct journal_append *a;
	bool ok;
};

static void
append_cb(void *arg)
{
	struct fake_append *p = arg;
	struct err err;

	(void)err_set(&err, ERR_TEMP, PS_EFULL, "the fake disk is full");
	p->a->cb(p->a, p->ok, &err, p->a->arg);
	free(p);
}

static void
envelope_text(const struct envelope *e, struct buf *out)
{
	uint32_t i;

	buf_span_add(out, e->sender);
	for (i = 0; i < e->n_rcpt; i++) {
		if (e->rcpt[i].kind == ENVELOPE_MAILBOX)
			buf_fmt(out, "|MAILBOX %llu %.*s",
			    (unsigned long long)e->rcpt[i].mailbox_id,
			    SPAN_ARG(e->rcpt[i].orig));
		else
			buf_fmt(out, "|EXTERNAL %.*s",
			    SPAN_ARG(e->rcpt[i].final));
		if (e->rcpt[i].notify == ENVELOPE_NOTIFY_NEVER)
			buf_str(out, " never");
	}
	if (e->flags & ENVELOPE_HOLD)
		buf_fmt(out, "|HOLD %.*s", SPAN_ARG(e->hold));
	if (e->filter.n > 0)
		buf_fmt(out, "|FILTER %.*s", SPAN_ARG(e->filter));
}

void
journal_writer_expect(struct journal_writer *w, size_t n)
{
	(void)w;
	(void)n;
}

int
journal_append(struct journal_writer *w, struct journal_append *a,
    const struct envelope *env, struct err *err)
{
	struct fake_append *p = xcalloc(1, sizeof(*p));
	struct fake_message *m = &fake->message[fake->n_messages];
	struct buf packed;
	unsigned i;
	char mem[4096];
	uint64_t at = 0;
	ssize_t n;

	buf_init(&packed, ENVELOPE_PACKED_MAX);
	if (envelope_pack(env, &packed, err) != 0)
		log_fatal("envelope: %s", err->why);
	buf_fini(&packed);
	ps_assert(env->body_size == a->body_len);
	p->ok = !fake->journal_fails;
	if (p->ok && fake->n_messages < FAKE_MESSAGES_MAX) {
		fake->n_messages++;
		buf_init(&m->envelope, BUF_NO_CAP);
		buf_init(&m->body, BUF_NO_CAP);
		envelope_text(env, &m->envelope);
		for (i = 0; i < a->n_body; i++)
			buf_append(&m->body, a->body[i].iov_base,
			    a->body[i].iov_len);
		while (a->body_fd != -1 && at < a->body_len &&
		    (n = pread(a->body_fd, mem, sizeof(mem), (off_t)at)) > 0) {
			buf_append(&m->body, mem, (size_t)n);
			at += (uint64_t)n;
		}
		ps_assert(buf_len(&m->body) == a->body_len);
	}
	p->a = a;
	defer_init(&p->defer, fake->loop, append_cb, p);
	if (fake->journal_holds)
		fake->held_append = p;
	else
		defer_call(&p->defer);
	return 0;
}

void
fake_journal_release(struct fake *f)
{
	ps_assert(f->held_append != NULL);
	defer_call(&f->held_append->defer);
	f->held_append = NULL;
}

/* --- the rig --- */

static void
stop_cb(void *arg)
{
	loop_stop(arg);
}

void
fake_turn(struct fake *f)
{
	loop_post(f->loop, stop_cb, f->loop);
	loop_run(f->loop);
}

static void
lose(struct fake *f)
{
	if (f->stream != NULL && !f->stream->finished)
		f->stream->cbs->ended(f->stream, STREAM_EOF, "",
		    f->stream->arg);
}

void
fake_settle(struct fake *f)
{
	int i;

	/* A session that reads waits for nobody. */
	for (i = 0; i < TURNS && (f->stream == NULL || f->stream->paused ||
	    f->stream->finished); i++) {
		fake_turn(f);
		if (f->hangs_up > 0 && --f->hangs_up == 0)
			lose(f);
	}
	if (f->stream != NULL) {
		buf_span_add(&f->sent, buf_span(&f->stream->out));
		buf_clear(&f->stream->out);
		f->closed = f->stream->finished;
	}
}

void
fake_init(struct fake *f, const char *text)
{
	struct buf complaints;

	memset(f, 0, sizeof(*f));
	fake = f;
	buf_init(&complaints, 65536);
	buf_init(&f->sent, BUF_NO_CAP);
	f->loop = loop_new();
	f->conf = conf_parse("fake.conf", span_str(text), &complaints);
	if (f->conf != NULL)
		f->prof = profile_new(f->conf, &complaints);
	if (f->prof == NULL)
		log_fatal("%s", buf_cstr(&complaints));
	buf_fini(&complaints);
	server_init(&f->srv, f->loop);
	f->srv.pool = work_pool_new(f->loop, 1);
	f->srv.world.policy = (struct policy *)f;	/* never looked into */
	f->srv.world.verdicts = (struct verdicts *)f;	/* nor this */
	if (queueid_gen_init(&f->srv.ids, 1, 1) != 0)
		log_fatal("queueid_gen_init");
}

static void
forget(struct fake *f)
{
	unsigned i;

	for (i = 0; i < f->n_messages; i++) {
		buf_fini(&f->message[i].envelope);
		buf_fini(&f->message[i].body);
	}
	f->n_messages = 0;
	buf_clear(&f->sent);
}

static void
disconnect(struct fake *f)
{
	if (f->stream == NULL)
		return;
	f->hangs_up = 0;
	lose(f);
	fake_settle(f);
	stream_free(&f->stream);
}

void
fake_connect(struct fake *f)
{
	struct session *s;

	disconnect(f);
	forget(f);
	f->closed = false;
	f->stream = stream_new(f->loop, -1, &session_stream_cbs, NULL);
	s = session_new(&f->srv, f->prof, f->stream, "192.0.2.7");
	f->stream->arg = s;
	session_start(s);
	fake_settle(f);
}

/* As the real one: no input while paused, and what is left is offered again
 * when it was resumed. */
static void
offer(struct fake *f)
{
	size_t before;

	do {
		before = buf_len(&f->stream->in);
		if (f->stream->finished || f->stream->paused)
			break;
		f->stream->cbs->readable(f->stream, f->stream->arg);
		fake_settle(f);
	} while (buf_len(&f->stream->in) != before &&
	    buf_len(&f->stream->in) > 0);
}

void
fake_send(struct fake *f, struct span bytes)
{
	if (f->stream == NULL || f->stream->finished)
		return;
	buf_span_add(&f->stream->in, bytes);
	offer(f);
}

bool
fake_said(struct fake *f, const char *says, struct buf *why)
{
	struct span rest = span_str(says), said = buf_span(&f->sent), want,
	    line;

	while (span_split(&rest, '|', &want) && want.n > 0) {
		if (span_is(want, "!")) {
			if (!f->closed)
				buf_str(why, "the session has not closed");
			break;
		}
		if (!span_split(&said, '\n', &line) || line.n < want.n ||
		    memcmp(line.p, want.p, want.n) != 0) {
			buf_fmt(why, "want \"%.*s\", got \"%s\"",
			    SPAN_ARG(want), buf_cstr(&f->sent));
			break;
		}
	}
	if (buf_len(why) == 0 && said.p != NULL && said.n > 0)
		buf_fmt(why, "also said: \"%.*s\"", SPAN_ARG(said));
	buf_clear(&f->sent);
	return buf_len(why) == 0;
}

void
fake_hangup(struct fake *f)
{
	disconnect(f);
}

void
fake_fini(struct fake *f)
{
	disconnect(f);
	forget(f);
	server_fini(&f->srv);
	work_pool_free(&f->srv.pool);
	profile_unref(&f->prof);
	conf_unref(&f->conf);
	buf_fini(&f->sent);
	loop_free(&f->loop);
	fake = NULL;
}
