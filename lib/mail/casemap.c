#include "mail/casemap.h"

#include <unicase.h>
#include <uninorm.h>
#include <unistr.h>

#define DECOMPOSE_DEPTH	8	/* Unicode's deepest is 4 */

static void
put_point(struct buf *out, ucs4_t c)
{
	uint8_t bytes[6];
	int n = u8_uctomb(bytes, c, sizeof(bytes));

	if (n > 0)
		buf_append(out, bytes, (size_t)n);
}

/* By the decomposition property, until nothing is left to decompose. Hangul
 * has none there: it is composed by rule. */
static void
put_decomposed(struct buf *out, ucs4_t c, int depth)
{
	ucs4_t parts[UC_DECOMPOSITION_MAX_LENGTH];
	int tag, i, n = -1;

	if (depth < DECOMPOSE_DEPTH && (c < 0xac00 || c > 0xd7a3))
		n = uc_decomposition(c, &tag, parts);
	if (n <= 0)
		put_point(out, c);
	for (i = 0; i < n; i++)
		put_decomposed(out, parts[i], depth + 1);
}

void
casemap_key(struct buf *out, struct span utf8)
{
	const uint8_t *p = (const uint8_t *)utf8.p;
	size_t i, n;
	ucs4_t c;

	for (i = 0; i < utf8.n; i += n) {
		n = 1;
		if (p[i] < 0x80) {
			buf_char(out, p[i] >= 'a' && p[i] <= 'z' ?
			    (char)(p[i] - 32) : (char)p[i]);
			continue;
		}
		n = span_utf8_front(span_sub(utf8, i, utf8.n));
		if (n == 0) {
			n = 1;
			buf_char(out, (char)p[i]);
			continue;
		}
		(void)u8_mbtouc(&c, p + i, n);
		put_decomposed(out, uc_totitle(c), 0);
	}
}
