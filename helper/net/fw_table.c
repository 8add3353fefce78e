// The table without its records: chains, sets, fixed rules.  See fw.h.
#include <libnftnl/chain.h>
#include <libnftnl/common.h>
#include <libnftnl/rule.h>
#include <libnftnl/set.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>

#include "helper/net/fw.h"

#define HAIRPIN_MAX 65535u // pairs of links

// Priorities as nft calls them: dstnat, srcnat, filter.
const struct fw_chain fw_chains[FW_CHAINS] = {
    {"prerouting", "nat", NF_INET_PRE_ROUTING, -100},
    {"output", "nat", NF_INET_LOCAL_OUT, -100},
    {"forward", "filter", NF_INET_FORWARD, 0},
    {"postrouting", "nat", NF_INET_POST_ROUTING, 100},
    {"input", "filter", NF_INET_LOCAL_IN, 0},
};

static void put_chain(struct fw_batch *b, const struct fw_chain *k, bool drop)
{
	struct nftnl_chain *c = nftnl_chain_alloc();
	struct nlmsghdr *h = fw_message(b, NFT_MSG_NEWCHAIN, NLM_F_CREATE);

	if (c == NULL || h == NULL) {
		b->full = true;
		return;
	}
	nftnl_chain_set_str(c, NFTNL_CHAIN_TABLE, FW_TABLE);
	nftnl_chain_set_str(c, NFTNL_CHAIN_NAME, k->name);
	nftnl_chain_set_str(c, NFTNL_CHAIN_TYPE, k->type);
	nftnl_chain_set_u32(c, NFTNL_CHAIN_HOOKNUM, k->hook);
	nftnl_chain_set_s32(c, NFTNL_CHAIN_PRIO, k->priority);
	nftnl_chain_set_u32(c, NFTNL_CHAIN_POLICY, drop ? NF_DROP : NF_ACCEPT);
	nftnl_chain_nlmsg_build_payload(h, c);
	fw_message_done(b, h);
	nftnl_chain_free(c);
}

static uint32_t type_of(const struct fw_field *f, unsigned n)
{
	uint32_t type = 0;

	for (unsigned i = 0; i < n; i++)
		type = type << 6 | f[i].type; // six bits each: TYPE_BITS of nftables
	return type;
}

static void put_named(struct fw_batch *b, const char *name, uint32_t flags, const struct fw_field *key, unsigned nkey, const struct fw_field *value,
                      unsigned nvalue)
{
	static uint32_t id; // told apart within a transaction by this
	struct nftnl_set *s = nftnl_set_alloc();
	struct nlmsghdr *h = fw_message(b, NFT_MSG_NEWSET, NLM_F_CREATE);
	uint8_t lens[FW_FIELDS];

	if (s == NULL || h == NULL) {
		b->full = true;
		return;
	}
	nftnl_set_set_str(s, NFTNL_SET_TABLE, FW_TABLE);
	nftnl_set_set_str(s, NFTNL_SET_NAME, name);
	nftnl_set_set_u32(s, NFTNL_SET_ID, ++id);
	nftnl_set_set_u32(s, NFTNL_SET_FLAGS, flags);
	nftnl_set_set_u32(s, NFTNL_SET_KEY_TYPE, type_of(key, nkey));
	nftnl_set_set_u32(s, NFTNL_SET_KEY_LEN, fw_fields_len(key, nkey));
	if (nvalue > 0) {
		nftnl_set_set_u32(s, NFTNL_SET_DATA_TYPE, type_of(value, nvalue));
		nftnl_set_set_u32(s, NFTNL_SET_DATA_LEN, fw_fields_len(value, nvalue));
	}
	if ((flags & NFT_SET_EVAL) != 0)
		nftnl_set_set_u32(s, NFTNL_SET_DESC_SIZE, HAIRPIN_MAX);
	for (unsigned i = 0; i < nkey; i++)
		lens[i] = key[i].len;
	if ((flags & NFT_SET_CONCAT) != 0)
		nftnl_set_set_data(s, NFTNL_SET_DESC_CONCAT, lens, nkey);
	nftnl_set_nlmsg_build_payload(h, s);
	fw_message_done(b, h);
	nftnl_set_free(s);
}

static void put_set(struct fw_batch *b, const struct fw_set *s)
{
	struct fw_field key[FW_FIELDS], value[FW_FIELDS];
	unsigned nkey = fw_set_key(s, key), nvalue = fw_set_value(s, value);

	put_named(b, s->name, (fw_set_ranges(s) ? NFT_SET_INTERVAL | NFT_SET_CONCAT : 0u) | (nvalue > 0 ? NFT_SET_MAP : 0u), key, nkey, value, nvalue);
}

static void put_hairpin(struct fw_batch *b)
{
	static const struct fw_field links[2] = {{41, 16}, {41, 16}}; // ifname . ifname

	put_named(b, FW_HAIRPIN, NFT_SET_EVAL, links, 2, NULL, 0);
}

void fw_put_frame(struct fw_batch *b, const struct policy_net *net)
{
	struct nftnl_rule *r;

	fw_put_table(b, NFT_MSG_NEWTABLE, NLM_F_CREATE);
	for (unsigned i = 0; i < FW_CHAINS; i++)
		put_chain(b, &fw_chains[i], net->input_drop && fw_chains[i].hook == NF_INET_LOCAL_IN);
	for (unsigned i = 0; i < FW_SETS; i++)
		put_set(b, &fw_sets[i]);
	put_hairpin(b);
	for (unsigned i = 0; (r = fw_fixed_rule(i)) != NULL; i++) {
		fw_put_rule(b, NFT_MSG_NEWRULE, r);
		nftnl_rule_free(r);
	}
}
