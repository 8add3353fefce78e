// See net_dry.h.
#include "unpriv/posternd/net_dry.h"

#include <string.h>

#include "unpriv/posternd/owned.h"

static const struct rtnl_link *find(struct request *rq, const char *name)
{
	struct rtnl_links l;

	return rtnl_read_links(&(struct rtnl_filter){.name = name, .brief = true}, rq->arena, &l) == 0 && l.n == 1 ? l.v : NULL;
}

static bool unmarked(struct request *rq, const char *name)
{
	fail_hint(rq, FAIL_DENIED_BY_POLICY, "Choose another name, or leave it to the tool that made it.", "%s is a link without our mark", name);
	return false;
}

bool net_dry_bridge(struct request *rq, const char *name)
{
	if (find(rq, name) == NULL)
		return true;
	fail(rq, FAIL_ALREADY_EXISTS, "there is an interface %s already", name);
	return false;
}

bool net_dry_tap(struct request *rq, const char *name, const char *bridge)
{
	const struct rtnl_link *tap = name != NULL ? find(rq, name) : NULL, *to = bridge != NULL ? find(rq, bridge) : NULL;

	if (bridge != NULL && (to == NULL || strcmp(to->kind, "bridge") != 0)) {
		fail(rq, FAIL_NOT_FOUND, "there is no bridge %s", bridge);
		return false;
	}
	if (tap != NULL && !owned_marked(tap->alias))
		return unmarked(rq, name);
	if (tap != NULL && strcmp(tap->kind, "tun") != 0) {
		fail(rq, FAIL_ALREADY_EXISTS, "there is an interface %s of another kind already", name);
		return false;
	}
	return true;
}

bool net_dry_port(struct request *rq, const struct rtnl_link *port)
{
	return owned_marked(port->alias) || unmarked(rq, port->name);
}
