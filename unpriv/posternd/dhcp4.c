// See dhcp4.h.
//
// What isn't an answer to what was asked last (transaction, hardware address, and once one is chosen, server and address) is passed over: anybody on
// the link can send it.
#include "unpriv/posternd/dhcp4.h"

#include <string.h>

#define S              UINT64_C(1000)
#define FIRST_WAIT     (4 * S) // RFC 2131, 4.1: 4 s, doubled to 64 s, each give or take a second
#define LONGEST_WAIT   (64 * S)
#define REQUEST_TRIES  4
#define REBOOT_TRIES   2
#define LEAST_RENEW    (60 * S) // 4.4.5: between two REQUESTs while renewing
#define AFTER_CONFLICT (10 * S) // 3.1, step 5
#define AFTER_NAK      (1 * S)
// RFC 5227 waits seconds, for hosts that choose an address themselves; a server has looked before it offered.
#define PROBES         3
#define BETWEEN_PROBES 250

void dhcp4_init(struct dhcp4 *d, const uint8_t mac[6], const struct dhcp4_io *io, void *arg)
{
	memset(d, 0, sizeof(*d));
	d->io = io;
	d->arg = arg;
	d->next_ms = DHCP4_NEVER;
	memcpy(d->mac, mac, sizeof(d->mac));
}

static uint64_t ends_ms(const struct dhcp4 *d)
{
	return d->lease.secs == DHCP4_FOREVER ? DHCP4_NEVER : d->obtained_ms + d->lease.secs * S;
}

static uint64_t after(const struct dhcp4 *d, uint32_t secs)
{
	return d->lease.secs == DHCP4_FOREVER ? DHCP4_NEVER : d->obtained_ms + secs * S;
}

// Doubled with each try, and shaken by up to a second, so that a street whose power came back doesn't ask in chorus.
static uint64_t wait_for(const struct dhcp4 *d)
{
	uint64_t wait = FIRST_WAIT << (d->tries < 5 ? d->tries - 1 : 4);

	return (wait < LONGEST_WAIT ? wait : LONGEST_WAIT) - S + d->io->random(d->arg) % (2 * S);
}

// A held lease may end while something else is waited for.
static void due(struct dhcp4 *d, uint64_t at)
{
	d->next_ms = d->have && ends_ms(d) < at ? ends_ms(d) : at;
}

static void send(struct dhcp4 *d, uint64_t now, uint32_t to, struct dhcp4_ask ask)
{
	uint8_t m[DHCP4_MOST];
	uint64_t secs = (now - d->begun_ms) / S;

	ask.xid = d->xid;
	ask.secs = (uint16_t)(secs < UINT16_MAX ? secs : UINT16_MAX);
	memcpy(ask.mac, d->mac, sizeof(ask.mac));
	d->tries++;
	d->sent_ms = now;
	d->io->send(d->arg, to, m, dhcp4_build(&ask, m));
}

static void enter(struct dhcp4 *d, enum dhcp4_state s)
{
	d->state = s;
	d->tries = 0;
}

static void begin(struct dhcp4 *d, uint64_t now, enum dhcp4_state s)
{
	enter(d, s);
	d->xid = d->io->random(d->arg);
	d->begun_ms = now;
}

static void discover(struct dhcp4 *d, uint64_t now)
{
	if (d->state != DHCP4_SELECTING)
		begin(d, now, DHCP4_SELECTING);
	send(d, now, 0, (struct dhcp4_ask){.type = DHCP4_DISCOVER});
	due(d, now + wait_for(d));
}

static void wait_before(struct dhcp4 *d, uint64_t now, uint64_t wait)
{
	enter(d, DHCP4_WAIT);
	due(d, now + wait);
}

static void lose(struct dhcp4 *d, const char *why)
{
	if (!d->have)
		return;
	d->have = false;
	d->io->lost(d->arg, d->lease.address, why);
}

static void request(struct dhcp4 *d, uint64_t now)
{
	send(d, now, 0, (struct dhcp4_ask){.type = DHCP4_REQUEST, .requested = d->offer.address, .server = d->offer.server});
	due(d, now + wait_for(d));
}

static void reboot(struct dhcp4 *d, uint64_t now)
{
	send(d, now, 0, (struct dhcp4_ask){.type = DHCP4_REQUEST, .requested = d->lease.address});
	due(d, now + wait_for(d));
}

// Half of what is left, but a minute at least, and not beyond the end.
static void renew(struct dhcp4 *d, uint64_t now)
{
	bool all = d->state == DHCP4_REBINDING || d->lease.server == 0;
	uint64_t until = d->state == DHCP4_REBINDING ? ends_ms(d) : after(d, d->lease.t2);
	uint64_t wait = (until - now) / 2 > LEAST_RENEW ? (until - now) / 2 : LEAST_RENEW;

	send(d, now, all ? 0 : d->lease.server, (struct dhcp4_ask){.type = DHCP4_REQUEST, .ciaddr = d->lease.address});
	due(d, until - now < wait ? until : now + wait);
}

static void bound(struct dhcp4 *d)
{
	enter(d, DHCP4_BOUND);
	due(d, after(d, d->lease.t1));
}

// The offer becomes the lease.  An address that it replaces goes first.
static void take(struct dhcp4 *d)
{
	if (d->have && d->lease.address != d->offer.address)
		lose(d, "another address was given");
	d->have = true;
	d->lease = d->offer;
	d->obtained_ms = d->offer_ms;
	bound(d);
	d->io->bound(d->arg, &d->lease, d->obtained_ms);
}

static void probe(struct dhcp4 *d, uint64_t now)
{
	if (d->tries++ < PROBES) {
		d->io->probe(d->arg, d->offer.address);
		due(d, now + BETWEEN_PROBES);
	} else {
		take(d);
	}
}

void dhcp4_remember(struct dhcp4 *d, const struct dhcp4_lease *l, uint64_t obtained_ms)
{
	d->have = true;
	d->lease = *l;
	d->obtained_ms = obtained_ms;
}

void dhcp4_confirm(struct dhcp4 *d, uint64_t now)
{
	if (d->have && now >= ends_ms(d))
		lose(d, "the lease has ended");
	if (!d->have) {
		enter(d, DHCP4_WAIT);
		discover(d, now);
		return;
	}
	begin(d, now, DHCP4_REBOOTING);
	reboot(d, now);
}

void dhcp4_on(struct dhcp4 *d, uint64_t now)
{
	if (d->state == DHCP4_OFF)
		dhcp4_confirm(d, now);
}

void dhcp4_off(struct dhcp4 *d, uint64_t now)
{
	(void)now;
	enter(d, DHCP4_OFF);
	due(d, DHCP4_NEVER);
}

void dhcp4_restart(struct dhcp4 *d, uint64_t now)
{
	if (d->state == DHCP4_OFF)
		return;
	enter(d, DHCP4_WAIT);
	discover(d, now);
}

static bool wanted(const struct dhcp4 *d, const struct dhcp4_msg *m)
{
	return d->state != DHCP4_OFF && m->xid == d->xid && memcmp(m->mac, d->mac, sizeof(d->mac)) == 0;
}

static void on_offer(struct dhcp4 *d, uint64_t now, const struct dhcp4_msg *m)
{
	if (d->state != DHCP4_SELECTING || !m->whole || m->lease.server == 0)
		return;
	d->offer = m->lease;
	enter(d, DHCP4_REQUESTING);
	request(d, now);
}

static bool on_ack(struct dhcp4 *d, uint64_t now, const struct dhcp4_msg *m)
{
	bool chosen = d->state == DHCP4_REQUESTING;
	const struct dhcp4_lease *old = chosen ? &d->offer : &d->lease;

	if (!m->whole || m->lease.address != old->address || (chosen && m->lease.server != old->server))
		return false;
	if (d->state == DHCP4_RENEWING && old->server != 0 && m->lease.server != 0 && m->lease.server != old->server)
		return false;
	d->offer = m->lease;
	d->offer_ms = d->sent_ms;
	if (d->have && d->lease.address == d->offer.address) {
		take(d);
		return true;
	}
	enter(d, DHCP4_PROBING);
	probe(d, now);
	return true;
}

static void on_nak(struct dhcp4 *d, uint64_t now, const struct dhcp4_msg *m)
{
	if (d->state == DHCP4_REQUESTING && m->lease.server != d->offer.server)
		return;
	if (d->state == DHCP4_RENEWING && m->lease.server != d->lease.server)
		return;
	if (d->state != DHCP4_REQUESTING)
		lose(d, "the server takes the address back");
	wait_before(d, now, AFTER_NAK);
}

bool dhcp4_input(struct dhcp4 *d, uint64_t now, const struct dhcp4_msg *m)
{
	bool asked = d->state == DHCP4_REQUESTING || d->state == DHCP4_REBOOTING || d->state == DHCP4_RENEWING || d->state == DHCP4_REBINDING;

	if (!wanted(d, m))
		return false;
	if (m->type == DHCP4_ACK)
		return asked && on_ack(d, now, m);
	if (m->type == DHCP4_OFFER)
		on_offer(d, now, m);
	else if (m->type == DHCP4_NAK && asked)
		on_nak(d, now, m);
	return false;
}

void dhcp4_conflict(struct dhcp4 *d, uint64_t now, uint32_t address)
{
	if (d->state != DHCP4_PROBING || address != d->offer.address)
		return;
	send(d, now, 0, (struct dhcp4_ask){.type = DHCP4_DECLINE, .requested = d->offer.address, .server = d->offer.server});
	wait_before(d, now, AFTER_CONFLICT);
}

// The time that was waited for has come.
static void act(struct dhcp4 *d, uint64_t now)
{
	switch (d->state) {
	case DHCP4_OFF: due(d, DHCP4_NEVER); break;
	case DHCP4_WAIT:
	case DHCP4_SELECTING: discover(d, now); break;
	case DHCP4_REQUESTING:
		if (d->tries < REQUEST_TRIES)
			request(d, now);
		else
			wait_before(d, now, AFTER_NAK);
		break;
	case DHCP4_REBOOTING:
		if (d->tries < REBOOT_TRIES) {
			reboot(d, now);
			break;
		}
		bound(d);
		d->io->bound(d->arg, &d->lease, d->obtained_ms);
		break;
	case DHCP4_PROBING: probe(d, now); break;
	case DHCP4_BOUND: begin(d, now, DHCP4_RENEWING); __attribute__((fallthrough));
	case DHCP4_RENEWING:
		if (now >= after(d, d->lease.t2))
			enter(d, DHCP4_REBINDING);
		renew(d, now);
		break;
	case DHCP4_REBINDING: renew(d, now); break;
	}
}

// The end of a held lease comes before whatever else is due.  What another server is being asked for goes on.
void dhcp4_tick(struct dhcp4 *d, uint64_t now)
{
	bool holding = d->state == DHCP4_BOUND || d->state == DHCP4_RENEWING || d->state == DHCP4_REBINDING || d->state == DHCP4_REBOOTING;

	if (now < d->next_ms)
		return;
	if (d->have && now >= ends_ms(d)) {
		lose(d, "the lease has ended");
		if (holding)
			enter(d, DHCP4_WAIT);
	}
	act(d, now);
}
