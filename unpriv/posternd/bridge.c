// See bridge.h.
//
// A bridge's MTU follows those of its ports until somebody changes it (net/bridge/br_if.c, br_mtu_auto_adjust; br_device.c, br_change_mtu): one
// given at birth doesn't count, and neither does setting what is there already.  So a bridge that shall keep its MTU is born with another one.
#include "unpriv/posternd/bridge.h"

#include "unpriv/posternd/addr.h"

#define LEAST_MTU 68

void bridge_args(const struct row_bridge *row, struct op_link_add_args *a)
{
	*a = (struct op_link_add_args){
	    .kind = LINK_BRIDGE,
	    .has_mtu = row->mtu != 0,
	    .mtu = (uint32_t)(row->mtu > LEAST_MTU ? row->mtu - 1 : row->mtu + 1),
	    .has_stp = row->stp != 0,
	    .stp = row->stp != 0,
	    .has_vlan_filtering = row->vlan_filtering != 0, // a kernel without it refuses even "off"
	    .vlan_filtering = row->vlan_filtering != 0,
	};
	COPY_TEXT(a->name, row->name);
	a->has_mac = row->mac != NULL && mac_parse(row->mac, a->mac);
}

void bridge_up_args(const struct row_bridge *row, struct op_link_set_args *a)
{
	*a = (struct op_link_set_args){.has_up = true, .up = true, .has_mtu = row->mtu != 0, .mtu = (uint32_t)row->mtu};
	COPY_TEXT(a->name, row->name);
	a->has_mac = row->mac != NULL && mac_parse(row->mac, a->mac);
}
