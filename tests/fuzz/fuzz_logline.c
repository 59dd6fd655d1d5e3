/*
 * Any bytes as lines of the mail log: all spans lie inside the line, and
 * trails keep no more than they promise.
 */
#include "admin/trail.h"
#include "tests/fuzz/fuzz.h"

static void
inside(struct span part, struct span whole)
{
	if (part.n > 0 && (part.p < whole.p ||
	    part.p + part.n > whole.p + whole.n))
		__builtin_trap();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct trails *t = trails_new("postern", SPAN_LIT("a@b"));
	struct span rest = span_of(data, size), line;
	struct logline l;

	while (span_split(&rest, '\n', &line)) {
		if (logline_parse(line, "postern", &l)) {
			inside(l.when, line);
			inside(l.service, line);
			inside(l.pid, line);
			inside(l.text, line);
			inside(logline_id(l.text), line);
			inside(logline_value(l.text, "to"), line);
		}
		trails_find(t, line);
		trails_gather(t, line);
	}
	if (trails_count(t) > TRAILS_MAX + 1)
		__builtin_trap();
	trails_free(&t);
	return 0;
}
