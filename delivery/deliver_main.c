#include "delivery/deliver.h"

int
main(int argc, char **argv)
{
	return service_main(&deliver_service, argc, argv);
}
