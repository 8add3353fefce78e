// Lists of drift.  See drift.h.
#include "unpriv/posternd/drift.h"

#include <stdio.h>
#include <stdlib.h>

struct drift_item *drift_add(struct drift_list *l, enum rpc_drift_kind kind, const char *tenant)
{
	struct drift_item *i;

	if (l->n == l->room) {
		l->room = l->room != 0 ? 2 * l->room : 16;
		l->v = xrealloc(l->v, l->room * sizeof(*l->v));
	}
	i = &l->v[l->n++];
	*i = (struct drift_item){.kind = kind, .fix = FIX_NONE, .tenant = tenant != NULL ? arena_strdup(&l->arena, tenant) : NULL};
	return i;
}

void drift_say(char *text, size_t size, const char *fmt, ...)
{
	size_t at = strlen(text);
	va_list ap;

	if (at > 0)
		at += (size_t)snprintf(text + at, size - at, ", ");
	if (at >= size)
		return;
	va_start(ap, fmt);
	vsnprintf(text + at, size - at, fmt, ap);
	va_end(ap);
}

const struct drift_item *drift_find(const struct drift_list *l, const struct drift_item *like)
{
	for (size_t i = 0; i < l->n; i++)
		if (l->v[i].kind == like->kind && strcmp(l->v[i].id, like->id) == 0)
			return &l->v[i];
	return NULL;
}

bool drift_same(const struct drift_item *a, const struct drift_item *b)
{
	return a->kind == b->kind && strcmp(a->id, b->id) == 0 && strcmp(a->expected, b->expected) == 0 && strcmp(a->actual, b->actual) == 0;
}

// Both are in the order in which the rows were gone through, so what is sought comes soon after what was found before.
void drift_intersect(struct drift_list *l, const struct drift_list *other)
{
	size_t kept = 0, from = 0;

	for (size_t i = 0; i < l->n; i++)
		for (size_t k = 0; k < other->n; k++) {
			size_t at = (from + k) % other->n;
			if (!drift_same(&l->v[i], &other->v[at]))
				continue;
			l->v[kept++] = l->v[i];
			from = at + 1;
			break;
		}
	l->n = kept;
}

void drift_clear(struct drift_list *l)
{
	arena_finish(&l->arena);
	free(l->v);
	*l = (struct drift_list){0};
}
