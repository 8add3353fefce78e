// Network setup from a struct config.  See net.h.
#include "guest-init/net.h"

#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "guest-init/rtnl.h"
#include "guest-init/text.h"

#define LINK_WAIT_MS 2000 // for a driver that probes its device in the background
#define LINK_POLL_MS 10
#define IFINDEX_MAX  64 // a guest's devices come first, long before anything a user adds

// Formats a hardware address as "52:54:00:00:00:01".
static void format_mac(const char *hw, char out[18])
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < 6; i++) {
		unsigned char b = (unsigned char)hw[i];

		out[3 * i] = digits[b >> 4];
		out[3 * i + 1] = digits[b & 15];
		out[3 * i + 2] = i < 5 ? ':' : '\0';
	}
}

// True if link ifindex is the one that i describes.
static bool is_link(int fd, int ifindex, const struct config_iface *i)
{
	struct ifreq r;
	char mac[18];

	memset(&r, 0, sizeof(r));
	r.ifr_ifindex = ifindex;
	if (ioctl(fd, SIOCGIFNAME, &r) < 0)
		return false;
	if (i->mac == NULL && i->name != NULL)
		return strncmp(r.ifr_name, i->name, sizeof(r.ifr_name)) == 0;
	if (ioctl(fd, SIOCGIFHWADDR, &r) < 0 || r.ifr_hwaddr.sa_family != ARPHRD_ETHER)
		return false;
	format_mac(r.ifr_hwaddr.sa_data, mac);
	return i->mac == NULL || strcasecmp(mac, i->mac) == 0;
}

static uint32_t find_link(const struct config_iface *i)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	uint64_t until = now_ms() + LINK_WAIT_MS;
	struct timespec pause = {.tv_nsec = LINK_POLL_MS * 1000000L};
	uint32_t found = 0;

	if (fd < 0)
		return 0;
	for (;;) {
		for (int n = 1; found == 0 && n <= IFINDEX_MAX; n++)
			if (is_link(fd, n, i))
				found = (uint32_t)n;
		if (found != 0 || now_ms() >= until)
			break;
		nanosleep(&pause, NULL);
	}
	close(fd);
	return found;
}

// Says what failed about one text of the configuration.
static void tell(const char *what, const char *text, int err)
{
	if (err != 0)
		say(what, text, err);
}

static void iface_up(int nl, const struct config_iface *i)
{
	uint32_t link = find_link(i);

	if (link == 0) {
		say("network", i->mac != NULL ? i->mac : i->name != NULL ? i->name : "interface", ENODEV);
		return;
	}
	tell("link", i->name, rtnl_link_up(nl, link, i->mtu));
	for (size_t n = 0; n < i->naddrs; n++) {
		struct ip ip;

		tell("address", i->addrs[n], ip_parse(i->addrs[n], &ip) ? rtnl_addr_add(nl, link, &ip) : EINVAL);
	}
}

static void route_up(int nl, const struct config_route *r)
{
	struct ip to;
	struct ip via;
	bool all = strcmp(r->to, "default") == 0;

	if ((!all && !ip_parse(r->to, &to)) || (r->via != NULL && !ip_parse(r->via, &via))) {
		say("route", r->to, EINVAL);
		return;
	}
	tell("route", r->to, rtnl_route_add(nl, all ? NULL : &to, r->via != NULL ? &via : NULL, 0));
}

// Replaces /etc/resolv.conf, which in many images is a link to nowhere.
static void write_resolver(const struct config *c)
{
	char buf[1024];
	struct text t = text_over(buf, sizeof(buf));
	int fd;

	if (c->ndns == 0)
		return;
	for (size_t i = 0; i < c->ndns; i++) {
		text_add(&t, "nameserver ");
		text_add(&t, c->dns[i]);
		text_add(&t, "\n");
	}
	if (c->search != NULL) {
		text_add(&t, "search ");
		text_add(&t, c->search);
		text_add(&t, "\n");
	}
	(void)unlink("/etc/resolv.conf");
	fd = open("/etc/resolv.conf", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	if (fd < 0 || t.cut || write_all(fd, t.s, t.len) < 0)
		say("write", "/etc/resolv.conf", t.cut ? EFBIG : errno);
	if (fd >= 0)
		close(fd);
}

// The configuration's name, else the image's own.
static void set_hostname(const char *name)
{
	char file[65]; // HOST_NAME_MAX, hostname(5)
	size_t len = 0;

	if (name == NULL && file_read("/etc/hostname", file, sizeof(file)) > 0)
		name = file;
	if (name != NULL)
		len = strcspn(name, "\n");
	if (len > 0 && sethostname(name, len) < 0)
		say("hostname", name, errno);
}

void net_up(const struct config *c)
{
	int nl = rtnl_open();

	set_hostname(c->hostname);
	write_resolver(c);
	if (nl < 0) {
		say("netlink", NULL, errno);
		return;
	}
	tell("link", "lo", rtnl_link_up(nl, 1, 0)); // the loopback is the first link of every network namespace
	for (size_t i = 0; i < c->nifaces; i++)
		iface_up(nl, &c->ifaces[i]);
	for (size_t i = 0; i < c->nroutes; i++)
		route_up(nl, &c->routes[i]);
	close(nl);
}
