// conntrack_flush: deletes entries, a datagram of a dump at a time.
//
// The kernel's own flush has no filter before Linux 6.8, where it takes a request for one zone as one for all of them, and none for ports today.
// So each entry that a dump shows is judged here, and deleted under the names that it came with: its tuple, its zone and its number, so that a
// new one that has taken its place meanwhile stays.
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <string.h>

#include "helper/net/ct.h"
#include "helper/net/stream.h"
#include "helper/net/sys.h"

#define BATCH      16384u // bytes of deletions sent at once: their errors fit into the socket's buffer
#define DELETE_MAX 256u   // bytes of one: two addresses and ports, zone, number

static struct {
	union {
		struct nlmsghdr align;
		char bytes[BATCH];
	} out;
	size_t len;
	struct ct_flushed done; // in this slice
} batch;

// Counts the deletions that failed, which is what the kernel answers to; that an entry has gone by itself is no failure of ours.
// Returns 0, or what else failed.
static int failures(uint32_t *gone)
{
	static union {
		struct nlmsghdr align;
		char bytes[16384];
	} in;
	ssize_t n;
	int err = 0;

	while ((n = sys_receive(SYS_NFT, in.bytes, sizeof(in), false)) > 0) {
		int left = (int)n;

		for (const struct nlmsghdr *h = &in.align; mnl_nlmsg_ok(h, left); h = mnl_nlmsg_next(h, &left)) {
			const struct nlmsgerr *e = mnl_nlmsg_get_payload(h);

			if (h->nlmsg_type != NLMSG_ERROR || mnl_nlmsg_get_payload_len(h) < sizeof(int))
				return -EPROTO;
			if (e->error == -ENOENT)
				(*gone)++;
			else if (e->error != 0)
				err = e->error;
		}
	}
	return n == -EAGAIN ? err : (int)n;
}

static int send_batch(void)
{
	uint32_t gone = 0;
	int err = batch.len > 0 ? sys_send(SYS_NFT, batch.out.bytes, batch.len) : 0;

	if (err == 0 && batch.len > 0)
		err = failures(&gone);
	batch.len = 0;
	batch.done.removed -= gone;
	return err;
}

static void copy_attr(struct nlmsghdr *h, const struct nlattr *a)
{
	if (a != NULL)
		mnl_attr_put(h, a->nla_type, mnl_attr_get_payload_len(a), mnl_attr_get_payload(a));
}

static int delete (const struct ct_entry *e)
{
	struct nlmsghdr *h;
	int err = 0;

	if ((size_t)e->orig->nla_len > DELETE_MAX - 64)
		return -EPROTO;
	if (sizeof(batch.out) - batch.len < DELETE_MAX)
		err = send_batch();
	if (err != 0)
		return err;
	h = ct_begin(batch.out.bytes + batch.len, IPCTNL_MSG_CT_DELETE, 0, e->r.family == 6 ? AF_INET6 : AF_INET);
	copy_attr(h, e->orig);
	copy_attr(h, e->zone);
	copy_attr(h, e->id);
	batch.len += h->nlmsg_len;
	return 0;
}

static int take(struct cell *c, struct stream *s, const struct nlmsghdr *h)
{
	struct ct_entry e;

	(void)c;
	if (!ct_parse(h, &e))
		return 0;
	batch.done.read++;
	if (!ct_fits(&e.r, &s->asked))
		return 0;
	batch.done.removed++;
	return s->asked.count_only ? 0 : delete (&e);
}

static int flush(struct cell *c, struct stream *s)
{
	int err = send_batch();

	if (err == 0 && !stream_put(c, s, &batch.done, sizeof(batch.done)))
		err = -EMSGSIZE;
	memset(&batch.done, 0, sizeof(batch.done));
	return err;
}

enum op_status op_conntrack_flush(struct cell *c, const struct op_conntrack_flush_args *a, const int *fds, struct op_conntrack_flush_res *r,
                                  int *out_fds)
{
	const struct stream s = {.take = take, .flush = flush, .asked = *a};
	union {
		struct nlmsghdr align;
		char bytes[CT_ASK_MAX];
	} ask;

	(void)fds;
	(void)out_fds;
	return stream_begin(c, &s, ct_ask(ask.bytes, a), &r->stream);
}
