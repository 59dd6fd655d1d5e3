#include "admin/password.h"

#include <errno.h>
#include <fcntl.h>
#include <termios.h>
#include <unistd.h>

#include "admin/out.h"
#include "base/proc.h"
#include "base/xmalloc.h"
#include "scheme/scheme.h"

#define GROUPS		4
#define GROUP_LETTERS	5

/* One line into p (n > 1), byte by byte so that nothing stays in a buffer
 * of stdio. False at the end of input or when it does not fit. */
static bool
line_read(int fd, char *p, size_t n)
{
	size_t at = 0;
	ssize_t got;
	char c;

	for (;;) {
		got = read(fd, &c, 1);
		if (got == -1 && errno == EINTR)
			continue;
		if (got != 1 || c == '\n')
			break;
		if (at + 1 == n)
			return false;
		p[at++] = c;
	}
	if (at > 0 && p[at - 1] == '\r')
		at--;
	p[at] = '\0';
	return at > 0 || got == 1;
}

static bool
terminal_read(int tty, const char *prompt, char *p, size_t n)
{
	struct termios old, quiet;
	bool ok;

	if (write(tty, prompt, strlen(prompt)) == -1 ||
	    tcgetattr(tty, &old) != 0)
		return false;
	quiet = old;
	quiet.c_lflag &= ~(tcflag_t)ECHO;
	if (tcsetattr(tty, TCSAFLUSH, &quiet) != 0)
		return false;
	ok = line_read(tty, p, n);
	tcsetattr(tty, TCSAFLUSH, &old);
	return write(tty, "\n", 1) == 1 && ok;
}

static bool
terminal_ask(char *p, char *again, size_t n)
{
	int tty = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);
	bool ok = false;

	if (tty == -1) {
		out_complain("postern: there is no terminal to ask for the "
		    "password; use --password-stdin\n");
		return false;
	}
	if (!terminal_read(tty, "New password: ", p, n) ||
	    !terminal_read(tty, "Once more: ", again, n))
		out_complain("postern: no password was read\n");
	else if (strcmp(p, again) != 0)
		out_complain("postern: the two differ\n");
	else
		ok = true;
	close(tty);
	return ok;
}

bool
password_make(const struct conf *conf, bool from_stdin, struct buf *stored)
{
	char p[SCHEME_PASSWORD_MAX + 2], again[SCHEME_PASSWORD_MAX + 2];
	struct err err = { 0 };
	bool ok;

	if (from_stdin) {
		ok = line_read(STDIN_FILENO, p, sizeof(p));
		if (!ok)
			out_complain("postern: no password on standard input, "
			    "or it is too long\n");
	} else {
		ok = terminal_ask(p, again, sizeof(p));
	}
	if (ok && scheme_make(NULL, span_str(p),
	    (unsigned)conf->scram_iterations, stored, &err) != 0) {
		out_complain("postern: %s\n", err.why);
		ok = false;
	}
	secure_wipe(p, sizeof(p));
	secure_wipe(again, sizeof(again));
	return ok;
}

bool
password_read(const char *prompt, struct buf *clear)
{
	char p[SCHEME_PASSWORD_MAX + 2];
	int tty = isatty(STDIN_FILENO) ? open("/dev/tty", O_RDWR | O_CLOEXEC |
	    O_NOCTTY) : -1;
	bool ok;

	if (tty != -1) {
		ok = terminal_read(tty, prompt, p, sizeof(p));
		close(tty);
	} else {
		ok = line_read(STDIN_FILENO, p, sizeof(p));
	}
	if (ok)
		buf_str(clear, p);
	else
		out_complain("postern: no password was read\n");
	secure_wipe(p, sizeof(p));
	return ok;
}

/* 100 bits, in letters that are not mistaken for one another. */
bool
password_generate(const struct conf *conf, struct buf *clear,
    struct buf *stored)
{
	static const char letters[32] = "abcdefghijkmnopqrstuvwxyz2345679";
	uint8_t random[GROUPS * GROUP_LETTERS];
	struct err err = { 0 };
	size_t i;

	proc_random(random, sizeof(random));
	for (i = 0; i < sizeof(random); i++) {
		if (i > 0 && i % GROUP_LETTERS == 0)
			buf_char(clear, '-');
		buf_char(clear, letters[random[i] % sizeof(letters)]);
	}
	secure_wipe(random, sizeof(random));
	if (scheme_make(NULL, buf_span(clear),
	    (unsigned)conf->scram_iterations, stored, &err) == 0)
		return true;
	out_complain("postern: %s\n", err.why);
	return false;
}
