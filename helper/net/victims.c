// See victims.h.
//
// To ask for one link is dear where its carrier has just changed: the kernel first does what it had put off (linkwatch_sync_dev).  A list of all
// links shows them as they are.
#include "helper/net/victims.h"

#include <linux/rtnetlink.h>
#include <string.h>

#include "helper/net/group.h"
#include "helper/net/link.h"

#define MANY   32u    // names for which a list of all links is read
#define PLACES 32768u // twice the links of the largest host for which it is

// A link as the list shows it.
struct known {
	char name[16]; // empty: the place is free
	uint32_t index;
	bool ours;
};

// By a hash of their names, the next place where one is taken.
static struct {
	struct known v[PLACES];
	size_t n;
	bool whole; // it can be asked
} list;

// FNV-1a; and from there on, the place that has the name, or the free one where it would be.
static struct known *place(const char *name)
{
	uint32_t at = 2166136261u;

	for (const char *p = name; *p != '\0'; p++)
		at = (at ^ (uint8_t)*p) * 16777619u;
	while (list.v[at % PLACES].name[0] != '\0' && strcmp(list.v[at % PLACES].name, name) != 0)
		at++;
	return &list.v[at % PLACES];
}

static void keep(struct nlmsghdr *h, void *arg)
{
	struct rtnl_link_info link;
	struct known *k;

	(void)arg;
	if ((h->nlmsg_flags & NLM_F_DUMP_INTR) != 0)
		list.whole = false;
	if (!list.whole || !rtnl_link_parse(h, &link) || link.name[0] == '\0')
		return;
	if (++list.n > PLACES / 2) {
		list.whole = false;
		return;
	}
	k = place(link.name);
	k->index = link.index;
	k->ours = rtnl_marked(&link);
	memcpy(k->name, link.name, sizeof(k->name));
}

// No list, or one that doesn't hold all, is no harm: each link is asked for.
void victims_begin(struct victims *v, uint32_t names)
{
	v->n = 0;
	list.whole = names >= MANY;
	if (!list.whole)
		return;
	memset(&list.v, 0, sizeof(list.v));
	list.n = 0;
	if (rtnl_dump(rtnl_ask_link(0), keep, NULL) != 0)
		list.whole = false;
}

static enum op_status look_up(struct cell *c, const char *name, uint32_t *index)
{
	struct rtnl_link_info link;
	const struct known *k;
	enum op_status s;

	if (!list.whole) {
		s = link_ours(c, name, &link);
		*index = link.index;
		return s;
	}
	k = place(name);
	if (k->name[0] == '\0')
		return OPS_NOT_FOUND;
	*index = k->index;
	return k->ours ? OPS_OK : cell_fail(c, OPS_DENIED, "a link without our mark", 0);
}

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
	uint32_t index;

	for (uint32_t i = 0; i < a->names.n; i++) {
		enum op_status s = look_up(c, a->names.v[i], &index);

		if (s == OPS_NOT_FOUND || (s == OPS_OK && listed(v, index)))
			continue;
		if (s != OPS_OK) {
			v->n = before;
			return s;
		}
		v->index[v->n++] = index;
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

enum op_status victims_now(struct cell *c, const struct op_links_del_args *a, uint32_t *removed)
{
	static struct victims v;
	enum op_status s;
	int err;

	victims_begin(&v, a->names.n);
	s = victims_add(c, a, &v, removed);
	if (s != OPS_OK)
		return s;
	err = victims_delete(&v);
	return err == 0 ? OPS_OK : cell_fail_errno(c, "delete", -err);
}
