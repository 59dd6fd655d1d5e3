#include "delivery/delivery_log.h"

#include <stdio.h>

#include "base/clock.h"
#include "base/log.h"

/* Two significant digits, hundredths at the finest, as Postfix prints. */
static void
delay_text(uint64_t us, char out[24])
{
	uint64_t hundredths = (us + 5000) / 10000;

	if (hundredths == 0)
		(void)snprintf(out, 24, "0");
	else if (hundredths < 100)
		(void)snprintf(out, 24, "0.%02u", (unsigned)hundredths);
	else if (hundredths < 1000)
		(void)snprintf(out, 24, "%u.%u", (unsigned)hundredths / 100,
		    (unsigned)hundredths / 10 % 10);
	else
		(void)snprintf(out, 24, "%llu",
		    (unsigned long long)hundredths / 100);
}

void
delivery_log(const struct envelope *env, const struct envelope_rcpt *r,
    const char *relay, uint64_t spent_us, const char *dsn,
    const char *status, const char *text)
{
	int64_t age = clock_wall_us() - env->arrival_us;
	uint64_t total = age < 0 ? 0 : (uint64_t)age;
	char all[24], before[24], last[24];
	bool moved = !span_eq(r->orig, r->final);

	delay_text(total, all);
	delay_text(total > spent_us ? total - spent_us : 0, before);
	delay_text(spent_us, last);
	log_info("%s: to=<%.*s>%s%.*s%s, relay=%s, delay=%s, "
	    "delays=%s/0/0/%s, dsn=%s, status=%s (%s)", env->queue_id,
	    SPAN_ARG(r->final), moved ? ", orig_to=<" : "",
	    moved ? (int)r->orig.n : 0, r->orig.p, moved ? ">" : "", relay,
	    all, before, last, dsn, status, text);
}
