// Links and addresses as the kernel shows them now, over a NETLINK_ROUTE socket of the daemon's own that needs no privilege.
//
// The socket is strict (NETLINK_GET_STRICT_CHK), so the kernel filters dumps itself; messages are parsed as they come and nothing is cached.
// A dump that something changed under (NLM_F_DUMP_INTR) is made again.  The kernel answers a request within the call, so nothing waits here.
#ifndef POSTERN_POSTERND_RTNL_H
#define POSTERN_POSTERND_RTNL_H

#include <linux/if_link.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "unpriv/posternd/mem.h"

struct nlmsghdr;

struct rtnl_link {
	int index, master; // master 0: none
	char name[16];
	char kind[16];       // of rtnl_link_ops: "bridge", "tun" …; empty for hardware and loopback
	char slave_kind[16]; // of its master: "bridge" where it is a bridge's port
	char alias[256];     // IFALIAS
	uint16_t type;       // ARPHRD_…
	uint8_t mac[6];
	bool has_mac;
	uint32_t mtu, flags; // IFF_…
	uint8_t operstate;   // IF_OPER_…
	bool carrier;
	bool stp, vlan_filtering; // of a bridge
	uint16_t default_pvid;    // of a bridge; 0: none
	uint8_t port_state;       // BR_STATE_… of a bridge's port
	bool has_owner;           // of a tap
	uint32_t owner;           // uid that may attach to it
	struct rtnl_link_stats64 stats;
};

struct rtnl_addr {
	int index;
	uint8_t family, prefix, scope; // AF_…, length, RT_SCOPE_…
	uint8_t proto;                 // IFAPROT_…; 0: nobody said who gave it
	uint32_t flags;                // IFA_F_…
	uint8_t addr[16];              // network byte order
	size_t place;                  // in the kernel's order
	uint32_t valid, preferred;     // seconds from now; UINT32_MAX: for ever
};

// Switches of one link and family; index NETCONFA_IFINDEX_ALL: the host's.
struct rtnl_netconf {
	int index;
	bool forwarding;
	bool proxy; // proxy_arp or proxy_ndp
};

// VLANs that a bridge's port, or the bridge itself, belongs to; one message holds many.
struct rtnl_vlan {
	int index;            // of the link
	uint16_t first, last; // of a range that shares its flags
	uint16_t flags;       // BRIDGE_VLAN_INFO_…
};

// What to ask for; zero: everything.
struct rtnl_filter {
	const char *name; // one link
	int index;        // that link, or the addresses of that link
	int master;       // links that belong to this one
	bool brief;       // links without their counters, which are most of the work
};

struct rtnl_links {
	struct rtnl_link *v;
	size_t n;
};

struct rtnl_addrs {
	struct rtnl_addr *v;
	size_t n;
};

struct rtnl_netconfs {
	struct rtnl_netconf *v;
	size_t n;
};

struct rtnl_vlans {
	struct rtnl_vlan *v;
	size_t n;
};

// Opens the socket for the process's life.  False with errno.
bool rtnl_start(void);
void rtnl_stop(void);

// Read into the arena; in the kernel's order, addresses by link first.  Return 0 or an errno (ENODEV: no link of that name).
int rtnl_read_links(const struct rtnl_filter *f, struct arena *a, struct rtnl_links *out);
int rtnl_read_addrs(const struct rtnl_filter *f, struct arena *a, struct rtnl_addrs *out);

// AF_INET's or AF_INET6's; none where the kernel lacks the family.
int rtnl_read_netconf(uint8_t family, struct arena *a, struct rtnl_netconfs *out);

// The host's own switch of a family.
int rtnl_read_forwarding(uint8_t family, bool *on);

// Would the kernel know a way to this address of AF_INET or AF_INET6?  No packet is sent.
bool rtnl_reaches(uint8_t family, const uint8_t *addr);

// Of all bridges and their ports.
int rtnl_read_vlans(struct arena *a, struct rtnl_vlans *out);

// One message of the kernel; false where it isn't one or is cut short.
bool rtnl_parse_link(const struct nlmsghdr *h, struct rtnl_link *l);
bool rtnl_parse_addr(const struct nlmsghdr *h, struct rtnl_addr *a);
bool rtnl_parse_netconf(const struct nlmsghdr *h, struct rtnl_netconf *c);

// Calls fn for each range of VLANs in a link's message of family AF_BRIDGE.
typedef void rtnl_vlan_fn(const struct rtnl_vlan *v, void *arg);
void rtnl_each_vlan(const struct nlmsghdr *h, rtnl_vlan_fn *fn, void *arg);

#endif
