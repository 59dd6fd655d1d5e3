#include "store/foreign.h"

#include <stdlib.h>

#include "base/xmalloc.h"
#include "store/fname.h"

/* The next line without its end; false when there is none. */
static bool
line_take(struct span *rest, struct span *line)
{
	if (rest->n == 0 || !span_split(rest, '\n', line))
		return false;
	if (line->n > 0 && line->p[line->n - 1] == '\r')
		line->n--;
	return true;
}

static int
span_cmp(struct span a, struct span b)
{
	size_t n = MIN(a.n, b.n);
	int c = n == 0 ? 0 : memcmp(a.p, b.p, n);

	return c != 0 ? c : (a.n > b.n) - (a.n < b.n);
}

/* --- UIDs --------------------------------------------------------------------- */

/* "1 <uidvalidity> <next>" */
static bool
head_old(struct span rest, struct foreign_uids *u)
{
	struct span v, next;

	return span_word(&rest, &v) && span_word(&rest, &next) &&
	    span_u32(v, 1, UINT32_MAX, &u->uidvalidity) &&
	    span_u32(next, 1, UINT32_MAX, &u->next);
}

/* "3 V<uidvalidity> N<next> G<guid> ..." in any order */
static bool
head_keyed(struct span rest, struct foreign_uids *u)
{
	struct span word, value;

	while (span_word(&rest, &word)) {
		value = span_sub(word, 1, word.n);
		if (word.p[0] == 'V' && !span_u32(value, 1, UINT32_MAX,
		    &u->uidvalidity))
			return false;
		if (word.p[0] == 'N' && !span_u32(value, 1, UINT32_MAX,
		    &u->next))
			return false;
	}
	return u->uidvalidity != 0 && u->next != 0;
}

/* "<uid> <name>", "<uid> W<vsize> ... :<name>" */
static bool
uid_line(struct span line, bool keyed, struct foreign_uid *e)
{
	struct span uid;
	ptrdiff_t at;

	if (!span_word(&line, &uid) ||
	    !span_u32(uid, 1, UINT32_MAX - 1, &e->uid))
		return false;
	if (!keyed) {
		e->name = span_trim(line);
	} else {
		at = span_chr(line, ':');
		if (at < 0)
			return false;
		e->name = span_sub(line, (size_t)at + 1, line.n);
	}
	/* some versions wrote the flags, too */
	at = span_chr(e->name, ':');
	if (at >= 0)
		e->name.n = (size_t)at;
	return e->name.n > 0 && e->name.n <= FNAME_MAX &&
	    memchr(e->name.p, '/', e->name.n) == NULL;
}

static void
uid_add(struct foreign_uids *u, const struct foreign_uid *e)
{
	if (u->n == u->size) {
		u->size = MAX(64, u->size * 2);
		u->uid = xreallocarray(u->uid, u->size, sizeof(*u->uid));
	}
	u->uid[u->n++] = *e;
	u->next = MAX(u->next, e->uid + 1);
}

static int
uid_cmp(const void *a, const void *b)
{
	const struct foreign_uid *x = a, *y = b;
	int c = span_cmp(x->name, y->name);

	return c != 0 ? c : (x->uid < y->uid) - (x->uid > y->uid);
}

static int
number_cmp(const void *a, const void *b)
{
	const struct foreign_uid *x = a, *y = b;

	return (x->uid > y->uid) - (x->uid < y->uid);
}

/* No two files with one UID, no two UIDs for one file. */
static void
uids_unique(struct foreign_uids *u)
{
	size_t i, n = 0;

	if (u->n == 0)
		return;
	qsort(u->uid, u->n, sizeof(*u->uid), number_cmp);
	for (i = 0; i < u->n; i++)
		if (n == 0 || u->uid[i].uid != u->uid[n - 1].uid)
			u->uid[n++] = u->uid[i];
	u->bad += u->n - n;
	u->n = n;
	qsort(u->uid, u->n, sizeof(*u->uid), uid_cmp);
	for (n = 0, i = 0; i < u->n; i++)
		if (n == 0 || !span_eq(u->uid[i].name, u->uid[n - 1].name))
			u->uid[n++] = u->uid[i];
	u->bad += u->n - n;
	u->n = n;
}

bool
foreign_uids_parse(struct span text, struct foreign_uids *u)
{
	struct span line, version;
	struct foreign_uid e;
	bool keyed;

	memset(u, 0, sizeof(*u));
	if (!line_take(&text, &line) || !span_word(&line, &version))
		return false;
	keyed = span_is(version, "3");
	if (!(keyed ? head_keyed(line, u) :
	    span_is(version, "1") && head_old(line, u)))
		return false;
	while (line_take(&text, &line)) {
		if (uid_line(line, keyed, &e))
			uid_add(u, &e);
		else
			u->bad++;
	}
	uids_unique(u);
	return true;
}

static int
uid_find_cmp(const void *base, const void *e)
{
	return span_cmp(*(const struct span *)base,
	    ((const struct foreign_uid *)e)->name);
}

uint32_t
foreign_uids_find(const struct foreign_uids *u, struct span base)
{
	const struct foreign_uid *found = u->n == 0 ? NULL :
	    bsearch(&base, u->uid, u->n, sizeof(*u->uid), uid_find_cmp);

	return found == NULL ? 0 : found->uid;
}

void
foreign_uids_fini(struct foreign_uids *u)
{
	free(u->uid);
	memset(u, 0, sizeof(*u));
}

/* --- keywords ------------------------------------------------------------------- */

void
foreign_letters_parse(struct span text, struct foreign_keywords *k)
{
	struct span line, number;
	uint32_t i;

	memset(k, 0, sizeof(*k));
	while (line_take(&text, &line)) {
		if (!span_word(&line, &number) || !span_u32(number, 0, 25, &i)
		    || (line = span_trim(line)).n == 0) {
			k->bad++;
			continue;
		}
		k->name[i] = line;
		k->n = MAX(k->n, i + 1);
	}
}

static void
kept_add(struct foreign_keywords *k, struct span base, uint64_t keywords,
    uint64_t age)
{
	if (k->n_kept == k->size) {
		k->size = MAX(64, k->size * 2);
		k->kept = xreallocarray(k->kept, k->size, sizeof(*k->kept));
	}
	k->kept[k->n_kept++] = (struct foreign_kept){ base, keywords, age };
}

static bool
list_line(struct span line, unsigned n_names, struct span *base,
    uint64_t *keywords)
{
	ptrdiff_t colon = span_chr(line, ':');
	struct span rest, word;
	uint32_t i;

	if (colon <= 0)
		return false;
	*base = span_sub(line, 0, (size_t)colon);
	rest = span_sub(line, (size_t)colon + 1, line.n);
	*keywords = 0;
	while (span_word(&rest, &word)) {
		if (!span_u32(word, 0, UINT32_MAX, &i))
			return false;
		if (i < n_names)
			*keywords |= UINT64_C(1) << i;
	}
	return true;
}

void
foreign_list_parse(struct span text, struct foreign_keywords *k)
{
	struct span line, base;
	uint64_t keywords;

	memset(k, 0, sizeof(*k));
	while (line_take(&text, &line) && line.n > 0) {
		if (k->n < FOREIGN_KEYWORDS)
			k->name[k->n++] = line;
		else
			k->bad++;
	}
	while (line_take(&text, &line)) {
		if (list_line(line, k->n, &base, &keywords))
			kept_add(k, base, keywords, 0);
		else
			k->bad++;
	}
}

static int
name_index(struct foreign_keywords *k, struct span name)
{
	unsigned i;

	for (i = 0; i < k->n; i++)
		if (span_ieq(k->name[i], name))
			return (int)i;
	if (k->n == FOREIGN_KEYWORDS)
		return -1;
	k->name[k->n] = name;
	return (int)k->n++;
}

void
foreign_update_parse(struct span text, struct span base, uint64_t age,
    struct foreign_keywords *k)
{
	uint64_t keywords = 0;
	struct span line;
	int i;

	while (line_take(&text, &line) && line.n > 0) {
		i = name_index(k, line);
		if (i >= 0)
			keywords |= UINT64_C(1) << i;
		else
			k->bad++;
	}
	kept_add(k, base, keywords, age);
}

bool
foreign_update_name(struct span name, struct span *base, uint64_t *age)
{
	struct span rest, number;

	if (name.n == 0 || name.p[0] == ':')
		return false;
	*base = name;
	*age = UINT64_MAX;
	if (name.p[0] != '.')
		return true;
	rest = span_sub(name, 1, name.n);
	if (!span_split(&rest, '.', &number) || rest.n == 0 ||
	    !span_u64(number, 1, UINT64_MAX - 1, age))
		return false;
	*base = rest;
	return true;
}

static int
kept_cmp(const void *a, const void *b)
{
	const struct foreign_kept *x = a, *y = b;
	int c = span_cmp(x->base, y->base);

	return c != 0 ? c : (x->age < y->age) - (x->age > y->age);
}

void
foreign_keywords_sort(struct foreign_keywords *k)
{
	size_t i, n = 0;

	if (k->n_kept == 0)
		return;
	qsort(k->kept, k->n_kept, sizeof(*k->kept), kept_cmp);
	for (i = 0; i < k->n_kept; i++)
		if (n == 0 || !span_eq(k->kept[i].base, k->kept[n - 1].base))
			k->kept[n++] = k->kept[i];
	k->n_kept = n;
}

static int
kept_find_cmp(const void *base, const void *e)
{
	return span_cmp(*(const struct span *)base,
	    ((const struct foreign_kept *)e)->base);
}

uint64_t
foreign_keywords_find(const struct foreign_keywords *k, struct span base)
{
	const struct foreign_kept *found = k->n_kept == 0 ? NULL :
	    bsearch(&base, k->kept, k->n_kept, sizeof(*k->kept),
	    kept_find_cmp);

	return found == NULL ? 0 : found->keywords;
}

void
foreign_keywords_fini(struct foreign_keywords *k)
{
	free(k->kept);
	memset(k, 0, sizeof(*k));
}

/* --- subscriptions, quota --------------------------------------------------------- */

/* Levels come with `sep` between them. */
static void
subscription_add(struct span wire, char sep, const struct name_list *exists,
    struct name_list *out)
{
	char disk[FOLDER_NAME_MAX + 2], *p;

	if (wire.n == 0 || wire.n > FOLDER_NAME_MAX - 1 ||
	    memchr(wire.p, '\0', wire.n) != NULL)
		return;
	disk[0] = '.';
	memcpy(disk + 1, wire.p, wire.n);
	disk[wire.n + 1] = '\0';
	for (p = disk + 1; sep != '.' && *p != '\0'; p++)
		if (*p == sep)
			*p = '.';
	p = disk[1] == '.' ? disk + 1 : disk;	/* ours begins with a dot */
	if (!name_list_has(exists, p)) {
		if (span_is(span_str(p), ".INBOX"))
			p += sizeof(".INBOX") - 1;
		else if (span_starts(span_str(p), ".INBOX."))
			p += sizeof(".INBOX") - 1;
	}
	if (folder_name_valid(span_str(p)) && !name_list_has(out, p))
		name_list_add(out, span_str(p));
}

void
foreign_subscriptions_parse(struct span text, const struct name_list *exists,
    struct name_list *out)
{
	struct span line;
	char sep = '.';

	while (line_take(&text, &line)) {
		if (span_is(line, "V\t2"))
			sep = '\t';
		else
			subscription_add(line, sep, exists, out);
	}
}

bool
foreign_quota_parse(struct span text, uint64_t *bytes, uint64_t *messages)
{
	struct span line, word;
	uint64_t n;
	char kind;

	*bytes = *messages = 0;
	if (!line_take(&text, &line))
		return false;
	while (span_split(&line, ',', &word)) {
		word = span_trim(word);
		if (word.n == 0)
			continue;
		kind = word.p[word.n - 1];
		if (!span_u64(span_sub(word, 0, word.n - 1), 0, INT64_MAX, &n))
			return false;
		if (kind == 'S')
			*bytes = n;
		else if (kind == 'C')
			*messages = n;
		else
			return false;
	}
	return true;
}
