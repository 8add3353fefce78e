// See victims.h.
#include "helper/net/victims.h"

#include <linux/rtnetlink.h>

#include "helper/net/group.h"
#include "helper/net/link.h"

static bool listed(const struct victims *v, uint32_t index)
{
	for (uint32_t i = 0; i < v->n; i++)
		if (v->index[i] == index)
			return true;
	return false;
}

enum op_status victims_add(struct cell *c, const struct op_links_del_args *a, struct victims *v, uint32_t *removed)
{
	const uint32_t before = v->n;
	struct rtnl_link_info link;

	for (uint32_t i = 0; i < a->names.n; i++) {
		enum op_status s = link_ours(c, a->names.v[i], &link);

		if (s == OPS_NOT_FOUND || (s == OPS_OK && listed(v, link.index)))
			continue;
		if (s != OPS_OK) {
			v->n = before;
			return s;
		}
		v->index[v->n++] = link.index;
	}
	*removed = v->n - before;
	return OPS_OK;
}

int victims_delete(const struct victims *v)
{
	uint32_t group;
	int err;

	if (v->n == 0)
		return 0;
	if (v->n == 1)
		return rtnl_do(rtnl_link_msg(RTM_DELLINK, 0, v->index[0]), 0);
	err = group_fresh(&group);
	for (uint32_t i = 0; err == 0 && i < v->n; i++)
		err = group_set(v->index[i], group);
	return err == 0 ? group_delete(group) : err;
}
