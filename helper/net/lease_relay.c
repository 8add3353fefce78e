// lease_open, and the way of DHCP messages between the daemon's clients and the network.
//
// The sockets never leave this cell: whoever holds a packet socket can send anything to anybody on any link.  What the daemon gets is one end of a
// channel per interface, and what it puts in there goes out only as a DHCP client's message with this interface's hardware address in it, from
// the client's port to the server's, or as an ARP probe.  Nothing that comes in is parsed here.
#include "helper/net/lease_relay.h"

#include <errno.h>
#include <linux/if.h>
#include <linux/rtnetlink.h>
#include <netlink/attr.h>
#include <string.h>

#include "helper/common/lease_fds.h"
#include "helper/net/link.h"
#include "helper/net/sys_lease.h"
#include "proto/lease.h"

static struct relay {
	bool open;
	int channel;
	uint32_t index;
	uint8_t mac[6];
} relays[POLICY_LEASES];

static struct {
	struct lease_frame head;
	uint8_t data[LEASE_DATA_MAX];
} frame;

static bool has6; // there is a socket for DHCPv6

static void close_relay(struct relay *r)
{
	if (r->open)
		sys_lease_close(r->channel);
	r->open = false;
}

// ---- out ----

static uint32_t get32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static bool unicast4(const uint8_t *a)
{
	return a[0] != 0 && a[0] != 127 && a[0] < 224;
}

// A client's message of our own: BOOTREQUEST over Ethernet, not relayed, with our hardware address and the cookie before options.
static bool dhcp4_ok(const struct relay *r, const uint8_t *m, size_t n)
{
	return n >= 240 && n <= 1472 && m[0] == 1 && m[1] == 1 && m[2] == 6 && get32(m + 24) == 0 && memcmp(m + 28, r->mac, 6) == 0 &&
	       get32(m + 236) == 0x63825363;
}

// SOLICIT, REQUEST, CONFIRM, RENEW, REBIND, RELEASE, DECLINE, INFORMATION-REQUEST.
static bool dhcp6_ok(const uint8_t *m, size_t n)
{
	return n >= 4 && n <= 1232 && (m[0] == 1 || m[0] == 3 || m[0] == 4 || m[0] == 5 || m[0] == 6 || m[0] == 8 || m[0] == 9 || m[0] == 11);
}

static void put16(uint8_t *p, unsigned v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static unsigned checksum(const uint8_t *p, size_t n)
{
	uint32_t sum = 0;

	for (size_t i = 0; i < n; i += 2)
		sum += (uint32_t)p[i] << 8 | p[i + 1];
	sum = (sum & 0xffff) + (sum >> 16);
	return ~(sum + (sum >> 16)) & 0xffff;
}

// To everybody on the link, from the address that the client says is its own (0.0.0.0 before it has one).  UDP needs no checksum over IPv4.
static int broadcast(const struct relay *r, unsigned i, const uint8_t *m, size_t n)
{
	static uint8_t packet[28 + 1472];

	memset(packet, 0, 28);
	packet[0] = 0x45;
	put16(packet + 2, (unsigned)(28 + n));
	packet[8] = 64;
	packet[9] = 17;
	memcpy(packet + 12, m + 12, 4);
	memset(packet + 16, 0xff, 4);
	put16(packet + 10, checksum(packet, 20));
	put16(packet + 20, 68);
	put16(packet + 22, 67);
	put16(packet + 24, (unsigned)(8 + n));
	memcpy(packet + 28, m, n);
	return sys_lease_broadcast(NET_LEASE_IP(i), r->index, packet, 28 + n);
}

// RFC 5227: who has this address?  The sender's own is left 0, so that nobody's cache changes.
static int probe(const struct relay *r, unsigned i, const uint8_t *address)
{
	uint8_t arp[28] = {0, 1, 8, 0, 6, 4, 0, 1};

	memcpy(arp + 8, r->mac, 6);
	memcpy(arp + 24, address, 4);
	return sys_lease_broadcast(NET_LEASE_ARP(i), r->index, arp, sizeof(arp));
}

// False where the frame is none that a client sends.
static bool send_out(const struct relay *r, unsigned i, size_t n)
{
	switch (frame.head.kind) {
	case LEASE_DHCP4:
		if (!dhcp4_ok(r, frame.data, n))
			return false;
		if (get32(frame.head.addr) == 0)
			broadcast(r, i, frame.data, n);
		else if (unicast4(frame.head.addr) && unicast4(frame.data + 12))
			sys_lease_unicast(r->index, frame.data + 12, frame.head.addr, frame.data, n);
		else
			return false;
		return true;
	case LEASE_ARP:
		if (n == 0 && unicast4(frame.head.addr))
			probe(r, i, frame.head.addr);
		return n == 0;
	case LEASE_DHCP6:
		if (dhcp6_ok(frame.data, n))
			sys_lease_multicast(r->index, frame.data, n);
		return dhcp6_ok(frame.data, n);
	default: return false;
	}
}

// What couldn't be sent is as good as lost on the way: the client asks again.  A frame that no client sends closes the channel.
static void from_daemon(struct relay *r, unsigned i)
{
	ssize_t n = sys_lease_take(r->channel, &frame, sizeof(frame));

	if (n == -EAGAIN)
		return;
	if (n < (ssize_t)sizeof(frame.head) || !send_out(r, i, (size_t)n - sizeof(frame.head)))
		close_relay(r);
}

// ---- in ----

static void to_daemon(struct relay *r, uint32_t kind, size_t n)
{
	frame.head.kind = kind;
	if (sys_lease_give(r->channel, &frame, sizeof(frame.head) + n) == -EPIPE)
		close_relay(r);
}

static void from_link(struct relay *r, unsigned which, uint32_t kind)
{
	bool summed = true;
	ssize_t n = sys_lease_packet(which, frame.data, sizeof(frame.data), &summed);

	memset(&frame.head, 0, sizeof(frame.head));
	frame.head.unsummed = summed ? 0 : 1;
	if (n > 0)
		to_daemon(r, kind, (size_t)n);
}

static void from_udp6(void)
{
	uint32_t index = 0;

	memset(&frame.head, 0, sizeof(frame.head));
	ssize_t n = sys_lease_datagram6(frame.data, sizeof(frame.data), frame.head.addr, &index);
	for (unsigned i = 0; n > 0 && i < POLICY_LEASES; i++)
		if (relays[i].open && relays[i].index == index)
			to_daemon(&relays[i], LEASE_DHCP6, (size_t)n);
}

unsigned lease_watch(struct cell *c, struct pollfd *fds)
{
	unsigned n = 0;

	(void)c;
	for (unsigned i = 0; i < POLICY_LEASES; i++) {
		if (!relays[i].open)
			continue;
		fds[n++] = (struct pollfd){.fd = relays[i].channel, .events = POLLIN};
		fds[n++] = (struct pollfd){.fd = (int)(NET_FD_LEASE + NET_LEASE_IP(i)), .events = POLLIN};
		fds[n++] = (struct pollfd){.fd = (int)(NET_FD_LEASE + NET_LEASE_ARP(i)), .events = POLLIN};
	}
	if (n > 0 && has6)
		fds[n++] = (struct pollfd){.fd = NET_FD_LEASE + NET_LEASE_UDP6, .events = POLLIN};
	return n;
}

void lease_watched(struct cell *c, const struct pollfd *fds, unsigned n)
{
	unsigned at = 0;

	(void)c;
	for (unsigned i = 0; i < POLICY_LEASES && at + 3 <= n; i++) {
		struct relay *r = &relays[i];

		if (!r->open || fds[at].fd != r->channel)
			continue;
		if (fds[at].revents != 0)
			from_daemon(r, i);
		if (r->open && fds[at + 1].revents != 0)
			from_link(r, NET_LEASE_IP(i), LEASE_DHCP4);
		if (r->open && fds[at + 2].revents != 0)
			from_link(r, NET_LEASE_ARP(i), LEASE_ARP);
		at += 3;
	}
	if (n > at && fds[n - 1].revents != 0)
		from_udp6();
}

// ---- lease_open ----

struct found {
	uint32_t index;
	uint8_t mac[6];
	bool ethernet;
};

static void note_link(struct nlmsghdr *h, void *arg)
{
	const struct ifinfomsg *i = nlmsg_data(h);
	struct nlattr *mac = nlmsg_find_attr(h, sizeof(*i), IFLA_ADDRESS);
	struct found *f = arg;

	if (h->nlmsg_type != RTM_NEWLINK || (uint32_t)i->ifi_index != f->index || mac == NULL || nla_len(mac) != 6)
		return;
	f->ethernet = i->ifi_type == 1; // ARPHRD_ETHER
	memcpy(f->mac, nla_data(mac), sizeof(f->mac));
}

static enum op_status find_ethernet(struct cell *c, const char *name, struct found *f)
{
	struct rtnl_link_info link;
	int err = rtnl_find(name, &link);

	if (err == 0) {
		f->index = link.index;
		err = rtnl_dump(rtnl_link_msg(RTM_GETLINK, 0, 0), note_link, f);
	}
	if (err != 0)
		return cell_fail_errno(c, "interface", -err);
	return f->ethernet ? OPS_OK : cell_fail(c, OPS_UNSUPPORTED, "not an Ethernet interface", 0);
}

// A link that is down has no carrier, and nobody else may be there to set it up.
static int set_up(uint32_t index)
{
	struct nl_msg *m = rtnl_link_msg(RTM_SETLINK, 0, index);
	struct ifinfomsg *i;

	if (m == NULL)
		return -ENOMEM;
	i = nlmsg_data(nlmsg_hdr(m));
	i->ifi_change = i->ifi_flags = IFF_UP;
	return rtnl_do(m, 0);
}

enum op_status op_lease_open(struct cell *c, const struct op_lease_open_args *a, const int *fds, struct op_lease_open_res *r, int *out_fds)
{
	unsigned i = (unsigned)policy_lease(&c->policy.net, a->device); // it is there: the policy was asked
	struct relay *relay = &relays[i];
	int theirs, err;
	struct found f = {0};
	enum op_status s = find_ethernet(c, a->device, &f);

	(void)fds;
	(void)r;
	if (s != OPS_OK)
		return s;
	close_relay(relay);
	err = set_up(f.index);
	if (err == 0)
		err = sys_lease_bind(NET_LEASE_IP(i), NET_LEASE_ARP(i), f.index);
	if (err == 0)
		err = sys_lease_pair(&relay->channel, &theirs);
	if (err != 0)
		return cell_fail_errno(c, "lease sockets", -err);
	has6 = sys_lease_has6();
	relay->open = true;
	relay->index = f.index;
	memcpy(relay->mac, f.mac, sizeof(relay->mac));
	out_fds[RESFD_lease_open_channel] = theirs;
	return OPS_OK;
}
