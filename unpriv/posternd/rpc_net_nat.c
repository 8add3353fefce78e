// net.nat.add_snat, remove_snat, status.
#include <netinet/in.h>
#include <string.h>

#include "unpriv/posternd/addr.h"
#include "unpriv/posternd/cache.h"
#include "unpriv/posternd/fw.h"
#include "unpriv/posternd/rpc_net.h"
#include "unpriv/posternd/task.h"

struct nat_task {
	struct task t;
	char id[FW_ID];
};

static void commit_row(struct task *t, const struct row_snat *row)
{
	struct change *c = change_new();

	change_put_snat(c, cache_set_snat(row));
	task_commit(t, c);
}

static void forget_row(struct nat_task *k)
{
	struct change *c = change_new();

	change_del_snat(c, k->id);
	cache_drop_snat(k->id);
	task_commit(&k->t, c);
}

// ---- add ----

enum { ADD_STORED, ADD_FORWARDING, ADD_COMMITTED, ADD_DONE, ADD_FORGOTTEN };

static void undo_add(struct nat_task *k)
{
	task_keep(&k->t);
	k->t.step = ADD_FORGOTTEN;
	forget_row(k);
}

static void add_step(struct task *t)
{
	struct nat_task *k = (struct nat_task *)t;
	struct row_snat *row = cache_find_snat(k->id);

	switch (t->step++) {
	case ADD_STORED:
		if (t->err != 0)
			cache_drop_snat(k->id);
		if (!task_store_failed(t))
			fw_ask_forwarding(t, fw_family(row->source));
		return;
	case ADD_FORWARDING:
		if (priv_ok(t->reply))
			fw_ask_snat(t);
		else
			undo_add(k);
		return;
	case ADD_COMMITTED:
		if (fw_again(t, NULL))
			return;
		if (!priv_ok(t->reply)) {
			undo_add(k);
			return;
		}
		row->phase = PHASE_DONE;
		commit_row(t, row);
		return;
	case ADD_DONE:
		if (task_store_failed(t))
			return;
		reply_net_nat_add_snat(t->rq, &(struct rpc_net_nat_add_snat_result){.changed = true, .has_id = true, .id = k->id});
		task_done(t, true);
		return;
	case ADD_FORGOTTEN: task_fail(t); return;
	}
}

// A tuple as given, checked and written the one way it is stored.
struct tuple {
	char source[CIDR_TEXT], to[CIDR_TEXT];
	const char *out_interface;
	bool has_to;
};

static bool read_tuple(struct request *rq, const char *source, const char *to, const char *out_interface, struct tuple *x)
{
	struct wire_addr s, d;

	*x = (struct tuple){.out_interface = out_interface, .has_to = to != NULL};
	if (!addr_parse(source, &s)) {
		fail_params(rq, "source: \"%s\" is no network", source);
		return false;
	}
	if (to != NULL && (!addr_parse(to, &d) || d.family != s.family)) {
		fail_params(rq, "to: \"%s\" is no address of the source's family", to);
		return false;
	}
	addr_network(&s);
	addr_text(&s, true, x->source);
	if (to != NULL)
		addr_text(&d, false, x->to);
	return true;
}

static void tuple_id(const struct tuple *x, char out[FW_ID])
{
	snat_id(x->source, x->out_interface, x->has_to ? x->to : NULL, NULL, out);
}

static bool same(const char *a, const char *b)
{
	return (a == NULL) == (b == NULL) && (a == NULL || strcmp(a, b) == 0);
}

// True where the tuple is free.  Two new addresses for sources that overlap would be chance.
static bool is_free(struct request *rq, const struct tuple *x, const char *id)
{
	struct wire_addr a, b;

	for (size_t i = 0; x->has_to && i < cache_n_snat(); i++) {
		const struct row_snat *o = cache_at_snat(i);
		if (o->to == NULL || strcmp(o->to, x->to) == 0 || !same(o->out_interface, x->out_interface) || strcmp(o->id, id) == 0 ||
		    !addr_parse(x->source, &a) || !addr_parse(o->source, &b) || a.family != b.family)
			continue;
		a.prefix = b.prefix = a.prefix < b.prefix ? a.prefix : b.prefix;
		addr_network(&a);
		addr_network(&b);
		if (memcmp(&a, &b, sizeof(a)) != 0)
			continue;
		bool seen = tenant_sees(rq, o->tenant);
		fail_with(rq, &(struct failure){.kind = FAIL_ALREADY_EXISTS,
		                                .detail = seen ? arena_printf(rq->arena, "%s is translated to %s", o->source, o->to)
		                                               : "a source that overlaps with this one is translated to another address",
		                                .holder = seen ? arena_strdup(rq->arena, o->id) : NULL});
		return false;
	}
	return true;
}

void rpc_net_nat_add_snat(struct request *rq, const struct rpc_net_nat_add_snat_params *p)
{
	struct tuple x;
	char id[FW_ID];
	const struct row_snat *have;
	struct nat_task *k;

	if (!read_tuple(rq, p->source, p->has_to ? p->to : NULL, p->has_out_interface ? p->out_interface : NULL, &x))
		return;
	tuple_id(&x, id);
	have = cache_find_snat(id);
	if (have != NULL && have->phase != PHASE_DONE) {
		fail(rq, FAIL_BUSY, "%s is just being made or removed", id);
		return;
	}
	if (have == NULL && !is_free(rq, &x, id))
		return;
	if (have != NULL || rq->dry_run) {
		reply_net_nat_add_snat(rq, &(struct rpc_net_nat_add_snat_result){.changed = have == NULL, .has_id = have != NULL, .id = id});
		return;
	}
	k = task_new(sizeof(*k), "add_snat", rq, add_step);
	COPY_TEXT(k->id, id);
	struct row_snat row = {.id = id,
	                       .phase = PHASE_MAKING,
	                       .source = x.source,
	                       .out_interface = x.out_interface,
	                       .to = x.has_to ? x.to : NULL,
	                       .tenant = rq->tenant};
	commit_row(&k->t, &row);
}

// ---- remove ----

static void remove_step(struct task *t)
{
	struct nat_task *k = (struct nat_task *)t;
	struct row_snat *row = cache_find_snat(k->id);

	switch (t->step++) {
	case 0:
		if (t->err != 0)
			row->phase = PHASE_DONE;
		if (!task_store_failed(t))
			fw_ask_snat(t);
		return;
	case 1:
		if (fw_again(t, NULL))
			return;
		if (priv_ok(t->reply)) {
			forget_row(k);
			return;
		}
		task_keep(t);
		t->step = 3;
		row->phase = PHASE_DONE;
		commit_row(t, row);
		return;
	case 2:
		if (task_store_failed(t))
			return;
		reply_net_nat_remove_snat(t->rq, &(struct rpc_net_nat_remove_snat_result){.changed = true, .removed = true});
		task_done(t, true);
		return;
	case 3: task_fail(t); return;
	}
}

static bool which(struct request *rq, const struct rpc_net_nat_remove_snat_params *p, char id[FW_ID])
{
	struct tuple x;

	if (p->has_id == p->has_source) {
		fail_params(rq, "id: give either id or source");
		return false;
	}
	if (p->has_id) {
		copy_text(id, FW_ID, p->id);
		return true;
	}
	if (!read_tuple(rq, p->source, p->has_to ? p->to : NULL, p->has_out_interface ? p->out_interface : NULL, &x))
		return false;
	tuple_id(&x, id);
	return true;
}

void rpc_net_nat_remove_snat(struct request *rq, const struct rpc_net_nat_remove_snat_params *p)
{
	char id[FW_ID];
	struct row_snat *row;
	struct nat_task *k;

	if (!which(rq, p, id))
		return;
	row = cache_find_snat(id);
	if (row == NULL || !tenant_sees(rq, row->tenant)) {
		reply_net_nat_remove_snat(rq, &(struct rpc_net_nat_remove_snat_result){.removed = false});
	} else if (row->phase != PHASE_DONE) {
		fail(rq, FAIL_BUSY, "%s is just being made or removed", id);
	} else if (row->vm != NULL) {
		fail_with(
		    rq, &(struct failure){.kind = FAIL_BUSY, .detail = "the translation belongs to a VM", .holder = row->vm, .hint = "Stop the VM."});
	} else if (rq->dry_run) {
		reply_net_nat_remove_snat(rq, &(struct rpc_net_nat_remove_snat_result){.changed = true, .removed = true});
	} else {
		k = task_new(sizeof(*k), "remove_snat", rq, remove_step);
		COPY_TEXT(k->id, id);
		row->phase = PHASE_REMOVING;
		commit_row(&k->t, row);
	}
}

// ---- status ----

struct list_snat nat_list(struct request *rq)
{
	struct list_snat l = {.v = arena_alloc(rq->arena, (cache_n_snat() + 1) * sizeof(*l.v))};

	for (size_t i = 0; i < cache_n_snat(); i++) {
		const struct row_snat *row = cache_at_snat(i);
		if (row->phase == PHASE_DONE && tenant_sees(rq, row->tenant))
			l.v[l.n++] = (struct obj_snat){.id = row->id,
			                               .source = row->source,
			                               .has_out_interface = row->out_interface != NULL,
			                               .out_interface = row->out_interface,
			                               .has_to = row->to != NULL,
			                               .to = row->to};
	}
	return l;
}

static struct list_dnat forwards(struct request *rq)
{
	static const int protos[] = {IPPROTO_TCP, IPPROTO_UDP, IPPROTO_SCTP};
	struct list_dnat l = {.v = arena_alloc(rq->arena, (cache_n_dnat() + 1) * sizeof(*l.v))};

	for (size_t i = 0; i < cache_n_dnat(); i++) {
		const struct row_dnat *row = cache_at_dnat(i);
		int proto = port_proto_tcp;
		if (row->phase != PHASE_DONE || !tenant_sees(rq, row->tenant))
			continue;
		while (proto < port_proto_sctp && protos[proto] != row->proto)
			proto++;
		l.v[l.n++] = (struct obj_dnat){.id = row->id,
		                               .proto = proto,
		                               .host_port = row->host_port,
		                               .dest_ip = row->dest_ip,
		                               .dest_port = row->dest_port,
		                               .has_interface = row->interface != NULL,
		                               .interface = row->interface,
		                               .has_host_ip = row->host_ip != NULL,
		                               .host_ip = row->host_ip,
		                               .has_source = row->source != NULL,
		                               .source = row->source};
	}
	return l;
}

void rpc_net_nat_status(struct request *rq, const struct rpc_net_nat_status_params *p)
{
	(void)p;
	reply_net_nat_status(rq, &(struct rpc_net_nat_status_result){.snat = nat_list(rq), .dnat = forwards(rq)});
}
