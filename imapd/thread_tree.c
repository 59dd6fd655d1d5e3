#include "imapd/thread_tree.h"

#include <stdlib.h>

#include "base/xmalloc.h"

#define NONE	UINT32_MAX

struct text {
	size_t off, len;
};

struct thread_msg {
	uint32_t number;
	bool reply;
	int64_t sent;
	struct text subject;
	uint32_t refs, n_refs;		/* in t->ref */
	uint32_t id;			/* also there; NONE: it has none */
};

struct thread_ref {
	struct text text;
	uint32_t node;
};

/* Node i < n is message i. The others are dummies: messages that are only
 * spoken of, or stand for a subject. */
struct thread_node {
	uint32_t parent, child, next;
	uint32_t n_children;
	uint32_t first;			/* message that dates it */
	uint32_t merged;		/* dummy that took its place, or NONE */
};

void
thread_init(struct thread_tree *t)
{
	memset(t, 0, sizeof(*t));
	buf_init(&t->text, THREAD_TEXT_ALL);
}

void
thread_fini(struct thread_tree *t)
{
	free(t->msg);
	free(t->ref);
	free(t->node);
	buf_fini(&t->text);
}

/* --- input --------------------------------------------------------------- */

bool
thread_too_big(const struct thread_tree *t)
{
	return buf_failed(&t->text) || t->n_refs > THREAD_REFS_ALL;
}

static struct text
text_add(struct thread_tree *t, struct span s)
{
	struct text x = { buf_len(&t->text), s.n };

	buf_span_add(&t->text, s);
	return x;
}

void
thread_add(struct thread_tree *t, uint32_t number, int64_t sent,
    struct span subject, bool reply)
{
	if (t->n == t->size) {
		t->size = t->size == 0 ? 256 : t->size * 2;
		t->msg = xreallocarray(t->msg, t->size, sizeof(*t->msg));
	}
	t->msg[t->n++] = (struct thread_msg){ .number = number, .sent = sent,
	    .reply = reply, .subject = text_add(t, subject),
	    .refs = t->n_refs, .id = NONE };
}

static uint32_t
ref_add(struct thread_tree *t, struct text text)
{
	if (t->n_refs == t->refs_size) {
		t->refs_size = t->refs_size == 0 ? 256 : t->refs_size * 2;
		t->ref = xreallocarray(t->ref, t->refs_size,
		    sizeof(*t->ref));
	}
	t->ref[t->n_refs] = (struct thread_ref){ text, NONE };
	return t->n_refs++;
}

/*
 * Takes the next "<local@domain>" off the front and adds its text: without
 * white space, and without the quotes that RFC 5256 3 calls no difference.
 */
static bool
take_id(struct thread_tree *t, struct span *s, struct text *out)
{
	ptrdiff_t open = span_chr(*s, '<'), close;
	size_t i;

	if (open < 0)
		return false;
	*s = span_sub(*s, (size_t)open + 1, s->n);
	close = span_chr(*s, '>');
	if (close < 0)
		return false;
	out->off = buf_len(&t->text);
	for (i = 0; i < (size_t)close; i++) {
		char c = s->p[i];

		if (c == '\\' && i + 1 < (size_t)close)
			c = s->p[++i];
		else if (c == '"' || ascii_isspace((unsigned char)c))
			continue;
		buf_char(&t->text, c);
	}
	out->len = buf_len(&t->text) - out->off;
	*s = span_sub(*s, (size_t)close + 1, s->n);
	return true;
}

/* The next id that is one. */
static bool
next_id(struct thread_tree *t, struct span *s, struct text *out)
{
	while (take_id(t, s, out)) {
		if (out->len > 0 && out->len <= THREAD_ID_MAX)
			return true;
		buf_truncate(&t->text, out->off);
	}
	return false;
}

void
thread_add_id(struct thread_tree *t, struct span value)
{
	struct thread_msg *m = &t->msg[t->n - 1];
	struct text text;

	if (!next_id(t, &value, &text))
		return;
	m->id = ref_add(t, text);
	m->refs = t->n_refs;
}

bool
thread_add_refs(struct thread_tree *t, struct span value, size_t max)
{
	struct thread_msg *m = &t->msg[t->n - 1];
	struct text text;

	if (max > 1 && value.n > THREAD_REFS_BYTES)
		value = span_sub(value, value.n - THREAD_REFS_BYTES,
		    value.n);
	while (m->n_refs < max && next_id(t, &value, &text)) {
		if (m->n_refs == THREAD_REFS_MAX) {	/* drop the first */
			m->refs++;
			m->n_refs--;
		}
		(void)ref_add(t, text);
		m->n_refs++;
	}
	return m->n_refs > 0;
}

/* --- order --------------------------------------------------------------- */

static int
text_cmp(const struct thread_tree *t, const struct text *a,
    const struct text *b)
{
	const char *p = buf_data(&t->text);
	int c = memcmp(p + a->off, p + b->off, MIN(a->len, b->len));

	return c != 0 ? c : a->len < b->len ? -1 : a->len > b->len;
}

static int
ref_cmp(const void *a, const void *b, void *arg)
{
	const struct thread_tree *t = arg;

	return text_cmp(t, &t->ref[*(const uint32_t *)a].text,
	    &t->ref[*(const uint32_t *)b].text);
}

/* By date, then by place in the mailbox (RFC 5256 2.2). */
static int
msg_cmp(const struct thread_tree *t, uint32_t a, uint32_t b)
{
	int64_t x = t->msg[a].sent, y = t->msg[b].sent;

	if (x != y)
		return x < y ? -1 : 1;
	return a < b ? -1 : a > b;
}

static int
date_cmp(const void *a, const void *b, void *arg)
{
	const struct thread_tree *t = arg;

	return msg_cmp(t, t->node[*(const uint32_t *)a].first,
	    t->node[*(const uint32_t *)b].first);
}

static const struct thread_msg *
first_msg(const struct thread_tree *t, uint32_t node)
{
	return &t->msg[t->node[node].first];
}

static int
subject_cmp(const void *a, const void *b, void *arg)
{
	const struct thread_tree *t = arg;
	int c = text_cmp(t, &first_msg(t, *(const uint32_t *)a)->subject,
	    &first_msg(t, *(const uint32_t *)b)->subject);

	return c != 0 ? c : date_cmp(a, b, arg);
}

static uint32_t *
numbers(uint32_t n)
{
	uint32_t *v = xreallocarray(NULL, (size_t)n + 1, sizeof(*v)), i;

	for (i = 0; i < n; i++)
		v[i] = i;
	return v;
}

/* --- nodes --------------------------------------------------------------- */

static uint32_t
node_add(struct thread_tree *t)
{
	if (t->n_nodes == t->nodes_size) {
		t->nodes_size = t->nodes_size == 0 ? 256 : t->nodes_size * 2;
		t->node = xreallocarray(t->node, t->nodes_size,
		    sizeof(*t->node));
	}
	t->node[t->n_nodes] = (struct thread_node){ .parent = NONE,
	    .child = NONE, .next = NONE, .first = NONE, .merged = NONE };
	return t->n_nodes++;
}

static bool
is_dummy(const struct thread_tree *t, uint32_t i)
{
	return i >= t->n;
}

static void
nodes_begin(struct thread_tree *t)
{
	uint32_t i, node;

	t->n_nodes = 0;
	for (i = 0; i < t->n; i++) {
		node = node_add(t);
		t->node[node].first = i;
	}
}

/*
 * Equal ids become one node: that of the first message which has the id, or a
 * dummy. A later message with the same id is nobody's parent.
 */
static void
ids_to_nodes(struct thread_tree *t)
{
	uint32_t *order = numbers(t->n_refs), i, k, node;
	uint32_t *owner = xreallocarray(NULL, (size_t)t->n_refs + 1,
	    sizeof(*owner));

	for (i = 0; i < t->n_refs; i++)
		owner[i] = NONE;
	for (i = t->n; i-- > 0;)
		if (t->msg[i].id != NONE)
			owner[t->msg[i].id] = i;
	if (t->n_refs > 0)
		qsort_r(order, t->n_refs, sizeof(*order), ref_cmp, t);
	for (i = 0; i < t->n_refs; i = k) {
		node = NONE;
		for (k = i; k < t->n_refs &&
		    ref_cmp(&order[i], &order[k], t) == 0; k++)
			node = MIN(node, owner[order[k]]);
		if (node == NONE)
			node = node_add(t);
		while (i < k)
			t->ref[order[i++]].node = node;
	}
	free(order);
	free(owner);
}

static bool
is_above(const struct thread_tree *t, uint32_t above, uint32_t node)
{
	for (; node != NONE; node = t->node[node].parent)
		if (node == above)
			return true;
	return false;
}

static void
unlink_node(struct thread_tree *t, uint32_t node)
{
	if (t->node[node].parent != NONE)
		t->node[t->node[node].parent].n_children--;
	t->node[node].parent = NONE;
}

/* Unless that made a loop. Who has no children cannot be above anybody. */
static void
link_node(struct thread_tree *t, uint32_t parent, uint32_t child)
{
	if (parent == child || (t->node[child].n_children > 0 &&
	    is_above(t, child, parent)))
		return;
	unlink_node(t, child);
	t->node[child].parent = parent;
	t->node[parent].n_children++;
}

/* Step 1 of RFC 5256 3, REFERENCES. */
static void
link_message(struct thread_tree *t, uint32_t i)
{
	const struct thread_msg *m = &t->msg[i];
	uint32_t k, last = NONE;

	for (k = 0; k < m->n_refs; k++) {
		uint32_t node = t->ref[m->refs + k].node;

		if (last != NONE && t->node[node].parent == NONE)
			link_node(t, last, node);
		last = node;
	}
	if (t->node[i].parent == last)
		return;
	/* what a truncated References said before is wrong */
	unlink_node(t, i);
	if (last != NONE)
		link_node(t, last, i);
}

/* --- steps 2 and 3: dummies ----------------------------------------------- */

/* The nearest message above, else the topmost dummy, else NONE. Dummies
 * passed on the way remember it. */
static uint32_t
real_parent(struct thread_tree *t, uint32_t i)
{
	uint32_t top = t->node[i].parent, at, next;

	if (top == NONE)
		return NONE;
	while (is_dummy(t, top) && t->node[top].parent != NONE)
		top = t->node[top].parent;
	for (at = t->node[i].parent; at != top && is_dummy(t, at); at = next) {
		next = t->node[at].parent;
		t->node[at].parent = top;
	}
	return top;
}

static void
date_dummy(struct thread_tree *t, uint32_t dummy, uint32_t msg)
{
	struct thread_node *d = &t->node[dummy];

	if (d->first == NONE || msg_cmp(t, msg, d->first) < 0)
		d->first = msg;
}

/* Afterwards only messages and dummies at the top with several children are
 * linked; the other dummies have none. */
static void
prune(struct thread_tree *t)
{
	uint32_t i, up;

	for (i = 0; i < t->n; i++)
		t->node[i].parent = real_parent(t, i);
	for (i = 0; i < t->n_nodes; i++)
		t->node[i].n_children = 0;
	for (i = 0; i < t->n; i++)
		if (t->node[i].parent != NONE)
			t->node[t->node[i].parent].n_children++;
	for (i = 0; i < t->n; i++) {
		up = t->node[i].parent;
		if (up == NONE || !is_dummy(t, up))
			continue;
		if (t->node[up].n_children > 1) {
			date_dummy(t, up, i);
		} else {
			t->node[up].n_children = 0;
			t->node[i].parent = NONE;
		}
	}
	for (i = t->n; i < t->n_nodes; i++)
		t->node[i].parent = NONE;
}

/* --- steps 4 and 5: one subject, one thread ------------------------------- */

static bool
is_root(const struct thread_tree *t, uint32_t i)
{
	return t->node[i].parent == NONE && t->node[i].merged == NONE &&
	    t->node[i].first != NONE;
}

/* Nodes at the top, in the order of their dates. */
static uint32_t *
roots(struct thread_tree *t, uint32_t *n)
{
	uint32_t *v = xreallocarray(NULL, (size_t)t->n_nodes + 1,
	    sizeof(*v)), i;

	*n = 0;
	for (i = 0; i < t->n_nodes; i++)
		if (is_root(t, i))
			v[(*n)++] = i;
	if (*n > 0)
		qsort_r(v, *n, sizeof(*v), date_cmp, t);
	return v;
}

/* Puts thread `i` together with thread `with` of the same subject: what
 * stands for the subject from now on. */
static uint32_t
merge_two(struct thread_tree *t, uint32_t i, uint32_t with)
{
	uint32_t dummy;

	if (is_dummy(t, i)) {		/* then `with` is one, too */
		t->node[i].merged = with;
		date_dummy(t, with, t->node[i].first);
		return with;
	}
	if (is_dummy(t, with)) {
		t->node[i].parent = with;
		date_dummy(t, with, i);
		return with;
	}
	if (t->msg[i].reply && !t->msg[with].reply) {
		t->node[i].parent = with;
		return with;
	}
	dummy = node_add(t);
	t->node[i].parent = t->node[with].parent = dummy;
	date_dummy(t, dummy, i);
	date_dummy(t, dummy, with);
	return dummy;
}

/* The n threads at v have one subject. */
static void
merge_group(struct thread_tree *t, const uint32_t *v, uint32_t n)
{
	uint32_t i, best = v[0], chosen;

	for (i = 1; i < n; i++)
		if (!is_dummy(t, best) && (is_dummy(t, v[i]) ||
		    (t->msg[best].reply && !t->msg[v[i]].reply)))
			best = v[i];
	chosen = best;
	for (i = 0; i < n; i++)
		if (v[i] != chosen)
			best = merge_two(t, v[i], best);
}

static void
merge_subjects(struct thread_tree *t)
{
	uint32_t n, i, k, *v = roots(t, &n);

	if (n > 0)
		qsort_r(v, n, sizeof(*v), subject_cmp, t);
	for (i = 0; i < n; i = k) {
		const struct text *s = &first_msg(t, v[i])->subject;

		for (k = i + 1; k < n && text_cmp(t, s,
		    &first_msg(t, v[k])->subject) == 0; k++)
			;
		if (s->len > 0 && k - i > 1)
			merge_group(t, v + i, k - i);
	}
	free(v);
}

/* --- step 6 and the answer ------------------------------------------------ */

/* Makes the lists of children, ordered by date; the first root or NONE. */
static uint32_t
list_children(struct thread_tree *t)
{
	uint32_t *v = xreallocarray(NULL, (size_t)t->n_nodes + 1,
	    sizeof(*v)), i, n = 0, up, root = NONE;

	for (i = 0; i < t->n_nodes; i++) {
		t->node[i].child = t->node[i].next = NONE;
		if (t->node[i].first != NONE && t->node[i].merged == NONE)
			v[n++] = i;
	}
	if (n > 0)
		qsort_r(v, n, sizeof(*v), date_cmp, t);
	while (n-- > 0) {
		i = v[n];
		up = t->node[i].parent;
		while (up != NONE && t->node[up].merged != NONE)
			up = t->node[up].merged;
		t->node[i].parent = up;
		t->node[i].next = up == NONE ? root : t->node[up].child;
		*(up == NONE ? &root : &t->node[up].child) = i;
	}
	free(v);
	return root;
}

/* "(3 6 " down to where there is no child or several; that node. */
static uint32_t
put_chain(const struct thread_tree *t, struct buf *out, uint32_t i)
{
	buf_char(out, '(');
	for (;; i = t->node[i].child) {
		uint32_t child = t->node[i].child;

		if (!is_dummy(t, i)) {
			buf_dec(out, t->msg[i].number);
			if (child != NONE)
				buf_char(out, ' ');
		}
		if (child == NONE || t->node[child].next != NONE)
			return i;
	}
}

/* The heads of the lists that are open wait in `head`. */
static void
put_threads(struct thread_tree *t, struct buf *out, uint32_t root)
{
	uint32_t *head = xreallocarray(NULL, (size_t)t->n_nodes + 1,
	    sizeof(*head)), depth = 0, i = root;

	while (i != NONE) {
		head[depth++] = i;
		i = t->node[put_chain(t, out, i)].child;
		while (i == NONE && depth > 0) {
			buf_char(out, ')');
			i = t->node[head[--depth]].next;
		}
	}
	free(head);
}

void
thread_by_references(struct thread_tree *t, struct buf *out)
{
	uint32_t i;

	nodes_begin(t);
	ids_to_nodes(t);
	for (i = 0; i < t->n; i++)
		link_message(t, i);
	prune(t);
	merge_subjects(t);
	put_threads(t, out, list_children(t));
}

void
thread_by_subject(struct thread_tree *t, struct buf *out)
{
	uint32_t *v = numbers(t->n), i, root = 0;

	nodes_begin(t);
	if (t->n > 0)
		qsort_r(v, t->n, sizeof(*v), subject_cmp, t);
	for (i = 1; i < t->n; i++) {
		if (text_cmp(t, &t->msg[v[root]].subject,
		    &t->msg[v[i]].subject) == 0)
			t->node[v[i]].parent = v[root];
		else
			root = i;
	}
	free(v);
	put_threads(t, out, list_children(t));
}
