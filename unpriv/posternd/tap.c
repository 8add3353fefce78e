// Names and arguments of taps, for the net.vm.* handlers and for VMs alike.
#include "unpriv/posternd/tap.h"

#include <stdio.h>
#include <string.h>

#include "unpriv/posternd/addr.h"
#include "unpriv/posternd/cache.h"
#include "unpriv/posternd/names.h"

bool tap_free_name(const char *prefix, char out[16])
{
	for (uint32_t i = 0; i < NAMES_NUMBERS; i++) {
		snprintf(out, 16, "%.9st%u", prefix, names_next("tap"));
		if (cache_find_tap(out) == NULL)
			return true;
	}
	return false;
}

void tap_args(const struct row_tap *row, struct op_tap_create_args *a)
{
	*a = (struct op_tap_create_args){
	    .has_owner_uid = row->owner_uid != 0,
	    .owner_uid = (uint32_t)row->owner_uid,
	    .has_bridge = row->bridge != NULL,
	    .has_mtu = row->mtu != 0,
	    .mtu = (uint32_t)row->mtu,
	    .has_vnet_hdr = row->vnet_hdr != 0,
	    .vnet_hdr = row->vnet_hdr != 0,
	    .has_multi_queue = row->multi_queue != 0,
	    .multi_queue = row->multi_queue != 0,
	    .has_alias = row->vm != NULL,
	};
	COPY_TEXT(a->name, row->name);
	if (row->bridge != NULL)
		COPY_TEXT(a->bridge, row->bridge);
	a->has_mac = row->mac != NULL && mac_parse(row->mac, a->mac);
	if (row->vm != NULL)
		COPY_TEXT(a->alias, row->vm);
}
