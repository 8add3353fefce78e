// address_add, address_del: on links of ours, and only addresses whose IFA_PROTO says that we gave them are taken away.
#include <errno.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <netlink/attr.h>
#include <string.h>

#include "helper/net/address.h"
#include "helper/net/link.h"

static size_t addr_len(const struct wire_addr *a)
{
	return a->family == 4 ? 4 : 16;
}

// The shortest prefixes: an address brings a route to its network, and two halves of the Internet would win over the host's default route.
#define SHORTEST4 8
#define SHORTEST6 16

// What no host on a bridge of ours can be called: nothing, a group, this machine, everybody.
bool address_usable(const struct wire_addr *a)
{
	static const uint8_t zero[16], loopback6[16] = {[15] = 1};
	const uint8_t *p = a->addr;

	if (a->prefix < (a->family == 4 ? SHORTEST4 : SHORTEST6) || memcmp(p, zero, addr_len(a)) == 0)
		return false;
	if (a->family == 4)
		return p[0] != 0 && p[0] != 127 && p[0] < 224;
	return p[0] != 0xff && memcmp(p, loopback6, 16) != 0;
}

static struct ifaddrmsg header(const struct wire_addr *a, uint32_t index)
{
	return (struct ifaddrmsg){.ifa_family = a->family == 4 ? AF_INET : AF_INET6, .ifa_prefixlen = a->prefix, .ifa_index = index};
}

int address_change(int type, int flags, const struct wire_addr *a, uint32_t index, const struct ifa_cacheinfo *times)
{
	struct ifaddrmsg i = header(a, index);
	struct nl_msg *m = nlmsg_alloc_simple(type, NLM_F_REQUEST | flags);
	int broken;

	if (m == NULL)
		return -ENOMEM;
	broken = nlmsg_append(m, &i, sizeof(i), NLMSG_ALIGNTO) | nla_put(m, IFA_LOCAL, (int)addr_len(a), a->addr) |
	         nla_put(m, IFA_ADDRESS, (int)addr_len(a), a->addr);
	if (times != NULL)
		broken |= nla_put(m, IFA_CACHEINFO, sizeof(*times), times);
	if (type == RTM_NEWADDR)
		broken |= nla_put_u8(m, IFA_PROTO, times != NULL ? LEASED_PROTOCOL : OUR_PROTOCOL);
	return rtnl_do(m, broken);
}

static void look(struct nlmsghdr *h, void *arg)
{
	struct address_search *s = arg;
	const struct ifaddrmsg *i = nlmsg_data(h);
	struct nlattr *a[IFA_MAX + 1], *addr;

	if (h->nlmsg_type != RTM_NEWADDR || nlmsg_parse(h, sizeof(*i), a, IFA_MAX, NULL) != 0)
		return;
	addr = a[IFA_LOCAL] != NULL ? a[IFA_LOCAL] : a[IFA_ADDRESS];
	if (i->ifa_index != s->index || i->ifa_prefixlen != s->want->prefix || i->ifa_family != header(s->want, 0).ifa_family || addr == NULL ||
	    (size_t)nla_len(addr) != addr_len(s->want) || memcmp(nla_data(addr), s->want->addr, addr_len(s->want)) != 0)
		return;
	s->found = true;
	s->ours = a[IFA_PROTO] != NULL && nla_len(a[IFA_PROTO]) == 1 && nla_get_u8(a[IFA_PROTO]) == s->mark;
}

int address_find(struct address_search *s)
{
	struct ifaddrmsg i = header(s->want, s->index);
	struct nl_msg *m = nlmsg_alloc_simple(RTM_GETADDR, NLM_F_REQUEST);

	i.ifa_prefixlen = 0; // strict checking: a dump is filtered by index and family alone
	if (m != NULL && nlmsg_append(m, &i, sizeof(i), NLMSG_ALIGNTO) != 0) {
		nlmsg_free(m);
		return -ENOMEM;
	}
	return rtnl_dump(m, look, s);
}

enum op_status op_address_add(struct cell *c, const struct op_address_add_args *a, const int *fds, struct op_address_add_res *r, int *out_fds)
{
	struct rtnl_link_info link;
	enum op_status s = link_ours(c, a->device, &link);
	int err;

	(void)fds;
	(void)out_fds;
	if (s != OPS_OK)
		return s;
	if (!address_usable(&a->address))
		return cell_fail(c, OPS_INVALID, "not an address for an interface", 0);
	err = address_change(RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, &a->address, link.index, NULL);
	if (err != 0 && err != -EEXIST)
		return cell_fail_errno(c, "address", -err);
	r->changed = err == 0;
	return OPS_OK;
}

enum op_status op_address_del(struct cell *c, const struct op_address_del_args *a, const int *fds, struct op_address_del_res *r, int *out_fds)
{
	struct rtnl_link_info link;
	struct address_search found = {.want = &a->address, .mark = OUR_PROTOCOL};
	enum op_status s = link_ours(c, a->device, &link);
	int err;

	(void)fds;
	(void)out_fds;
	if (s != OPS_OK)
		return s;
	found.index = link.index;
	err = address_find(&found);
	if (err == 0 && found.found && !found.ours)
		return cell_fail(c, OPS_DENIED, "an address without our mark", 0);
	if (err == 0 && found.found)
		err = address_change(RTM_DELADDR, 0, &a->address, link.index, NULL);
	if (err != 0)
		return cell_fail_errno(c, "address", -err);
	r->changed = found.found;
	return OPS_OK;
}
