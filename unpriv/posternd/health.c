// Checks that look at what is at hand.  See health.h.
#include "unpriv/posternd/health.h"

#include <fcntl.h>
#include <inttypes.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "unpriv/posternd/config.h"
#include "unpriv/posternd/daemon.h"
#include "unpriv/posternd/fw.h"
#include "unpriv/posternd/guard.h"
#include "unpriv/posternd/helper_client.h"
#include "unpriv/posternd/net_restore.h"
#include "unpriv/posternd/rtnl.h"
#include "unpriv/posternd/store.h"
#include "unpriv/posternd/uplinks.h"
#include "unpriv/posternd/verify_rows.h"

#define ROOM_BYTES   (16u << 20) // free space below which the store is in danger
#define PORTS_MOST   1023        // of a bridge: BR_MAX_PORTS - 1 in the kernel's net/bridge/br_private.h
#define PORTS_NEAR   960
#define FULL_PERCENT 90 // of connection tracking's table

void health_say(struct health *h, const char *name, enum rpc_health_status status, const char *hint, const char *fmt, ...)
{
	va_list ap;

	if (h->list.n == HEALTH_CHECKS)
		return;
	va_start(ap, fmt);
	h->list.v[h->list.n++] = (struct obj_health_check){
	    .name = name, .status = (int)status, .message = arena_vprintf(h->a, fmt, ap), .has_hint = hint != NULL, .hint = hint};
	va_end(ap);
}

static void helper(struct health *h)
{
	if (helper_client_ready())
		health_say(h, "helper", health_status_ok, NULL, "the privileged helper is there");
	else
		health_say(h, "helper", health_status_failed, "The daemon's log says why the helper doesn't start.",
		           "the privileged helper isn't there");
}

static void store(struct health *h)
{
	struct statvfs st;
	bool known = statvfs(daemon_config()->state_dir, &st) == 0;
	uint64_t room = known ? (uint64_t)st.f_bavail * st.f_frsize : 0;

	if (store_failing())
		health_say(h, "store", health_status_failed, "Make room in the file system of the state directory, or see why it can't be written.",
		           "state can't be written below %s", daemon_config()->state_dir);
	else if (known && room < ROOM_BYTES)
		health_say(h, "store", health_status_degraded, "Make room in the file system of the state directory before writes fail.",
		           "%" PRIu64 " KiB are free below %s", room / 1024, daemon_config()->state_dir);
	else
		health_say(h, "store", health_status_ok, NULL, "state can be written");
}

static void fights(struct health *h)
{
	const char *ids[3];
	size_t n = guard_fights(ids, 3);

	if (n == 0)
		health_say(h, "fights", health_status_ok, NULL, "nothing has to be put back again and again");
	else
		health_say(h, "fights", health_status_degraded,
		           "Find the tool that changes it, and have it leave postern's interfaces and table alone.",
		           "somebody changes %s%s%s%s%s%s again and again: it is put back more and more slowly", ids[0], n > 1 ? ", " : "",
		           n > 1 ? ids[1] : "", n > 2 ? ", " : "", n > 2 ? ids[2] : "", n > 3 ? " …" : "");
}

static void restore(struct health *h)
{
	const char *first;
	size_t n = net_restore_failures(&first);

	if (n == 0)
		health_say(h, "restore", health_status_ok, NULL, "the daemon's start has put everything back");
	else
		health_say(h, "restore", health_status_degraded,
		           "The daemon's log has each failure with its reason; net.verify says what is still amiss.",
		           "at the daemon's start %zu operations failed, first for %s", n, first);
}

static void forwarding(struct health *h)
{
	static const uint8_t families[] = {AF_INET, AF_INET6};

	for (size_t i = 0; i < 2; i++) {
		bool on = true;
		if (!fw_needs_forwarding(families[i] == AF_INET6 ? 6 : 4) || rtnl_read_forwarding(families[i], &on) != 0 || on)
			continue;
		health_say(h, "forwarding", health_status_failed,
		           "Something turned it off: look for it in /etc/sysctl.d and in what else configures this host's network.",
		           "%s is 0, and address translation needs it", families[i] == AF_INET ? VERIFY_FORWARD4 : VERIFY_FORWARD6);
		return;
	}
	health_say(h, "forwarding", health_status_ok, NULL, "what must be forwarded is");
}

// A number out of /proc; -1 where there is none.
static long number_in(const char *path)
{
	char text[32] = "";
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd >= 0 ? read(fd, text, sizeof(text) - 1) : -1;

	if (fd >= 0)
		close(fd);
	return n > 0 ? strtol(text, NULL, 10) : -1;
}

static void conntrack(struct health *h)
{
	long count = number_in("/proc/sys/net/netfilter/nf_conntrack_count"), max = number_in("/proc/sys/net/netfilter/nf_conntrack_max");

	if (count < 0 || max <= 0)
		health_say(h, "conntrack", health_status_ok, NULL, "the kernel tracks no connections");
	else if (count >= max)
		health_say(h, "conntrack", health_status_failed, "Raise net.netfilter.nf_conntrack_max, or see with net.conntrack who opens so many.",
		           "the table of %ld connections is full: new ones are dropped", max);
	else if (count / FULL_PERCENT >= max / 100)
		health_say(h, "conntrack", health_status_degraded,
		           "Raise net.netfilter.nf_conntrack_max, or see with net.conntrack who opens so many.",
		           "%ld of at most %ld connections are tracked", count, max);
	else
		health_say(h, "conntrack", health_status_ok, NULL, "%ld of at most %ld connections are tracked", count, max);
}

static void uplink_checks(struct health *h)
{
	const wire_ifnames *names = uplinks();

	for (uint32_t i = 0; names != NULL && i < names->n; i++) {
		struct rtnl_links l;
		bool there = rtnl_read_links(&(struct rtnl_filter){.name = names->v[i], .brief = true}, h->a, &l) == 0 && l.n == 1;
		if (there && (l.v[0].flags & IFF_UP) != 0 && l.v[0].carrier)
			continue;
		health_say(h, "uplinks", health_status_failed, "Bring it up, plug it in, or correct uplink in policy.conf.", "uplink %s %s",
		           names->v[i],
		           !there                         ? "isn't there"
		           : (l.v[0].flags & IFF_UP) == 0 ? "is down"
		                                          : "has no carrier");
		return;
	}
	if (names == NULL || names->n == 0)
		health_say(h, "uplinks", health_status_ok, NULL, "%s", names == NULL ? "no helper has named them yet" : "the policy names none");
	else
		health_say(h, "uplinks", health_status_ok, NULL, "%u of the policy %s up", names->n, names->n == 1 ? "is" : "are");
}

// By two addresses that lie in nobody's own network and that every default route leads to.
static void default_route(struct health *h)
{
	static const uint8_t four[4] = {1, 1, 1, 1}, six[16] = {0x26, 0x06, 0x47, 0, 0x47, [15] = 0x11};
	bool a = rtnl_reaches(AF_INET, four), b = rtnl_reaches(AF_INET6, six);

	if (a || b)
		health_say(h, "default_route", health_status_ok, NULL, "there is a way to the Internet by %s",
		           a && b ? "IPv4 and IPv6"
		           : a    ? "IPv4"
		                  : "IPv6");
	else
		health_say(h, "default_route", health_status_degraded,
		           "Add one: net.routes.add {\"destination\": \"default\", …}, or whatever configures the uplink.",
		           "no route leads to the Internet");
}

void health_at_once(struct health *h)
{
	helper(h);
	store(h);
	fights(h);
	restore(h);
	forwarding(h);
	conntrack(h);
	uplink_checks(h);
	default_route(h);
}

void health_drift(struct health *h, const struct drift_list *l, int err)
{
	if (err != 0)
		health_say(h, "drift", health_status_degraded, "Ask again: it changes faster than it can be read.",
		           "the kernel's state can't be compared");
	else if (l->n > 0)
		health_say(h, "drift", health_status_degraded, "net.verify lists them; what can be put back is being put back.",
		           "%zu things differ from what postern set up, first %s", l->n, l->v[0].id);
	else if (l->firewall_unread)
		health_say(h, "drift", health_status_degraded, "Ask again when the helper answers.", "the firewall couldn't be looked at");
	else
		health_say(h, "drift", health_status_ok, NULL, "the kernel is as postern set it up");
	if (err == 0 && l->fullest_ports >= PORTS_NEAR)
		health_say(h, "bridge_ports", health_status_degraded, "Put further ports on another bridge: the kernel allows 1023.",
		           "bridge %s has %u of %d ports", l->fullest, l->fullest_ports, PORTS_MOST);
	else if (err == 0)
		health_say(h, "bridge_ports", health_status_ok, NULL, "no bridge is near its %d ports", PORTS_MOST);
}

void health_dns(struct health *h, const char *path, const struct resolv *r, int err)
{
	if (err != 0)
		health_say(h, "dns", health_status_degraded, "Make it readable for everybody, as the C library needs it too.", "%s can't be read: %s",
		           path, strerror(err));
	else if (r->nameservers.n == 0)
		health_say(h, "dns", health_status_degraded, "Name a server in /etc/resolv.conf, or whatever writes it.", "%s names no server", path);
	else
		health_say(h, "dns", health_status_ok, NULL, "%zu name servers, first %s", r->nameservers.n, r->nameservers.v[0]);
}
