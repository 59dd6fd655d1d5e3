#include "base/clock.h"

#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/span.h"

uint64_t
clock_mono_us(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000;
}

uint64_t
clock_mono_ms(void)
{
	return clock_mono_us() / 1000;
}

int64_t
clock_wall_us(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_REALTIME, &ts);
	return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

static uint8_t boot_id[16];
static pthread_once_t boot_once = PTHREAD_ONCE_INIT;

static int
hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return -1;
}

static void
boot_read(void)
{
	char text[64];
	ssize_t n, i;
	size_t nibble = 0;
	int fd, v;

	fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
	if (fd == -1)
		return;		/* all zero: every start counts as same boot */
	n = read(fd, text, sizeof(text));
	(void)close(fd);
	for (i = 0; i < n && nibble < 32; i++) {
		if ((v = hex_value(text[i])) < 0)
			continue;
		boot_id[nibble / 2] |=
		    (uint8_t)(nibble % 2 == 0 ? v << 4 : v);
		nibble++;
	}
}

void
clock_boot_id(uint8_t id[16])
{
	(void)pthread_once(&boot_once, boot_read);
	memcpy(id, boot_id, sizeof(boot_id));
}
