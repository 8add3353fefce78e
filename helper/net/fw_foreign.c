// Base chains of other tables that drop by default: an accept of ours doesn't take their verdict back.  See fw.h.
#include <arpa/inet.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <netlink/attr.h>
#include <netlink/msg.h>
#include <stdio.h>
#include <string.h>

#include "helper/net/fw.h"
#include "helper/net/nfnl.h"

static struct fw_foreign last;
static bool known;
static uint32_t generation; // of the ruleset when last was read, plus our own transactions since

static uint32_t number(const struct nlattr *a)
{
	uint32_t be = 0;

	if (a != NULL && nla_len(a) == sizeof(be))
		memcpy(&be, nla_data(a), sizeof(be));
	return ntohl(be);
}

static void on_generation(void *arg, const struct nlmsghdr *h)
{
	struct nlattr *tb[NFTA_GEN_MAX + 1];

	if (nlmsg_parse((struct nlmsghdr *)(uintptr_t)h, sizeof(struct nfgenmsg), tb, NFTA_GEN_MAX, NULL) == 0)
		*(uint32_t *)arg = number(tb[NFTA_GEN_ID]);
}

static const char *family_name(uint8_t family)
{
	return family == NFPROTO_IPV4 ? "ip" : family == NFPROTO_IPV6 ? "ip6" : family == NFPROTO_INET ? "inet" : NULL;
}

// A name as far as it is printable; anybody may have given it.
static void append(char out[128], const struct nlattr *a)
{
	size_t at = strlen(out);
	const char *s = nla_data(a);

	out[at++] = ' ';
	for (int i = 0; i < nla_len(a) && s[i] != '\0' && at < 127; i++)
		out[at++] = s[i] > 0x20 && s[i] < 0x7f ? s[i] : '?';
	out[at] = '\0';
}

static void on_chain(void *arg, const struct nlmsghdr *h)
{
	struct fw_foreign *f = arg;
	const struct nfgenmsg *g = nlmsg_data(h);
	struct nlattr *tb[NFTA_CHAIN_MAX + 1], *hook[NFTA_HOOK_MAX + 1];
	uint32_t at;
	char *out;

	if (nlmsg_parse((struct nlmsghdr *)(uintptr_t)h, sizeof(*g), tb, NFTA_CHAIN_MAX, NULL) != 0 || tb[NFTA_CHAIN_HOOK] == NULL ||
	    tb[NFTA_CHAIN_POLICY] == NULL || tb[NFTA_CHAIN_TABLE] == NULL || tb[NFTA_CHAIN_NAME] == NULL || family_name(g->nfgen_family) == NULL)
		return;
	if (number(tb[NFTA_CHAIN_POLICY]) != NF_DROP || nla_parse_nested(hook, NFTA_HOOK_MAX, tb[NFTA_CHAIN_HOOK], NULL) != 0)
		return;
	if (g->nfgen_family == NFPROTO_INET && strncmp(nla_data(tb[NFTA_CHAIN_TABLE]), FW_TABLE, sizeof(FW_TABLE)) == 0)
		return;
	at = number(hook[NFTA_HOOK_HOOKNUM]);
	out = at == NF_INET_FORWARD ? f->forward : at == NF_INET_LOCAL_IN ? f->input : NULL;
	if (out == NULL || out[0] != '\0')
		return;
	snprintf(out, sizeof(f->forward), "%s", family_name(g->nfgen_family));
	append(out, tb[NFTA_CHAIN_TABLE]);
	append(out, tb[NFTA_CHAIN_NAME]);
}

int fw_foreign(struct fw_foreign *f, unsigned ours)
{
	char buf[NFNL_REQUEST];
	uint32_t now = 0;
	int err = nfnl_get(SYS_NFT, nfnl_request(buf, NFNL_SUBSYS_NFTABLES, NFT_MSG_GETGEN, 0, 0), on_generation, &now);

	generation += ours;
	if (err == 0 && !(known && now == generation)) {
		memset(&last, 0, sizeof(last));
		err = nfnl_dump(SYS_NFT, nfnl_request(buf, NFNL_SUBSYS_NFTABLES, NFT_MSG_GETCHAIN, NFPROTO_UNSPEC, 0), on_chain, &last);
		known = err == 0;
		generation = now;
	}
	*f = last;
	return err;
}
