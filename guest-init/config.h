// What the image and the host want of this guest: /postern.json, overridden by words on the kernel command line.
//
//	{"hostname": "web1",
//	 "network": [{"name": "eth0", "mac": "52:54:00:00:00:01", "mtu": 1500, "addresses": ["10.0.0.2/24", "fd00::2/64"]}],
//	 "routes": [{"to": "default", "via": "10.0.0.1"}, {"to": "10.9.0.0/16", "via": "10.0.0.9"}],
//	 "nameservers": ["1.1.1.1"], "search": "lan",
//	 "env": {"PATH": "/usr/bin:/bin"}}
//
//	postern.hostname=web1 postern.ip=10.0.0.2/24 postern.ip=fd00::2/64 postern.gw=10.0.0.1 postern.dns=1.1.1.1
//
// All of it is optional; without a hostname the image's /etc/hostname counts.  An interface is found by mac, else by name; without either it is the
// first Ethernet.  postern.ip, postern.gw and postern.dns may be repeated, and each replaces what the file says about addresses, routes and
// nameservers.
#ifndef POSTERN_GUEST_INIT_CONFIG_H
#define POSTERN_GUEST_INIT_CONFIG_H

#include <stddef.h>
#include <stdint.h>

#define CONFIG_IFACES 4
#define CONFIG_ADDRS  8
#define CONFIG_ROUTES 16
#define CONFIG_DNS    4
#define CONFIG_ENV    128

struct config_iface {
	const char *name;
	const char *mac;
	uint32_t mtu; // 0: the driver's
	const char *addrs[CONFIG_ADDRS];
	size_t naddrs;
};

struct config_route {
	const char *to;  // "default" or address/prefix
	const char *via; // NULL: on the link
};

struct config {
	const char *hostname;
	struct config_iface ifaces[CONFIG_IFACES];
	size_t nifaces;
	struct config_route routes[CONFIG_ROUTES];
	size_t nroutes;
	const char *dns[CONFIG_DNS];
	size_t ndns;
	const char *search;
	const char *env[CONFIG_ENV + 1]; // NAME=value, ended by NULL: the image's environment
	size_t nenv;
};

// Reads doc (overwritten, as json_read()) into c.  Returns NULL, or what is wrong with *at saying where; c then holds what came before.
const char *config_parse(struct config *c, char *doc, size_t len, size_t *at);

// Applies the postern.* words of the command line.
void config_cmdline(struct config *c);

// Reads /postern.json and the command line.  Whatever is wrong with the file is said, and what could be read of it is used.  The
// texts live as long as the process.
const struct config *config_load(void);

#endif
