// See net_back.h.
#include "unpriv/posternd/net_back.h"

#include "unpriv/posternd/net_plan.h"

void net_back_bridge(const char *bridge, void (*ended)(void *arg), void *arg)
{
	struct plan p = {0};

	plan_ports(&p, bridge);
	plan_routes_up(&p);
	plan_run(&p, NULL, ended, arg);
}
