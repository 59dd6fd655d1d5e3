#include "delivery/qmgr.h"

int
main(int argc, char **argv)
{
	return service_main(&qmgr_service, argc, argv);
}
