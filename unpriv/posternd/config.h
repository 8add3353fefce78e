// postern.toml in memory. A key is a member here, a row in config.c and a paragraph in postern.toml.5.
#ifndef POSTERN_POSTERND_CONFIG_H
#define POSTERN_POSTERND_CONFIG_H

#include "unpriv/common/log.h"
#include "unpriv/posternd/toml_rows.h"

// From the command line; over the file. NULL = not given.
struct flags {
	const char *config, *acl, *state_dir, *socket;
	bool verbose;
};

struct config {
	// [rpc]
	struct strings sockets;   // Unix sockets to listen on; default /run/postern/rpc.sock
	const char *socket_group; // group of the sockets, or NULL = the daemon's own
	int64_t max_body_bytes;   // of one message
	int64_t max_connections;  // in all
	int64_t max_connections_per_uid;
	int64_t idle_timeout_secs; // of a connection, of an unfinished message, of an unread answer
	// [state]
	const char *state_dir;
	// [log]
	const char *log_level_text;
	enum log_level log_level;
	// [net]
	const char *interface_prefix; // of taps that postern names; the policy must allow it
	int64_t tap_pool;             // taps that are made in advance
	// [lease]
	struct strings lease_interfaces; // that postern leases addresses for; the policy must name them too
	bool lease_dhcp4, lease_dhcp6;   // which leases it asks for
	bool lease_prefix;               // it also asks for a prefix to be delegated
	bool lease_slaac;                // the kernel takes addresses and routes from router advertisements
	// [vol]
	const char *mount_root; // the policy's: what vol.mount mounts lies below it
	// [vm]
	const char *image_root;                 // one directory per tenant below it, and "default"
	const char *jail_root;                  // the helper's jails, for logs and sockets
	const char *vmm;                        // of a VM that names none
	const char *kernel, *initramfs, *image; // of a VM that names none
	int64_t boot_deadline_secs;             // Starting to Running
	const char *uid_range_text;             // "900000-999999": the policy's, for VMs alone
	uint32_t uid_first, uid_last;
	int64_t exec_output_bytes; // of compute.vm.exec, for stdout and for stderr each

	const char *acl_path; // of the access list
	bool acl_optional;    // the default path: may be absent
	struct arena arena;
};

// Reads the configuration. NULL = wrong, *error is in the arena.
struct config *config_load(const struct flags *flags, struct arena *a, const char **error);
void config_destroy(struct config *c);

#endif
