/*
 * imapd gives mail to readers: see README.md. Here only what posternd needs
 * to run it.
 */
#include "imapd/server.h"

static void *
imapd_init(const struct service_env *env, struct err *err)
{
	return server_new(env, err);
}

static const struct service imapd_service = {
	.name = "imapd",
	.init = imapd_init,
	.peer = server_peer,
	.listener = server_listener,
	.reload = server_reload,
	.stop = server_stop,
	.file = server_file,
	.status = server_status,
};

int
main(int argc, char **argv)
{
	return service_main(&imapd_service, argc, argv);
}
