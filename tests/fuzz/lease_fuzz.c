// LINK: unpriv/posternd/dhcp4.o unpriv/posternd/dhcp4_msg.o unpriv/posternd/dhcp6.o unpriv/posternd/dhcp6_msg.o
// LINK: unpriv/posternd/lease_pairs.o unpriv/posternd/lease_dhclient.o
// Leases from strangers: packets of DHCPv4, messages of DHCPv6, files of other programs.  What is taken is something that a host can use, whatever
// came, and the clients' clocks never stand still while they wait.
#include <stdlib.h>
#include <string.h>

#include "unpriv/posternd/dhcp4.h"
#include "unpriv/posternd/dhcp6.h"
#include "unpriv/posternd/lease_text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const uint8_t mac[6] = {2, 0, 0, 0, 0, 1};

static void must(bool ok)
{
	if (!ok)
		abort();
}

static void send4(void *arg, uint32_t to, const uint8_t *m, size_t n)
{
	(void)arg;
	must(n >= 300 && n <= DHCP4_MOST && m[0] == 1 && (to == 0 || dhcp4_unicast(to)));
}

static void probe4(void *arg, uint32_t address)
{
	(void)arg;
	must(dhcp4_unicast(address));
}

static void bound4(void *arg, const struct dhcp4_lease *l, uint64_t obtained)
{
	struct dhcp4_lease copy = *l;

	(void)arg;
	(void)obtained;
	must(dhcp4_lease_ok(&copy) && memcmp(&copy, l, sizeof(copy)) == 0 && l->prefix >= 8 && l->n_routers <= DHCP4_SERVERS && l->n_routes <= DHCP4_ROUTES);
}

static void lost4(void *arg, uint32_t address, const char *why)
{
	(void)arg;
	must(address != 0 && why != NULL);
}

static uint32_t dice(void *arg)
{
	(void)arg;
	return 0x01020304;
}

static const struct dhcp4_io io4 = {send4, probe4, bound4, lost4, dice};

// A client that has asked is told everything that follows, each piece with its length before it.
static void converse4(const uint8_t *data, size_t size)
{
	struct dhcp4 d;
	uint64_t now = 1000;

	dhcp4_init(&d, mac, &io4, NULL);
	dhcp4_on(&d, now);
	while (size > 2) {
		size_t n = ((size_t)data[0] << 8 | data[1]) % 600;
		struct dhcp4_msg m;

		n = n < size - 2 ? n : size - 2;
		if (dhcp4_parse(data + 2, n, &m)) {
			m.xid = d.xid;
			memcpy(m.mac, mac, sizeof(mac));
			dhcp4_input(&d, now, &m);
		}
		must(d.next_ms == DHCP4_NEVER ? d.state == DHCP4_BOUND : true);
		now = d.next_ms == DHCP4_NEVER || d.next_ms < now ? now + 1 : d.next_ms;
		dhcp4_tick(&d, now);
		data += 2 + n;
		size -= 2 + n;
	}
}

static void send6(void *arg, const uint8_t *m, size_t n)
{
	(void)arg;
	must(n >= 4 && n <= DHCP6_MOST && m[0] != 0);
}

static void bound6(void *arg, const struct dhcp6_lease *l, const struct dhcp6_lease *before, uint64_t obtained)
{
	(void)arg;
	(void)before;
	(void)obtained;
	must(l->n_addresses <= DHCP6_EACH && l->n_prefixes <= DHCP6_EACH && l->n_addresses + l->n_prefixes > 0 && l->secs >= 10 && l->t1 <= l->t2);
}

static void lost6(void *arg, const struct dhcp6_lease *l, const char *why)
{
	(void)arg;
	must(l != NULL && why != NULL);
}

static const struct dhcp6_io io6 = {send6, bound6, lost6, dice};

static void converse6(const uint8_t *data, size_t size)
{
	struct dhcp6 d;
	uint64_t now = 1000;

	dhcp6_init(&d, mac, true, true, &io6, NULL);
	dhcp6_on(&d, now);
	while (size > 2) {
		size_t n = ((size_t)data[0] << 8 | data[1]) % 600;
		struct dhcp6_msg m;

		n = n < size - 2 ? n : size - 2;
		if (dhcp6_parse(data + 2, n, &m)) {
			m.xid = d.xid;
			m.client = d.duid;
			m.lease.iaid = d.iaid;
			dhcp6_input(&d, now, &m);
		}
		now = d.next_ms == DHCP6_NEVER || d.next_ms < now ? now + 1 : d.next_ms;
		dhcp6_tick(&d, now);
		data += 2 + n;
		size -= 2 + n;
	}
}

static void check_seen(const struct lease_seen *l, void *arg)
{
	(void)arg;
	must(l->interface[0] != '\0' && memchr(l->interface, 0, sizeof(l->interface)) != NULL && l->v6.n_addresses <= DHCP6_EACH);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct lease_seen l;
	uint32_t source;
	size_t len;
	char *text;

	if (size < 1)
		return 0;
	text = malloc(size);
	memcpy(text, data + 1, size - 1);
	text[size - 1] = '\0';
	switch (data[0] % 5) {
	case 0: converse4(data + 1, size - 1); break;
	case 1: converse6(data + 1, size - 1); break;
	case 2: lease_text_dhclient(text, check_seen, NULL); break;
	case 3: must(!lease_text_pairs(text, &l) || dhcp4_unicast(l.v4.address)); break;
	case 4: must(dhcp4_unwrap((const uint8_t *)text, size - 1, (data[0] & 128) != 0, &len, &source) == NULL || len < size); break;
	}
	free(text);
	return 0;
}
