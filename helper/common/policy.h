// The policy of /etc/postern/policy.conf as one plain struct.
//
// The launcher parses the file (helper/launcher/policy_file.h) and hands each process a sealed memfd with a copy in which everything that isn't that
// process's business is zero (policy_part).  There are no pointers in it: what arrives is what is used.  Lists are filled from the front; a count
// says how far.
#ifndef HELPER_COMMON_POLICY_H
#define HELPER_COMMON_POLICY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/helper.h"

#define POLICY_PATH     256 // bytes of a path, with its NUL
#define POLICY_NAMES    32  // interfaces or patterns in a list
#define POLICY_PREFIXES 4   // interface-prefix
#define POLICY_RANGES   16  // route-table, route-default
#define POLICY_DEVICES  64  // mount-source, device
#define POLICY_TOOLS    16  // tool
#define POLICY_LEASES   8   // lease-interface

struct policy_names {
	uint32_t n;
	char v[POLICY_NAMES][16];
};

struct policy_prefixes {
	uint32_t n;
	char v[POLICY_PREFIXES][16];
};

struct policy_range {
	uint32_t lo, hi; // both ends belong to it
};

struct policy_ranges {
	uint32_t n;
	struct policy_range v[POLICY_RANGES];
};

struct policy_paths {
	uint32_t n;
	char v[POLICY_DEVICES][POLICY_PATH]; // absolute; the last may end in '*', which then stands for the rest of the last component
};

struct policy_tool {
	char name[32];
	char path[POLICY_PATH];
};

struct policy_tools {
	uint32_t n;
	struct policy_tool v[POLICY_TOOLS];
};

// Numeric ids; no name service in the helper.  The gid of broker, net and vol is the same number as their uid.
struct policy_ids {
	uint32_t daemon_uid, daemon_gid, broker_uid, net_uid, vol_uid;
};

struct policy_limits {
	uint32_t taps, rules, jails, requests_per_second;
};

struct policy_net {
	struct policy_prefixes prefixes; // interface-prefix
	struct policy_names bridges;     // bridge: names, or patterns with one '*' at the end
	struct policy_names uplinks;     // uplink
	struct policy_ranges tables;     // route-table
	struct policy_ranges defaults;   // route-default: tables in which a route may lead to everything
	bool input_drop;                 // input-policy drop: what no firewall rule lets in is dropped
	struct policy_names leases;      // lease-interface: at most POLICY_LEASES
};

struct policy_vol {
	char mount_root[POLICY_PATH]; // empty: no mounts
	struct policy_paths sources;  // mount-source
	uint32_t fstypes;             // bit 1 << enum fstype
	struct policy_paths devices;  // device
};

struct policy_jail {
	char image_root[POLICY_PATH]; // empty: no images
	char jail_root[POLICY_PATH];  // empty: no jails
	char cgroup_root[POLICY_PATH];
	char vmm[VMM_MAX + 1][POLICY_PATH]; // by enum vmm_kind; empty: not allowed.  A directory (prepared base) or one static program
	bool kvm;                           // vm-device kvm: /dev/kvm appears in jails
};

struct policy {
	uint32_t size;    // sizeof(struct policy), so that two builds can't be mixed
	int32_t launcher; // pid of the launcher, for getppid() comparisons; 0 in the parser's output
	struct policy_ids ids;
	struct policy_range uids; // uid-range: uids of VMs
	struct policy_limits limits;
	struct policy_net net;
	struct policy_vol vol;
	struct policy_jail jail;
	struct policy_tools tools;
	uint32_t ovs; // bit 1 << enum ovs_door
};

// Who gets a part.  The cells stand in the order of enum op_cell.
enum policy_reader { POLICY_FOR_NET, POLICY_FOR_VOL, POLICY_FOR_JAIL, POLICY_FOR_SPAWN, POLICY_FOR_BROKER };

// The strict default that holds where there is no file: postern's own prefixes and nothing else.
void policy_default(struct policy *p);

// Copies what `who` needs of *all into *part and zeroes the rest.
void policy_part(struct policy *part, const struct policy *all, enum policy_reader who);

// True when name has one of the interface prefixes, and something behind it.
bool policy_prefix(const struct policy_net *n, const char *name);

// True when name has a prefix or matches a bridge pattern: the link may be ours.
bool policy_link_ours(const struct policy_net *n, const char *name);

// True when links may be attached to the bridge `name`, and it may be created.
bool policy_bridge(const struct policy_net *n, const char *name);

// True when `name` is an uplink of the policy.
bool policy_uplink(const struct policy_net *n, const char *name);

// True when v lies in one of l's ranges.
bool policy_in_ranges(const struct policy_ranges *l, uint32_t v);

// The place of `name` among the lease interfaces, or -1.
int policy_lease(const struct policy_net *n, const char *name);

// True when v lies in r.
bool policy_in_range(const struct policy_range *r, uint32_t v);

// True when the absolute path matches an entry: the same bytes, or, where the entry ends in '*', the same bytes up to it and then no '/'.
bool policy_path_listed(const struct policy_paths *l, const char *path);

#endif
