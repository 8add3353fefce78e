// tap_create: a fresh queue of a persistent tap of ours.
//
// TUNSETIFF, owner and persistence go over the device's own descriptor; mark, bridge, MAC, MTU and up then go into one RTM_SETLINK.  A new
// tap that doesn't get through all of it vanishes with its descriptor.
#include <errno.h>
#include <linux/if_link.h>
#include <linux/if_tun.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netlink/attr.h>
#include <string.h>

#include "helper/net/link.h"
#include "helper/net/sys.h"

static void count_one(struct nlmsghdr *h, void *arg)
{
	struct rtnl_link_info link;
	uint32_t *n = arg;

	if (rtnl_link_parse(h, &link) && strcmp(link.kind, "tun") == 0 && rtnl_marked(&link))
		(*n)++;
}

// Taps of ours that there may be, counted up; when the limit seems reached the kernel is asked, for taps go without our hearing of it.
static enum op_status within_limit(struct cell *c)
{
	static uint32_t taps = UINT32_MAX;
	int err = 0;

	if (taps >= c->policy.limits.taps) {
		taps = 0;
		err = rtnl_dump(rtnl_ask_link(0), count_one, &taps);
	}
	if (err != 0)
		return cell_fail_errno(c, "count of taps", -err);
	if (taps >= c->policy.limits.taps)
		return cell_fail(c, OPS_QUOTA, "limit taps", 0);
	taps++;
	return OPS_OK;
}

static int put_settings(struct nl_msg *m, const struct op_tap_create_args *a, uint32_t bridge)
{
	struct ifinfomsg *i = nlmsg_data(nlmsg_hdr(m));
	int broken = rtnl_put_mark(m, "tap", a->has_alias ? a->alias : NULL);

	i->ifi_change = IFF_UP;
	i->ifi_flags = IFF_UP;
	if (a->has_bridge)
		broken |= nla_put_u32(m, IFLA_MASTER, bridge);
	if (a->has_mac)
		broken |= nla_put(m, IFLA_ADDRESS, sizeof(a->mac), a->mac);
	if (a->has_mtu)
		broken |= nla_put_u32(m, IFLA_MTU, a->mtu);
	return broken;
}

// Is there a tap to open again, or room for a new one?  *created says which.
static enum op_status look(struct cell *c, const struct op_tap_create_args *a, bool *created)
{
	struct rtnl_link_info link;
	int err = rtnl_find(a->name, &link);

	*created = err == -ENODEV;
	if (*created)
		return within_limit(c);
	if (err != 0)
		return cell_fail_errno(c, "tap", -err);
	if (!rtnl_marked(&link))
		return cell_fail(c, OPS_DENIED, "a link without our mark", 0);
	return strcmp(link.kind, "tun") == 0 ? OPS_OK : cell_fail(c, OPS_EXISTS, "a link of another kind", 0);
}

// Everything behind TUNSETIFF.  Returns 0 or -errno.
static int set_up(struct cell *c, const struct op_tap_create_args *a, int fd, uint32_t bridge, bool created, uint32_t *index)
{
	struct rtnl_link_info link;
	struct nl_msg *m;
	int err = rtnl_find(a->name, &link);

	// An opened one could have been replaced since we looked.
	if (err == 0 && !created && !rtnl_marked(&link))
		err = -EPERM;
	if (err == 0)
		err = sys_tap_owner(fd, a->has_owner_uid ? a->owner_uid : c->policy.ids.daemon_uid);
	if (err != 0)
		return err;
	*index = link.index;
	m = rtnl_link_msg(RTM_SETLINK, 0, link.index);
	err = rtnl_do(m, m == NULL ? 1 : put_settings(m, a, bridge));
	return err == 0 ? sys_tap_persist(fd, true) : err;
}

enum op_status op_tap_create(struct cell *c, const struct op_tap_create_args *a, const int *fds, struct op_tap_create_res *r, int *out_fds)
{
	uint16_t flags =
	    (uint16_t)((a->has_vnet_hdr && a->vnet_hdr ? IFF_VNET_HDR : 0) | (a->has_multi_queue && a->multi_queue ? IFF_MULTI_QUEUE : 0));
	uint32_t bridge = 0;
	bool created = false;
	enum op_status s = a->has_bridge ? link_bridge(c, a->bridge, &bridge) : OPS_OK;
	int fd, err;

	(void)fds;
	if (s == OPS_OK)
		s = look(c, a, &created);
	if (s != OPS_OK)
		return s;
	fd = sys_tap_open(a->name, (uint16_t)(flags | (created ? IFF_TUN_EXCL : 0)));
	if (fd < 0)
		return cell_fail_errno(c, "TUNSETIFF", -fd);
	err = set_up(c, a, fd, bridge, created, &r->ifindex);
	if (err != 0) {
		sys_close(fd);
		return cell_fail_errno(c, "tap settings", -err);
	}
	if (a->has_want_fd && a->want_fd)
		out_fds[RESFD_tap_create_queue] = fd;
	else
		sys_close(fd);
	r->created = created;
	return OPS_OK;
}
