#include "store/special.h"

#include <stdio.h>

#include "base/disk.h"
#include "store/small.h"

static const char *const use_names[SPECIAL_USES] = {
	[SPECIAL_ARCHIVE] = "\\Archive",
	[SPECIAL_DRAFTS] = "\\Drafts",
	[SPECIAL_JUNK] = "\\Junk",
	[SPECIAL_SENT] = "\\Sent",
	[SPECIAL_TRASH] = "\\Trash",
};

const char *
special_use_name(enum special_use use)
{
	return use < SPECIAL_USES ? use_names[use] : NULL;
}

bool
special_use_find(struct span name, enum special_use *use)
{
	int i;

	for (i = 0; i < SPECIAL_USES; i++)
		if (span_is(name, use_names[i])) {
			*use = (enum special_use)i;
			return true;
		}
	return false;
}

/* A line that makes no sense is one use nobody has: clients see it and can
 * set it again. */
static void
line_read(struct specials *s, struct span line)
{
	struct span word;
	enum special_use use;

	line = span_trim(line);
	if (!span_split(&line, ' ', &word) || line.p == NULL ||
	    line.n == 0 || !folder_name_valid(line) ||
	    !special_use_find(word, &use))
		return;
	memcpy(s->folder[use], line.p, line.n);
	s->folder[use][line.n] = '\0';
}

int
account_specials(struct account *a, struct specials *out, struct err *err)
{
	struct span rest, line;
	struct buf text;
	int rc;

	memset(out, 0, sizeof(*out));
	rc = small_read(account_dirfd(a), STORE_SPECIAL, &text, err);
	rest = buf_span(&text);
	while (rc == 0 && rest.n > 0 && span_split(&rest, '\n', &line))
		line_read(out, line);
	buf_fini(&text);
	return rc;
}

static int
specials_write(struct account *a, const struct specials *s, struct err *err)
{
	struct buf text;
	int i, rc;

	buf_init(&text, SMALL_MAX);
	for (i = 0; i < SPECIAL_USES; i++)
		if (s->folder[i][0] != '\0')
			buf_fmt(&text, "%s %s\n", use_names[i],
			    s->folder[i]);
	rc = small_replace(account_dirfd(a), STORE_SPECIAL, &text, err);
	buf_fini(&text);
	return rc;
}

static int
set_locked(struct account *a, const char *name, unsigned uses,
    struct err *err)
{
	struct specials s;
	int i, rc;

	rc = account_specials(a, &s, err);
	if (rc < 0)
		return rc;
	for (i = 0; i < SPECIAL_USES; i++) {
		if (!(uses >> i & 1))
			continue;
		if (s.folder[i][0] != '\0' && strcmp(s.folder[i], name) != 0
		    && account_folder_exists(a, s.folder[i]))
			return err_set(err, ERR_PERM, PS_EEXIST,
			    "another folder is %s", use_names[i]);
		(void)snprintf(s.folder[i], sizeof(s.folder[i]), "%s", name);
	}
	return specials_write(a, &s, err);
}

int
account_special_set(struct account *a, const char *name, unsigned uses,
    struct err *err)
{
	int lock, rc;

	rc = small_lock(account_dirfd(a), &lock, err);
	if (rc < 0)
		return rc;
	rc = set_locked(a, name, uses, err);
	(void)disk_close(lock);
	return rc;
}

/* Says whether the line of one use changed. */
static bool
move_one(char folder[FOLDER_NAME_MAX + 1], const char *from, const char *to)
{
	char next[2 * FOLDER_NAME_MAX + 2] = "";
	size_t n = strlen(from);
	int len;

	if (strncmp(folder, from, n) != 0 || (folder[n] != '\0' &&
	    (folder[n] != '.' || to == NULL)))
		return false;
	len = to == NULL ? 0 :
	    snprintf(next, sizeof(next), "%s%s", to, folder + n);
	if (len > FOLDER_NAME_MAX)
		len = 0;
	memcpy(folder, next, (size_t)len);
	folder[len] = '\0';
	return true;
}

int
account_special_moved(struct account *a, const char *from, const char *to,
    struct err *err)
{
	struct specials s;
	bool changed = false;
	int lock, i, rc;

	rc = account_specials(a, &s, err);
	for (i = 0; i < SPECIAL_USES; i++)
		changed |= move_one(s.folder[i], from, to);
	if (rc < 0 || !changed)
		return rc;
	rc = small_lock(account_dirfd(a), &lock, err);
	if (rc < 0)
		return rc;
	/* again, now that nobody else writes */
	rc = account_specials(a, &s, err);
	for (i = 0; i < SPECIAL_USES; i++)
		(void)move_one(s.folder[i], from, to);
	if (rc == 0)
		rc = specials_write(a, &s, err);
	(void)disk_close(lock);
	return rc;
}
