// fw_read: streams nftables' messages as the kernel sends them.  What they mean is the caller's affair, which needs no right to know it.
#include <arpa/inet.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>

#include "helper/net/stream.h"

static const uint8_t requests[FW_READ_MAX + 1] = {
    [FW_READ_GENERATION] = NFT_MSG_GETGEN, [FW_READ_TABLES] = NFT_MSG_GETTABLE, [FW_READ_CHAINS] = NFT_MSG_GETCHAIN,
    [FW_READ_RULES] = NFT_MSG_GETRULE,     [FW_READ_SETS] = NFT_MSG_GETSET,     [FW_READ_ELEMENTS] = NFT_MSG_GETSETELEM,
};

static int take(struct cell *c, struct stream *s, const struct nlmsghdr *h)
{
	return stream_put(c, s, h, NLMSG_ALIGN(h->nlmsg_len)) ? 0 : -EMSGSIZE;
}

enum op_status op_fw_read(struct cell *c, const struct op_fw_read_args *a, const int *fds, struct op_fw_read_res *r, int *out_fds)
{
	const struct stream s = {.take = take, .single = a->what == FW_READ_GENERATION};
	bool elements = a->what == FW_READ_ELEMENTS;
	union {
		struct nlmsghdr align;
		char bytes[512];
	} ask;
	struct nlmsghdr *h = mnl_nlmsg_put_header(ask.bytes);
	struct nfgenmsg *g = mnl_nlmsg_put_extra_header(h, sizeof(*g));

	(void)fds;
	(void)out_fds;
	if (elements != a->has_family || elements != a->has_table || elements != a->has_set)
		return cell_fail(c, OPS_INVALID, "family, table, set", 0);
	h->nlmsg_type = (uint16_t)(NFNL_SUBSYS_NFTABLES << 8 | requests[a->what]);
	h->nlmsg_flags = (uint16_t)(NLM_F_REQUEST | (s.single ? 0 : NLM_F_DUMP));
	g->nfgen_family = (uint8_t)a->family;
	if (elements) {
		mnl_attr_put_strz(h, NFTA_SET_ELEM_LIST_TABLE, a->table);
		mnl_attr_put_strz(h, NFTA_SET_ELEM_LIST_SET, a->set);
	}
	return stream_begin(c, &s, h, &r->stream);
}
