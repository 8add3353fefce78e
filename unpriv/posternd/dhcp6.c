// See dhcp6.h.  Retransmission: RFC 8415, 15 and 7.6, in milliseconds; there is no limit of tries but where a row says so.
#include "unpriv/posternd/dhcp6.h"

#include <string.h>

#define S        UINT64_C(1000)
#define NO_LIMIT 0

static const struct pace {
	uint64_t first, longest;
	unsigned tries;
} paces[] = {
    [DHCP6_SOLICITING] = {1 * S, 3600 * S, NO_LIMIT}, [DHCP6_REQUESTING] = {1 * S, 30 * S, 10},        [DHCP6_REBOOTING] = {1 * S, 4 * S, 4},
    [DHCP6_RENEWING] = {10 * S, 600 * S, NO_LIMIT},   [DHCP6_REBINDING] = {10 * S, 600 * S, NO_LIMIT},
};

void dhcp6_init(struct dhcp6 *d, const uint8_t mac[6], bool addresses, bool prefixes, const struct dhcp6_io *io, void *arg)
{
	memset(d, 0, sizeof(*d));
	d->io = io;
	d->arg = arg;
	d->addresses = addresses;
	d->prefixes = prefixes;
	d->duid = dhcp6_duid_of(mac);
	memcpy(&d->iaid, mac + 2, sizeof(d->iaid));
	d->next_ms = DHCP6_NEVER;
}

static uint64_t after(const struct dhcp6 *d, uint32_t secs)
{
	return secs == DHCP6_FOREVER ? DHCP6_NEVER : d->obtained_ms + secs * S;
}

static void due(struct dhcp6 *d, uint64_t at)
{
	uint64_t end = d->have ? after(d, d->lease.secs) : DHCP6_NEVER;

	d->next_ms = end < at ? end : at;
}

static void enter(struct dhcp6 *d, enum dhcp6_state s)
{
	d->state = s;
	d->tries = 0;
	d->offered = false;
}

// A tenth more or less, so that clients don't ask in chorus.
static uint64_t shaken(const struct dhcp6 *d, uint64_t ms)
{
	return ms - ms / 10 + d->io->random(d->arg) % (ms / 5 + 1);
}

// Sends the state's message, and waits for twice as long as the last time.
static void ask(struct dhcp6 *d, uint64_t now)
{
	static const enum dhcp6_type types[] = {[DHCP6_SOLICITING] = DHCP6_SOLICIT,
	                                        [DHCP6_REQUESTING] = DHCP6_REQUEST,
	                                        [DHCP6_REBOOTING] = DHCP6_REBIND,
	                                        [DHCP6_RENEWING] = DHCP6_RENEW,
	                                        [DHCP6_REBINDING] = DHCP6_REBIND};
	const struct pace *p = &paces[d->state];
	uint8_t m[DHCP6_MOST];
	uint64_t elapsed = (now - d->begun_ms) / 10;
	struct dhcp6_ask a = {.type = types[d->state],
	                      .xid = d->xid,
	                      .elapsed = (uint16_t)(elapsed < UINT16_MAX ? elapsed : UINT16_MAX),
	                      .client = &d->duid,
	                      .iaid = d->iaid,
	                      .addresses = d->addresses,
	                      .prefixes = d->prefixes};

	if (d->state == DHCP6_REQUESTING)
		a.lease = &d->offer;
	else if (d->state != DHCP6_SOLICITING)
		a.lease = &d->lease;
	if (d->state == DHCP6_REQUESTING || d->state == DHCP6_RENEWING)
		a.server = &a.lease->server;
	d->wait_ms = shaken(d, d->tries == 0 ? p->first : 2 * d->wait_ms);
	if (d->wait_ms > p->longest)
		d->wait_ms = shaken(d, p->longest);
	d->tries++;
	d->sent_ms = now;
	d->io->send(d->arg, m, dhcp6_build(&a, m));
	due(d, d->state == DHCP6_RENEWING && after(d, d->lease.t2) < now + d->wait_ms ? after(d, d->lease.t2) : now + d->wait_ms);
}

static void begin(struct dhcp6 *d, uint64_t now, enum dhcp6_state s)
{
	enter(d, s);
	d->xid = d->io->random(d->arg) & 0xffffff;
	d->begun_ms = now;
	ask(d, now);
}

static void lose(struct dhcp6 *d, const char *why)
{
	if (!d->have)
		return;
	d->have = false;
	d->io->lost(d->arg, &d->lease, why);
}

static void bound(struct dhcp6 *d)
{
	enter(d, DHCP6_BOUND);
	due(d, after(d, d->lease.t1));
}

void dhcp6_remember(struct dhcp6 *d, const struct dhcp6_lease *l, uint64_t obtained_ms)
{
	d->have = true;
	d->lease = *l;
	d->obtained_ms = obtained_ms;
}

void dhcp6_confirm(struct dhcp6 *d, uint64_t now)
{
	if (d->have && now >= after(d, d->lease.secs))
		lose(d, "the lease has ended");
	begin(d, now, d->have ? DHCP6_REBOOTING : DHCP6_SOLICITING);
}

void dhcp6_on(struct dhcp6 *d, uint64_t now)
{
	if (d->state == DHCP6_OFF)
		dhcp6_confirm(d, now);
}

void dhcp6_off(struct dhcp6 *d, uint64_t now)
{
	(void)now;
	enter(d, DHCP6_OFF);
	due(d, DHCP6_NEVER);
}

void dhcp6_restart(struct dhcp6 *d, uint64_t now)
{
	if (d->state != DHCP6_OFF)
		begin(d, now, DHCP6_SOLICITING);
}

static bool holds_something(const struct dhcp6_msg *m)
{
	return m->status == 0 && m->lease.n_addresses + m->lease.n_prefixes > 0 && m->lease.secs >= 10;
}

// As much as was wanted is better than a higher preference.
static unsigned worth(const struct dhcp6 *d, const struct dhcp6_lease *l, uint8_t preference)
{
	return (d->addresses && l->n_addresses > 0 ? 256u : 0) + (d->prefixes && l->n_prefixes > 0 ? 256u : 0) + preference;
}

static void on_advertise(struct dhcp6 *d, uint64_t now, const struct dhcp6_msg *m)
{
	bool best = m->preference == UINT8_MAX;

	if (d->state != DHCP6_SOLICITING || !holds_something(m))
		return;
	if (!d->offered || worth(d, &m->lease, m->preference) > worth(d, &d->offer, d->preference)) {
		d->offered = true;
		d->offer = m->lease;
		d->preference = m->preference;
	}
	// The first second belongs to all servers (18.2.1).
	if (d->tries > 1 || best)
		begin(d, now, DHCP6_REQUESTING);
}

static void on_reply(struct dhcp6 *d, const struct dhcp6_msg *m)
{
	struct dhcp6_lease before = d->lease;
	bool had = d->have;

	d->have = true;
	d->lease = m->lease;
	d->obtained_ms = d->sent_ms;
	bound(d);
	d->io->bound(d->arg, &d->lease, had ? &before : NULL, d->obtained_ms);
}

// Once a server is chosen, no other one's word counts.
static bool from_whom(const struct dhcp6 *d, const struct dhcp6_msg *m)
{
	if (d->state == DHCP6_REQUESTING)
		return dhcp6_duid_same(&m->lease.server, &d->offer.server);
	return d->state != DHCP6_RENEWING || dhcp6_duid_same(&m->lease.server, &d->lease.server);
}

// A second at least lies between a refusal and the next beginning.
static void begin_later(struct dhcp6 *d, uint64_t now)
{
	enter(d, DHCP6_SOLICITING);
	d->xid = d->io->random(d->arg) & 0xffffff;
	d->begun_ms = now;
	due(d, now + shaken(d, 2 * S));
}

bool dhcp6_input(struct dhcp6 *d, uint64_t now, const struct dhcp6_msg *m)
{
	bool asked = d->state != DHCP6_OFF && d->state != DHCP6_SOLICITING && d->state != DHCP6_BOUND && from_whom(d, m);

	if (d->state == DHCP6_OFF || m->xid != d->xid || !dhcp6_duid_same(&m->client, &d->duid) || (m->lease.iaid != d->iaid && m->lease.secs != 0))
		return false;
	if (m->type == DHCP6_ADVERTISE) {
		on_advertise(d, now, m);
	} else if (asked && holds_something(m)) {
		on_reply(d, m);
		return true;
	} else if (asked && (m->status != 0 || m->refused)) {
		// No binding, not on this link, or nothing left.
		if (d->state != DHCP6_REQUESTING)
			lose(d, "the server takes it back");
		begin_later(d, now);
	}
	return false;
}

static void act(struct dhcp6 *d, uint64_t now)
{
	switch (d->state) {
	case DHCP6_OFF: due(d, DHCP6_NEVER); break;
	case DHCP6_SOLICITING:
		if (d->offered)
			begin(d, now, DHCP6_REQUESTING);
		else
			ask(d, now);
		break;
	case DHCP6_REQUESTING:
		if (d->tries < paces[DHCP6_REQUESTING].tries)
			ask(d, now);
		else
			begin(d, now, DHCP6_SOLICITING);
		break;
	case DHCP6_REBOOTING:
		if (d->tries < paces[DHCP6_REBOOTING].tries) {
			ask(d, now);
			break;
		}
		bound(d);
		d->io->bound(d->arg, &d->lease, &d->lease, d->obtained_ms);
		break;
	case DHCP6_BOUND: begin(d, now, DHCP6_RENEWING); break;
	case DHCP6_RENEWING:
		if (now >= after(d, d->lease.t2))
			begin(d, now, DHCP6_REBINDING);
		else
			ask(d, now);
		break;
	case DHCP6_REBINDING: ask(d, now); break;
	}
}

void dhcp6_tick(struct dhcp6 *d, uint64_t now)
{
	bool holding = d->state != DHCP6_OFF && d->state != DHCP6_SOLICITING && d->state != DHCP6_REQUESTING;

	if (now < d->next_ms)
		return;
	if (d->have && now >= after(d, d->lease.secs)) {
		lose(d, "the lease has ended");
		if (holding) {
			begin(d, now, DHCP6_SOLICITING);
			return;
		}
	}
	act(d, now);
}
