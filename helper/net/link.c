// link_add, link_set.
//
// The kernel ignores an alias in the message that creates a link.  So a new link is born into a group that no other link is in, and a second message
// in the same datagram gives all of that group our mark: there is no moment at which a helper that is killed leaves a link without it.  Then the
// link leaves the group.
#include "helper/net/link.h"

#include <errno.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <net/if.h>
#include <netlink/attr.h>
#include <string.h>

#include "helper/net/group.h"

enum op_status link_ours(struct cell *c, const char *name, struct rtnl_link_info *out)
{
	int err = rtnl_find(name, out);

	if (err != 0)
		return cell_fail_errno(c, "link", -err);
	return rtnl_marked(out) ? OPS_OK : cell_fail(c, OPS_DENIED, "a link without our mark", 0);
}

enum op_status link_bridge(struct cell *c, const char *name, uint32_t *index)
{
	struct rtnl_link_info bridge;
	int err = rtnl_find(name, &bridge);

	if (err != 0)
		return cell_fail_errno(c, "bridge", -err);
	*index = bridge.index;
	return strcmp(bridge.kind, "bridge") == 0 ? OPS_OK : cell_fail(c, OPS_INVALID, "not a bridge", 0);
}

static int put_bridge(struct nl_msg *m, const struct op_link_add_args *a)
{
	struct nlattr *info = nla_nest_start(m, IFLA_LINKINFO), *data;
	int broken = info == NULL || nla_put_string(m, IFLA_INFO_KIND, "bridge") != 0;

	data = nla_nest_start(m, IFLA_INFO_DATA);
	broken |= data == NULL || nla_put_u32(m, IFLA_BR_STP_STATE, a->has_stp && a->stp ? 1 : 0) != 0;
	if (a->has_vlan_filtering)
		broken |= nla_put_u8(m, IFLA_BR_VLAN_FILTERING, a->vlan_filtering ? 1 : 0);
	if (broken == 0)
		broken = nla_nest_end(m, data) | nla_nest_end(m, info);
	return broken;
}

static int put_veth(struct nl_msg *m, const struct op_link_add_args *a, uint32_t group)
{
	const struct ifinfomsg peer = {.ifi_family = AF_UNSPEC};
	struct nlattr *info = nla_nest_start(m, IFLA_LINKINFO), *data, *other;
	int broken = info == NULL || nla_put_string(m, IFLA_INFO_KIND, "veth") != 0;

	data = nla_nest_start(m, IFLA_INFO_DATA);
	other = nla_nest_start(m, VETH_INFO_PEER);
	broken |= data == NULL || other == NULL || nlmsg_append(m, (void *)(uintptr_t)&peer, sizeof(peer), NLMSG_ALIGNTO) != 0 ||
	          nla_put_string(m, IFLA_IFNAME, a->peer) != 0 || nla_put_u32(m, IFLA_GROUP, group) != 0;
	if (a->has_mtu)
		broken |= nla_put_u32(m, IFLA_MTU, a->mtu);
	if (broken == 0)
		broken = nla_nest_end(m, other) | nla_nest_end(m, data) | nla_nest_end(m, info);
	return broken;
}

static struct nl_msg *creation(const struct op_link_add_args *a, uint32_t group, int *broken)
{
	struct nl_msg *m = rtnl_link_msg(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, 0);

	if (m == NULL)
		return NULL;
	*broken |= nla_put_string(m, IFLA_IFNAME, a->name) | nla_put_u32(m, IFLA_GROUP, group);
	if (a->has_mac)
		*broken |= nla_put(m, IFLA_ADDRESS, sizeof(a->mac), a->mac);
	if (a->has_mtu)
		*broken |= nla_put_u32(m, IFLA_MTU, a->mtu);
	*broken |= a->kind == LINK_BRIDGE ? put_bridge(m, a) : put_veth(m, a, group);
	return m;
}

// RTM_NEWLINK without NLM_F_CREATE, index and name changes every link of the group (rtnl_group_changelink in the kernel's net/core/rtnetlink.c).
static struct nl_msg *marking(const char *kind, uint32_t group, int *broken)
{
	struct nl_msg *m = rtnl_link_msg(RTM_NEWLINK, 0, 0);

	if (m != NULL)
		*broken |= nla_put_u32(m, IFLA_GROUP, group) | rtnl_put_mark(m, kind, NULL);
	return m;
}

// Where the kernel refuses the creation the group is empty, and neither the marking nor the deletion finds anything.  Where its answer is lost they
// do.
static int create(const struct op_link_add_args *a)
{
	struct nl_msg *m;
	uint32_t group;
	int broken = 0, err = group_fresh(&group);

	if (err != 0)
		return err;
	m = creation(a, group, &broken);
	err = rtnl_do_both(m, marking(a->kind == LINK_BRIDGE ? "bridge" : "veth", group, &broken), broken);
	if (err != 0)
		group_delete(group);
	return err;
}

// Finds a link just made, and takes it out of its first group.
static int settle(const char *name, struct rtnl_link_info *out)
{
	int err = rtnl_find(name, out);

	return err == 0 ? group_set(out->index, 0) : err;
}

// Takes back a link that we made under a name that was free; a pair goes with one of its ends.
static void unmake(const char *name)
{
	struct nl_msg *m = rtnl_link_msg(RTM_DELLINK, 0, 0);

	rtnl_do(m, m == NULL ? 1 : nla_put_string(m, IFLA_IFNAME, name));
}

enum op_status op_link_add(struct cell *c, const struct op_link_add_args *a, const int *fds, struct op_link_add_res *r, int *out_fds)
{
	struct rtnl_link_info link, peer;
	int err;

	(void)fds;
	(void)out_fds;
	if (a->has_peer != (a->kind == LINK_VETH) || (a->kind == LINK_VETH && (a->has_stp || a->has_vlan_filtering || strcmp(a->name, a->peer) == 0)))
		return cell_fail(c, OPS_INVALID, "arguments of another kind", 0);
	err = create(a);
	if (err != 0)
		return cell_fail_errno(c, "create", -err);
	err = settle(a->name, &link);
	if (err == 0 && a->kind == LINK_VETH)
		err = settle(a->peer, &peer);
	if (err != 0) {
		unmake(a->name);
		return cell_fail_errno(c, "group", -err);
	}
	r->ifindex = link.index;
	return OPS_OK;
}

static int put_changes(struct nl_msg *m, const struct op_link_set_args *a, uint32_t master)
{
	struct ifinfomsg *i = nlmsg_data(nlmsg_hdr(m));
	int broken = 0;

	if (a->has_up) {
		i->ifi_change = IFF_UP;
		i->ifi_flags = a->up ? IFF_UP : 0;
	}
	if (a->has_mtu)
		broken |= nla_put_u32(m, IFLA_MTU, a->mtu);
	if (a->has_mac)
		broken |= nla_put(m, IFLA_ADDRESS, sizeof(a->mac), a->mac);
	if (a->has_master || (a->has_no_master && a->no_master))
		broken |= nla_put_u32(m, IFLA_MASTER, master);
	return broken;
}

enum op_status op_link_set(struct cell *c, const struct op_link_set_args *a, const int *fds, struct op_link_set_res *r, int *out_fds)
{
	struct rtnl_link_info link;
	struct nl_msg *m;
	uint32_t master = 0;
	enum op_status s;
	int err;

	(void)fds;
	(void)r;
	(void)out_fds;
	if (a->has_master && a->has_no_master && a->no_master)
		return cell_fail(c, OPS_INVALID, "master and no_master", 0);
	s = link_ours(c, a->name, &link);
	if (s == OPS_OK && a->has_master)
		s = link_bridge(c, a->master, &master);
	if (s != OPS_OK)
		return s;
	m = rtnl_link_msg(RTM_SETLINK, 0, link.index);
	err = rtnl_do(m, m == NULL ? 1 : put_changes(m, a, master));
	return err == 0 ? OPS_OK : cell_fail_errno(c, "link", -err);
}
