// Does another tool's chain drop what is forwarded, as Docker's does?  Then what postern forwards is dropped too, whatever its own chains say: a
// packet must be accepted in every chain of a hook.  See health.h.
#include <netinet/in.h> // before linux/netfilter.h, which would bring the kernel's own

#include <event2/event.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>

#include "unpriv/posternd/daemon.h"
#include "unpriv/posternd/fw.h"
#include "unpriv/posternd/health.h"
#include "unpriv/posternd/helper_client.h"
#include "unpriv/posternd/rtnl_attr.h"
#include "unpriv/posternd/stream.h"

#define PATIENCE_S 2

struct look {
	struct health *h;
	void (*done)(void *arg);
	void *arg;
	struct stream *stream;
	struct event *patience;
	char found[160]; // "ip filter FORWARD"
};

// What a chain's message says of it.
struct chain {
	char table[64], name[64];
	uint32_t hook, policy; // hook UINT32_MAX: none
};

static uint32_t big_endian(const struct rtattr *a)
{
	return ntohl(rtnl_get_u32(a));
}

static void hook_attr(const struct rtattr *a, void *out)
{
	struct chain *c = out;

	if ((a->rta_type & NLA_TYPE_MASK) == NFTA_HOOK_HOOKNUM)
		c->hook = big_endian(a);
}

static void chain_attr(const struct rtattr *a, void *out)
{
	struct chain *c = out;

	switch (a->rta_type & NLA_TYPE_MASK) {
	case NFTA_CHAIN_TABLE: rtnl_get_text(a, c->table, sizeof(c->table)); break;
	case NFTA_CHAIN_NAME: rtnl_get_text(a, c->name, sizeof(c->name)); break;
	case NFTA_CHAIN_POLICY: c->policy = big_endian(a); break;
	case NFTA_CHAIN_HOOK: rtnl_nested(a, hook_attr, c); break;
	}
}

static const char *family_name(uint8_t family)
{
	switch (family) {
	case NFPROTO_IPV4: return "ip";
	case NFPROTO_IPV6: return "ip6";
	case NFPROTO_INET: return "inet";
	default: return NULL;
	}
}

static void judge(struct look *k, const struct nlmsghdr *h)
{
	const struct nfgenmsg *g = NLMSG_DATA(h);
	struct chain c = {.hook = UINT32_MAX, .policy = NF_ACCEPT};
	size_t head = NLMSG_SPACE(sizeof(*g));
	const char *family;

	if (h->nlmsg_len < head || k->found[0] != '\0')
		return;
	family = family_name(g->nfgen_family);
	rtnl_each_attr((const struct rtattr *)(const void *)((const char *)h + head), h->nlmsg_len - head, chain_attr, &c);
	if (family == NULL || c.hook != NF_INET_FORWARD || c.policy != NF_DROP ||
	    (strcmp(c.table, "postern") == 0 && g->nfgen_family == NFPROTO_INET))
		return;
	DRIFT_SAY(k->found, "chain %s of table %s %s", c.name, family, c.table);
}

static void on_data(void *arg, const uint8_t *bytes, size_t len)
{
	const struct nlmsghdr *h = (const void *)bytes;
	unsigned left = (unsigned)len;

	for (; NLMSG_OK(h, left); h = NLMSG_NEXT(h, left))
		judge(arg, h);
}

static void say(struct look *k, bool read)
{
	if (!read)
		health_say(k->h, "forward_policy", health_status_degraded, "Ask again when the helper answers.", "nftables' chains couldn't be read");
	else if (k->found[0] != '\0' && (fw_needs_forwarding(4) || fw_needs_forwarding(6)))
		health_say(k->h, "forward_policy", health_status_degraded,
		           "Let postern's bridges pass there too; of Docker's: iptables -I DOCKER-USER -i BRIDGE -j ACCEPT, and the same with -o.",
		           "%s, another tool's, drops what is forwarded unless a rule of its own says otherwise", k->found);
	else
		health_say(k->h, "forward_policy", health_status_ok, NULL, "%s",
		           k->found[0] != '\0' ? "another tool drops what is forwarded, and postern forwards nothing"
		                               : "no other tool drops what is forwarded");
}

static void end(struct look *k, bool read)
{
	void (*done)(void *arg) = k->done;
	void *arg = k->arg;

	say(k, read);
	event_free(k->patience);
	free(k);
	done(arg);
}

static void on_ended(void *arg, const struct priv_reply *failed, bool torn)
{
	(void)torn; // one chain more or less
	end(arg, failed == NULL);
}

static void on_patience(evutil_socket_t fd, short what, void *arg)
{
	struct look *k = arg;

	(void)fd;
	(void)what;
	stream_drop(k->stream);
	end(k, false);
}

void health_forward_policy(struct health *h, void (*done)(void *arg), void *arg)
{
	static const struct stream_reader reader = {on_data, on_ended};
	const struct op_fw_read_args a = {.what = FW_READ_CHAINS};
	const struct timeval patience = {.tv_sec = PATIENCE_S};
	struct look *k = xcalloc(1, sizeof(*k));

	*k = (struct look){.h = h, .done = done, .arg = arg};
	k->patience = evtimer_new(daemon_base(), on_patience, k);
	if (!helper_client_ready()) {
		end(k, false);
		return;
	}
	evtimer_add(k->patience, &patience);
	k->stream = stream_start(OP_fw_read, &a, &reader, k);
}
