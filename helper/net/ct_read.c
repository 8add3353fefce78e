// conntrack_read, conntrack_stats: streams of what connection tracking knows.
#include <arpa/inet.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter/nfnetlink_conntrack.h>

#include "helper/net/ct.h"
#include "helper/net/stream.h"

union ask {
	struct nlmsghdr align;
	char bytes[CT_ASK_MAX];
};

static int take_entry(struct cell *c, struct stream *s, const struct nlmsghdr *h)
{
	struct ct_entry e;

	if (!ct_parse(h, &e) || !ct_fits(&e.r, &s->asked) || (s->by_mark && e.r.mark != s->mark))
		return 0;
	return stream_put(c, s, &e.r, sizeof(e.r)) ? 0 : -EMSGSIZE;
}

enum op_status op_conntrack_read(struct cell *c, const struct op_conntrack_read_args *a, const int *fds, struct op_conntrack_read_res *r,
                                 int *out_fds)
{
	struct stream s = {.take = take_entry,
	                   .by_mark = a->has_mark,
	                   .mark = a->mark,
	                   .asked = {.has_family = a->has_family, .family = a->family, .has_zone = a->has_zone, .zone = a->zone}};
	union ask ask;
	struct nlmsghdr *h = ct_ask(ask.bytes, &s.asked);

	(void)fds;
	(void)out_fds;
	if (a->has_mark) {
		mnl_attr_put_u32(h, CTA_MARK, htonl(a->mark));
		mnl_attr_put_u32(h, CTA_MARK_MASK, UINT32_MAX);
	}
	return stream_begin(c, &s, h, &r->stream);
}

static int take_cpu(struct cell *c, struct stream *s, const struct nlmsghdr *h)
{
	struct ct_cpu cpu;

	if (!ct_parse_cpu(h, &cpu))
		return 0;
	return stream_put(c, s, &cpu, sizeof(cpu)) ? 0 : -EMSGSIZE;
}

enum op_status op_conntrack_stats(struct cell *c, const struct op_conntrack_stats_args *a, const int *fds, struct op_conntrack_stats_res *r,
                                  int *out_fds)
{
	const struct stream s = {.take = take_cpu};
	union ask ask;

	(void)a;
	(void)fds;
	(void)out_fds;
	return stream_begin(c, &s, ct_begin(ask.bytes, IPCTNL_MSG_CT_GET_STATS_CPU, NLM_F_DUMP, 0), &r->stream);
}
