/*
 * Runs a fuzz target without libFuzzer: every file of its corpus, then for
 * each a fixed number of mutations (cut short, bits flipped, bytes replaced,
 * a piece of another file spliced in) from a generator seeded by the file's
 * bytes, so that `make check` tries the same inputs every time everywhere.
 *
 *	fuzz_NAME [FILE|DIRECTORY ...]
 *
 * Without arguments the corpus is $top_srcdir/tests/fuzz/corpus/NAME; it must
 * hold at least one file. FUZZ_MUTATIONS sets the number per file. When the
 * target dies, the input is left in fuzz_NAME.crash in the current directory.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/fuzz/fuzz.h"

#define FILES_MAX	4096
#define FILE_BYTES_MAX	((size_t)4 * 1024 * 1024)
/* Mutants are this long at most, and get fewer where files are long: the
 * whole run stays within seconds. */
#define MUTANT_MAX	((size_t)64 * 1024)
#define MUTATIONS	300
#define BYTES_PER_FILE	((size_t)4 * 1024 * 1024)
#define HANG_SECONDS	30

struct input {
	char *path;
	uint8_t *data;
	size_t size;
};

static struct input inputs[FILES_MAX];
static size_t n_inputs;
static uint64_t state;		/* of the generator */

/* For the signal handler: what runs now. */
static const uint8_t *now_data;
static size_t now_size;
static char crash_path[256];

static void
die(const char *what, const char *path)
{
	fprintf(stderr, "%s: %s: %s\n", path, what, strerror(errno));
	exit(99);		/* an error of the test, not a verdict */
}

static void
on_signal(int signo)
{
	static const char hint[] = "died; its input is in ";
	static const char hang[] = "hangs; its input is in ";
	ssize_t ignore;
	int fd;

	fd = open(crash_path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
	if (fd >= 0)
		ignore = write(fd, now_data, now_size);
	if (signo == SIGALRM)
		ignore = write(2, hang, sizeof(hang) - 1);
	else
		ignore = write(2, hint, sizeof(hint) - 1);
	ignore = write(2, crash_path, strlen(crash_path));
	ignore = write(2, "\n", 1);
	(void)ignore;
	signal(signo, SIG_DFL);
	raise(signo);
}

static void
run_one(const uint8_t *data, size_t size)
{
	uint8_t *exact;

	/* A copy of its own: over-reads are seen, and writes fail loudly. */
	exact = malloc(size + (size == 0));
	if (exact == NULL)
		die("malloc", "input");
	if (size > 0)
		memcpy(exact, data, size);
	now_data = exact;
	now_size = size;
	alarm(HANG_SECONDS);
	if (LLVMFuzzerTestOneInput(exact, size) != 0) {
		fprintf(stderr, "the target did not return 0\n");
		abort();
	}
	if (size > 0 && memcmp(exact, data, size) != 0) {
		fprintf(stderr, "the target wrote to its input\n");
		abort();
	}
	free(exact);
}

static uint64_t
draw(void)
{
	uint64_t z;

	state += 0x9e3779b97f4a7c15u;
	z = state;
	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return z ^ (z >> 31);
}

static size_t
below(size_t n)
{
	return n == 0 ? 0 : (size_t)(draw() % n);
}

static void
seed(const struct input *in)
{
	size_t i;

	state = 0xcbf29ce484222325u;
	for (i = 0; i < in->size; i++)
		state = (state ^ in->data[i]) * 0x100000001b3u;
}

static size_t
mutate_cut(uint8_t *m, size_t n)
{
	return below(n);
}

static size_t
mutate_flip(uint8_t *m, size_t n)
{
	size_t i, times = 1 + below(4);

	for (i = 0; n > 0 && i < times; i++)
		m[below(n)] ^= (uint8_t)(1u << below(8));
	return n;
}

static size_t
mutate_byte(uint8_t *m, size_t n)
{
	static const uint8_t odd[] = { 0, 0xff, 0x7f, 0x80, '\r', '\n', ' ',
	    '\t', '"', '\\', '<', '>', '(', ')', '@', ':', '=', '{', '}' };

	if (n > 0)
		m[below(n)] = odd[below(sizeof(odd))];
	return n;
}

static size_t
mutate_remove(uint8_t *m, size_t n)
{
	size_t at = below(n), len = 1 + below(8);

	if (n == 0)
		return 0;
	if (len > n - at)
		len = n - at;
	memmove(m + at, m + at + len, n - at - len);
	return n - len;
}

static size_t
mutate_repeat(uint8_t *m, size_t n)
{
	size_t at = below(n), len = 1 + below(64);

	if (n == 0)
		return 0;
	if (len > n - at)
		len = n - at;
	if (n + len > MUTANT_MAX)
		return n;
	memmove(m + at + len, m + at, n - at);
	return n + len;
}

static size_t
mutate_splice(uint8_t *m, size_t n)
{
	const struct input *other = &inputs[below(n_inputs)];
	size_t at = below(n + 1), from = below(other->size);
	size_t len = other->size - from;

	if (len > MUTANT_MAX - at)
		len = MUTANT_MAX - at;
	if (len > 0)
		memcpy(m + at, other->data + from, len);
	return at + len;
}

static size_t (*const mutators[])(uint8_t *, size_t) = {
	mutate_cut, mutate_flip, mutate_byte, mutate_remove, mutate_repeat,
	mutate_splice
};

static void
run_mutants(const struct input *in, size_t count)
{
	static uint8_t m[MUTANT_MAX];
	size_t i, k, n, times;

	seed(in);
	for (i = 0; i < count; i++) {
		n = in->size < MUTANT_MAX ? in->size : MUTANT_MAX;
		if (n > 0)
			memcpy(m, in->data, n);
		times = 1 + below(3);
		for (k = 0; k < times; k++)
			n = mutators[below(sizeof(mutators) /
			    sizeof(mutators[0]))](m, n);
		run_one(m, n);
	}
}

static void
load_file(const char *path)
{
	struct input *in;
	struct stat st;
	size_t got = 0;
	ssize_t n;
	int fd;

	if (n_inputs == FILES_MAX)
		die("too many files", path);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) != 0)
		die("open", path);
	if (!S_ISREG(st.st_mode) || (size_t)st.st_size > FILE_BYTES_MAX) {
		errno = EFBIG;
		die("not a small file", path);
	}
	in = &inputs[n_inputs++];
	in->path = strdup(path);
	in->data = malloc((size_t)st.st_size + 1);
	if (in->path == NULL || in->data == NULL)
		die("malloc", path);
	while (got < (size_t)st.st_size &&
	    (n = read(fd, in->data + got, (size_t)st.st_size - got)) > 0)
		got += (size_t)n;
	in->size = got;
	close(fd);
}

static int
by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static int
visible(const struct dirent *d)
{
	return d->d_name[0] != '.';
}

static void
load_path(const char *path)
{
	struct dirent **names;
	struct stat st;
	char sub[4096];
	int i, n;

	if (stat(path, &st) != 0)
		die("stat", path);
	if (!S_ISDIR(st.st_mode)) {
		load_file(path);
		return;
	}
	n = scandir(path, &names, visible, by_name);
	if (n < 0)
		die("scandir", path);
	for (i = 0; i < n; i++) {
		snprintf(sub, sizeof(sub), "%s/%s", path, names[i]->d_name);
		load_file(sub);
		free(names[i]);
	}
	free(names);
}

static void
load_corpus(const char *name)
{
	const char *top = getenv("top_srcdir");
	char path[4096];

	if (strncmp(name, "fuzz_", 5) == 0)
		name += 5;
	snprintf(path, sizeof(path), "%s/tests/fuzz/corpus/%s",
	    top == NULL ? "." : top, name);
	load_path(path);
}

static void
catch_signals(const char *name)
{
	static const int signals[] = { SIGABRT, SIGSEGV, SIGBUS, SIGFPE,
	    SIGILL, SIGALRM };
	size_t i;

	snprintf(crash_path, sizeof(crash_path), "%s.crash", name);
	for (i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
		signal(signals[i], on_signal);
}

int
main(int argc, char **argv)
{
	const char *name, *env = getenv("FUZZ_MUTATIONS");
	size_t i, per_file, want = MUTATIONS, total = 0;
	int a;

	name = strrchr(argv[0], '/') == NULL ? argv[0] :
	    strrchr(argv[0], '/') + 1;
	if (env != NULL)
		want = strtoul(env, NULL, 10);
	for (a = 1; a < argc; a++)
		load_path(argv[a]);
	if (argc == 1)
		load_corpus(name);
	if (n_inputs == 0) {
		fprintf(stderr, "%s: an empty corpus\n", name);
		return 99;
	}
	catch_signals(name);
	for (i = 0; i < n_inputs; i++)
		run_one(inputs[i].data, inputs[i].size);
	for (i = 0; i < n_inputs; i++) {
		per_file = BYTES_PER_FILE / (inputs[i].size + 1);
		if (per_file > want)
			per_file = want;
		run_mutants(&inputs[i], per_file);
		total += per_file;
	}
	printf("%s: %zu files, %zu mutants\n", name, n_inputs, total);
	for (i = 0; i < n_inputs; i++) {
		free(inputs[i].path);
		free(inputs[i].data);
	}
	return 0;
}
