// See nft_expr.h.
#include "unpriv/posternd/nft_expr.h"

#include <linux/netfilter/nf_tables.h>
#include <netinet/in.h>

#include "unpriv/posternd/nft_type.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

struct header_field {
	struct nft_field field;
	uint8_t offset;
};

static const struct header_field ip4[] = {
    {{"ip length", NFT_T_INTEGER, 2}, 2}, {{"ip id", NFT_T_INTEGER, 2}, 4},          {{"ip frag-off", NFT_T_INTEGER, 2}, 6},
    {{"ip ttl", NFT_T_INTEGER, 1}, 8},    {{"ip protocol", NFT_T_INET_PROTO, 1}, 9}, {{"ip checksum", NFT_T_INTEGER, 2}, 10},
    {{"ip saddr", NFT_T_IP4, 4}, 12},     {{"ip daddr", NFT_T_IP4, 4}, 16},
};
static const struct header_field ip6[] = {
    {{"ip6 length", NFT_T_INTEGER, 2}, 4}, {{"ip6 nexthdr", NFT_T_INET_PROTO, 1}, 6}, {{"ip6 hoplimit", NFT_T_INTEGER, 1}, 7},
    {{"ip6 saddr", NFT_T_IP6, 16}, 8},     {{"ip6 daddr", NFT_T_IP6, 16}, 24},
};
static const struct header_field tcp[] = {
    {{"tcp sport", NFT_T_SERVICE, 2}, 0},  {{"tcp dport", NFT_T_SERVICE, 2}, 2},   {{"tcp sequence", NFT_T_INTEGER, 4}, 4},
    {{"tcp ackseq", NFT_T_INTEGER, 4}, 8}, {{"tcp flags", NFT_T_TCP_FLAG, 1}, 13}, {{"tcp window", NFT_T_INTEGER, 2}, 14},
};
static const struct header_field udp[] = {
    {{"udp sport", NFT_T_SERVICE, 2}, 0}, {{"udp dport", NFT_T_SERVICE, 2}, 2}, {{"udp length", NFT_T_INTEGER, 2}, 4}};
static const struct header_field sctp[] = {{{"sctp sport", NFT_T_SERVICE, 2}, 0}, {{"sctp dport", NFT_T_SERVICE, 2}, 2}};
static const struct header_field dccp[] = {{{"dccp sport", NFT_T_SERVICE, 2}, 0}, {{"dccp dport", NFT_T_SERVICE, 2}, 2}};
static const struct header_field udplite[] = {{{"udplite sport", NFT_T_SERVICE, 2}, 0}, {{"udplite dport", NFT_T_SERVICE, 2}, 2}};
static const struct header_field any[] = {{{"th sport", NFT_T_SERVICE, 2}, 0}, {{"th dport", NFT_T_SERVICE, 2}, 2}};
static const struct header_field icmp[] = {
    {{"icmp type", NFT_T_ICMP_TYPE, 1}, 0}, {{"icmp code", NFT_T_INTEGER, 1}, 1}, {{"icmp id", NFT_T_INTEGER, 2}, 4}};
static const struct header_field icmp6[] = {
    {{"icmpv6 type", NFT_T_ICMP6_TYPE, 1}, 0}, {{"icmpv6 code", NFT_T_INTEGER, 1}, 1}, {{"icmpv6 id", NFT_T_INTEGER, 2}, 4}};
static const struct header_field ether[] = {
    {{"ether daddr", NFT_T_ETHER, 6}, 0}, {{"ether saddr", NFT_T_ETHER, 6}, 6}, {{"ether type", NFT_T_ETHERTYPE, 2}, 12}};

static const struct nft_field metas[] = {
    [NFT_META_LEN] = {"meta length", NFT_T_HOST_INT, 0},
    [NFT_META_PROTOCOL] = {"meta protocol", NFT_T_ETHERTYPE, 0},
    [NFT_META_PRIORITY] = {NULL, 0, 0},
    [NFT_META_MARK] = {"meta mark", NFT_T_MARK, 0},
    [NFT_META_IIF] = {"iif", NFT_T_IFINDEX, 0},
    [NFT_META_OIF] = {"oif", NFT_T_IFINDEX, 0},
    [NFT_META_IIFNAME] = {"iifname", NFT_T_IFNAME, 0},
    [NFT_META_OIFNAME] = {"oifname", NFT_T_IFNAME, 0},
    [NFT_META_IIFTYPE] = {"iiftype", NFT_T_ARPHRD, 0},
    [NFT_META_OIFTYPE] = {"oiftype", NFT_T_ARPHRD, 0},
    [NFT_META_SKUID] = {"meta skuid", NFT_T_UID, 0},
    [NFT_META_SKGID] = {"meta skgid", NFT_T_GID, 0},
    [NFT_META_NFPROTO] = {"meta nfproto", NFT_T_NFPROTO, 0},
    [NFT_META_L4PROTO] = {"meta l4proto", NFT_T_INET_PROTO, 0},
    [NFT_META_BRI_IIFNAME] = {"meta ibrname", NFT_T_IFNAME, 0},
    [NFT_META_BRI_OIFNAME] = {"meta obrname", NFT_T_IFNAME, 0},
    [NFT_META_PKTTYPE] = {"meta pkttype", NFT_T_PKTTYPE, 0},
    [NFT_META_CPU] = {"meta cpu", NFT_T_HOST_INT, 0},
    [NFT_META_IIFGROUP] = {"iifgroup", NFT_T_DEVGROUP, 0},
    [NFT_META_OIFGROUP] = {"oifgroup", NFT_T_DEVGROUP, 0},
    [NFT_META_CGROUP] = {"meta cgroup", NFT_T_HOST_INT, 0},
};

static const struct nft_field cts[] = {
    [NFT_CT_STATE] = {"ct state", NFT_T_CT_STATE, 0},       [NFT_CT_DIRECTION] = {"ct direction", NFT_T_CT_DIR, 0},
    [NFT_CT_STATUS] = {"ct status", NFT_T_CT_STATUS, 0},    [NFT_CT_MARK] = {"ct mark", NFT_T_MARK, 0},
    [NFT_CT_L3PROTOCOL] = {"ct l3proto", NFT_T_NFPROTO, 0}, [NFT_CT_PROTOCOL] = {"ct protocol", NFT_T_INET_PROTO, 0},
    [NFT_CT_ZONE] = {"ct zone", NFT_T_HOST_INT, 0},
};

static const struct {
	uint32_t key;
	struct nft_field dirs[2];
} directed[] = {
    {NFT_CT_SRC_IP, {{"ct original ip saddr", NFT_T_IP4, 0}, {"ct reply ip saddr", NFT_T_IP4, 0}}},
    {NFT_CT_DST_IP, {{"ct original ip daddr", NFT_T_IP4, 0}, {"ct reply ip daddr", NFT_T_IP4, 0}}},
    {NFT_CT_SRC_IP6, {{"ct original ip6 saddr", NFT_T_IP6, 0}, {"ct reply ip6 saddr", NFT_T_IP6, 0}}},
    {NFT_CT_DST_IP6, {{"ct original ip6 daddr", NFT_T_IP6, 0}, {"ct reply ip6 daddr", NFT_T_IP6, 0}}},
    {NFT_CT_PROTO_SRC, {{"ct original proto-src", NFT_T_SERVICE, 0}, {"ct reply proto-src", NFT_T_SERVICE, 0}}},
    {NFT_CT_PROTO_DST, {{"ct original proto-dst", NFT_T_SERVICE, 0}, {"ct reply proto-dst", NFT_T_SERVICE, 0}}},
    {NFT_CT_PROTOCOL, {{"ct original protocol", NFT_T_INET_PROTO, 0}, {"ct reply protocol", NFT_T_INET_PROTO, 0}}},
};

static const struct nft_field *find(const struct header_field *h, size_t n, uint32_t offset, uint32_t len)
{
	for (size_t i = 0; i < n; i++) {
		bool address = h[i].field.type == NFT_T_IP4 || h[i].field.type == NFT_T_IP6;
		if (h[i].offset == offset && (h[i].field.len == len || (address && len < h[i].field.len)))
			return &h[i].field;
	}
	return NULL;
}

#define FIND(table, offset, len) find(table, COUNT(table), offset, len)

static const struct nft_field *transport(const struct nft_packet *p, uint32_t offset, uint32_t len)
{
	switch (p->has_l4 ? p->l4 : -1) {
	case IPPROTO_TCP: return FIND(tcp, offset, len);
	case IPPROTO_UDP: return FIND(udp, offset, len);
	case IPPROTO_SCTP: return FIND(sctp, offset, len);
	case IPPROTO_DCCP: return FIND(dccp, offset, len);
	case IPPROTO_UDPLITE: return FIND(udplite, offset, len);
	case IPPROTO_ICMP: return FIND(icmp, offset, len);
	case IPPROTO_ICMPV6: return FIND(icmp6, offset, len);
	case -1: return FIND(any, offset, len);
	default: return NULL;
	}
}

const struct nft_field *nft_payload_field(const struct nft_packet *p, uint32_t base, uint32_t offset, uint32_t len)
{
	if (base == NFT_PAYLOAD_TRANSPORT_HEADER)
		return transport(p, offset, len);
	if (base == NFT_PAYLOAD_LL_HEADER)
		return p->ether ? FIND(ether, offset, len) : NULL;
	if (base == NFT_PAYLOAD_NETWORK_HEADER && p->l3 == 4)
		return FIND(ip4, offset, len);
	if (base == NFT_PAYLOAD_NETWORK_HEADER && p->l3 == 6)
		return FIND(ip6, offset, len);
	return NULL;
}

const struct nft_field *nft_meta_field(uint32_t key)
{
	return key < COUNT(metas) && metas[key].name != NULL ? &metas[key] : NULL;
}

const struct nft_field *nft_ct_field(uint32_t key, int dir)
{
	if (dir < 0)
		return key < COUNT(cts) && cts[key].name != NULL ? &cts[key] : NULL;
	for (size_t i = 0; i < COUNT(directed); i++)
		if (directed[i].key == key && dir < 2)
			return &directed[i].dirs[dir];
	return NULL;
}
