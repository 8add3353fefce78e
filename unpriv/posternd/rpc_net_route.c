// See rpc_net_route.h.
#include "unpriv/posternd/rpc_net_route.h"

#include <string.h>

bool route_same_text(const char *a, const char *b)
{
	return (a == NULL) == (b == NULL) && (a == NULL || strcmp(a, b) == 0);
}

struct list_route_spec route_specs(struct request *rq, bool many, struct list_route_spec list, const struct obj_route_spec *one)
{
	bool any = one->has_destination || one->has_gateway || one->has_device || one->has_metric || one->has_table || one->has_source;
	struct list_route_spec l = {0};

	if (many && any) {
		fail_params(rq, "parameter \"routes\": can't be given together with other parameters of a route");
	} else if (many) {
		l = list;
		if (l.n == 0)
			fail_params(rq, "parameter \"routes\": [] was given, allowed is a list of 1 to 1024");
	} else if (!one->has_destination) {
		fail_params(rq, "parameter \"destination\" is missing, allowed is it, or \"routes\"");
	} else {
		l = (struct list_route_spec){.n = 1, .v = arena_alloc(rq->arena, sizeof(*l.v))};
		*l.v = *one;
	}
	return l;
}

const char *route_where(struct request *rq, size_t i, bool many)
{
	return many ? arena_printf(rq->arena, "routes[%zu].", i) : "";
}

struct route_task *route_task_new(struct request *rq, const char *what, void (*step)(struct task *t), size_t room)
{
	struct route_task *k = task_new(sizeof(*k), what, rq, step);

	k->v = arena_zalloc(rq->arena, (room + 1) * sizeof(*k->v));
	return k;
}

void route_ask_add(struct route_task *k, size_t i)
{
	struct op_route_add_args a;

	route_add_args(&k->v[i].row, &a);
	task_priv(&k->t, OP_route_add, &a, NULL);
}

void route_ask_del(struct route_task *k, size_t i)
{
	struct op_route_del_args a;

	route_del_args(&k->v[i].row, &a);
	task_priv(&k->t, OP_route_del, &a, NULL);
}
