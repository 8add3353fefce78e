// Talking to rtnetlink.  See rtnl.h.
#include "helper/net/rtnl.h"

#include <errno.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <netlink/attr.h>
#include <stdio.h>
#include <string.h>

#include "helper/net/sys.h"

static uint32_t sequence;

// One datagram; the kernel's dumps come in pieces of at most 32 KiB.
static union {
	struct nlmsghdr align;
	char bytes[65536];
} in;

bool rtnl_marked(const struct rtnl_link_info *l)
{
	return strncmp(l->alias, MARK, sizeof(MARK) - 1) == 0;
}

struct nl_msg *rtnl_link_msg(int type, int flags, uint32_t index)
{
	const struct ifinfomsg i = {.ifi_family = AF_UNSPEC, .ifi_index = (int)index};
	struct nl_msg *m = nlmsg_alloc_simple(type, NLM_F_REQUEST | flags);

	if (m != NULL && nlmsg_append(m, (void *)(uintptr_t)&i, sizeof(i), NLMSG_ALIGNTO) != 0) {
		nlmsg_free(m);
		return NULL;
	}
	return m;
}

int rtnl_put_mark(struct nl_msg *m, const char *kind, const char *purpose)
{
	char alias[MARK_MAX];
	bool more = purpose != NULL && purpose[0] != '\0';

	snprintf(alias, sizeof(alias), MARK "%s%s%s", kind, more ? ":" : "", more ? purpose : "");
	return nla_put_string(m, IFLA_IFALIAS, alias);
}

static int send_msg(struct nl_msg *m, int flags)
{
	struct nlmsghdr *h = nlmsg_hdr(m);

	h->nlmsg_flags = (uint16_t)(h->nlmsg_flags | flags);
	h->nlmsg_seq = ++sequence;
	return sys_send(SYS_ROUTE, h, h->nlmsg_len);
}

// The next datagram that answers request seq; stale ones, of a request that timed out, are passed over.
static int next(uint32_t seq, struct nlmsghdr **h, int *left)
{
	ssize_t n;

	do {
		n = sys_receive(SYS_ROUTE, in.bytes, sizeof(in), true);
		if (n < 0)
			return (int)n;
		*h = &in.align;
		*left = (int)n;
	} while (!nlmsg_ok(*h, *left) || (*h)->nlmsg_seq != seq);
	return 0;
}

static int error_of(const struct nlmsghdr *h)
{
	const struct nlmsgerr *e = nlmsg_data(h);

	return h->nlmsg_len >= NLMSG_HDRLEN + sizeof(int) ? e->error : -EPROTO;
}

static int acknowledged(uint32_t seq)
{
	struct nlmsghdr *h = NULL;
	int left, err = next(seq, &h, &left);

	if (err != 0)
		return err;
	return h->nlmsg_type == NLMSG_ERROR ? error_of(h) : -EPROTO;
}

int rtnl_do(struct nl_msg *m, int broken)
{
	int err = m == NULL || broken != 0 ? -ENOMEM : send_msg(m, NLM_F_ACK);

	if (m != NULL)
		nlmsg_free(m);
	return err == 0 ? acknowledged(sequence) : err;
}

// Appends m, with the next sequence number, to the datagram.  False where it doesn't fit.
static bool append(char *datagram, size_t cap, size_t *len, struct nl_msg *m)
{
	struct nlmsghdr *h = nlmsg_hdr(m);

	if (cap - *len < NLMSG_ALIGN(h->nlmsg_len))
		return false;
	h->nlmsg_flags |= NLM_F_ACK;
	h->nlmsg_seq = ++sequence;
	memcpy(datagram + *len, h, h->nlmsg_len);
	*len += NLMSG_ALIGN(h->nlmsg_len);
	return true;
}

int rtnl_do_both(struct nl_msg *first, struct nl_msg *second, int broken)
{
	static union {
		struct nlmsghdr align;
		char bytes[8192];
	} out;
	size_t len = 0;
	int err = -ENOMEM;

	if (first != NULL && second != NULL && broken == 0 && append(out.bytes, sizeof(out), &len, first) &&
	    append(out.bytes, sizeof(out), &len, second))
		err = sys_send(SYS_ROUTE, out.bytes, len);
	if (first != NULL)
		nlmsg_free(first);
	if (second != NULL)
		nlmsg_free(second);
	if (err == 0)
		err = acknowledged(sequence - 1);
	return err == 0 ? acknowledged(sequence) : err;
}

static bool kind_parse(struct nlattr *info, struct rtnl_link_info *out)
{
	static struct nla_policy policy[IFLA_INFO_MAX + 1] = {[IFLA_INFO_KIND] = {.type = NLA_STRING, .maxlen = sizeof(out->kind) - 1}};
	struct nlattr *a[IFLA_INFO_MAX + 1];

	if (nla_parse_nested(a, IFLA_INFO_MAX, info, policy) != 0)
		return false;
	if (a[IFLA_INFO_KIND] != NULL)
		nla_strlcpy(out->kind, a[IFLA_INFO_KIND], sizeof(out->kind));
	return true;
}

bool rtnl_link_parse(struct nlmsghdr *h, struct rtnl_link_info *out)
{
	static struct nla_policy policy[IFLA_MAX + 1] = {
	    [IFLA_IFNAME] = {.type = NLA_STRING}, [IFLA_IFALIAS] = {.type = NLA_STRING}, [IFLA_LINKINFO] = {.type = NLA_NESTED}};
	struct nlattr *a[IFLA_MAX + 1];

	memset(out, 0, sizeof(*out));
	if (h->nlmsg_type != RTM_NEWLINK || nlmsg_parse(h, sizeof(struct ifinfomsg), a, IFLA_MAX, policy) != 0)
		return false;
	out->index = (uint32_t)((const struct ifinfomsg *)nlmsg_data(h))->ifi_index;
	if (a[IFLA_IFNAME] != NULL)
		nla_strlcpy(out->name, a[IFLA_IFNAME], sizeof(out->name));
	if (a[IFLA_IFALIAS] != NULL)
		nla_strlcpy(out->alias, a[IFLA_IFALIAS], sizeof(out->alias));
	return a[IFLA_LINKINFO] == NULL || kind_parse(a[IFLA_LINKINFO], out);
}

int rtnl_get(struct nl_msg *m, int broken, struct nlmsghdr **answer)
{
	int left, err = m == NULL || broken != 0 ? -ENOMEM : send_msg(m, 0);

	if (m != NULL)
		nlmsg_free(m);
	if (err == 0)
		err = next(sequence, answer, &left);
	if (err == 0 && (*answer)->nlmsg_type == NLMSG_ERROR)
		return error_of(*answer) == 0 ? -EPROTO : error_of(*answer);
	return err;
}

static int find(struct nl_msg *m, int broken, struct rtnl_link_info *out)
{
	struct nlmsghdr *h = NULL;
	int err = rtnl_get(m, broken, &h);

	if (err != 0)
		return err;
	return rtnl_link_parse(h, out) ? 0 : -EPROTO;
}

struct nl_msg *rtnl_ask_link(uint32_t index)
{
	struct nl_msg *m = rtnl_link_msg(RTM_GETLINK, 0, index);

	if (m != NULL && nla_put_u32(m, IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS) != 0) {
		nlmsg_free(m);
		return NULL;
	}
	return m;
}

int rtnl_find(const char *name, struct rtnl_link_info *out)
{
	struct nl_msg *m = rtnl_ask_link(0);

	return find(m, m == NULL ? 1 : nla_put_string(m, IFLA_IFNAME, name), out);
}

int rtnl_find_index(uint32_t index, struct rtnl_link_info *out)
{
	return find(rtnl_ask_link(index), 0, out);
}

int rtnl_dump(struct nl_msg *m, void (*each)(struct nlmsghdr *h, void *arg), void *arg)
{
	struct nlmsghdr *h = NULL;
	int left, err = m == NULL ? -ENOMEM : send_msg(m, NLM_F_DUMP);

	if (m != NULL)
		nlmsg_free(m);
	while (err == 0 && (err = next(sequence, &h, &left)) == 0) {
		for (; nlmsg_ok(h, left); h = nlmsg_next(h, &left)) {
			if (h->nlmsg_type == NLMSG_DONE)
				return 0;
			if (h->nlmsg_type == NLMSG_ERROR)
				return error_of(h) == 0 ? -EPROTO : error_of(h);
			each(h, arg);
		}
	}
	return err;
}
