// See nfnl.h.
#include "helper/net/nfnl.h"

#include <errno.h>
#include <linux/netfilter/nfnetlink.h>
#include <string.h>

static union {
	struct nlmsghdr align;
	char bytes[65536];
} in;

static uint32_t last_dump; // sequence number; those of batches begin anew with each

struct nlmsghdr *nfnl_request(char *buf, uint8_t subsystem, uint8_t message, uint8_t family, uint16_t flags)
{
	struct nlmsghdr *h;
	struct nfgenmsg *g;

	memset(buf, 0, NFNL_REQUEST);
	h = mnl_nlmsg_put_header(buf);
	h->nlmsg_type = (uint16_t)(subsystem << 8 | message);
	h->nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags);
	last_dump = (last_dump + 1) | 1u << 31;
	h->nlmsg_seq = last_dump;
	g = mnl_nlmsg_put_extra_header(h, sizeof(*g));
	g->nfgen_family = family;
	g->version = NFNETLINK_V0;
	return h;
}

void nfnl_drain(enum sys_socket s)
{
	char byte[64];
	ssize_t n;

	do
		n = sys_receive(s, byte, sizeof(byte), false);
	while (n >= 0 || n == -EMSGSIZE || n == -ENOBUFS);
}

static int error_of(const struct nlmsghdr *h)
{
	const struct nlmsgerr *e = mnl_nlmsg_get_payload(h);

	return mnl_nlmsg_get_payload_len(h) < sizeof(int) ? -EPROTO : e->error;
}

// Goes through one datagram.  1: there is more to come.
static int take(int left, uint32_t seq, bool *interrupted, nfnl_each *each, void *arg)
{
	for (const struct nlmsghdr *h = &in.align; mnl_nlmsg_ok(h, left); h = mnl_nlmsg_next(h, &left)) {
		if (h->nlmsg_seq != seq)
			continue;
		*interrupted = *interrupted || (h->nlmsg_flags & NLM_F_DUMP_INTR) != 0;
		if (h->nlmsg_type == NLMSG_DONE)
			return *interrupted ? -EINTR : mnl_nlmsg_get_payload_len(h) >= sizeof(int) ? error_of(h) : 0;
		if (h->nlmsg_type == NLMSG_ERROR)
			return error_of(h);
		each(arg, h);
	}
	return 1;
}

static int converse(enum sys_socket s, struct nlmsghdr *request, nfnl_each *each, void *arg)
{
	bool interrupted = false;
	int err;

	nfnl_drain(s);
	err = sys_send(s, request, request->nlmsg_len);
	for (int more = 1; err == 0 && more == 1;) {
		ssize_t n = sys_receive(s, in.bytes, sizeof(in), true);
		if (n < 0)
			return (int)n;
		more = take((int)n, request->nlmsg_seq, &interrupted, each, arg);
		err = more < 0 ? more : 0;
	}
	return err;
}

int nfnl_dump(enum sys_socket s, struct nlmsghdr *request, nfnl_each *each, void *arg)
{
	request->nlmsg_flags |= NLM_F_DUMP;
	return converse(s, request, each, arg);
}

// The acknowledgement ends it, as the end does a dump.
int nfnl_get(enum sys_socket s, struct nlmsghdr *request, nfnl_each *each, void *arg)
{
	request->nlmsg_flags |= NLM_F_ACK;
	return converse(s, request, each, arg);
}

// It has said everything when sendmsg() returned.
static int judge(unsigned last_seq)
{
	bool committed = false;
	ssize_t n;

	while ((n = sys_receive(SYS_NFT, in.bytes, sizeof(in), false)) > 0) {
		int left = (int)n;

		for (const struct nlmsghdr *h = &in.align; mnl_nlmsg_ok(h, left); h = mnl_nlmsg_next(h, &left)) {
			if (h->nlmsg_type != NLMSG_ERROR || h->nlmsg_seq > last_seq)
				return -EPROTO;
			if (error_of(h) != 0)
				return error_of(h);
			committed = true;
		}
	}
	if (n != -EAGAIN)
		return (int)n;
	return committed ? 0 : -EPROTO;
}

int nfnl_commit(const char *buf, size_t len, unsigned last_seq)
{
	int err;

	nfnl_drain(SYS_NFT);
	err = sys_send(SYS_NFT, buf, len);
	return err != 0 ? err : judge(last_seq);
}
