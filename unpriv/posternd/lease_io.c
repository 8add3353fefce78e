// What the state machines of leases ask for: messages go out by the channel, and what they hold or lose is noted for lease_settle().
#include <errno.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>

#include "proto/lease.h"
#include "unpriv/common/log.h"
#include "unpriv/posternd/daemon.h"
#include "unpriv/posternd/lease_port.h"

static void send_frame(struct lease_port *p, enum lease_kind kind, uint32_t addr, const uint8_t *m, size_t n)
{
	struct {
		struct lease_frame head;
		uint8_t data[DHCP4_MOST];
	} f = {.head = {.kind = kind, .addr = {(uint8_t)(addr >> 24), (uint8_t)(addr >> 16), (uint8_t)(addr >> 8), (uint8_t)addr}}};

	if (p->channel < 0 || n > sizeof(f.data))
		return;
	if (n > 0)
		memcpy(f.data, m, n);
	// What doesn't fit is lost, as it could be on the way; it is asked again.
	if (send(p->channel, &f, sizeof(f.head) + n, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
		log_debug("DHCP message not sent", "interface=%s error=%s", p->name, strerror(errno));
}

static void send4(void *arg, uint32_t to, const uint8_t *m, size_t n)
{
	send_frame(arg, LEASE_DHCP4, to, m, n);
}

static void send6(void *arg, const uint8_t *m, size_t n)
{
	send_frame(arg, LEASE_DHCP6, 0, m, n);
}

static void probe4(void *arg, uint32_t address)
{
	send_frame(arg, LEASE_ARP, address, NULL, 0);
}

static void bound4(void *arg, const struct dhcp4_lease *l, uint64_t obtained_ms)
{
	struct lease_port *p = arg;

	p->dirty = true;
	if (p->offered4.n > 0 && p->v4.offer_ms == obtained_ms)
		p->raw4 = p->offered4;
	log_info("leased", "interface=%s address=%u.%u.%u.%u secs=%u", p->name, l->address >> 24, l->address >> 16 & 255, l->address >> 8 & 255,
	         l->address & 255, l->secs);
}

static void lost4(void *arg, uint32_t address, const char *why)
{
	struct lease_port *p = arg;

	p->dirty = true;
	log_warn("lease lost", "interface=%s address=%u.%u.%u.%u why=%s", p->name, address >> 24, address >> 16 & 255, address >> 8 & 255,
	         address & 255, why);
}

static void bound6(void *arg, const struct dhcp6_lease *now, const struct dhcp6_lease *before, uint64_t obtained_ms)
{
	struct lease_port *p = arg;

	(void)before;
	(void)obtained_ms;
	p->dirty = true;
	log_info("leased by DHCPv6", "interface=%s addresses=%u prefixes=%u secs=%u", p->name, now->n_addresses, now->n_prefixes, now->secs);
}

static void lost6(void *arg, const struct dhcp6_lease *l, const char *why)
{
	struct lease_port *p = arg;

	(void)l;
	p->dirty = true;
	log_warn("lease of DHCPv6 lost", "interface=%s why=%s", p->name, why);
}

static uint32_t random32(void *arg)
{
	uint32_t v = 0;

	(void)arg;
	if (getrandom(&v, sizeof(v), 0) != (ssize_t)sizeof(v))
		v = (uint32_t)now_ns();
	return v;
}

const struct dhcp4_io lease_io4 = {send4, probe4, bound4, lost4, random32};
const struct dhcp6_io lease_io6 = {send6, bound6, lost6, random32};
