// See lease_port.h.
//
// The clock goes on while the machine sleeps (CLOCK_BOOTTIME), libevent's doesn't: no wait is longer than a minute, and a jump between the two says
// that the machine slept, after which what is held is asked for again, for it may have woken on another network.
#include "unpriv/posternd/lease_port.h"

#include <errno.h>
#include <event2/event.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "proto/lease.h"
#include "unpriv/common/log.h"
#include "unpriv/posternd/addr.h"
#include "unpriv/posternd/config.h"
#include "unpriv/posternd/daemon.h"
#include "unpriv/posternd/helper_client.h"

#define LONGEST_WAIT 60000 // ms
#define SLEPT        5000  // ms between the clocks
#define FRAMES_MAX   32    // read in one turn

static struct lease_port ports[LEASE_PORTS];
static size_t nports;
static uint64_t asleep_ms; // how far CLOCK_BOOTTIME was ahead when it was looked at last

static uint64_t clock_ms(clockid_t id)
{
	struct timespec t;

	clock_gettime(id, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

uint64_t lease_now(void)
{
	return clock_ms(CLOCK_BOOTTIME);
}

int64_t lease_unix_ms(void)
{
	return (int64_t)clock_ms(CLOCK_REALTIME);
}

int64_t lease_at_unix_ms(uint64_t boot_ms)
{
	return lease_unix_ms() - (int64_t)(lease_now() - boot_ms);
}

struct lease_port *lease_port(const char *name)
{
	for (size_t i = 0; i < nports; i++)
		if (strcmp(ports[i].name, name) == 0)
			return &ports[i];
	return NULL;
}

struct lease_port *lease_ports(size_t *n)
{
	*n = nports;
	return ports;
}

// ---- time ----

static void set_timer(struct lease_port *p)
{
	uint64_t now = lease_now(), next = now + LONGEST_WAIT;

	if (p->timer == NULL) // the daemon ends
		return;
	if (p->use4 && p->v4.next_ms < next)
		next = p->v4.next_ms;
	if (p->use6 && p->v6.next_ms < next)
		next = p->v6.next_ms;
	uint64_t wait = next > now ? next - now : 1; // not at once: the loop has others to serve
	event_add(p->timer, &(struct timeval){.tv_sec = (time_t)(wait / 1000), .tv_usec = (suseconds_t)(wait % 1000 * 1000)});
}

void lease_settle(struct lease_port *p)
{
	if (p->dirty && !p->applying && p->timer != NULL) {
		p->dirty = false;
		p->applying = true;
		lease_apply(p);
	}
	set_timer(p);
}

static void look_at_clocks(void)
{
	uint64_t ahead = clock_ms(CLOCK_BOOTTIME) - clock_ms(CLOCK_MONOTONIC), now = lease_now();

	if (ahead < asleep_ms + SLEPT)
		return;
	asleep_ms = ahead;
	log_info("the machine slept: leases are confirmed", NULL);
	for (size_t i = 0; i < nports; i++) {
		if (ports[i].use4 && ports[i].v4.state != DHCP4_OFF)
			dhcp4_confirm(&ports[i].v4, now);
		if (ports[i].use6 && ports[i].v6.state != DHCP6_OFF)
			dhcp6_confirm(&ports[i].v6, now);
		lease_settle(&ports[i]);
	}
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct lease_port *p = arg;
	uint64_t now = lease_now();

	(void)fd;
	(void)what;
	look_at_clocks();
	if (p->use4)
		dhcp4_tick(&p->v4, now);
	if (p->use6)
		dhcp6_tick(&p->v6, now);
	lease_settle(p);
}

// ---- the channel ----

static void turn_on(struct lease_port *p)
{
	uint64_t now = lease_now();

	if (p->index == 0 || !p->carrier || p->channel < 0)
		return;
	if (p->use4)
		dhcp4_on(&p->v4, now);
	if (p->use6)
		dhcp6_on(&p->v6, now);
}

static void turn_off(struct lease_port *p)
{
	uint64_t now = lease_now();

	if (p->use4)
		dhcp4_off(&p->v4, now);
	if (p->use6)
		dhcp6_off(&p->v6, now);
}

static void close_channel(struct lease_port *p)
{
	if (p->channel < 0)
		return;
	event_free(p->reader);
	p->reader = NULL;
	close(p->channel);
	p->channel = -1;
	turn_off(p);
}

static void keep_raw(struct lease_raw *raw, const uint8_t *m, size_t n)
{
	if (n > sizeof(raw->v))
		return;
	memcpy(raw->v, m, n);
	raw->n = n;
}

static void take4(struct lease_port *p, const struct lease_frame *f, const uint8_t *packet, size_t n)
{
	struct dhcp4_msg m;
	uint32_t source;
	size_t len;
	const uint8_t *msg = dhcp4_unwrap(packet, n, f->unsummed == 0, &len, &source);

	if (msg == NULL || !p->use4 || !dhcp4_parse(msg, len, &m))
		return;
	if (dhcp4_input(&p->v4, lease_now(), &m))
		keep_raw(&p->offered4, msg, len);
	if (p->v4.state == DHCP4_BOUND && p->offered4.n > 0 && p->v4.obtained_ms == p->v4.offer_ms)
		p->raw4 = p->offered4;
}

// Somebody else says that he has the address, or asks for it as we do (RFC 5227, 2.1.1).
static void take_arp(struct lease_port *p, const uint8_t *a, size_t n)
{
	uint32_t sender, target;

	if (n < 28 || memcmp(a + 8, p->mac, 6) == 0 || !p->use4)
		return;
	sender = (uint32_t)a[14] << 24 | (uint32_t)a[15] << 16 | (uint32_t)a[16] << 8 | a[17];
	target = (uint32_t)a[24] << 24 | (uint32_t)a[25] << 16 | (uint32_t)a[26] << 8 | a[27];
	dhcp4_conflict(&p->v4, lease_now(), sender == 0 && a[7] == 1 ? target : sender);
}

static void take6(struct lease_port *p, const uint8_t *packet, size_t n)
{
	struct dhcp6_msg m;

	if (!p->use6 || !dhcp6_parse(packet, n, &m))
		return;
	if (dhcp6_input(&p->v6, lease_now(), &m))
		keep_raw(&p->raw6, packet, n);
}

static void on_frame(evutil_socket_t fd, short what, void *arg)
{
	static struct {
		struct lease_frame head;
		uint8_t data[LEASE_DATA_MAX];
	} f;
	struct lease_port *p = arg;
	ssize_t n = 0;

	(void)what;
	for (unsigned i = 0; i < FRAMES_MAX && (n = recv((int)fd, &f, sizeof(f), MSG_DONTWAIT)) >= (ssize_t)sizeof(f.head); i++) {
		size_t len = (size_t)n - sizeof(f.head);
		if (f.head.kind == LEASE_DHCP4)
			take4(p, &f.head, f.data, len);
		else if (f.head.kind == LEASE_ARP)
			take_arp(p, f.data, len);
		else if (f.head.kind == LEASE_DHCP6)
			take6(p, f.data, len);
	}
	if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
		close_channel(p); // the helper is gone; the next one is asked when it is ready
	lease_settle(p);
}

static void channel_opened(void *arg, const struct priv_reply *r)
{
	struct lease_port *p = arg;
	int fd = priv_take(r, RESFD_lease_open_channel);

	p->opening = false;
	close_channel(p);
	p->why[0] = '\0';
	if (!priv_ok(r) || fd < 0) {
		COPY_TEXT(p->why, priv_error(r));
		log_warn("no leases for an interface", "interface=%s why=%s", p->name, p->why);
		return;
	}
	p->channel = fd;
	p->reader = event_new(daemon_base(), fd, EV_READ | EV_PERSIST, on_frame, p);
	event_add(p->reader, NULL);
	turn_on(p);
	lease_settle(p);
}

static void ra_set(void *arg, const struct priv_reply *r)
{
	const struct lease_port *p = arg;

	if (!priv_ok(r))
		log_warn("router advertisements stay as they are", "interface=%s why=%s", p->name, priv_error(r));
}

static void open_channel(struct lease_port *p)
{
	struct op_lease_open_args open = {0};
	struct op_lease_ra_args ra = {0};

	if (p->index == 0 || p->opening || !helper_client_ready())
		return;
	COPY_TEXT(open.device, p->name);
	COPY_TEXT(ra.device, p->name);
	if (daemon_config()->lease_slaac)
		priv_lease_ra(&ra, NULL, ra_set, p);
	p->opening = priv_lease_open(&open, NULL, channel_opened, p) == 0;
}

void lease_helper_ready(void)
{
	for (size_t i = 0; i < nports; i++)
		open_channel(&ports[i]);
}

// ---- links ----

static void become(struct lease_port *p, const struct rtnl_link *l)
{
	close_channel(p);
	p->index = l->index;
	memcpy(p->mac, l->mac, sizeof(p->mac));
	dhcp4_init(&p->v4, p->mac, &lease_io4, p);
	dhcp6_init(&p->v6, p->mac, true, daemon_config()->lease_prefix, &lease_io6, p);
	lease_recall(p);
	open_channel(p);
}

void lease_port_link(struct lease_port *p, const struct rtnl_link *l)
{
	bool carrier = l != NULL && l->carrier, had = p->carrier;

	if (l == NULL || !l->has_mac) {
		close_channel(p);
		p->index = 0;
		p->carrier = false;
		COPY_TEXT(p->why, "there is no such Ethernet interface");
		return;
	}
	p->carrier = carrier;
	if (l->index != p->index || memcmp(l->mac, p->mac, sizeof(p->mac)) != 0)
		become(p, l);
	else if (had && !carrier)
		turn_off(p);
	else if (!had && carrier)
		turn_on(p);
	lease_settle(p);
}

void lease_port_restart(struct lease_port *p)
{
	uint64_t now = lease_now();

	if (p->use4)
		dhcp4_restart(&p->v4, now);
	if (p->use6)
		dhcp6_restart(&p->v6, now);
	lease_settle(p);
}

bool lease_start(void)
{
	const struct config *c = daemon_config();

	asleep_ms = clock_ms(CLOCK_BOOTTIME) - clock_ms(CLOCK_MONOTONIC);
	for (size_t i = 0; i < c->lease_interfaces.n; i++) {
		struct lease_port *p = &ports[nports++];

		*p = (struct lease_port){.channel = -1, .use4 = c->lease_dhcp4, .use6 = c->lease_dhcp6};
		COPY_TEXT(p->name, c->lease_interfaces.v[i]);
		dhcp4_init(&p->v4, p->mac, &lease_io4, p);
		dhcp6_init(&p->v6, p->mac, true, c->lease_prefix, &lease_io6, p);
		p->timer = event_new(daemon_base(), -1, 0, on_timer, p);
		if (p->timer == NULL)
			return false;
	}
	return nports == 0 || lease_links_start();
}

void lease_stop(void)
{
	lease_links_stop();
	for (size_t i = 0; i < nports; i++) {
		close_channel(&ports[i]);
		event_free(ports[i].timer);
		ports[i].timer = NULL;
	}
	nports = 0;
}
