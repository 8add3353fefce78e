// net.firewall.add_rule, remove_rule.
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "unpriv/posternd/addr.h"
#include "unpriv/posternd/fw_task.h"

static const int protos[rule_proto_COUNT_] = {
    [rule_proto_tcp] = IPPROTO_TCP,   [rule_proto_udp] = IPPROTO_UDP,       [rule_proto_sctp] = IPPROTO_SCTP,
    [rule_proto_icmp] = IPPROTO_ICMP, [rule_proto_icmpv6] = IPPROTO_ICMPV6,
};

// As IANA's registry of service names has them; node_exporter's and iperf3's are their own.
static const int services[service_COUNT_] = {
    [service_ssh] = 22, [service_telnet] = 23, [service_smtp] = 25, [service_domain] = 53, [service_dhcp] = 67, [service_tftp] = 69,
    [service_http] = 80, [service_kerberos] = 88, [service_pop3] = 110, [service_ntp] = 123, [service_imap] = 143, [service_snmp] = 161,
    [service_bgp] = 179, [service_ldap] = 389, [service_https] = 443, [service_submissions] = 465, [service_syslog] = 514,
    [service_dhcpv6_client] = 546, [service_dhcpv6] = 547, [service_rtsp] = 554, [service_submission] = 587, [service_ipp] = 631,
    [service_ldaps] = 636, [service_domain_s] = 853, [service_imaps] = 993, [service_pop3s] = 995, [service_openvpn] = 1194,
    [service_mqtt] = 1883, [service_nfs] = 2049, [service_iscsi] = 3260, [service_mysql] = 3306, [service_rdp] = 3389,
    [service_vxlan] = 4789, [service_sip] = 5060, [service_iperf3] = 5201, [service_mdns] = 5353, [service_llmnr] = 5355,
    [service_postgresql] = 5432, [service_vnc] = 5900, [service_redis] = 6379, [service_mqtts] = 8883, [service_node_exporter] = 9100,
    [service_wireguard] = 51820,
};

static bool has_ports(int proto)
{
	return proto != rule_proto_icmp && proto != rule_proto_icmpv6;
}

static bool read_ports(struct request *rq, const struct obj_rule_spec *s, const char *where, struct row_allow *row)
{
	int given = s->has_port + s->has_port_range + s->has_service;
	char *end = NULL;

	if (given != (has_ports(s->proto) ? 1 : 0)) {
		fail_params(rq, "parameter \"%sport\": %s", where,
		            has_ports(s->proto) ? "exactly one is needed of it, \"port_range\" and \"service\"" : "ICMP has no ports");
		return false;
	}
	if (s->has_port_range) {
		row->port_lo = strtol(s->port_range, &end, 10);
		row->port_hi = strtol(end + 1, NULL, 10);
	} else if (given == 1) {
		row->port_lo = row->port_hi = s->has_port ? s->port : services[s->service];
	}
	return true;
}

static bool read_source(struct request *rq, const struct obj_rule_spec *s, const char *where, struct row_allow *row)
{
	struct wire_addr a;
	char *text = arena_alloc(rq->arena, CIDR_TEXT);
	int family = s->proto == rule_proto_icmp ? 4 : s->proto == rule_proto_icmpv6 ? 6 : 0;

	if (!s->has_source)
		return true;
	if (!addr_parse(s->source, &a) || a.prefix == 0 || (family != 0 && a.family != family)) {
		fail_params(rq, "parameter \"%ssource\": \"%s\" was given, allowed is a network of the protocol's family, longer than /0", where, s->source);
		return false;
	}
	addr_network(&a);
	addr_text(&a, true, text);
	row->source = text;
	return true;
}

static bool read_tuple(struct request *rq, const struct obj_rule_spec *s, const char *where, struct row_allow *row)
{
	row->proto = protos[s->proto];
	row->interface = s->has_interface ? s->interface : NULL;
	return read_ports(rq, s, where, row) && read_source(rq, s, where, row);
}

bool fw_read_rule(struct request *rq, const struct obj_rule_spec *s, const char *where, struct row_allow *row)
{
	*row = (struct row_allow){.comment = s->has_comment ? s->comment : NULL, .tenant = rq->tenant};
	return read_tuple(rq, s, where, row);
}

static bool read_rule(struct request *rq, const struct obj_rule_spec *s, const char *where, struct fw_item *i)
{
	i->rule = true;
	return fw_read_rule(rq, s, where, &i->allow) && fw_item_agrees(rq, i);
}

// ---- add ----

static struct obj_rule rule_of(const struct fw_task *k, const struct fw_item *i)
{
	const struct row_allow *row = &i->allow;
	bool range = row->port_lo != row->port_hi;
	int proto = 0;

	while (protos[proto] != row->proto)
		proto++;
	return (struct obj_rule){.id = i->id,
	                         .proto = proto,
	                         .has_port = has_ports(proto) && !range,
	                         .port = row->port_lo,
	                         .has_port_range = range,
	                         .port_range = arena_printf(k->t.rq->arena, "%d-%d", (int)row->port_lo, (int)row->port_hi),
	                         .has_source = row->source != NULL,
	                         .source = row->source,
	                         .has_interface = row->interface != NULL,
	                         .interface = row->interface,
	                         .has_comment = row->comment != NULL,
	                         .comment = row->comment};
}

static void reply_added(struct fw_task *k, bool changed)
{
	const struct rpc_net_firewall_add_rule_params *p = k->p;
	struct rpc_net_firewall_add_rule_result r = {.changed = changed, .has_warning = k->warning != NULL, .warning = k->warning};

	r.has_id = r.has_rule = !k->dry && !p->has_rules;
	r.has_ids = !k->dry && p->has_rules;
	r.id = k->v[0].id;
	r.rule = rule_of(k, &k->v[0]);
	r.ids = fw_task_ids(k);
	reply_net_firewall_add_rule(k->t.rq, &r);
}

// The rules that a request names: one by itself, or the list.  None after it has answered why not.
static struct list_rule_spec specs(struct request *rq, const struct rpc_net_firewall_add_rule_params *p)
{
	bool any = p->has_proto || p->has_port || p->has_port_range || p->has_service || p->has_source || p->has_interface || p->has_comment;
	struct list_rule_spec l = {0};

	if (p->has_rules && any) {
		fail_params(rq, "parameter \"rules\": can't be given together with other parameters of a rule");
	} else if (p->has_rules) {
		l = p->rules;
		if (l.n == 0)
			fail_params(rq, "parameter \"rules\": [] was given, allowed is a list of 1 to 1024");
	} else if (!p->has_proto) {
		fail_params(rq, "parameter \"proto\" is missing, allowed is it, or \"rules\"");
	} else {
		l = (struct list_rule_spec){.n = 1, .v = arena_alloc(rq->arena, sizeof(*l.v))};
		*l.v = (struct obj_rule_spec){.proto = p->proto,
		                              .has_port = p->has_port,
		                              .port = p->port,
		                              .has_port_range = p->has_port_range,
		                              .port_range = p->port_range,
		                              .has_service = p->has_service,
		                              .service = p->service,
		                              .has_source = p->has_source,
		                              .source = p->source,
		                              .has_interface = p->has_interface,
		                              .interface = p->interface,
		                              .has_comment = p->has_comment,
		                              .comment = p->comment};
	}
	return l;
}

void rpc_net_firewall_add_rule(struct request *rq, const struct rpc_net_firewall_add_rule_params *p)
{
	struct list_rule_spec l = specs(rq, p);
	struct fw_task *k;

	if (l.n == 0)
		return;
	k = fw_task_new(rq, "add_rule", l.n, reply_added);
	k->p = p;
	for (; k->n < l.n; k->n++)
		if (!read_rule(rq, &l.v[k->n], p->has_rules ? arena_printf(rq->arena, "rules[%zu].", k->n) : "", &k->v[k->n])) {
			fw_task_drop(k);
			return;
		}
	fw_task_add(k, "rules");
}

// ---- remove ----

static void reply_removed(struct fw_task *k, bool changed)
{
	reply_net_firewall_remove_rule(k->t.rq, &(struct rpc_net_firewall_remove_rule_result){.changed = changed, .removed = changed});
}

static int find_tuple(struct request *rq, const struct rpc_net_firewall_remove_rule_params *p, struct fw_item *out)
{
	const struct obj_rule_spec s = {.proto = p->proto,
	                                .has_port = p->has_port,
	                                .port = p->port,
	                                .has_port_range = p->has_port_range,
	                                .port_range = p->port_range,
	                                .has_service = p->has_service,
	                                .service = p->service,
	                                .has_source = p->has_source,
	                                .source = p->source,
	                                .has_interface = p->has_interface,
	                                .interface = p->interface};
	struct row_allow row = {0};
	char id[FW_ID];

	if (!read_tuple(rq, &s, "", &row))
		return -1;
	allow_id(&row, id);
	return fw_item_find(rq, id, true, out);
}

void rpc_net_firewall_remove_rule(struct request *rq, const struct rpc_net_firewall_remove_rule_params *p)
{
	bool tuple = p->has_proto || p->has_port || p->has_port_range || p->has_service || p->has_source || p->has_interface;
	struct list_id ids = p->has_ids ? p->ids : (struct list_id){.n = p->has_id, .v = (const char **)(uintptr_t)&p->id};
	struct fw_task *k;
	int n;

	if (p->has_id + p->has_ids + tuple != 1) {
		fail_params(rq, "parameter \"id\": allowed is it, or \"ids\", or what the rule was made of");
		return;
	}
	if (tuple && !p->has_proto) {
		fail_params(rq, "parameter \"proto\" is missing, allowed is it, or \"id\", or \"ids\"");
		return;
	}
	k = fw_task_new(rq, "remove_rule", ids.n + 1, reply_removed);
	n = tuple ? find_tuple(rq, p, k->v) : fw_task_find(k, &ids, true);
	if (n < 0) {
		fw_task_drop(k);
		return;
	}
	k->n = (size_t)n;
	fw_task_remove(k);
}
