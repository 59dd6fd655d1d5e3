#include "db/db.h"

#include "base/xmalloc.h"

struct db_config
db_config_of(const struct conf *conf, const char *role, const char *password)
{
	return (struct db_config){
		.url = conf->database,
		.role = role,
		.password = password == NULL ? "" : password,
		.search_path = conf->database_search_path,
		.application = conf->syslog_name,
	};
}

char *
db_password_find(struct span file, const char *role)
{
	struct span line, name;
	ptrdiff_t colon;

	while (span_split(&file, '\n', &line)) {
		if (line.n > 0 && line.p[line.n - 1] == '\r')
			line.n--;
		colon = span_chr(line, ':');
		if (line.n == 0 || line.p[0] == '#' || colon < 0)
			continue;
		name = span_sub(line, 0, (size_t)colon);
		if (span_eq(span_trim(name), span_str(role)))
			return xmemdup0(line.p + colon + 1,
			    line.n - (size_t)colon - 1);
	}
	return NULL;
}
