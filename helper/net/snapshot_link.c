// One link message of the kernel, as a snap_link.  See snapshot.h.
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netlink/attr.h>
#include <string.h>

#include "helper/net/snapshot.h"

static bool flag_of(struct nlattr *a)
{
	if (a == NULL)
		return false;
	return nla_len(a) == 1 ? nla_get_u8(a) != 0 : nla_len(a) == 4 && nla_get_u32(a) != 0;
}

static uint32_t number_of(struct nlattr *a)
{
	return a != NULL && nla_len(a) == 4 ? nla_get_u32(a) : 0;
}

static bool read_bridge(struct nlattr *data, struct snap_link *out)
{
	struct nlattr *a[IFLA_BR_MAX + 1];

	if (data == NULL || nla_parse_nested(a, IFLA_BR_MAX, data, NULL) != 0)
		return false;
	out->stp = flag_of(a[IFLA_BR_STP_STATE]);
	out->vlan_filtering = flag_of(a[IFLA_BR_VLAN_FILTERING]);
	return true;
}

static bool read_tap(struct nlattr *data, struct snap_link *out)
{
	struct nlattr *a[IFLA_TUN_MAX + 1];

	if (data == NULL || nla_parse_nested(a, IFLA_TUN_MAX, data, NULL) != 0)
		return false;
	out->owner = number_of(a[IFLA_TUN_OWNER]);
	out->vnet_hdr = flag_of(a[IFLA_TUN_VNET_HDR]);
	out->multi_queue = flag_of(a[IFLA_TUN_MULTI_QUEUE]);
	return true;
}

static bool read_kind(struct nlattr *info, struct snap_link *out)
{
	static struct nla_policy policy[IFLA_INFO_MAX + 1] = {[IFLA_INFO_KIND] = {.type = NLA_STRING, .maxlen = 15}};
	struct nlattr *a[IFLA_INFO_MAX + 1];
	char kind[16];

	if (info == NULL || nla_parse_nested(a, IFLA_INFO_MAX, info, policy) != 0 || a[IFLA_INFO_KIND] == NULL)
		return false;
	nla_strlcpy(kind, a[IFLA_INFO_KIND], sizeof(kind));
	out->kind = strcmp(kind, "bridge") == 0 ? SNAP_BRIDGE : strcmp(kind, "veth") == 0 ? SNAP_VETH : SNAP_TAP;
	if (out->kind == SNAP_BRIDGE)
		return read_bridge(a[IFLA_INFO_DATA], out);
	return out->kind == SNAP_VETH || (strcmp(kind, "tun") == 0 && read_tap(a[IFLA_INFO_DATA], out));
}

// The alias is "postern:KIND" or "postern:KIND:PURPOSE".  False: it isn't ours.
static bool read_mark(struct nlattr *alias, struct snap_link *out)
{
	char text[MARK_MAX];
	const char *purpose;

	if (alias == NULL)
		return false;
	nla_strlcpy(text, alias, sizeof(text));
	if (strncmp(text, MARK, sizeof(MARK) - 1) != 0)
		return false;
	purpose = strchr(text + sizeof(MARK) - 1, ':');
	if (purpose != NULL)
		memcpy(out->purpose, purpose + 1, strnlen(purpose + 1, sizeof(out->purpose) - 1));
	return true;
}

bool snap_link_parse(struct nlmsghdr *h, struct snap_link *out)
{
	const struct ifinfomsg *i = nlmsg_data(h);
	struct nlattr *a[IFLA_MAX + 1];

	memset(out, 0, sizeof(*out));
	if (h->nlmsg_type != RTM_NEWLINK || nlmsg_parse(h, sizeof(*i), a, IFLA_MAX, NULL) != 0 || a[IFLA_IFNAME] == NULL ||
	    !read_mark(a[IFLA_IFALIAS], out) || !read_kind(a[IFLA_LINKINFO], out))
		return false;
	nla_strlcpy(out->name, a[IFLA_IFNAME], sizeof(out->name));
	if (a[IFLA_ADDRESS] != NULL && nla_len(a[IFLA_ADDRESS]) == sizeof(out->mac))
		memcpy(out->mac, nla_data(a[IFLA_ADDRESS]), sizeof(out->mac));
	out->up = (i->ifi_flags & IFF_UP) != 0;
	out->mtu = number_of(a[IFLA_MTU]);
	out->index = (uint32_t)i->ifi_index;
	out->master_index = number_of(a[IFLA_MASTER]);
	out->peer_index = out->kind == SNAP_VETH ? number_of(a[IFLA_LINK]) : 0;
	return true;
}
