#include "base/log.h"

#include <sys/wait.h>
#include <fcntl.h>
#include <regex.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static char tapped[4096];
static enum log_level tapped_level;

static void
tap(enum log_level level, const char *line, void *arg)
{
	tapped_level = level;
	snprintf(tapped, sizeof(tapped), "%s", line);
}

static int
start_tap(void **state)
{
	log_tap(tap, NULL);
	tapped[0] = '\0';
	return 0;
}

static int
stop_tap(void **state)
{
	log_tap(NULL, NULL);
	log_level_set(LOG_L_INFO);
	return 0;
}

static const struct {
	const char *in, *out;
} cleaned[] = {
	{ "3kF9: client=mx.example[192.0.2.7]",
	    "3kF9: client=mx.example[192.0.2.7]" },
	{ "a\r\nNov 20 10:00:00 host forged[1]: x",
	    "a??Nov 20 10:00:00 host forged[1]: x" },
	{ "bell\a tab\t esc\x1b[31m del\x7f", "bell? tab? esc?[31m del?" },
	{ "gr\xc3\xbc\xc3\x9f", "gr\xc3\xbc\xc3\x9f" },
	{ "latin1 \xfc and \xc3\xbc", "latin1 ? and ??" },
	{ "c1 \xc2\x9b" "31m", "c1 ??31m" },
	{ "overlong \xc0\x8a", "overlong ??" },
	{ "percent %s %n %d", "percent %s %n %d" }
};

static void
nothing_outside_can_break_a_line(void **state)
{
	size_t i;

	for (i = 0; i < ARRAY_LEN(cleaned); i++) {
		log_info("%s", cleaned[i].in);
		assert_string_equal(tapped, cleaned[i].out);
	}
}

static void
a_long_line_is_cut(void **state)
{
	char *text = malloc(100000);

	memset(text, 'x', 99999);
	text[99999] = '\0';
	log_info("%s", text);
	assert_in_range(strlen(tapped), 500, 4000);
	free(text);
}

static void
a_cut_does_not_spoil_the_utf8_before_it(void **state)
{
	char *text = malloc(10002);
	size_t i, shift;

	for (shift = 0; shift < 2; shift++) {
		memset(text, 'a', shift);
		for (i = shift; i + 1 < 10001; i += 2)
			memcpy(text + i, "\xc3\xbc", 2);
		text[i] = '\0';
		log_info("%s", text);
		assert_memory_equal(tapped + shift, "\xc3\xbc\xc3\xbc", 4);
	}
	free(text);
}

static void
levels_filter_and_say_what_they_are(void **state)
{
	log_debug("d");
	assert_string_equal(tapped, "");
	log_warning("w");
	assert_string_equal(tapped, "warning: w");
	log_error("e");
	assert_string_equal(tapped, "error: e");
	assert_int_equal(tapped_level, LOG_L_ERROR);
	log_level_set(LOG_L_WARNING);
	assert_false(log_wants(LOG_L_INFO));
	log_info("i");
	assert_string_equal(tapped, "error: e");
	log_level_set(LOG_L_DEBUG);
	log_debug("d%d", 1);
	assert_string_equal(tapped, "d1");
}

static void
match(const char *line, const char *pattern)
{
	regex_t re;

	assert_int_equal(regcomp(&re, pattern, REG_EXTENDED | REG_NOSUB), 0);
	if (regexec(&re, line, 0, NULL, 0) != 0)
		fail_msg("\"%s\" does not match %s", line, pattern);
	regfree(&re);
}

static ssize_t
read_file(int fd, char *text, size_t size)
{
	ssize_t n = pread(fd, text, size - 1, 0);

	text[n < 0 ? 0 : n] = '\0';
	return n;
}

static void
lines_in_a_file_look_like_postfix_lines(void **state)
{
	char name[] = "t_log.XXXXXX", text[4096];
	int fd = mkstemp(name);

	assert_true(fd >= 0);
	unlink(name);
	log_open_fd("postern", "smtpd", fd);
	log_info("%s: client=%s[%s]", "3kF9tQ01", "mx.example", "192.0.2.7");
	assert_int_equal(read_file(fd, text, sizeof(text)), 0);
	log_flush();
	assert_int_not_equal(read_file(fd, text, sizeof(text)), 0);
	match(text, "^[A-Z][a-z]{2} [ 1-3][0-9] [0-9]{2}:[0-9]{2}:[0-9]{2}"
	    " [^ .]+ postern/smtpd\\[[0-9]+\\]: "
	    "3kF9tQ01: client=mx\\.example\\[192\\.0\\.2\\.7\\]\n$");
	/* A warning does not wait, and takes what waited with it. */
	log_info("before");
	log_warning("now");
	read_file(fd, text, sizeof(text));
	assert_non_null(strstr(text, ": before\n"));
	assert_non_null(strstr(text, ": warning: now\n"));
	log_open_stderr("postern", "");
	close(fd);
}

static void
fatal_ends_the_process_as_temporary(void **state)
{
	char name[] = "t_log.XXXXXX", text[4096];
	int status, fd = mkstemp(name);
	pid_t pid;

	unlink(name);
	fflush(NULL);
	pid = fork();
	if (pid == 0) {
		log_open_fd("postern", "qmgr", fd);
		log_info("held");
		log_fatal("cannot go on: %s", "no disk");
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 75);
	read_file(fd, text, sizeof(text));
	assert_non_null(strstr(text, ": held\n"));
	assert_non_null(strstr(text, ": fatal: cannot go on: no disk\n"));
	close(fd);
}

#define T(fn)	cmocka_unit_test_setup_teardown(fn, start_tap, stop_tap)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(nothing_outside_can_break_a_line),
		T(a_long_line_is_cut),
		T(a_cut_does_not_spoil_the_utf8_before_it),
		T(levels_filter_and_say_what_they_are),
		cmocka_unit_test(lines_in_a_file_look_like_postfix_lines),
		cmocka_unit_test(fatal_ends_the_process_as_temporary),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
