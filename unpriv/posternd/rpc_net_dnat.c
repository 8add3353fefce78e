// net.nat.add_dnat, remove_dnat.
#include <netinet/in.h>
#include <string.h>

#include "unpriv/posternd/addr.h"
#include "unpriv/posternd/cache.h"
#include "unpriv/posternd/fw_task.h"

static const int protos[port_proto_COUNT_] = {[port_proto_tcp] = IPPROTO_TCP, [port_proto_udp] = IPPROTO_UDP, [port_proto_sctp] = IPPROTO_SCTP};

// Writes an address the one way it is stored; false after it has answered.  family: which it must be of, 0: any.
static bool read_addr(struct request *rq, const char *where, const char *name, const char *text, bool network, int family, const char **out)
{
	struct wire_addr a;
	char *canonical = arena_alloc(rq->arena, CIDR_TEXT);

	if (!addr_parse(text, &a) || (family != 0 && a.family != family)) {
		fail_params(rq, "parameter \"%s%s\": \"%s\" was given, allowed is an address of dest_ip's family", where, name, text);
		return false;
	}
	if (network)
		addr_network(&a);
	addr_text(&a, network, canonical);
	*out = canonical;
	return true;
}

// The place that is forwarded, of this family.
static bool read_place(struct request *rq, const struct obj_dnat_spec *s, const char *where, int family, struct row_dnat *row)
{
	row->proto = protos[s->proto];
	row->host_port = s->host_port;
	row->interface = s->has_interface ? s->interface : NULL;
	return (!s->has_host_ip || read_addr(rq, where, "host_ip", s->host_ip, false, family, &row->host_ip)) &&
	       (!s->has_source || read_addr(rq, where, "source", s->source, true, family, &row->source));
}

bool fw_read_forward(struct request *rq, const struct obj_dnat_spec *s, const char *where, struct row_dnat *row)
{
	*row = (struct row_dnat){.dest_port = s->dest_port, .tenant = rq->tenant};
	return read_addr(rq, where, "dest_ip", s->dest_ip, false, 0, &row->dest_ip) && read_place(rq, s, where, fw_family(row->dest_ip), row);
}

static bool read_forward(struct request *rq, const struct obj_dnat_spec *s, const char *where, struct fw_item *i)
{
	return fw_read_forward(rq, s, where, &i->dnat) && fw_item_agrees(rq, i);
}

// ---- add ----

static void reply_added(struct fw_task *k, bool changed)
{
	const struct rpc_net_nat_add_dnat_params *p = k->p;
	struct rpc_net_nat_add_dnat_result r = {.changed = changed, .has_warning = k->warning != NULL, .warning = k->warning};

	r.has_id = !k->dry && !p->has_forwards;
	r.has_ids = !k->dry && p->has_forwards;
	r.id = k->v[0].id;
	r.ids = fw_task_ids(k);
	reply_net_nat_add_dnat(k->t.rq, &r);
}

// The forwards that a request names: one by itself, or the list.  None after it has answered why not.
static struct list_dnat_spec specs(struct request *rq, const struct rpc_net_nat_add_dnat_params *p)
{
	bool any = p->has_proto || p->has_host_port || p->has_dest_ip || p->has_dest_port || p->has_interface || p->has_host_ip || p->has_source;
	const char *missing = !p->has_proto ? "proto" : !p->has_host_port ? "host_port" : !p->has_dest_ip ? "dest_ip" : "dest_port";
	struct list_dnat_spec l = {0};

	if (p->has_forwards && any) {
		fail_params(rq, "parameter \"forwards\": can't be given together with other parameters of a forward");
	} else if (p->has_forwards) {
		l = p->forwards;
		if (l.n == 0)
			fail_params(rq, "parameter \"forwards\": [] was given, allowed is a list of 1 to 1024");
	} else if (!p->has_proto || !p->has_host_port || !p->has_dest_ip || !p->has_dest_port) {
		fail_params(rq, "parameter \"%s\" is missing, allowed is it, or \"forwards\"", missing);
	} else {
		l = (struct list_dnat_spec){.n = 1, .v = arena_alloc(rq->arena, sizeof(*l.v))};
		*l.v = (struct obj_dnat_spec){.proto = p->proto,
		                              .host_port = p->host_port,
		                              .dest_ip = p->dest_ip,
		                              .dest_port = p->dest_port,
		                              .has_interface = p->has_interface,
		                              .interface = p->interface,
		                              .has_host_ip = p->has_host_ip,
		                              .host_ip = p->host_ip,
		                              .has_source = p->has_source,
		                              .source = p->source};
	}
	return l;
}

void rpc_net_nat_add_dnat(struct request *rq, const struct rpc_net_nat_add_dnat_params *p)
{
	struct list_dnat_spec l = specs(rq, p);
	struct fw_task *k;

	if (l.n == 0)
		return;
	k = fw_task_new(rq, "add_dnat", l.n, reply_added);
	k->p = p;
	for (; k->n < l.n; k->n++)
		if (!read_forward(rq, &l.v[k->n], p->has_forwards ? arena_printf(rq->arena, "forwards[%zu].", k->n) : "", &k->v[k->n])) {
			fw_task_drop(k);
			return;
		}
	fw_task_add(k, "forwards");
}

// ---- remove ----

static void reply_removed(struct fw_task *k, bool changed)
{
	reply_net_nat_remove_dnat(k->t.rq, &(struct rpc_net_nat_remove_dnat_result){.changed = changed, .removed = changed});
}

// By the place that is forwarded: -1 after it has answered, else how many there are.
static int find_tuple(struct request *rq, const struct rpc_net_nat_remove_dnat_params *p, struct fw_item *out)
{
	const struct obj_dnat_spec s = {.proto = p->proto,
	                                .host_port = p->host_port,
	                                .has_interface = p->has_interface,
	                                .interface = p->interface,
	                                .has_host_ip = p->has_host_ip,
	                                .host_ip = p->host_ip,
	                                .has_source = p->has_source,
	                                .source = p->source};
	const char *hint = p->has_dest_ip ? p->dest_ip : p->has_host_ip ? p->host_ip : p->has_source ? p->source : NULL, *dest = NULL;
	int found = 0;

	if (p->has_dest_ip && !read_addr(rq, "", "dest_ip", p->dest_ip, false, 0, &dest))
		return -1;
	for (int family = 4; family <= 6; family += 2) {
		struct row_dnat row = {.dest_ip = family == 4 ? "0.0.0.0" : "::"};
		char id[FW_ID];
		int one;
		if (hint != NULL && fw_family(hint) != family)
			continue;
		if (!read_place(rq, &s, "", family, &row))
			return -1;
		dnat_id(&row, id);
		one = fw_item_find(rq, id, false, &out[found]);
		if (one < 0)
			return -1;
		found += one > 0 && (dest == NULL || strcmp(dest, out[found].dnat.dest_ip) == 0) &&
		         (!p->has_dest_port || p->dest_port == out[found].dnat.dest_port);
	}
	if (found < 2)
		return found;
	fail_params(rq, "parameter \"dest_ip\" is missing: the port is forwarded in IPv4 and in IPv6");
	return -1;
}

void rpc_net_nat_remove_dnat(struct request *rq, const struct rpc_net_nat_remove_dnat_params *p)
{
	bool tuple = p->has_proto || p->has_host_port || p->has_dest_ip || p->has_dest_port || p->has_interface || p->has_host_ip || p->has_source;
	struct list_id ids = p->has_ids ? p->ids : (struct list_id){.n = p->has_id, .v = (const char **)(uintptr_t)&p->id};
	struct fw_task *k;
	int n;

	if (p->has_id + p->has_ids + tuple != 1) {
		fail_params(rq, "parameter \"id\": allowed is it, or \"ids\", or \"proto\" and \"host_port\"");
		return;
	}
	if (tuple && !(p->has_proto && p->has_host_port)) {
		fail_params(rq, "parameter \"%s\" is missing, allowed is it, or \"id\", or \"ids\"", p->has_proto ? "host_port" : "proto");
		return;
	}
	k = fw_task_new(rq, "remove_dnat", ids.n + 2, reply_removed);
	n = tuple ? find_tuple(rq, p, k->v) : fw_task_find(k, &ids, false);
	if (n < 0) {
		fw_task_drop(k);
		return;
	}
	k->n = (size_t)n;
	fw_task_remove(k);
}
