// What processes ask of a policy, its default, and how it is divided.  See policy.h.
#include "helper/common/policy.h"

#include <string.h>

void policy_default(struct policy *p)
{
	memset(p, 0, sizeof(*p));
	p->size = sizeof(*p);
	p->ids = (struct policy_ids){.daemon_uid = 990, .daemon_gid = 990, .broker_uid = 991, .net_uid = 992, .vol_uid = 993};
	p->limits = (struct policy_limits){.taps = 4096, .rules = 20000, .jails = 512, .requests_per_second = 5000};
	p->net.prefixes.n = 1;
	memcpy(p->net.prefixes.v[0], "pt-", 4);
	p->net.bridges.n = 1;
	memcpy(p->net.bridges.v[0], "pt-br*", 7);
}

void policy_part(struct policy *part, const struct policy *all, enum policy_reader who)
{
	if (who == POLICY_FOR_BROKER) {
		*part = *all;
		return;
	}
	memset(part, 0, sizeof(*part));
	part->size = all->size;
	part->launcher = all->launcher;
	part->ids = all->ids;
	part->uids = all->uids;
	part->limits = all->limits;
	switch (who) {
	case POLICY_FOR_NET: part->net = all->net; break;
	case POLICY_FOR_VOL: part->vol = all->vol; break;
	case POLICY_FOR_JAIL: part->jail = all->jail; break;
	case POLICY_FOR_SPAWN:
		part->jail = all->jail;
		part->tools = all->tools;
		part->ovs = all->ovs;
		break;
	case POLICY_FOR_BROKER: break;
	}
}

bool policy_in_range(const struct policy_range *r, uint32_t v)
{
	return v != 0 && v >= r->lo && v <= r->hi;
}

bool policy_in_ranges(const struct policy_ranges *l, uint32_t v)
{
	for (uint32_t i = 0; i < l->n; i++)
		if (policy_in_range(&l->v[i], v))
			return true;
	return false;
}

bool policy_bridge(const struct policy_net *n, const char *name)
{
	for (uint32_t i = 0; i < n->bridges.n; i++) {
		const char *pattern = n->bridges.v[i];
		size_t len = strnlen(pattern, 16);

		if (len > 0 && pattern[len - 1] == '*' ? strncmp(pattern, name, len - 1) == 0 : strcmp(pattern, name) == 0)
			return true;
	}
	return false;
}

bool policy_prefix(const struct policy_net *n, const char *name)
{
	for (uint32_t i = 0; i < n->prefixes.n; i++) {
		size_t len = strnlen(n->prefixes.v[i], 16);

		if (len > 0 && strncmp(n->prefixes.v[i], name, len) == 0 && name[len] != '\0')
			return true;
	}
	return false;
}

bool policy_link_ours(const struct policy_net *n, const char *name)
{
	return policy_prefix(n, name) || policy_bridge(n, name);
}

bool policy_uplink(const struct policy_net *n, const char *name)
{
	for (uint32_t i = 0; i < n->uplinks.n; i++)
		if (strcmp(n->uplinks.v[i], name) == 0)
			return true;
	return false;
}

int policy_lease(const struct policy_net *n, const char *name)
{
	for (uint32_t i = 0; i < n->leases.n; i++)
		if (strcmp(n->leases.v[i], name) == 0)
			return (int)i;
	return -1;
}

bool policy_path_listed(const struct policy_paths *l, const char *path)
{
	for (uint32_t i = 0; i < l->n; i++) {
		size_t len = strnlen(l->v[i], POLICY_PATH);
		bool star = len > 0 && l->v[i][len - 1] == '*';

		if (!star && strcmp(l->v[i], path) == 0)
			return true;
		if (star && strncmp(l->v[i], path, len - 1) == 0 && path[len - 1] != '\0' && strchr(path + len - 1, '/') == NULL)
			return true;
	}
	return false;
}
