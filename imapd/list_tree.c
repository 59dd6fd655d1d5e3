#include "imapd/list_tree.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/conf.h"
#include "base/xmalloc.h"
#include "store/folders.h"

#define BELOW_INBOX	".INBOX."

/* The level above on disk; "" is INBOX, which has ".INBOX.x" below it. */
static bool
parent_name(const char *name, char out[FOLDER_NAME_MAX + 1])
{
	if (folder_name_parent(name, out))
		return true;
	out[0] = '\0';
	return span_starts(span_str(name), BELOW_INBOX);
}

static void
add_with_parents(struct name_list *all, const struct name_list *some)
{
	char above[FOLDER_NAME_MAX + 1], last[FOLDER_NAME_MAX + 1] = "";
	char next[FOLDER_NAME_MAX + 1];
	size_t i;

	for (i = 0; i < some->n; i++) {
		name_list_add(all, span_str(some->name[i]));
		/* brothers stand side by side: their parents once */
		if (!parent_name(some->name[i], above) || above[0] == '\0' ||
		    strcmp(above, last) == 0)
			continue;
		memcpy(last, above, sizeof(last));
		name_list_add(all, span_str(above));
		while (parent_name(above, next) && next[0] != '\0') {
			name_list_add(all, span_str(next));
			memcpy(above, next, sizeof(above));
		}
	}
}

static void
unique(struct name_list *l)
{
	size_t i, n = 0;

	for (i = 0; i < l->n; i++) {
		if (n > 0 && strcmp(l->name[i], l->name[n - 1]) == 0)
			continue;
		if (n != i)
			memcpy(l->name[n], l->name[i], sizeof(l->name[n]));
		n++;
	}
	l->n = n;
}

static int
entry_cmp(const void *key, const void *entry)
{
	const struct list_entry *e = entry;

	return strcmp(key, e->name);
}

struct list_entry *
list_tree_find(struct list_tree *t, const char *name)
{
	if (t->n == 0)
		return NULL;
	return bsearch(name, t->entry, t->n, sizeof(*t->entry), entry_cmp);
}

struct list_entry *
list_tree_parent(struct list_tree *t, const struct list_entry *e)
{
	char above[FOLDER_NAME_MAX + 1];

	return parent_name(e->name, above) ? list_tree_find(t, above) : NULL;
}

static void
mark_folders(struct list_tree *t, const struct name_list *folders)
{
	struct list_entry *e, *up;
	size_t i;

	for (i = 0; i < folders->n; i++) {
		e = list_tree_find(t, folders->name[i]);
		e->exists = true;
		up = list_tree_parent(t, e);
		while (up != NULL && !up->children) {
			up->children = true;
			up = list_tree_parent(t, up);
		}
	}
}

/* --- special uses ------------------------------------------------------- */

/* "Sent=Sent": the folder, if it exists, has the use if nobody has it. */
static void
default_use(struct list_tree *t, struct span word, char sep, unsigned *taken)
{
	char use[32], disk[FOLDER_NAME_MAX + 1];
	struct list_entry *e;
	enum special_use i;
	struct span name;

	if (!span_split(&word, '=', &name) || word.p == NULL ||
	    snprintf(use, sizeof(use), "\\%.*s", SPAN_ARG(name)) >=
	    (int)sizeof(use) || !special_use_find(span_str(use), &i) ||
	    (*taken >> i & 1) || !folder_name_to_disk(word, sep, disk))
		return;
	e = list_tree_find(t, disk);
	if (e == NULL || !e->exists)
		return;
	e->uses |= 1u << i;
	*taken |= 1u << i;
}

static int
mark_uses(struct list_tree *t, struct account *a, const char *words,
    char sep, struct err *err)
{
	struct span rest = span_str(words), word;
	struct specials s;
	struct list_entry *e;
	unsigned taken = 0;
	int i, rc;

	rc = account_specials(a, &s, err);
	if (rc < 0)
		return rc;
	for (i = 0; i < SPECIAL_USES; i++) {
		e = s.folder[i][0] == '\0' ? NULL :
		    list_tree_find(t, s.folder[i]);
		if (e == NULL || !e->exists)
			continue;
		e->uses |= 1u << i;
		taken |= 1u << i;
	}
	while (conf_list_next(&rest, &word))
		default_use(t, word, sep, &taken);
	return 0;
}

/* --- the tree ----------------------------------------------------------- */

static int
build(struct list_tree *t, struct account *a, const struct name_list *folders,
    const struct name_list *subscribed, const char *words, char sep,
    struct err *err)
{
	size_t i;

	add_with_parents(&t->names, folders);
	add_with_parents(&t->names, subscribed);
	name_list_sort(&t->names);
	unique(&t->names);
	t->n = t->names.n;
	t->entry = xcalloc(t->n + 1, sizeof(*t->entry));
	for (i = 0; i < t->n; i++)
		t->entry[i].name = t->names.name[i];
	mark_folders(t, folders);
	for (i = 0; i < subscribed->n; i++)
		list_tree_find(t, subscribed->name[i])->subscribed = true;
	return mark_uses(t, a, words, sep, err);
}

int
list_tree_read(struct list_tree *t, struct account *a, const char *words,
    char sep, struct err *err)
{
	struct name_list folders, subscribed = { .n = 0 };
	int rc;

	memset(t, 0, sizeof(*t));
	rc = account_folders(a, &folders, err);
	if (rc == 0)
		rc = account_subscriptions(a, &subscribed, err);
	if (rc == 0)
		rc = build(t, a, &folders, &subscribed, words, sep, err);
	name_list_fini(&folders);
	name_list_fini(&subscribed);
	return rc;
}

void
list_tree_fini(struct list_tree *t)
{
	name_list_fini(&t->names);
	free(t->entry);
	memset(t, 0, sizeof(*t));
}

void
list_tree_spread(struct list_tree *t)
{
	struct list_entry *e, *up;
	bool unmatched;
	size_t i;

	for (i = 0; i < t->n; i++) {
		e = &t->entry[i];
		if (!e->selected)
			continue;
		unmatched = !e->match;
		for (up = list_tree_parent(t, e); up != NULL &&
		    (!up->below || (unmatched && !up->below_unmatched));
		    up = list_tree_parent(t, up)) {
			up->below = true;
			up->below_unmatched |= unmatched;
			/* the nearest one that matches stands for it */
			unmatched = unmatched && !up->match;
		}
	}
}
