// Connections of Open vSwitch's bridges by patch ports: net.bridge.connect with kind patch, and net.bridge.remove_port of such a port.
#ifndef POSTERN_POSTERND_OVS_PATCH_H
#define POSTERN_POSTERND_OVS_PATCH_H

#include "unpriv/posternd/request.h"

// Answers net.bridge.connect, whose bridges and names differ.
void ovs_patch_connect(struct request *rq, const struct rpc_net_bridge_connect_params *p);

// Answers net.bridge.remove_port where Linux has no bridge of that name.
void ovs_patch_remove(struct request *rq, const char *bridge, const char *port);

#endif
