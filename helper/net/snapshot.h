// What the kernel has of ours at one moment: links, addresses, routes, the firewall's table.
//
// Read from the kernel, never remembered from requests: what it was made by doesn't matter.  The structs hold no pointers but the four
// arrays, so that a snapshot can lie in a file (checkpoint.c).
#ifndef HELPER_NET_SNAPSHOT_H
#define HELPER_NET_SNAPSHOT_H

#include "helper/common/policy.h"
#include "helper/net/rtnl.h"

#define SNAP_LINKS_MAX     16384u
#define SNAP_ADDRESSES_MAX 16384u
#define SNAP_ROUTES_MAX    65536u
#define SNAP_RECORDS_MAX   20000u // limit rules, at most

enum snap_kind { SNAP_BRIDGE, SNAP_VETH, SNAP_TAP };

// A link of ours.
struct snap_link {
	char name[16];
	char master[16];  // empty: it belongs to no bridge
	char peer[16];    // SNAP_VETH: its other end; empty: in another namespace
	char purpose[65]; // what stands behind our mark: the VM that a tap belongs to; empty: none
	uint8_t kind;     // enum snap_kind
	uint8_t mac[6];
	bool up;
	bool stp, vlan_filtering;   // SNAP_BRIDGE
	bool vnet_hdr, multi_queue; // SNAP_TAP
	uint32_t owner;             // SNAP_TAP: uid that may attach
	uint32_t mtu;               // bytes
	uint32_t index, master_index, peer_index;
};

struct snap_address {
	char device[16];
	struct wire_addr address;
};

// A route by one way out; gateway, source: family 0 where there is none.
struct snap_route {
	char device[16];
	struct wire_addr destination, gateway, source;
	uint32_t table, metric;
};

// Links are sorted by name, the others by their bytes.
struct snapshot {
	struct snap_link *links;
	struct snap_address *addresses;
	struct snap_route *routes;
	struct fw_record *records;
	uint32_t nlinks, naddresses, nroutes, nrecords;
	bool table_whole; // the firewall's table holds nothing that isn't ours, and lacks nothing; or there is none, and no record
};

// Reads the kernel into *s; the caller frees it, whatever is returned.  0, -E2BIG beyond the limits above, -ENOMEM, or another -errno.
int snapshot_take(const struct policy_net *net, struct snapshot *s);
void snapshot_free(struct snapshot *s);

// The link of this name, or NULL.
const struct snap_link *snapshot_link(const struct snapshot *s, const char *name);

// True when it has exactly this address, route, record.
bool snapshot_has_address(const struct snapshot *s, const struct snap_address *a);
bool snapshot_has_route(const struct snapshot *s, const struct snap_route *r);
bool snapshot_has_record(const struct snapshot *s, const struct fw_record *r);

// Reads one route message: false where it isn't a route of ours by one way out.  device is left empty, its index in *out.
bool snap_route_parse(struct nlmsghdr *h, struct snap_route *r, uint32_t *out);

// Reads one link message: false where it isn't a link that carries our mark.  Names of master and peer are left empty.
bool snap_link_parse(struct nlmsghdr *h, struct snap_link *out);

#endif
