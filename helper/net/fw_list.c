// Reads table inet postern back.  See fw.h.
//
// What a name or a rule's own text says isn't believed: an element counts as ours when its record, turned into an element again, is the same,
// and a rule when the one that we would make is.
#include <netinet/in.h> // before linux/netfilter.h, which would bring the kernel's own

#include <errno.h>
#include <libnftnl/rule.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <netlink/attr.h>
#include <netlink/msg.h>
#include <string.h>

#include "helper/net/fw.h"
#include "helper/net/nfnl.h"

#define FIXED_MAX 80u

struct reading {
	const struct policy_net *net;
	struct fw_found *f;
	fw_each *each;
	void *arg;
	const struct fw_set *set;           // whose elements are being read
	uint32_t uplinks[POLICY_NAMES];     // elements of a set with `any`, by uplink
	bool seen_chain[FW_CHAINS], seen_set[FW_SETS], seen_hairpin, seen_rule[FIXED_MAX];
	struct nftnl_rule *fixed[FIXED_MAX];
	bool only_records;
};

static bool parse(const struct nlmsghdr *h, struct nlattr **tb, int max)
{
	return nlmsg_parse((struct nlmsghdr *)(uintptr_t)h, sizeof(struct nfgenmsg), tb, max, NULL) == 0;
}

static const char *text(const struct nlattr *a)
{
	return a != NULL && nla_len(a) > 0 && ((const char *)nla_data(a))[nla_len(a) - 1] == '\0' ? nla_data(a) : "";
}

static bool number_is(const struct nlattr *a, uint32_t want)
{
	uint32_t be = 0;

	if (a != NULL && nla_len(a) == sizeof(be))
		memcpy(&be, nla_data(a), sizeof(be));
	return __builtin_bswap32(be) == want;
}

// ---- table and chains ----

static void on_table(void *arg, const struct nlmsghdr *h)
{
	struct nlattr *tb[NFTA_TABLE_MAX + 1];

	if (parse(h, tb, NFTA_TABLE_MAX) && strcmp(text(tb[NFTA_TABLE_NAME]), FW_TABLE) == 0)
		*(bool *)arg = true;
}

static bool chain_ok(const struct reading *g, const struct fw_chain *k, struct nlattr **tb)
{
	struct nlattr *hook[NFTA_HOOK_MAX + 1];
	bool drop = g->net->input_drop && strcmp(k->name, "input") == 0;

	return tb[NFTA_CHAIN_HOOK] != NULL && nla_parse_nested(hook, NFTA_HOOK_MAX, tb[NFTA_CHAIN_HOOK], NULL) == 0 &&
	       number_is(hook[NFTA_HOOK_HOOKNUM], k->hook) && number_is(hook[NFTA_HOOK_PRIORITY], (uint32_t)k->priority) &&
	       number_is(tb[NFTA_CHAIN_POLICY], drop ? 0 : 1) && strcmp(text(tb[NFTA_CHAIN_TYPE]), k->type) == 0;
}

static void on_chain(void *arg, const struct nlmsghdr *h)
{
	struct reading *g = arg;
	struct nlattr *tb[NFTA_CHAIN_MAX + 1];

	if (!parse(h, tb, NFTA_CHAIN_MAX) || strcmp(text(tb[NFTA_CHAIN_TABLE]), FW_TABLE) != 0)
		return;
	for (unsigned i = 0; i < FW_CHAINS; i++)
		if (strcmp(text(tb[NFTA_CHAIN_NAME]), fw_chains[i].name) == 0) {
			g->seen_chain[i] = chain_ok(g, &fw_chains[i], tb);
			return;
		}
	g->f->foreign++;
}

// ---- sets and elements ----

static void on_set(void *arg, const struct nlmsghdr *h)
{
	struct reading *g = arg;
	struct nlattr *tb[NFTA_SET_MAX + 1];
	struct fw_field f[FW_FIELDS];
	const struct fw_set *s;
	const char *name;

	if (!parse(h, tb, NFTA_SET_MAX))
		return;
	name = text(tb[NFTA_SET_NAME]);
	s = fw_set_named(name);
	if (s != NULL)
		g->seen_set[s - fw_sets] = number_is(tb[NFTA_SET_KEY_LEN], fw_fields_len(f, fw_set_key(s, f)));
	else if (strcmp(name, FW_HAIRPIN) == 0)
		g->seen_hairpin = true;
	else
		g->f->foreign++;
}

static bool value_of(const struct nlattr *a, uint8_t *to)
{
	struct nlattr *d[NFTA_DATA_MAX + 1];

	if (a == NULL || nla_parse_nested(d, NFTA_DATA_MAX, (struct nlattr *)(uintptr_t)a, NULL) != 0 || d[NFTA_DATA_VALUE] == NULL ||
	    nla_len(d[NFTA_DATA_VALUE]) > (int)FW_KEY_MAX)
		return false;
	memcpy(to, nla_data(d[NFTA_DATA_VALUE]), (size_t)nla_len(d[NFTA_DATA_VALUE]));
	return true;
}

static void comment_of(const struct nlattr *a, char out[32])
{
	const uint8_t *p = a != NULL ? nla_data(a) : NULL;

	if (p != NULL && nla_len(a) > 2 && p[0] == 0 && p[1] <= 32 && p[1] + 2 == nla_len(a) && p[1 + p[1]] == '\0')
		memcpy(out, p + 2, p[1]);
}

// Of the elements that stand for "any uplink", the one of the first uplink stands for all.
static bool is_first(struct reading *g, const struct fw_elem *e, bool *known)
{
	*known = true;
	if (!g->set->any)
		return true;
	for (uint32_t i = 0; i < g->net->uplinks.n; i++)
		if (memcmp(g->net->uplinks.v[i], e->key, sizeof(g->net->uplinks.v[i])) == 0) {
			g->uplinks[i]++;
			return i == 0;
		}
	*known = false;
	return false;
}

static void on_element(struct reading *g, struct nlattr **tb)
{
	struct fw_elem e = {0};
	struct fw_record r;
	bool known = false, first, denied;

	if (!value_of(tb[NFTA_SET_ELEM_KEY], e.key) || (fw_set_ranges(g->set) && !value_of(tb[NFTA_SET_ELEM_KEY_END], e.end)) ||
	    (tb[NFTA_SET_ELEM_DATA] != NULL && !value_of(tb[NFTA_SET_ELEM_DATA], e.value)) || !fw_elem_record(g->set, &e, &r)) {
		g->f->foreign++;
		return;
	}
	comment_of(tb[NFTA_SET_ELEM_USERDATA], r.comment);
	first = is_first(g, &e, &known);
	if (!known || fw_record_wrong(g->net, &r, &denied) != NULL) {
		g->f->foreign++;
		return;
	}
	g->f->items++;
	if (first)
		g->each(g->arg, &r, 0);
}

static void on_elements(void *arg, const struct nlmsghdr *h)
{
	struct reading *g = arg;
	struct nlattr *tb[NFTA_SET_ELEM_LIST_MAX + 1], *e[NFTA_SET_ELEM_MAX + 1], *one;
	int left;

	if (!parse(h, tb, NFTA_SET_ELEM_LIST_MAX) || tb[NFTA_SET_ELEM_LIST_ELEMENTS] == NULL)
		return;
	nla_for_each_nested(one, tb[NFTA_SET_ELEM_LIST_ELEMENTS], left)
		if (nla_parse_nested(e, NFTA_SET_ELEM_MAX, one, NULL) == 0)
			on_element(g, e);
}

static int elements(struct reading *g, const struct fw_set *s)
{
	char buf[NFNL_REQUEST];
	struct nlmsghdr *h = nfnl_request(buf, NFNL_SUBSYS_NFTABLES, NFT_MSG_GETSETELEM, NFPROTO_INET, 0);
	int err;

	g->set = s;
	memset(g->uplinks, 0, sizeof(g->uplinks));
	mnl_attr_put_strz(h, NFTA_SET_ELEM_LIST_TABLE, FW_TABLE);
	mnl_attr_put_strz(h, NFTA_SET_ELEM_LIST_SET, s->name);
	err = nfnl_dump(SYS_NFT, h, on_elements, g);
	for (uint32_t i = 1; s->any && i < g->net->uplinks.n; i++)
		g->f->missing += g->uplinks[i] < g->uplinks[0] ? g->uplinks[0] - g->uplinks[i] : 0;
	return err == -ENOENT ? 0 : err;
}

// ---- rules ----

static bool is_fixed(struct reading *g, const struct nftnl_rule *live)
{
	for (unsigned i = 0; i < FIXED_MAX && g->fixed[i] != NULL; i++)
		if (!g->seen_rule[i] && fw_rule_same(g->fixed[i], live))
			return g->seen_rule[i] = true;
	return false;
}

static bool is_record(struct reading *g, const struct nftnl_rule *live, struct fw_record *r)
{
	bool denied, same;
	struct nftnl_rule *want;

	if (!fw_rule_record(live, r) || fw_record_wrong(g->net, r, &denied) != NULL || fw_set_of(r) != NULL)
		return false;
	want = fw_record_rule(r);
	same = want != NULL && fw_rule_same(want, live);
	if (want != NULL)
		nftnl_rule_free(want);
	return same;
}

static void on_rule(void *arg, const struct nlmsghdr *h)
{
	struct reading *g = arg;
	struct nftnl_rule *live = nftnl_rule_alloc();
	struct fw_record r;

	if (live == NULL || nftnl_rule_nlmsg_parse(h, live) != 0 || strcmp(nftnl_rule_get_str(live, NFTNL_RULE_TABLE), FW_TABLE) != 0) {
	} else if (is_record(g, live, &r)) {
		g->f->items++;
		g->each(g->arg, &r, nftnl_rule_get_u64(live, NFTNL_RULE_HANDLE));
	} else if (!g->only_records && !is_fixed(g, live)) {
		g->f->foreign++;
	}
	if (live != NULL)
		nftnl_rule_free(live);
}

static int dump(struct reading *g, uint8_t message, uint16_t table_attr, nfnl_each *each)
{
	char buf[NFNL_REQUEST];
	struct nlmsghdr *h = nfnl_request(buf, NFNL_SUBSYS_NFTABLES, message, NFPROTO_INET, 0);
	int err;

	if (table_attr != 0)
		mnl_attr_put_strz(h, table_attr, FW_TABLE);
	err = nfnl_dump(SYS_NFT, h, each, g);
	return err == -ENOENT ? 0 : err;
}

// ---- all of it ----

static int whole(struct reading *g)
{
	int err = dump(g, NFT_MSG_GETCHAIN, 0, on_chain);

	if (err == 0)
		err = dump(g, NFT_MSG_GETSET, NFTA_SET_TABLE, on_set);
	for (unsigned i = 0; err == 0 && i < FW_SETS; i++)
		if (g->seen_set[i])
			err = elements(g, &fw_sets[i]);
	return err != 0 ? err : dump(g, NFT_MSG_GETRULE, NFTA_RULE_TABLE, on_rule);
}

static void count_missing(struct reading *g)
{
	for (unsigned i = 0; i < FW_CHAINS; i++)
		g->f->missing += !g->seen_chain[i];
	for (unsigned i = 0; i < FW_SETS; i++)
		g->f->missing += !g->seen_set[i];
	g->f->missing += !g->seen_hairpin;
	for (unsigned i = 0; i < FIXED_MAX && g->fixed[i] != NULL; i++)
		g->f->missing += !g->seen_rule[i];
}

static int present(bool *is)
{
	char buf[NFNL_REQUEST];
	struct nlmsghdr *h = nfnl_request(buf, NFNL_SUBSYS_NFTABLES, NFT_MSG_GETTABLE, NFPROTO_INET, 0);

	*is = false;
	return nfnl_dump(SYS_NFT, h, on_table, is);
}

int fw_read(const struct policy_net *net, struct fw_found *f, fw_each *each, void *arg)
{
	static struct reading g;
	int err;

	memset(f, 0, sizeof(*f));
	g = (struct reading){.net = net, .f = f, .each = each, .arg = arg};
	err = present(&f->present);
	if (err != 0 || !f->present)
		return err;
	for (unsigned i = 0; i < FIXED_MAX; i++)
		g.fixed[i] = fw_fixed_rule(i);
	err = whole(&g);
	if (err == 0)
		count_missing(&g);
	for (unsigned i = 0; i < FIXED_MAX && g.fixed[i] != NULL; i++)
		nftnl_rule_free(g.fixed[i]);
	return err;
}

int fw_read_rules(const struct policy_net *net, fw_each *each, void *arg)
{
	static struct reading g;
	static struct fw_found f;

	g = (struct reading){.net = net, .f = &f, .each = each, .arg = arg, .only_records = true};
	return dump(&g, NFT_MSG_GETRULE, NFTA_RULE_TABLE, on_rule);
}
