// See nft_page.h.
#include "unpriv/posternd/nft_page.h"

#include <netinet/in.h> // before the kernel's headers, which then leave out what it has
#include <stdio.h>
#include <string.h>

#include <libnftnl/chain.h>
#include <libnftnl/expr.h>
#include <libnftnl/rule.h>
#include <libnftnl/table.h>
#include <libnftnl/udata.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>

#include "unpriv/posternd/list.h"
#include "unpriv/posternd/nft_rule.h"
#include "unpriv/posternd/nft_type.h"

#define OWN_TABLE "postern"
#define BYTECODE  1024 // bytes of an expression's text

// Appends a zeroed element; the list moves at every power of two.
#define ADD(list, arena)                                                                                                                             \
	((((list)->n & ((list)->n - 1)) == 0 ? (void)((list)->v = grown((list)->v, (list)->n, sizeof(*(list)->v), arena)) : (void)0),                \
	 &(list)->v[(list)->n++])

static void *grown(const void *v, size_t n, size_t size, struct arena *a)
{
	char *more = arena_zalloc(a, (2 * n + 1) * size);

	if (n > 0)
		memcpy(more, v, n * size);
	return more;
}

// A copy of a name; a message may lack it, though the kernel's don't.
static const char *kept(struct arena *a, const char *text)
{
	return arena_strdup(a, text != NULL ? text : "");
}

static int family_word(uint32_t family)
{
	switch (family) {
	case NFPROTO_IPV4: return fw_family_ip;
	case NFPROTO_IPV6: return fw_family_ip6;
	case NFPROTO_INET: return fw_family_inet;
	case NFPROTO_ARP: return fw_family_arp;
	case NFPROTO_BRIDGE: return fw_family_bridge;
	case NFPROTO_NETDEV: return fw_family_netdev;
	default: return -1;
	}
}

static const char *hook_name(uint32_t family, uint32_t hook)
{
	static const char *const inet[] = {"prerouting", "input", "forward", "output", "postrouting", "ingress"};
	static const char *const arp[] = {"input", "output", "forward"};
	static const char *const netdev[] = {"ingress", "egress"};

	if (family == NFPROTO_ARP)
		return hook < 3 ? arp[hook] : NULL;
	if (family == NFPROTO_NETDEV)
		return hook < 2 ? netdev[hook] : NULL;
	return hook < 6 ? inet[hook] : NULL;
}

// The table's object in this page, made where it isn't there yet.  NULL where it isn't asked for.
static struct obj_fw_table *table(struct nft_page *p, uint32_t family, const char *name)
{
	struct obj_fw_table *t;

	if (name == NULL || family_word(family) < 0 || !nft_query_fits(p->q, (uint8_t)family, name))
		return NULL;
	for (size_t i = p->tables.n; i-- > 0;)
		if (p->tables.v[i].family == family_word(family) && strcmp(p->tables.v[i].name, name) == 0)
			return &p->tables.v[i];
	t = ADD(&p->tables, p->a);
	t->family = family_word(family);
	t->name = arena_strdup(p->a, name);
	t->managed = family == NFPROTO_INET && strcmp(name, OWN_TABLE) == 0;
	return t;
}

// Rules come chain by chain, in the order of the chains: each is looked for from where the last one was found.
static struct obj_fw_chain *chain(struct nft_page *p, struct obj_fw_table *t, const char *name)
{
	struct obj_fw_chain *c;

	for (size_t i = 0; i < t->chains.n; i++) {
		size_t at = (p->near + i) % t->chains.n;
		if (strcmp(t->chains.v[at].name, name) != 0)
			continue;
		p->near = at;
		return &t->chains.v[at];
	}
	p->near = t->chains.n;
	c = ADD(&t->chains, p->a);
	c->name = arena_strdup(p->a, name);
	return c;
}

static bool show_table(struct nft_page *p, const struct nlmsghdr *h)
{
	struct nftnl_table *n = nftnl_table_alloc();
	struct obj_fw_table *t = NULL;

	if (n != NULL && nftnl_table_nlmsg_parse(h, n) == 0)
		t = table(p, nftnl_table_get_u32(n, NFTNL_TABLE_FAMILY), nftnl_table_get_str(n, NFTNL_TABLE_NAME));
	if (t != NULL) {
		uint32_t flags = nftnl_table_get_u32(n, NFTNL_TABLE_FLAGS);

		t->has_handle = nftnl_table_is_set(n, NFTNL_TABLE_HANDLE);
		t->handle = t->has_handle ? (int64_t)nftnl_table_get_u64(n, NFTNL_TABLE_HANDLE) : 0;
		t->has_flags = flags != 0;
		if ((flags & NFT_TABLE_F_DORMANT) != 0)
			list_add(&t->flags, "dormant", p->a);
		if ((flags & NFT_TABLE_F_OWNER) != 0)
			list_add(&t->flags, "owner", p->a);
	}
	if (n != NULL)
		nftnl_table_free(n);
	return t != NULL;
}

static void fill_chain(struct nft_page *p, struct nftnl_chain *n, uint32_t family, struct obj_fw_chain *c)
{
	const char *device = nftnl_chain_get_str(n, NFTNL_CHAIN_DEV);

	c->has_handle = true;
	c->handle = (int64_t)nftnl_chain_get_u64(n, NFTNL_CHAIN_HANDLE);
	if (!nftnl_chain_is_set(n, NFTNL_CHAIN_HOOKNUM))
		return;
	c->hook = hook_name(family, nftnl_chain_get_u32(n, NFTNL_CHAIN_HOOKNUM));
	c->has_hook = c->hook != NULL;
	c->has_type = nftnl_chain_is_set(n, NFTNL_CHAIN_TYPE);
	c->type = c->has_type ? kept(p->a, nftnl_chain_get_str(n, NFTNL_CHAIN_TYPE)) : NULL;
	c->has_priority = true;
	c->priority = nftnl_chain_get_s32(n, NFTNL_CHAIN_PRIO);
	c->has_policy = nftnl_chain_is_set(n, NFTNL_CHAIN_POLICY);
	c->policy = c->has_policy && nftnl_chain_get_u32(n, NFTNL_CHAIN_POLICY) == NF_DROP ? "drop" : "accept";
	c->has_device = device != NULL;
	c->device = device != NULL ? arena_strdup(p->a, device) : NULL;
}

static bool show_chain(struct nft_page *p, const struct nlmsghdr *h)
{
	struct nftnl_chain *n = nftnl_chain_alloc();
	struct obj_fw_table *t = NULL;

	if (n != NULL && nftnl_chain_nlmsg_parse(h, n) == 0)
		t = table(p, nftnl_chain_get_u32(n, NFTNL_CHAIN_FAMILY), nftnl_chain_get_str(n, NFTNL_CHAIN_TABLE));
	if (t != NULL) {
		struct obj_fw_chain *c = ADD(&t->chains, p->a); // each comes once: nothing to look for

		c->name = kept(p->a, nftnl_chain_get_str(n, NFTNL_CHAIN_NAME));
		fill_chain(p, n, nftnl_chain_get_u32(n, NFTNL_CHAIN_FAMILY), c);
	}
	if (n != NULL)
		nftnl_chain_free(n);
	return t != NULL;
}

// ---- rules ----

struct look {
	struct nft_page *p;
	uint8_t family;
	const char *table;
};

static const char *messages_of(const struct nft_ruleset *rs, const struct nft_set *s)
{
	return s->to > s->from ? rs->elements.at + s->from : "";
}

// The text of a set without a name, found once: the ruleset's arena keeps it for later pages.
static const char *inline_text(struct nft_page *p, struct nft_set *s)
{
	struct list_str l = {0};
	struct text t = {0};

	if (s->tried)
		return s->text;
	s->tried = true;
	if (!nft_set_elements(s, messages_of(p->rs, s), s->to - s->from, true, &l, &p->rs->arena))
		return NULL;
	text_char(&t, '{');
	for (size_t i = 0; i < l.n; i++)
		text_printf(&t, "%s%s", i > 0 ? ", " : " ", l.v[i]);
	text_lit(&t, " }");
	s->text = arena_strndup(&p->rs->arena, t.at, t.len);
	text_finish(&t);
	return s->text;
}

static bool find_set(void *arg, const char *name, struct nft_set_view *out)
{
	const struct look *k = arg;

	for (size_t i = 0; name != NULL && i < k->p->rs->n_sets; i++) {
		struct nft_set *s = &k->p->rs->sets[i];
		if (s->family != k->family || strcmp(s->name, name) != 0 || strcmp(s->table, k->table) != 0)
			continue;
		*out = (struct nft_set_view){
		    .text = (s->flags & NFT_SET_ANONYMOUS) != 0 ? inline_text(k->p, s) : arena_printf(k->p->a, "@%s", name),
		    .key_type = s->key_type,
		    .data_type = s->data_type,
		    .key_len = s->key_len,
		    .data_len = s->data_len,
		};
		return out->text != NULL;
	}
	return false;
}

static const char *bytecode(const struct nftnl_rule *n, struct arena *a)
{
	struct nftnl_expr_iter *it = nftnl_expr_iter_create(n);
	struct text t = {0};
	char one[BYTECODE];
	const char *out;

	for (struct nftnl_expr *e; it != NULL && (e = nftnl_expr_iter_next(it)) != NULL;) {
		one[0] = '\0';
		nftnl_expr_snprintf(one, sizeof(one), e, NFTNL_OUTPUT_DEFAULT, 0);
		text_printf(&t, "%s[ %s %s]", t.len > 0 ? " " : "", nftnl_expr_get_str(e, NFTNL_EXPR_NAME), one);
	}
	if (it != NULL)
		nftnl_expr_iter_destroy(it);
	out = arena_strndup(a, t.len > 0 ? t.at : "", t.len);
	text_finish(&t);
	return out;
}

static void fill_rule(struct nft_page *p, struct nftnl_rule *n, struct obj_fw_rule *r)
{
	struct look k = {p, (uint8_t)nftnl_rule_get_u32(n, NFTNL_RULE_FAMILY), nftnl_rule_get_str(n, NFTNL_RULE_TABLE)};
	const struct nft_sets sets = {find_set, &k};
	uint32_t len = 0;
	const void *userdata = nftnl_rule_is_set(n, NFTNL_RULE_USERDATA) ? nftnl_rule_get_data(n, NFTNL_RULE_USERDATA, &len) : NULL;

	r->handle = (int64_t)nftnl_rule_get_u64(n, NFTNL_RULE_HANDLE);
	r->text = nft_rule_text(n, k.family, &sets, p->a);
	r->syntax = r->text != NULL ? fw_syntax_nft : fw_syntax_bytecode;
	if (r->text == NULL)
		r->text = bytecode(n, p->a);
	r->comment = nft_comment(userdata, len, NFTNL_UDATA_RULE_COMMENT, p->a);
	r->has_comment = r->comment != NULL;
}

static bool show_rule(struct nft_page *p, const struct nlmsghdr *h)
{
	struct nftnl_rule *n = nftnl_rule_alloc();
	struct obj_fw_table *t = NULL;

	// A kernel newer than the library may have expressions that it can't read; the rule's name and place come first.
	if (n != NULL && (nftnl_rule_nlmsg_parse(h, n) == 0 || nftnl_rule_is_set(n, NFTNL_RULE_CHAIN)))
		t = table(p, nftnl_rule_get_u32(n, NFTNL_RULE_FAMILY), nftnl_rule_get_str(n, NFTNL_RULE_TABLE));
	if (t != NULL) {
		struct obj_fw_chain *c = chain(p, t, kept(p->a, nftnl_rule_get_str(n, NFTNL_RULE_CHAIN)));
		fill_rule(p, n, ADD(&c->rules, p->a));
	}
	if (n != NULL)
		nftnl_rule_free(n);
	return t != NULL;
}

// ---- sets ----

static const char *type_text(uint32_t type, struct arena *a)
{
	struct text t = {0};
	const char *out = nft_type_name(&t, type) ? arena_strndup(a, t.at, t.len) : arena_printf(a, "type %u", type);

	text_finish(&t);
	return out;
}

static struct obj_fw_set *set_object(struct nft_page *p, const struct nft_set *s)
{
	struct obj_fw_table *t = table(p, s->family, s->table);
	struct obj_fw_set *o;

	if (t == NULL)
		return NULL;
	for (size_t i = t->sets.n; i-- > 0;)
		if (strcmp(t->sets.v[i].name, s->name) == 0)
			return &t->sets.v[i];
	o = ADD(&t->sets, p->a);
	o->name = s->name;
	return o;
}

static void fill_set(struct nft_page *p, const struct nft_set *s, struct obj_fw_set *o)
{
	static const struct {
		uint32_t flag;
		const char *name;
	} flags[] = {{NFT_SET_CONSTANT, "constant"}, {NFT_SET_INTERVAL, "interval"}, {NFT_SET_TIMEOUT, "timeout"}, {NFT_SET_EVAL, "dynamic"}};

	o->has_handle = s->handle != 0;
	o->handle = (int64_t)s->handle;
	o->has_type = true;
	o->type = type_text(s->key_type, p->a);
	o->has_map = (s->flags & (NFT_SET_MAP | NFT_SET_OBJECT)) != 0;
	if (o->has_map)
		o->map = (s->flags & NFT_SET_OBJECT) != 0 ? "object" : s->data_type == NFT_DATA_VERDICT ? "verdict" : type_text(s->data_type, p->a);
	for (size_t i = 0; i < sizeof(flags) / sizeof(*flags); i++)
		if ((s->flags & flags[i].flag) != 0)
			list_add(&o->flags, flags[i].name, p->a);
	o->has_flags = o->flags.n > 0;
	o->has_size = s->size != 0;
	o->size = s->size;
	o->has_timeout_ms = s->timeout != 0;
	o->timeout_ms = (int64_t)s->timeout;
}

// Shows a set, or elements of it.
static void show_set(struct nft_page *p)
{
	const struct nft_set *s = &p->rs->sets[p->place.at];
	struct obj_fw_set *o = (s->flags & NFT_SET_ANONYMOUS) != 0 ? NULL : set_object(p, s);
	const char *messages = messages_of(p->rs, s);
	size_t at = p->place.elem, len = s->to - s->from, had;

	if (o != NULL && at == 0 && !o->has_type) {
		fill_set(p, s, o);
		p->n++;
	}
	if (o == NULL || at >= len) {
		p->place.at++;
		p->place.elem = 0;
		return;
	}
	had = o->elements.n;
	size_t step = nft_set_by_parts(s) ? NLMSG_ALIGN(((const struct nlmsghdr *)(const void *)(messages + at))->nlmsg_len) : len;
	if (!nft_set_elements(s, messages + at, step, step == len, &o->elements, p->a))
		list_add(&o->elements, "(elements that have no text)", p->a);
	p->n += o->elements.n - had;
	p->place.elem += step;
}

// Shows one message of a part; the next part begins where it has none left.
static void show_message(struct nft_page *p, const struct text *part, bool (*show)(struct nft_page *p, const struct nlmsghdr *h))
{
	const struct nlmsghdr *h;

	if (p->place.at >= part->len) {
		p->place.part++;
		p->place.at = 0;
		return;
	}
	h = (const struct nlmsghdr *)(const void *)(part->at + p->place.at);
	p->place.at += NLMSG_ALIGN(h->nlmsg_len);
	if (show(p, h))
		p->n++;
}

bool nft_page_step(struct nft_page *p)
{
	if (p->n >= p->limit)
		return false;
	switch (p->place.part) {
	case NFT_AT_TABLES: show_message(p, &p->rs->tables, show_table); break;
	case NFT_AT_CHAINS: show_message(p, &p->rs->chains, show_chain); break;
	case NFT_AT_RULES: show_message(p, &p->rs->rules, show_rule); break;
	case NFT_AT_SETS:
		if (p->place.at < p->rs->n_sets)
			show_set(p);
		else
			p->place.part = NFT_AT_END;
		break;
	case NFT_AT_END: return false;
	}
	return true;
}
