// See bridge_kin.h.
#include "unpriv/posternd/bridge_kin.h"

#include <string.h>

#include "unpriv/posternd/addr.h"
#include "unpriv/posternd/cache.h"

static bool is(const char *name, const char *bridge)
{
	return name != NULL && strcmp(name, bridge) == 0;
}

static bool connects(const struct row_connection *row, const char *bridge)
{
	return is(row->a, bridge) || is(row->b, bridge);
}

// What is just being made is its task's: that fails, or makes a row of something that waits for the bridge.
static bool made(int64_t phase)
{
	return phase != PHASE_MAKING;
}

size_t kin_connections(const char *bridge)
{
	size_t n = 0;

	for (size_t i = 0; i < cache_n_connection(); i++)
		n += connects(cache_at_connection(i), bridge) ? 1 : 0;
	return n;
}

void kin_mark(struct change *c, const char *bridge, enum store_phase phase)
{
	for (size_t i = 0; i < cache_n_port(); i++)
		if (made(cache_at_port(i)->phase) && is(cache_at_port(i)->bridge, bridge)) {
			cache_at_port(i)->phase = phase;
			change_put_port(c, cache_at_port(i));
		}
	for (size_t i = 0; i < cache_n_connection(); i++)
		if (made(cache_at_connection(i)->phase) && connects(cache_at_connection(i), bridge)) {
			cache_at_connection(i)->phase = phase;
			change_put_connection(c, cache_at_connection(i));
		}
	for (size_t i = 0; i < cache_n_route(); i++)
		if (made(cache_at_route(i)->phase) && is(cache_at_route(i)->device, bridge)) {
			cache_at_route(i)->phase = phase;
			change_put_route(c, cache_at_route(i));
		}
}

void kin_forget(struct change *c, const char *bridge)
{
	for (size_t i = cache_n_port(); i-- > 0;) {
		const struct row_port *row = cache_at_port(i);
		if (made(row->phase) && is(row->bridge, bridge)) {
			change_del_port(c, row->name);
			cache_drop_port(row->name);
		}
	}
	for (size_t i = cache_n_connection(); i-- > 0;) {
		const struct row_connection *row = cache_at_connection(i);
		if (made(row->phase) && connects(row, bridge)) {
			change_del_connection(c, row->name);
			cache_drop_connection(row->name);
		}
	}
	for (size_t i = cache_n_route(); i-- > 0;) {
		const struct row_route *row = cache_at_route(i);
		if (made(row->phase) && is(row->device, bridge)) {
			change_del_route(c, row->id);
			cache_drop_route(row->id);
		}
	}
}

void kin_links(const char *bridge, struct op_links_del_args *a)
{
	*a = (struct op_links_del_args){.names = {.n = 1}};
	COPY_TEXT(a->names.v[0], bridge);
	for (size_t i = 0; i < cache_n_connection() && a->names.n < WIRE_IFNAMES_MAX; i++)
		if (connects(cache_at_connection(i), bridge)) {
			COPY_TEXT(a->names.v[a->names.n], cache_at_connection(i)->name);
			a->names.n++;
		}
}
