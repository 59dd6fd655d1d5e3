/*
 * Any bytes as the messages of a mailbox, one per line, "subject TAB ids": the
 * threads of both kinds hold every message once, and base subjects and
 * collation keys are no longer than they may be.
 */
#include "imapd/thread_tree.h"
#include "mail/casemap.h"
#include "mail/subject.h"
#include "tests/fuzz/fuzz.h"

#define GROWTH	40		/* a ligature's 18 characters, and more */

static void
add_line(struct thread_tree *t, uint32_t number, struct span line)
{
	struct buf base, key;
	struct span subject;
	bool reply;

	buf_init(&base, BUF_NO_CAP);
	buf_init(&key, BUF_NO_CAP);
	span_split(&line, '\t', &subject);
	reply = subject_base(&base, subject);
	casemap_key(&key, buf_span(&base));
	if (buf_len(&base) > subject.n * 3 ||
	    buf_len(&key) > buf_len(&base) * GROWTH)
		__builtin_trap();
	thread_add(t, number, subject.n, buf_span(&key), reply);
	if (line.p != NULL) {
		thread_add_id(t, line);
		(void)thread_add_refs(t, line, subject.n % 5);
	}
	buf_fini(&base);
	buf_fini(&key);
}

/* As many numbers as messages, and as many ")" as "(". */
static void
check(struct buf *out, uint32_t n)
{
	struct span s = buf_span(out);
	uint32_t numbers = 0;
	long depth = 0;
	size_t i;

	for (i = 0; i < s.n; i++) {
		depth += (s.p[i] == '(') - (s.p[i] == ')');
		if (depth < 0)
			__builtin_trap();
		numbers += ascii_isdigit((unsigned char)s.p[i]) &&
		    !ascii_isdigit((unsigned char)s.p[i - 1]);
	}
	if (depth != 0 || numbers != n)
		__builtin_trap();
	buf_clear(out);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span rest = span_of(data, size), line;
	struct thread_tree t;
	struct buf out;
	uint32_t n = 0;

	if (size > 65536)
		return 0;
	thread_init(&t);
	buf_init(&out, BUF_NO_CAP);
	while (span_split(&rest, '\n', &line))
		add_line(&t, ++n, line);
	thread_by_references(&t, &out);
	check(&out, n);
	thread_by_subject(&t, &out);
	check(&out, n);
	buf_fini(&out);
	thread_fini(&t);
	return 0;
}
