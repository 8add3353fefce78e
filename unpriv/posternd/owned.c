// See owned.h.
#include "unpriv/posternd/owned.h"

#include <string.h>

#include "unpriv/posternd/cache.h"
#include "unpriv/posternd/config.h"
#include "unpriv/posternd/connection.h"
#include "unpriv/posternd/daemon.h"
#include "unpriv/posternd/tap_pool.h"

bool owned_marked(const char *alias)
{
	return strncmp(alias, OWNED_MARK, sizeof(OWNED_MARK) - 1) == 0;
}

bool owned_stray(const char *kind, const char *alias, const char *name)
{
	const char *prefix = daemon_config()->interface_prefix;

	if (!owned_marked(alias) || strncmp(name, prefix, strlen(prefix)) != 0)
		return false;
	if (strcmp(kind, "tun") == 0)
		return cache_find_tap(name) == NULL && !tap_pool_has(name);
	if (strcmp(kind, "bridge") == 0)
		return cache_find_bridge(name) == NULL;
	return strcmp(kind, "veth") == 0 && connection_of(name) == NULL;
}
