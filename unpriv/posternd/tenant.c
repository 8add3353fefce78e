// See tenant.h.
#include "unpriv/posternd/tenant.h"

#include <string.h>

#include "unpriv/posternd/cache.h"

bool tenant_may(const char *who, const char *owner)
{
	return who == NULL || (owner != NULL && strcmp(who, owner) == 0);
}

bool tenant_may_join(const char *who, const char *bridge)
{
	const struct row_bridge *b = cache_find_bridge(bridge);

	return b == NULL || tenant_may(who, b->tenant);
}

bool tenant_may_take(const char *who, const char *tap)
{
	const struct row_tap *t = cache_find_tap(tap);

	return t != NULL && t->phase == PHASE_DONE && t->vm == NULL && tenant_may(who, t->tenant);
}
