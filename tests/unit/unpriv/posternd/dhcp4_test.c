// LINK: unpriv/posternd/dhcp4.o unpriv/posternd/dhcp4_msg.o
// The DHCPv4 client's messages and its state machine: a clock that the test moves, a server that says what the test wants.
#include "unpriv/posternd/dhcp4.h"

#include "tests/lib/test.h"

#define SERVER  0xc0000201u // 192.0.2.1
#define ADDRESS 0xc0000232u // 192.0.2.50
#define MINUTE  UINT64_C(60000)

static const uint8_t mac[6] = {2, 0, 0, 0, 0, 1};
static struct dhcp4 d;
static uint64_t now;
static unsigned sent, probes, bounds, losses;
static uint8_t last[DHCP4_MOST];
static size_t last_len;
static uint32_t last_to, lost_address, dice;

static uint32_t get32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static void put32(uint8_t *p, uint32_t v)
{
	for (int i = 0; i < 4; i++)
		p[i] = (uint8_t)(v >> (24 - 8 * i));
}

static void on_send(void *arg, uint32_t to, const uint8_t *m, size_t n)
{
	(void)arg;
	sent++;
	last_to = to;
	last_len = n;
	memcpy(last, m, n);
}

static void on_probe(void *arg, uint32_t address)
{
	(void)arg;
	(void)address;
	probes++;
}

static void on_bound(void *arg, const struct dhcp4_lease *l, uint64_t obtained)
{
	(void)arg;
	(void)l;
	(void)obtained;
	bounds++;
}

static void on_lost(void *arg, uint32_t address, const char *why)
{
	(void)arg;
	(void)why;
	losses++;
	lost_address = address;
}

static uint32_t on_random(void *arg)
{
	(void)arg;
	return dice = dice * 1664525 + 1013904223;
}

static const struct dhcp4_io io = {on_send, on_probe, on_bound, on_lost, on_random};

// The value of an option of the message sent last, or 0.
static uint32_t option(uint8_t code)
{
	for (size_t at = 240; at + 2 < last_len && last[at] != 255; at += 2u + last[at + 1])
		if (last[at] == code)
			return last[at + 1] == 1 ? last[at + 2] : get32(last + at + 2);
	return 0;
}

// A server's message as bytes: type, address, server and lease time; 0 leaves an option out.
static size_t reply(uint8_t m[600], uint8_t type, uint32_t address, uint32_t server, uint32_t secs)
{
	uint8_t *p = m + 240;

	memset(m, 0, 600);
	m[0] = 2;
	m[1] = 1;
	m[2] = 6;
	put32(m + 4, d.xid);
	put32(m + 16, address);
	memcpy(m + 28, mac, 6);
	put32(m + 236, 0x63825363);
	*p++ = 53;
	*p++ = 1;
	*p++ = type;
	for (int i = 0; i < 3; i++) {
		static const uint8_t codes[3] = {54, 51, 1};
		const uint32_t values[3] = {server, secs, 0xffffff00};
		if (values[i] == 0)
			continue;
		*p++ = codes[i];
		*p++ = 4;
		put32(p, values[i]);
		p += 4;
	}
	*p++ = 255;
	return (size_t)(p - m);
}

static void say(uint8_t type, uint32_t address, uint32_t server, uint32_t secs)
{
	uint8_t m[600];
	struct dhcp4_msg got;

	if (dhcp4_parse(m, reply(m, type, address, server, secs), &got))
		dhcp4_input(&d, now, &got);
}

// Moves the clock to when the client wants to be called, and calls it.
static void next(void)
{
	if (d.next_ms != DHCP4_NEVER && d.next_ms > now)
		now = d.next_ms;
	dhcp4_tick(&d, now);
}

static void until(uint64_t t)
{
	while (d.next_ms <= t)
		next();
	now = t;
}

static void begin(void)
{
	now = 1000000;
	sent = probes = bounds = losses = 0;
	dhcp4_init(&d, mac, &io, NULL);
	dhcp4_on(&d, now);
}

static void get_lease(uint32_t secs)
{
	begin();
	say(DHCP4_OFFER, ADDRESS, SERVER, secs);
	say(DHCP4_ACK, ADDRESS, SERVER, secs);
	while (d.state == DHCP4_PROBING)
		next();
}

TEST("a lease is asked for, probed, and held: DISCOVER, OFFER, REQUEST, ACK")
{
	begin();
	CHECK_INT(d.state, DHCP4_SELECTING);
	CHECK_INT(option(53), DHCP4_DISCOVER);
	CHECK_INT(last_to, 0);
	CHECK(last_len >= 300);
	say(DHCP4_OFFER, ADDRESS, SERVER, 3600);
	CHECK_INT(option(53), DHCP4_REQUEST);
	CHECK(option(50) == ADDRESS && option(54) == SERVER && get32(last + 12) == 0);
	say(DHCP4_ACK, ADDRESS, SERVER, 3600);
	CHECK(d.state == DHCP4_PROBING && bounds == 0);
	while (d.state == DHCP4_PROBING)
		next();
	CHECK(d.state == DHCP4_BOUND && bounds == 1 && probes == 3 && d.have && d.lease.address == ADDRESS);
	CHECK(d.lease.prefix == 24 && d.lease.t1 == 1800 && d.lease.t2 == 3150);
}

TEST("DISCOVER is repeated after 4, 8, 16, 32, 64 and 64 seconds, each give or take one")
{
	static const uint64_t waits[] = {4, 8, 16, 32, 64, 64, 64};

	begin();
	for (size_t i = 0; i < sizeof(waits) / sizeof(*waits); i++) {
		uint64_t wait = d.next_ms - now;
		CHECK(wait >= (waits[i] - 1) * 1000 && wait <= (waits[i] + 1) * 1000);
		next();
		CHECK_INT(option(53), DHCP4_DISCOVER);
		CHECK_INT(sent, i + 2);
	}
	CHECK(((unsigned)last[8] << 8 | last[9]) == (now - 1000000) / 1000);
}

TEST("what isn't for us is passed over: transaction, hardware address, server, address, time, state")
{
	struct dhcp4_msg m;
	uint8_t b[600];

	begin();
	dhcp4_parse(b, reply(b, DHCP4_OFFER, ADDRESS, SERVER, 3600), &m);
	m.xid++;
	dhcp4_input(&d, now, &m);
	m.xid--;
	m.mac[5]++;
	dhcp4_input(&d, now, &m);
	say(DHCP4_OFFER, ADDRESS, 0, 3600);
	say(DHCP4_OFFER, 0x7f000001, SERVER, 3600);
	say(DHCP4_OFFER, 0xe0000001, SERVER, 3600);
	say(DHCP4_OFFER, 0xc00002ff, SERVER, 3600);
	say(DHCP4_OFFER, ADDRESS, SERVER, 9);
	say(DHCP4_ACK, ADDRESS, SERVER, 3600);
	say(DHCP4_NAK, 0, SERVER, 0);
	CHECK(d.state == DHCP4_SELECTING && sent == 1);
	say(DHCP4_OFFER, ADDRESS, SERVER, 3600);
	say(DHCP4_ACK, ADDRESS + 1, SERVER, 3600);
	say(DHCP4_ACK, ADDRESS, SERVER + 1, 3600);
	say(DHCP4_NAK, 0, SERVER + 1, 0);
	say(DHCP4_OFFER, ADDRESS + 5, SERVER + 1, 3600);
	CHECK(d.state == DHCP4_REQUESTING && d.offer.address == ADDRESS);
}

TEST("a server that offers and is silent then is given up after four REQUESTs")
{
	begin();
	say(DHCP4_OFFER, ADDRESS, SERVER, 3600);
	for (int i = 0; i < 3; i++) {
		next();
		CHECK_INT(option(53), DHCP4_REQUEST);
	}
	next();
	CHECK_INT(d.state, DHCP4_WAIT);
	next();
	CHECK(d.state == DHCP4_SELECTING && option(53) == DHCP4_DISCOVER);
}

TEST("T1: the server is asked by unicast from the address; its ACK counts from when it was asked")
{
	get_lease(3600);
	uint64_t t1 = d.obtained_ms + 1800 * 1000;
	until(t1);
	CHECK(d.state == DHCP4_RENEWING && last_to == SERVER && get32(last + 12) == ADDRESS && option(50) == 0 && option(54) == 0);
	now += 700;
	say(DHCP4_ACK, ADDRESS, SERVER, 3600);
	CHECK(d.state == DHCP4_BOUND && d.obtained_ms == t1 && bounds == 2 && losses == 0 && probes == 3);
}

TEST("a renewal is repeated at half of what is left to T2, everybody is asked then, and at the end the address goes")
{
	get_lease(3600);
	uint64_t obtained = d.obtained_ms, before = now;
	until(obtained + 3150 * 1000 - 1);
	CHECK(d.state == DHCP4_RENEWING && last_to == SERVER);
	CHECK(sent >= 6 && sent <= 10);
	next();
	CHECK(d.state == DHCP4_REBINDING && last_to == 0 && get32(last + 12) == ADDRESS && now >= before);
	until(obtained + 3600 * 1000 - 1);
	CHECK(d.have && losses == 0);
	next();
	CHECK(!d.have && losses == 1 && lost_address == ADDRESS && d.state == DHCP4_SELECTING && now == obtained + 3600 * 1000);
}

TEST("any server's ACK counts while rebinding, for the same address only")
{
	get_lease(3600);
	until(d.obtained_ms + 3160 * 1000);
	say(DHCP4_ACK, ADDRESS + 1, SERVER + 9, 3600);
	CHECK_INT(d.state, DHCP4_REBINDING);
	say(DHCP4_ACK, ADDRESS, SERVER + 9, 3600);
	CHECK(d.state == DHCP4_BOUND && d.lease.server == SERVER + 9);
}

TEST("a NAK takes the address, and a second passes before it begins anew")
{
	get_lease(3600);
	until(d.obtained_ms + 1800 * 1000);
	say(DHCP4_NAK, 0, SERVER + 1, 0);
	CHECK(d.state == DHCP4_RENEWING && d.have);
	say(DHCP4_NAK, 0, SERVER, 0);
	CHECK(d.state == DHCP4_WAIT && !d.have && losses == 1 && d.next_ms == now + 1000);
}

TEST("an address that somebody has is declined, and ten seconds pass")
{
	begin();
	say(DHCP4_OFFER, ADDRESS, SERVER, 3600);
	say(DHCP4_ACK, ADDRESS, SERVER, 3600);
	dhcp4_conflict(&d, now, ADDRESS + 1);
	CHECK_INT(d.state, DHCP4_PROBING);
	dhcp4_conflict(&d, now, ADDRESS);
	CHECK(d.state == DHCP4_WAIT && option(53) == DHCP4_DECLINE && option(50) == ADDRESS && option(54) == SERVER);
	CHECK(d.next_ms == now + 10000 && bounds == 0 && !d.have);
	dhcp4_conflict(&d, now, ADDRESS);
	CHECK_INT(option(53), DHCP4_DECLINE);
}

TEST("a remembered lease is asked for again (INIT-REBOOT); where nobody answers it holds until its end")
{
	get_lease(3600);
	struct dhcp4_lease l = d.lease;
	begin();
	dhcp4_off(&d, now);
	dhcp4_remember(&d, &l, now - 100000);
	unsigned before = sent;
	dhcp4_on(&d, now);
	CHECK(d.state == DHCP4_REBOOTING && sent == before + 1 && option(50) == ADDRESS && option(54) == 0 && get32(last + 12) == 0);
	next();
	next();
	CHECK(d.state == DHCP4_BOUND && bounds == 1 && d.obtained_ms == 1000000 - 100000);
	dhcp4_off(&d, now);
	CHECK(d.have && d.next_ms == d.obtained_ms + 3600 * 1000);
	next();
	CHECK(!d.have && losses == 1 && d.state == DHCP4_OFF && d.next_ms == DHCP4_NEVER);
}

TEST("a remembered lease that has ended is lost at once, and one that a server confirms isn't probed")
{
	get_lease(3600);
	struct dhcp4_lease l = d.lease;
	begin();
	dhcp4_off(&d, now);
	dhcp4_remember(&d, &l, now - 3600 * 1000);
	dhcp4_on(&d, now);
	CHECK(d.state == DHCP4_SELECTING && losses == 1 && !d.have);
	dhcp4_off(&d, now);
	dhcp4_remember(&d, &l, now);
	dhcp4_on(&d, now);
	probes = 0;
	say(DHCP4_ACK, ADDRESS, SERVER, 3600);
	CHECK(d.state == DHCP4_BOUND && probes == 0);
}

TEST("a restart keeps the address until another one is given, which then takes its place")
{
	get_lease(3600);
	dhcp4_restart(&d, now);
	CHECK(d.state == DHCP4_SELECTING && d.have && option(53) == DHCP4_DISCOVER);
	say(DHCP4_OFFER, ADDRESS + 1, SERVER, 3600);
	say(DHCP4_ACK, ADDRESS + 1, SERVER, 3600);
	CHECK_INT(losses, 0);
	while (d.state == DHCP4_PROBING)
		next();
	CHECK(losses == 1 && lost_address == ADDRESS && d.lease.address == ADDRESS + 1 && bounds == 2);
}

TEST("a lease whose time is over while another is sought goes in time")
{
	get_lease(60);
	dhcp4_restart(&d, now);
	uint64_t end = d.obtained_ms + 60 * 1000;
	until(end - 1);
	CHECK(d.have);
	next();
	CHECK(!d.have && losses == 1 && now == end && d.state == DHCP4_SELECTING);
}

TEST("a lease for ever is never asked for again")
{
	get_lease(DHCP4_FOREVER);
	CHECK(d.state == DHCP4_BOUND && d.next_ms == DHCP4_NEVER);
}

TEST("T1 and T2 that don't rise are replaced by a half and seven eighths")
{
	struct dhcp4_lease l = {.address = ADDRESS, .prefix = 24, .secs = 800, .t1 = 700, .t2 = 600};

	CHECK(dhcp4_lease_ok(&l) && l.t1 == 400 && l.t2 == 700);
	l.t1 = 100;
	l.t2 = 200;
	CHECK(dhcp4_lease_ok(&l) && l.t1 == 100 && l.t2 == 200);
}

TEST("options in pieces and in overloaded fields are put together; those that run over refuse the message")
{
	uint8_t m[600];
	struct dhcp4_msg got;
	size_t n = reply(m, DHCP4_ACK, ADDRESS, SERVER, 3600) - 1;
	// Name servers in two pieces, the second in `file`; routes in `sname`.
	static const uint8_t first[] = {52, 1, 3, 6, 4, 192, 0, 2, 1, 255}, file[] = {6, 4, 192, 0, 2, 2, 255},
	                     sname[] = {121, 14, 15, 198, 18, 192, 0, 2, 9, 0, 192, 0, 2, 1, 33, 9, 255};

	memcpy(m + n, first, sizeof(first));
	memcpy(m + 108, file, sizeof(file));
	memcpy(m + 44, sname, sizeof(sname));
	CHECK(dhcp4_parse(m, n + sizeof(first), &got) && got.lease.n_dns == 2 && got.lease.dns[1] == SERVER + 1);
	CHECK(got.lease.n_routes == 2 && got.lease.routes[0].prefix == 15 && got.lease.routes[0].destination == 0xc6120000 && got.lease.routes[1].prefix == 0);
	m[109] = 200;
	CHECK(!dhcp4_parse(m, n + sizeof(first), &got));
	m[109] = 4;
	CHECK(!dhcp4_parse(m, n + sizeof(first) - 2, &got));
	CHECK(!dhcp4_parse(m, 239, &got));
}

// An IPv4 and UDP packet around a message.
static size_t wrap(uint8_t *p, const uint8_t *m, size_t n)
{
	uint32_t sum = 0;

	memset(p, 0, 28);
	p[0] = 0x45;
	p[2] = (uint8_t)((28 + n) >> 8);
	p[3] = (uint8_t)(28 + n);
	p[9] = 17;
	put32(p + 12, SERVER);
	for (int i = 0; i < 20; i += 2)
		sum += (uint32_t)p[i] << 8 | p[i + 1];
	sum = (sum & 0xffff) + (sum >> 16);
	p[10] = (uint8_t)(~sum >> 8);
	p[11] = (uint8_t)~sum;
	p[21] = 67;
	p[23] = 68;
	p[24] = (uint8_t)((8 + n) >> 8);
	p[25] = (uint8_t)(8 + n);
	memcpy(p + 28, m, n);
	return 28 + n;
}

TEST("a packet is unwrapped where headers, ports and checksums are right, and only there")
{
	uint8_t m[600], p[700];
	size_t n = wrap(p, m, reply(m, DHCP4_ACK, ADDRESS, SERVER, 3600)), len;
	uint32_t source;

	CHECK(dhcp4_unwrap(p, n, true, &len, &source) == p + 28 && len == n - 28 && source == SERVER);
	CHECK(dhcp4_unwrap(p, n - 1, true, &len, &source) == NULL);
	for (size_t i = 0; i < 24; i++) {
		p[i] ^= 1;
		CHECK(dhcp4_unwrap(p, n, true, &len, &source) == NULL);
		p[i] ^= 1;
	}
	p[26] = 0x12; // a wrong UDP checksum
	CHECK(dhcp4_unwrap(p, n, true, &len, &source) == NULL && dhcp4_unwrap(p, n, false, &len, &source) != NULL);
}

int main(void)
{
	return test_main();
}
