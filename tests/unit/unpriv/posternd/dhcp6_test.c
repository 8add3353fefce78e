// LINK: unpriv/posternd/dhcp6.o unpriv/posternd/dhcp6_msg.o
// The DHCPv6 client's messages and its state machine, as dhcp4_test.c does it.
#include "unpriv/posternd/dhcp6.h"

#include "tests/lib/test.h"

static const uint8_t mac[6] = {2, 0, 0, 0, 0, 1};
static struct dhcp6 d;
static uint64_t now;
static unsigned sent, bounds, losses;
static uint8_t last[DHCP6_MOST];
static size_t last_len;

static void on_send(void *arg, const uint8_t *m, size_t n)
{
	(void)arg;
	sent++;
	last_len = n;
	memcpy(last, m, n);
}

static void on_bound(void *arg, const struct dhcp6_lease *l, const struct dhcp6_lease *before, uint64_t obtained)
{
	(void)arg;
	(void)l;
	(void)before;
	(void)obtained;
	bounds++;
}

static void on_lost(void *arg, const struct dhcp6_lease *l, const char *why)
{
	(void)arg;
	(void)l;
	(void)why;
	losses++;
}

static uint32_t on_random(void *arg)
{
	static uint32_t dice;

	(void)arg;
	return dice = dice * 1664525 + 1013904223;
}

static const struct dhcp6_io io = {on_send, on_bound, on_lost, on_random};

// A server's message being written.
static uint8_t m[800];
static size_t len;

static void put(unsigned long v, unsigned bytes)
{
	while (bytes-- > 0)
		m[len++] = (uint8_t)(v >> (8 * bytes));
}

static void put_bytes(const void *p, size_t n)
{
	memcpy(m + len, p, n);
	len += n;
}

// type, server's last byte, times of an address and a prefix (valid; preferred is half of it); preference 0: none.
static void write_reply(unsigned type, uint8_t server, unsigned long valid, unsigned preference)
{
	static const uint8_t address[16] = {0xfd, 0, [15] = 9}, prefix[16] = {0x20, 1, 0x0d, 0xb8, 1};

	len = 0;
	put(type << 24 | d.xid, 4);
	put(1, 2), put(d.duid.n, 2), put_bytes(d.duid.v, d.duid.n);
	put(2, 2), put(4, 2), put(0x00020000u | server, 4);
	if (preference > 0)
		put(7, 2), put(1, 2), put(preference, 1);
	if (valid == 0) {
		put(13, 2), put(2, 2), put(2, 2); // NoAddrsAvail
		return;
	}
	put(3, 2), put(12 + 28, 2), put(d.iaid, 4), put(0, 8), put(5, 2), put(24, 2), put_bytes(address, 16), put(valid / 2, 4), put(valid, 4);
	put(25, 2), put(12 + 29, 2), put(d.iaid, 4), put(0, 8), put(26, 2), put(25, 2), put(valid / 2, 4), put(valid, 4), put(56, 1), put_bytes(prefix, 16);
}

static void say(unsigned type, uint8_t server, unsigned long valid, unsigned preference)
{
	struct dhcp6_msg got;

	write_reply(type, server, valid, preference);
	if (dhcp6_parse(m, len, &got))
		dhcp6_input(&d, now, &got);
}

static void next(void)
{
	if (d.next_ms != DHCP6_NEVER && d.next_ms > now)
		now = d.next_ms;
	dhcp6_tick(&d, now);
}

static void until(uint64_t t)
{
	while (d.next_ms <= t)
		next();
	now = t;
}

static void begin(void)
{
	now = 5000;
	sent = bounds = losses = 0;
	dhcp6_init(&d, mac, true, true, &io, NULL);
	dhcp6_on(&d, now);
}

static void get_lease(void)
{
	begin();
	say(DHCP6_ADVERTISE, 1, 1000, 255);
	say(DHCP6_REPLY, 1, 1000, 0);
}

TEST("an address and a prefix are leased: SOLICIT, ADVERTISE, REQUEST, REPLY")
{
	begin();
	CHECK(d.state == DHCP6_SOLICITING && last[0] == DHCP6_SOLICIT);
	say(DHCP6_ADVERTISE, 1, 1000, 0);
	CHECK_INT(d.state, DHCP6_SOLICITING); // others have the first second, too
	next();
	CHECK(d.state == DHCP6_REQUESTING && last[0] == DHCP6_REQUEST && now < 5000 + 1200);
	say(DHCP6_REPLY, 1, 1000, 0);
	CHECK(d.state == DHCP6_BOUND && bounds == 1 && d.lease.n_addresses == 1 && d.lease.n_prefixes == 1);
	CHECK(d.lease.prefixes[0].length == 56 && d.lease.secs == 1000 && d.lease.t1 == 250 && d.lease.t2 == 400);
}

TEST("the highest preference of the first second wins, and 255 ends the wait")
{
	begin();
	say(DHCP6_ADVERTISE, 1, 1000, 5);
	say(DHCP6_ADVERTISE, 2, 1000, 9);
	say(DHCP6_ADVERTISE, 3, 1000, 7);
	next();
	CHECK(d.state == DHCP6_REQUESTING && d.offer.server.v[3] == 2);
	begin();
	say(DHCP6_ADVERTISE, 4, 1000, 255);
	CHECK(d.state == DHCP6_REQUESTING && d.offer.server.v[3] == 4);
}

TEST("SOLICIT is repeated ever more slowly, up to an hour")
{
	uint64_t wait = 0;

	begin();
	for (int i = 0; i < 20; i++) {
		uint64_t before = wait;
		wait = d.next_ms - now;
		CHECK(i == 0 || wait > before || wait >= 3240000);
		CHECK(wait <= 3960000);
		next();
	}
	CHECK_INT(sent, 21);
}

TEST("what isn't for us is passed over: transaction, identity, server, empty answers")
{
	struct dhcp6_msg got;

	begin();
	write_reply(DHCP6_ADVERTISE, 1, 1000, 255);
	CHECK(dhcp6_parse(m, len, &got));
	got.xid ^= 1;
	dhcp6_input(&d, now, &got);
	got.xid ^= 1;
	got.client.v[9] ^= 1;
	dhcp6_input(&d, now, &got);
	say(DHCP6_ADVERTISE, 1, 0, 255);
	say(DHCP6_REPLY, 1, 1000, 0);
	CHECK(d.state == DHCP6_SOLICITING && sent == 1);
	say(DHCP6_ADVERTISE, 1, 1000, 255);
	say(DHCP6_REPLY, 2, 1000, 0);
	say(DHCP6_REPLY, 2, 0, 0);
	CHECK_INT(d.state, DHCP6_REQUESTING);
}

TEST("a refusal waits before it begins anew, and takes what was held")
{
	get_lease();
	until(d.obtained_ms + 250 * 1000);
	CHECK(d.state == DHCP6_RENEWING && last[0] == DHCP6_RENEW);
	unsigned before = sent;
	say(DHCP6_REPLY, 1, 0, 0);
	CHECK(d.state == DHCP6_SOLICITING && losses == 1 && sent == before && d.next_ms >= now + 1000);
}

TEST("T1 renews, T2 asks everybody, and the end takes it all")
{
	get_lease();
	uint64_t obtained = d.obtained_ms;
	until(obtained + 250 * 1000);
	say(DHCP6_REPLY, 1, 1000, 0);
	CHECK(d.state == DHCP6_BOUND && bounds == 2 && d.obtained_ms == obtained + 250 * 1000);
	obtained = d.obtained_ms;
	until(obtained + 400 * 1000 - 1);
	CHECK_INT(d.state, DHCP6_RENEWING);
	until(obtained + 401 * 1000);
	CHECK(d.state == DHCP6_REBINDING && last[0] == DHCP6_REBIND);
	until(obtained + 1000 * 1000 - 1);
	CHECK(d.have);
	next();
	CHECK(!d.have && losses == 1 && d.state == DHCP6_SOLICITING);
}

TEST("a remembered lease is confirmed by REBIND, and holds where nobody answers")
{
	get_lease();
	struct dhcp6_lease l = d.lease;
	begin();
	dhcp6_off(&d, now);
	dhcp6_remember(&d, &l, now - 10000);
	dhcp6_on(&d, now);
	CHECK(d.state == DHCP6_REBOOTING && last[0] == DHCP6_REBIND);
	while (d.state == DHCP6_REBOOTING)
		next();
	CHECK(d.state == DHCP6_BOUND && bounds == 1 && losses == 0 && now < 5000 + 20000);
}

TEST("a message that is cut short anywhere is refused or says less, and never reads beyond its end")
{
	struct dhcp6_msg got;

	begin();
	write_reply(DHCP6_REPLY, 1, 1000, 3);
	for (size_t n = 0; n < len; n++) {
		uint8_t *copy = malloc(n > 0 ? n : 1);
		memcpy(copy, m, n);
		if (dhcp6_parse(copy, n, &got))
			CHECK(got.lease.n_prefixes == 0);
		free(copy);
	}
	CHECK(dhcp6_parse(m, len, &got) && got.lease.n_prefixes == 1 && got.preference == 3);
}

int main(void)
{
	return test_main();
}
