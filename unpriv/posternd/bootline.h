// What the kernel's command line says of the network: ip= (Documentation/admin-guide/nfs/nfsroot.rst), and of what dracut adds to it
// (dracut.cmdline(7)) ip= with a device first or IPv6 in brackets, vlan= and nameserver=.
#ifndef POSTERN_POSTERND_BOOTLINE_H
#define POSTERN_POSTERND_BOOTLINE_H

#include "proto/rpc.h"
#include "unpriv/posternd/mem.h"

struct boot_ip {
	bool given;
	const char *address;
	unsigned prefix;
	const char *gateway, *device; // or NULL
};

struct bootline {
	enum rpc_boot_mode mode;
	struct boot_ip ip4, ip6; // of several of a family the last
	struct list_str vlans;   // "NAME:DEVICE"
	struct list_str dns;
};

// Parses a command line into the arena.  What is malformed is passed over, as the kernel does; what follows "--" is init's.
void bootline_parse(const char *text, size_t len, struct arena *a, struct bootline *out);

#endif
