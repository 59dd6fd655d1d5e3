#include "base/conf.h"

/* Text for mdoc: a leading dot or quote would be taken for a macro. */
static void
man_text(struct buf *out, const char *s)
{
	const char *from = s;

	if (*s == '.' || *s == '\'')
		buf_str(out, "\\&");
	for (; *s != '\0'; s++) {
		if (*s == '\\')
			buf_str(out, "\\e");
		else if (*s == ' ' && s - from > 3 && s[-1] == '.' &&
		    s[1] >= 'A' && s[1] <= 'Z')
			buf_char(out, '\n');	/* a sentence, a line */
		else
			buf_char(out, *s);
	}
}

void
conf_print_man(struct buf *out)
{
	size_t n, i;
	const struct conf_param *p = conf_params(&n);

	buf_str(out, ".Bl -tag -width Ds\n");
	for (i = 0; i < n; i++) {
		buf_fmt(out, ".It Ic %s\n", p[i].name);
		man_text(out, p[i].help);
		buf_str(out, "\n.br\nDefault: ");
		if (p[i].def[0] == '\0')
			buf_str(out, "empty");
		else
			man_text(out, p[i].def);
		if (p[i].range[0] != '\0') {
			buf_str(out, "; range: ");
			man_text(out, p[i].range);
		}
		buf_fmt(out, ".%s\n", p[i].reloadable ? "" :
		    "\nNeeds a restart.");
	}
	buf_str(out, ".El\n");
}
