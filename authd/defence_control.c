#include "authd/defence_control.h"

#include <stdlib.h>
#include <sysexits.h>

#include "base/json.h"
#include "base/log.h"
#include "base/xmalloc.h"
#include "mail/address.h"
#include "proto/ctl_serve.h"
#include "proto/proto.h"

struct defence_control {
	struct defence *defence;
	struct defence_share *clock;
	struct ctl_serve *serve;
};

static int64_t
now_of(const struct defence_control *dc)
{
	return defence_share_now_ms(dc->clock);
}

/* --- rows --- */

static void
put_time(struct buf *b, const char *name, int64_t ms)
{
	json_put_name(b, name);
	if (ms == 0)
		buf_str(b, "\"\"");
	else
		json_put_time(b, ms / 1000);
}

static const char *
kind_name(enum defence_kind kind)
{
	static const char *const names[DEFENCE_KINDS] = {
		[DEFENCE_ACCOUNT] = "account", [DEFENCE_NETWORK] = "network",
		[DEFENCE_KNOWN] = "known network",
	};

	return names[kind];
}

static const char *
state_name(enum defence_answer answer)
{
	static const char *const names[] = {
		[DEFENCE_OPEN] = "open", [DEFENCE_SLOW] = "slowed",
		[DEFENCE_REFUSED] = "refused",
	};

	return names[answer];
}

static void
row_send(struct ctl_call *c, const struct defence_row *row)
{
	struct buf b;

	buf_init(&b, 16384);
	buf_char(&b, '{');
	json_put_member(&b, "kind", span_str(kind_name(row->kind)));
	json_put_member(&b, "subject", row->subject);
	json_put_member(&b, "state", span_str(state_name(row->answer)));
	buf_fmt(&b, ", \"wrong_passwords\": %u, \"limit\": %u, "
	    "\"delay_ms\": %llu, \"refused\": %u", row->level, row->limit,
	    (unsigned long long)row->delay_ms, row->refused);
	put_time(&b, "refused_until", row->until_ms);
	put_time(&b, "known_until", row->known_until_ms);
	buf_char(&b, '}');
	if (!buf_failed(&b))
		ctl_row(c, buf_span(&b));
	buf_fini(&b);
}

/* --- walks --- */

struct walk {
	struct defence_control *dc;
	enum defence_kind kind;
	size_t pos;
	bool (*wanted)(const struct walk *w, const struct defence_row *row);
	char *subject;			/* of `login why`; NULL */
	char site[DEFENCE_NET_MAX];	/* in which that is; "" none */
};

static void
walk_free(void *arg)
{
	struct walk *w = arg;

	free(w->subject);
	free(w);
}

static bool
walk_step(struct ctl_call *c, void *state)
{
	struct walk *w = state;
	struct defence_row row;

	if (!defence_next(w->dc->defence, now_of(w->dc), &w->kind, &w->pos,
	    &row))
		return false;
	if (w->wanted(w, &row))
		row_send(c, &row);
	return true;
}

static void
walk_start(struct ctl_call *c, struct defence_control *dc,
    bool (*wanted)(const struct walk *w, const struct defence_row *row),
    const char *subject)
{
	struct walk *w = xcalloc(1, sizeof(*w));

	w->dc = dc;
	w->wanted = wanted;
	if (subject != NULL) {
		w->subject = xstrdup(subject);
		defence_site(span_sub(span_str(subject), 0,
		    strcspn(subject, "/")), w->site);
	}
	ctl_walk(c, walk_step, walk_free, w);
}

/* --- login list --- */

static bool
has_guesses(const struct walk *w, const struct defence_row *row)
{
	(void)w;
	return row->level > 0;
}

static bool
is_refused(const struct walk *w, const struct defence_row *row)
{
	(void)w;
	return row->answer == DEFENCE_REFUSED;
}

static bool
is_known(const struct walk *w, const struct defence_row *row)
{
	return row->known_until_ms > now_of(w->dc);
}

static const struct {
	const char *word;
	bool (*wanted)(const struct walk *w, const struct defence_row *row);
} lists[] = {
	{ "guesses", has_guesses },
	{ "refused", is_refused },
	{ "known", is_known },
};

static void
login_list(struct ctl_call *c, struct span args, void *arg)
{
	struct entry_ctl_arg a;

	if (!entry_ctl_arg_next(&args, &a))
		a.value = SPAN_LIT("guesses");
	for (size_t i = 0; i < ARRAY_LEN(lists); i++)
		if (span_is(a.value, lists[i].word)) {
			walk_start(c, arg, lists[i].wanted, NULL);
			return;
		}
	ctl_end(c, EX_USAGE, "there is no such list");
}

/* --- of one subject --- */

/* An address in normal form, or the network of an address or network; a /48
 * only when it is asked for. */
static bool
subject_read(struct span word, struct buf *out)
{
	bool site = span_ends(word, "/48");
	char net[DEFENCE_NET_MAX];
	ptrdiff_t slash = span_chr(word, '/');

	buf_clear(out);
	if (span_chr(word, '@') != -1)
		return address_normal_text(word, out, NULL) == 0;
	if (slash != -1)
		word = span_sub(word, 0, (size_t)slash);
	if (site)
		defence_site(word, net);
	else
		defence_net(word, net);
	buf_str(out, net);
	return net[0] != '\0';
}

/* That one, what knows it, or what it knows: the parts of "ACCOUNT NETWORK". */
static bool
concerns(const struct walk *w, const struct defence_row *row)
{
	struct span who = span_str(w->subject);
	ptrdiff_t cut = row->kind == DEFENCE_KNOWN ?
	    span_rchr(row->subject, ' ') : -1;

	if (cut == -1)
		return span_eq(row->subject, who) || (w->site[0] != '\0' &&
		    span_eq(row->subject, span_str(w->site)));
	return span_eq(span_sub(row->subject, 0, (size_t)cut), who) ||
	    span_eq(span_sub(row->subject, (size_t)cut + 1,
	    row->subject.n), who);
}

static void
login_why(struct ctl_call *c, struct span args, void *arg)
{
	struct entry_ctl_arg a;
	struct buf subject;

	buf_init(&subject, DEFENCE_SUBJECT_MAX);
	if (!entry_ctl_arg_next(&args, &a) ||
	    !subject_read(a.value, &subject))
		ctl_end(c, EX_USAGE, "an address, or an IP address or "
		    "network, is wanted");
	else
		walk_start(c, arg, concerns, buf_cstr(&subject));
	buf_fini(&subject);
}

static void
login_forgive(struct ctl_call *c, struct span args, void *arg)
{
	struct defence_control *dc = arg;
	struct entry_ctl_arg a;
	struct buf subject;

	buf_init(&subject, DEFENCE_SUBJECT_MAX);
	if (!entry_ctl_arg_next(&args, &a) ||
	    !subject_read(a.value, &subject))
		ctl_end(c, EX_USAGE, "an address, or an IP address or "
		    "network, is wanted");
	else if (!defence_forgive(dc->defence, now_of(dc),
	    buf_span(&subject)))
		ctl_end(c, EX_NOINPUT, "nothing was counted for it lately");
	else {
		log_info("login defence: %s forgiven by the administrator",
		    buf_cstr(&subject));
		ctl_end(c, EX_OK, "");
	}
	buf_fini(&subject);
}

static const struct ctl_verb verbs[] = {
	{ "login list", login_list },
	{ "login why", login_why },
	{ "login forgive", login_forgive },
};

/* --- life --- */

struct defence_control *
defence_control_new(struct loop *l, struct defence *d,
    struct defence_share *clock)
{
	struct defence_control *dc = xcalloc(1, sizeof(*dc));

	dc->defence = d;
	dc->clock = clock;
	dc->serve = ctl_serve_new(l, "authd", verbs, ARRAY_LEN(verbs), dc);
	return dc;
}

void
defence_control_free(struct defence_control **dcp)
{
	struct defence_control *dc = *dcp;

	if (dc == NULL)
		return;
	ctl_serve_free(&dc->serve);
	free(dc);
	*dcp = NULL;
}

void
defence_control_peer(struct defence_control *dc, int fd)
{
	ctl_serve_peer(dc->serve, fd);
}
