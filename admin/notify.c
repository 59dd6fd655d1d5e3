#include "admin/notify.h"

#include <stddef.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/span.h"

/* Best effort: a service manager that does not listen is no reason to stop
 * serving mail. */
static void
notify_send(const char *text)
{
	const char *path = getenv("NOTIFY_SOCKET");
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	socklen_t len;
	size_t n;
	int fd;

	if (path == NULL || (path[0] != '/' && path[0] != '@'))
		return;
	n = strlen(path);
	if (n >= sizeof(sun.sun_path))
		return;
	memcpy(sun.sun_path, path, n);
	if (path[0] == '@')
		sun.sun_path[0] = '\0';
	len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n);
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd == -1)
		return;
	if (sendto(fd, text, strlen(text), MSG_NOSIGNAL,
	    (struct sockaddr *)&sun, len) == -1)
		(void)0;
	close(fd);
}

void
notify_ready(void)
{
	notify_send("READY=1\nSTATUS=serving mail");
}

void
notify_reloading(void)
{
	char text[96];

	snprintf(text, sizeof(text), "RELOADING=1\nMONOTONIC_USEC=%" PRIu64,
	    clock_mono_us());
	notify_send(text);
}

void
notify_stopping(void)
{
	notify_send("STOPPING=1\nSTATUS=finishing what runs");
}

void
notify_watchdog(void)
{
	notify_send("WATCHDOG=1");
}

/* sd_watchdog_enabled(3): the pid tells whether the variables are meant for
 * us or were inherited from somebody who is watched. */
uint64_t
notify_watchdog_ms(void)
{
	const char *usec = getenv("WATCHDOG_USEC");
	const char *pid = getenv("WATCHDOG_PID");
	uint64_t us, who;

	if (usec == NULL || !span_u64(span_str(usec), 1, UINT64_MAX, &us))
		return 0;
	if (pid != NULL && (!span_u64(span_str(pid), 1, INT32_MAX, &who) ||
	    who != (uint64_t)getpid()))
		return 0;
	return us < 2000 ? 1 : us / 2000;
}
