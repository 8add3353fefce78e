// See apply_plan.h.
#include "unpriv/posternd/apply_plan.h"

#include <string.h>

#include "unpriv/posternd/rpc_net.h"

// Any struct list_<kind>.
struct any_list {
	size_t n;
	const char *v;
};

// What the two passes of one kind share.
struct match {
	const struct apply_kind *k;
	const struct any_list *list; // NULL: the document says nothing about it
	size_t size;                 // of an element
	json_t *wanted, *had;        // key -> number of the element, of the row
};

void apply_add(struct apply_plan *plan, enum rpc_plan_action action, enum rpc_plan_kind kind, const char *id, enum rpc_method_id method,
               const struct apply_many *many, json_t *params, bool shown)
{
	if (plan->n == plan->room) {
		plan->room = plan->room != 0 ? 2 * plan->room : 64;
		plan->v = xrealloc(plan->v, plan->room * sizeof(*plan->v));
	}
	plan->v[plan->n++] = (struct apply_step){
	    .action = action,
	    .kind = kind,
	    .id = arena_strdup(plan->rq->arena, id),
	    .method = method,
	    .many = many != NULL && many->list != NULL ? many : NULL,
	    .params = params,
	    .shown = shown,
	};
}

bool apply_replaced(const struct apply_plan *plan, const char *bridge)
{
	return json_object_get(plan->replaced, bridge) != NULL;
}

static bool find_list(struct apply_plan *plan, struct match *m)
{
	const struct rpc_field *f = rpc_kinds[KIND_desired].fields;
	const char *document = (const char *)&plan->p->desired;

	while (f->name != NULL && strcmp(f->name, m->k->list) != 0)
		f++;
	if (f->name == NULL || !*(const bool *)(document + f->has))
		return false;
	m->list = (const struct any_list *)(const void *)(document + f->off);
	m->size = rpc_kinds[f->kind].size;
	return true;
}

static const void *element(const struct match *m, size_t i)
{
	return m->list->v + i * m->size;
}

// The number that a key has, or SIZE_MAX.
static size_t number(const json_t *of, const char *key)
{
	const json_t *n = json_object_get(of, key);

	return n == NULL ? SIZE_MAX : (size_t)json_integer_value(n);
}

// Fills wanted and had.  A second row of a key that was there is a row that nobody wants.
static bool index_all(struct apply_plan *plan, struct match *m)
{
	m->wanted = json_object();
	m->had = json_object();
	for (size_t i = 0; i < m->list->n; i++) {
		const char *key = m->k->want_key(plan->rq, element(m, i), i);

		if (key == NULL)
			return false;
		if (number(m->wanted, key) != SIZE_MAX) {
			fail_params(plan->rq, "parameter \"desired.%s[%zu]\": the same as [%zu]", m->k->list, i, number(m->wanted, key));
			return false;
		}
		json_object_set_new(m->wanted, key, json_integer((json_int_t)i));
	}
	for (size_t i = 0; i < m->k->rows(); i++) {
		const char *key = m->k->row_key(plan->rq, i);

		if (key != NULL && number(m->had, key) == SIZE_MAX)
			json_object_set_new(m->had, key, json_integer((json_int_t)i));
	}
	return true;
}

static void delete_row(struct apply_plan *plan, const struct match *m, size_t i, const char *key, bool replaced)
{
	apply_add(plan, plan_action_delete, m->k->kind, key, m->k->del, &m->k->del_many, m->k->victim(plan, i, replaced), false);
}

// What goes.  An element whose row stays is taken out of wanted.
static void plan_deletions(struct apply_plan *plan, struct match *m)
{
	for (size_t i = 0; i < m->k->rows(); i++) {
		const char *key = m->k->row_key(plan->rq, i);
		size_t w = key != NULL && number(m->had, key) == i ? number(m->wanted, key) : SIZE_MAX;

		if (key == NULL)
			continue;
		if (w == SIZE_MAX) {
			delete_row(plan, m, i, key, false);
		} else if (m->k->same(plan, element(m, w), i) || (m->k->move != NULL && m->k->move(plan, element(m, w), i))) {
			json_object_del(m->wanted, key);
		} else {
			if (m->k->kind == plan_kind_bridge)
				json_object_set_new(plan->replaced, key, json_true());
			delete_row(plan, m, i, key, true);
		}
	}
}

static void plan_creations(struct apply_plan *plan, const struct match *m)
{
	json_t *written = json_object_get(plan->desired, m->k->list);

	for (size_t i = 0; i < m->list->n; i++) {
		const char *key = m->k->want_key(plan->rq, element(m, i), i);

		if (number(m->wanted, key) != SIZE_MAX)
			apply_add(plan, plan_action_create, m->k->kind, key, m->k->add, &m->k->add_many, json_deep_copy(json_array_get(written, i)), true);
	}
}

// Bridges are looked at first, for what hangs on one that is replaced comes again with it; but they go last.
static bool plan_kinds(struct apply_plan *plan, struct match *m)
{
	struct apply_plan bridges = *plan;

	for (size_t k = 0; k < APPLY_KINDS; k++)
		if (m[k].list != NULL && !index_all(plan, &m[k]))
			return false;
	if (m[0].list != NULL)
		plan_deletions(&bridges, &m[0]);
	for (size_t k = APPLY_KINDS; k-- > 1;)
		if (m[k].list != NULL)
			plan_deletions(plan, &m[k]);
	for (size_t i = 0; i < bridges.n; i++)
		apply_add(plan, bridges.v[i].action, bridges.v[i].kind, bridges.v[i].id, bridges.v[i].method, NULL, bridges.v[i].params, bridges.v[i].shown);
	free(bridges.v);
	for (size_t k = 0; k < APPLY_KINDS; k++)
		if (m[k].list != NULL)
			plan_creations(plan, &m[k]);
	return true;
}

// Moves of ports stand where things go; those that attach wait for what comes.  Both keep their order.
static void put_attachments_last(struct apply_plan *plan)
{
	struct apply_step *sorted = xmalloc((plan->n + 1) * sizeof(*sorted));
	size_t n = 0;

	for (size_t i = 0; i < plan->n; i++)
		if (plan->v[i].action != plan_action_attach)
			sorted[n++] = plan->v[i];
	for (size_t i = 0; i < plan->n; i++)
		if (plan->v[i].action == plan_action_attach)
			sorted[n++] = plan->v[i];
	free(plan->v);
	plan->v = sorted;
	plan->room = plan->n + 1;
}

bool apply_plan_make(struct apply_plan *plan, struct request *rq, const struct rpc_net_apply_params *p)
{
	struct match m[APPLY_KINDS];
	bool ok;

	*plan = (struct apply_plan){.rq = rq, .p = p, .replaced = json_object()};
	plan->desired = json_is_array(rq->params) ? json_array_get(rq->params, 0) : json_object_get(rq->params, "desired");
	memset(m, 0, sizeof(m));
	for (size_t k = 0; k < APPLY_KINDS; k++) {
		m[k].k = &apply_kinds[k];
		find_list(plan, &m[k]);
	}
	ok = net_read_view(rq, &plan->view) && plan_kinds(plan, m);
	if (ok) {
		apply_ports_back(plan);
		put_attachments_last(plan);
	}
	for (size_t k = 0; k < APPLY_KINDS; k++) {
		json_decref(m[k].wanted);
		json_decref(m[k].had);
	}
	return ok;
}

void apply_plan_finish(struct apply_plan *plan)
{
	for (size_t i = 0; i < plan->n; i++)
		json_decref(plan->v[i].params);
	free(plan->v);
	json_decref(plan->replaced);
	*plan = (struct apply_plan){0};
}
