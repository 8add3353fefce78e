// See group.h.
#include "helper/net/group.h"

#include <errno.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <netlink/attr.h>

#include "helper/net/rtnl.h"

static uint32_t space = GROUPS_OF_CELL;

struct search {
	uint32_t group;
	bool found;
};

void group_space(uint32_t first)
{
	space = first;
}

static void look(struct nlmsghdr *h, void *arg)
{
	struct search *s = arg;
	struct nlattr *a = nlmsg_find_attr(h, sizeof(struct ifinfomsg), IFLA_GROUP);

	if (a != NULL && nla_len(a) == sizeof(uint32_t) && nla_get_u32(a) == s->group)
		s->found = true;
}

int group_fresh(uint32_t *group)
{
	static uint32_t last;
	struct search s = {0, true};
	int err = 0;

	for (int tries = 0; err == 0 && s.found && tries < 8; tries++) {
		s = (struct search){space + ++last % GROUPS_EACH, false};
		err = rtnl_dump(rtnl_ask_link(0), look, &s);
	}
	*group = s.group;
	return err == 0 && s.found ? -EBUSY : err;
}

int group_set(uint32_t index, uint32_t group)
{
	struct nl_msg *m = rtnl_link_msg(RTM_SETLINK, 0, index);

	return rtnl_do(m, m == NULL ? 1 : nla_put_u32(m, IFLA_GROUP, group));
}

int group_delete(uint32_t group)
{
	struct nl_msg *m = rtnl_link_msg(RTM_DELLINK, 0, 0);

	return rtnl_do(m, m == NULL ? 1 : nla_put_u32(m, IFLA_GROUP, group));
}
