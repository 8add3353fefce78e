// What a record may say.  See fw.h.
#include <netinet/in.h>
#include <string.h>

#include "helper/net/fw.h"

static unsigned bits_of(const struct wire_addr *a)
{
	return a->family == 4 ? 32 : 128;
}

static bool zero(const void *p, size_t n)
{
	const uint8_t *b = p;

	while (n > 0)
		if (b[--n] != 0)
			return false;
	return true;
}

// A network, written with nothing behind its prefix.
static bool network_ok(const struct wire_addr *a)
{
	if ((a->family != 4 && a->family != 6) || a->prefix > bits_of(a) || a->prefix == 0)
		return false;
	for (unsigned i = a->prefix; i < 128; i++)
		if ((a->addr[i / 8] & 0x80u >> i % 8) != 0)
			return false;
	return true;
}

static bool none(const struct wire_addr *a)
{
	return zero(a, sizeof(*a));
}

// One address of one machine, not this machine's loopback.
static bool host_ok(const struct wire_addr *a)
{
	static const uint8_t loopback[16] = {[15] = 1};
	uint8_t first = a->addr[0];

	if (!network_ok(a) || a->prefix != bits_of(a))
		return false;
	if (a->family == 4)
		return first != 0 && first != 127 && first < 224;
	return first != 0xff && !zero(a->addr, 16) && memcmp(a->addr, loopback, 16) != 0;
}

// Printable ASCII up to the first NUL, nothing but NUL from there.
static bool text_ok(const char *s, size_t size)
{
	size_t n = strnlen(s, size);

	for (size_t i = 0; i < n; i++)
		if (s[i] < 0x20 || s[i] > 0x7e)
			return false;
	return n < size && zero(s + n, size - n);
}

static bool has_ports(uint8_t proto)
{
	return proto == IPPROTO_TCP || proto == IPPROTO_UDP || proto == IPPROTO_SCTP;
}

static bool no_ports(const struct fw_record *r)
{
	return r->port_lo == 0 && r->port_hi == 0;
}

static const char *wrong_snat(const struct fw_record *r)
{
	if (!network_ok(&r->source))
		return "source of a record";
	if (r->kind == FW_SNAT ? !host_ok(&r->to) || r->to.family != r->source.family : !none(&r->to))
		return "to of a record";
	return none(&r->host) && r->proto == 0 && no_ports(r) && r->to_port == 0 ? NULL : "unused field of a record";
}

static const char *wrong_dnat(const struct fw_record *r)
{
	if (!host_ok(&r->to) || r->to_port == 0)
		return "to of a record";
	if (!none(&r->source) && (!network_ok(&r->source) || r->source.family != r->to.family))
		return "source of a record";
	if (!none(&r->host) && (!host_ok(&r->host) || r->host.family != r->to.family))
		return "host of a record";
	return has_ports(r->proto) && r->port_lo != 0 && r->port_hi == 0 ? NULL : "port of a record";
}

static const char *wrong_allow(const struct fw_record *r)
{
	uint8_t only = r->proto == IPPROTO_ICMP ? 4 : r->proto == IPPROTO_ICMPV6 ? 6 : 0;

	if (!none(&r->source) && (!network_ok(&r->source) || (only != 0 && r->source.family != only)))
		return "source of a record";
	if (only != 0 ? !no_ports(r) : !has_ports(r->proto) || r->port_lo == 0 || r->port_lo > r->port_hi)
		return "port of a record";
	return none(&r->to) && none(&r->host) && r->to_port == 0 ? NULL : "unused field of a record";
}

// A translation is out of an uplink; what comes in may come by a link of ours as well.
static bool link_allowed(const struct policy_net *net, const struct fw_record *r)
{
	bool nat = r->kind == FW_MASQUERADE || r->kind == FW_SNAT;

	if (r->interface[0] == '\0')
		return !nat || net->uplinks.n > 0;
	return policy_uplink(net, r->interface) || (!nat && policy_link_ours(net, r->interface));
}

const char *fw_record_wrong(const struct policy_net *net, const struct fw_record *r, bool *denied)
{
	const char *wrong = "kind of a record";

	*denied = false;
	switch (r->kind) {
	case FW_MASQUERADE:
	case FW_SNAT: wrong = wrong_snat(r); break;
	case FW_DNAT: wrong = wrong_dnat(r); break;
	case FW_ALLOW: wrong = wrong_allow(r); break;
	}
	if (wrong != NULL)
		return wrong;
	if (r->reserved != 0 || r->reserved2 != 0)
		return "unused field of a record";
	if (!text_ok(r->comment, sizeof(r->comment)) || !text_ok(r->interface, sizeof(r->interface)))
		return "text of a record";
	*denied = !link_allowed(net, r);
	return *denied ? "uplink" : NULL;
}

size_t fw_items(const struct policy_net *net, const struct fw_record *r)
{
	const struct fw_set *s = fw_set_of(r);

	return s != NULL && s->any ? net->uplinks.n : 1;
}
