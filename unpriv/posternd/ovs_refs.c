// Sorted when the first is looked for: a table's rows come after all of those that name them. See ovs_refs.h.
#include "unpriv/posternd/ovs_refs.h"

#include <stdlib.h>
#include <string.h>

void *ovs_grown(struct arena *a, void *v, size_t n, size_t *room, size_t size)
{
	void *more;

	if (n < *room)
		return v;
	*room = 2 * *room + 8;
	more = arena_alloc(a, *room * size);
	if (n > 0)
		memcpy(more, v, n * size);
	return more;
}

void ovs_refer(struct arena *a, struct ovs_refs *l, const char *uuid, void *owner)
{
	l->v = ovs_grown(a, l->v, l->n, &l->room, sizeof(*l->v));
	l->v[l->n] = (struct ovs_ref){.owner = owner};
	memcpy(l->v[l->n].uuid, uuid, strnlen(uuid, OVS_UUID - 1));
	l->n++;
}

static int compare(const void *a, const void *b)
{
	return strcmp(((const struct ovs_ref *)a)->uuid, ((const struct ovs_ref *)b)->uuid);
}

struct ovs_ref *ovs_refs_find(struct ovs_refs *l, const char *uuid)
{
	struct ovs_ref key = {0};

	if (l->n == 0)
		return NULL;
	if (!l->sorted)
		qsort(l->v, l->n, sizeof(*l->v), compare);
	l->sorted = true;
	memcpy(key.uuid, uuid, strnlen(uuid, OVS_UUID - 1));
	return bsearch(&key, l->v, l->n, sizeof(*l->v), compare);
}

void *ovs_refs_take(struct ovs_refs *l, const char *uuid)
{
	struct ovs_ref *r = ovs_refs_find(l, uuid);
	void *owner = r != NULL ? r->owner : NULL;

	if (r != NULL)
		r->owner = NULL;
	return owner;
}
