#include "authd/authd.h"

int
main(int argc, char **argv)
{
	return service_main(&authd_service, argc, argv);
}
