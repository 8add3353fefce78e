// Writes transactions.  See fw.h.
//
// libmnl writes without looking at the end of the buffer, so room for the largest item is made sure of before each one.  Elements of one set that
// follow each other share a message, up to LIST_MAX bytes, for a list is one attribute and its length has 16 bits.
#include <libmnl/libmnl.h>
#include <libnftnl/common.h>
#include <libnftnl/rule.h>
#include <libnftnl/table.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <string.h>

#include "helper/net/fw.h"

#define LIST_MAX 32768u

static void close_list(struct fw_batch *b)
{
	if (b->open == NULL)
		return;
	mnl_attr_nest_end(b->open, b->list);
	b->len += b->open->nlmsg_len;
	b->open = NULL;
}

struct nlmsghdr *fw_message(struct fw_batch *b, uint16_t type, uint16_t flags)
{
	struct nlmsghdr *h;

	close_list(b);
	if (b->full || b->cap - b->len < FW_ITEM_MAX) {
		b->full = true;
		return NULL;
	}
	h = nftnl_nlmsg_build_hdr(b->buf + b->len, type, NFPROTO_INET, flags, b->seq++);
	if (!b->asked)
		h->nlmsg_flags |= NLM_F_ACK; // the kernel sends it after the commit, or the error instead
	b->asked = true;
	return h;
}

void fw_message_done(struct fw_batch *b, const struct nlmsghdr *h)
{
	b->len += h->nlmsg_len;
	b->full = b->full || h->nlmsg_len > FW_ITEM_MAX;
}

static void fence(struct fw_batch *b, bool begin)
{
	char *at;

	close_list(b);
	at = b->buf + b->len;
	if (b->full || b->cap - b->len < FW_ITEM_MAX)
		b->full = true;
	else
		b->len += (begin ? nftnl_batch_begin(at, b->seq++) : nftnl_batch_end(at, b->seq++))->nlmsg_len;
}

void fw_begin(struct fw_batch *b)
{
	b->seq = 1;
	fence(b, true);
}

void fw_end(struct fw_batch *b)
{
	fence(b, false);
}

void fw_put_table(struct fw_batch *b, uint16_t type, uint16_t flags)
{
	struct nlmsghdr *h = fw_message(b, type, flags);

	if (h == NULL)
		return;
	mnl_attr_put_strz(h, NFTA_TABLE_NAME, FW_TABLE);
	fw_message_done(b, h);
}

void fw_put_rule(struct fw_batch *b, uint16_t type, const struct nftnl_rule *r)
{
	uint16_t flags = type == NFT_MSG_NEWRULE ? NLM_F_CREATE | NLM_F_APPEND : 0;
	struct nlmsghdr *h = r != NULL ? fw_message(b, type, flags) : NULL;

	if (r == NULL)
		b->full = true;
	if (h == NULL)
		return;
	nftnl_rule_nlmsg_build_payload(h, (struct nftnl_rule *)(uintptr_t)r);
	fw_message_done(b, h);
}

// Opens a list of elements, or goes on with the open one.
static bool list(struct fw_batch *b, uint16_t type, const struct fw_set *s)
{
	if (b->open != NULL && b->open_type == type && b->open_set == s && b->open->nlmsg_len < LIST_MAX &&
	    b->cap - b->len - b->open->nlmsg_len >= FW_ITEM_MAX)
		return true;
	b->open = fw_message(b, type, type == NFT_MSG_NEWSETELEM ? NLM_F_CREATE : 0);
	if (b->open == NULL)
		return false;
	b->open_type = type;
	b->open_set = s;
	mnl_attr_put_strz(b->open, NFTA_SET_ELEM_LIST_TABLE, FW_TABLE);
	mnl_attr_put_strz(b->open, NFTA_SET_ELEM_LIST_SET, s->name);
	b->list = mnl_attr_nest_start(b->open, NFTA_SET_ELEM_LIST_ELEMENTS);
	return true;
}

static void put_data(struct nlmsghdr *h, uint16_t type, const void *p, uint32_t len)
{
	struct nlattr *n = mnl_attr_nest_start(h, type);

	mnl_attr_put(h, NFTA_DATA_VALUE, len, p);
	mnl_attr_nest_end(h, n);
}

// nft's way: a byte of type (0), one of length, the text with its NUL.
static void put_comment(struct nlmsghdr *h, const char *comment)
{
	uint8_t u[2 + 128] = {0};
	size_t len = strnlen(comment, sizeof(u) - 3) + 1;

	if (len == 1)
		return;
	u[1] = (uint8_t)len;
	memcpy(u + 2, comment, len - 1);
	mnl_attr_put(h, NFTA_SET_ELEM_USERDATA, 2 + len, u);
}

void fw_put_elem(struct fw_batch *b, uint16_t type, const struct fw_set *s, const struct fw_elem *e, const char *comment)
{
	struct fw_field f[FW_FIELDS];
	uint32_t key = fw_fields_len(f, fw_set_key(s, f)), value;
	struct nlattr *one;

	value = fw_fields_len(f, fw_set_value(s, f));
	if (!list(b, type, s))
		return;
	one = mnl_attr_nest_start(b->open, NFTA_LIST_ELEM);
	put_data(b->open, NFTA_SET_ELEM_KEY, e->key, key);
	if (fw_set_ranges(s))
		put_data(b->open, NFTA_SET_ELEM_KEY_END, e->end, key);
	if (type == NFT_MSG_NEWSETELEM) {
		if (value > 0)
			put_data(b->open, NFTA_SET_ELEM_DATA, e->value, value);
		put_comment(b->open, comment);
	}
	mnl_attr_nest_end(b->open, one);
}
