#include "admin/place.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/xmalloc.h"

/* The directory this program was started from. */
static char *
own_dir(void)
{
	char path[4096], *slash;
	ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 1);

	if (n <= 0)
		return NULL;
	path[n] = '\0';
	slash = strrchr(path, '/');
	if (slash == NULL || slash == path)
		return NULL;
	*slash = '\0';
	return xstrdup(path);
}

/* The top of the build tree if we run from it, or NULL. */
static char *
build_top(void)
{
	char *dir = own_dir(), *status, *top = NULL;
	struct span s = span_str(dir);

	if (span_ends(s, "/admin")) {
		dir[s.n - 6] = '\0';
		status = xasprintf("%s/config.status", dir);
		if (access(status, F_OK) == 0)
			top = xstrdup(dir);
		free(status);
	}
	free(dir);
	return top;
}

char *
place_program(const struct role *role)
{
	const char *env = getenv("POSTERN_LIBEXEC");
	char *top, *path;

	if (env != NULL && *env != '\0')
		return xasprintf("%s/%s", env, role->program);
	top = build_top();
	path = top == NULL ? xasprintf("%s/%s", PS_LIBEXECDIR,
	    role->program) : xasprintf("%s/%s/%s", top, role->build_dir,
	    role->program);
	free(top);
	return path;
}

char *
place_sql(void)
{
	const char *env = getenv("POSTERN_SQL_DIR");
	char *top = build_top(), *path;

	if (env != NULL && *env != '\0')
		path = xstrdup(env);
	else if (top != NULL)
		path = xstrdup(PS_SOURCE_SQL);
	else
		path = xstrdup(PS_DATADIR "/sql");
	free(top);
	return path;
}

char *
place_sibling(const char *name)
{
	static const char *const dirs[] = { "", "/../sbin", "/../bin" };
	char *dir = own_dir(), *path = NULL;
	size_t i;

	for (i = 0; dir != NULL && i < ARRAY_LEN(dirs); i++) {
		path = xasprintf("%s%s/%s", dir, dirs[i], name);
		if (access(path, X_OK) == 0)
			break;
		free(path);
		path = NULL;
	}
	free(dir);
	return path == NULL ? xstrdup(name) : path;
}
