// See connection.h.
#include "unpriv/posternd/connection.h"

#include <string.h>

#include "unpriv/posternd/addr.h"
#include "unpriv/posternd/cache.h"

struct row_connection *connection_of(const char *port)
{
	for (size_t i = 0; i < cache_n_connection(); i++) {
		struct row_connection *row = cache_at_connection(i);
		if (strcmp(row->name, port) == 0 || strcmp(row->peer, port) == 0)
			return row;
	}
	return NULL;
}

void connection_add_args(const struct row_connection *row, struct op_link_add_args *a)
{
	*a = (struct op_link_add_args){.kind = LINK_VETH, .has_peer = true};
	COPY_TEXT(a->name, row->name);
	COPY_TEXT(a->peer, row->peer);
}
