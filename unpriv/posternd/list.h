// Lists of texts that grow as they are read.
#ifndef POSTERN_POSTERND_LIST_H
#define POSTERN_POSTERND_LIST_H

#include "proto/rpc.h"
#include "unpriv/posternd/mem.h"

// Appends a borrowed text; the list is full, and moves within the arena, at every power of two.
static inline void list_add(struct list_str *l, const char *text, struct arena *a)
{
	if ((l->n & (l->n - 1)) == 0) {
		const char **more = arena_alloc(a, (2 * l->n + 1) * sizeof(*more));
		if (l->n > 0)
			memcpy(more, l->v, l->n * sizeof(*more));
		l->v = more;
	}
	l->v[l->n++] = text;
}

#endif
