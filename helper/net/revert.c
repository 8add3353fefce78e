// Steps of a revert, and what isn't a link's: see revert.h.
#include "helper/net/revert.h"

#include <stdio.h>
#include <string.h>

#include "helper/common/recheck.h"
#include "helper/common/rules.h"
#include "helper/net/sys.h"
#include "helper/net/victims.h"

static const char *error_text(int err)
{
	const char *s = err != 0 ? strerrordesc_np(err) : NULL;

	return s != NULL ? s : "";
}

void revert_failed(struct revert *r, const char *what, int err)
{
	if (r->failed++ == 0)
		snprintf(r->trouble, sizeof(r->trouble), "%s%s%s", what, err != 0 ? ": " : "", error_text(err));
}

static enum op_status run(struct cell *c, enum op_id op, const union op_args *a, const int *fds)
{
	union op_res res;
	int out[FDPASS_MAX] = {-1, -1, -1, -1};

	memset(&res, 0, sizeof(res));
	switch ((int)op) {
	case OP_link_add: return op_link_add(c, &a->link_add, NULL, &res.link_add, out);
	case OP_link_set: return op_link_set(c, &a->link_set, NULL, &res.link_set, out);
	case OP_links_del: return victims_now(c, &a->links_del, &res.links_del.removed);
	case OP_tap_create: return op_tap_create(c, &a->tap_create, NULL, &res.tap_create, out);
	case OP_address_add: return op_address_add(c, &a->address_add, NULL, &res.address_add, out);
	case OP_address_del: return op_address_del(c, &a->address_del, NULL, &res.address_del, out);
	case OP_route_add: return op_route_add(c, &a->route_add, NULL, &res.route_add, out);
	case OP_route_del: return op_route_del(c, &a->route_del, NULL, &res.route_del, out);
	case OP_fw_commit: return op_fw_commit(c, &a->fw_commit, fds, &res.fw_commit, out);
	case OP_sysctl_set: return op_sysctl_set(c, &a->sysctl_set, NULL, &res.sysctl_set, out);
	default: return cell_fail(c, OPS_INVALID, "not a step of a revert", 0);
	}
}

static bool step(struct revert *r, enum op_id op, const union op_args *a, const int *fds, const char *what)
{
	const struct op_row *row = &op_rows[op];
	const char *rule = recheck(row->args, row->nargs, a) ? rules_refuse(&r->c->policy, op, a) : "rows";
	enum op_status s = rule != NULL ? cell_fail(r->c, OPS_DENIED, rule, 0) : run(r->c, op, a, fds);
	char text[sizeof(r->trouble)];

	if (s == OPS_OK) {
		r->changed++;
		return true;
	}
	snprintf(text, sizeof(text), "%s %.16s: %.*s", row->name, what, (int)sizeof(r->c->rep.rule), r->c->rep.rule);
	revert_failed(r, text, (int)r->c->rep.err);
	return false;
}

bool revert_do(struct revert *r, enum op_id op, const union op_args *a, const char *what)
{
	return step(r, op, a, NULL, what);
}

bool revert_look(struct revert *r, struct snapshot *have)
{
	int err;

	snapshot_free(have);
	err = snapshot_take(&r->c->policy.net, have);
	if (err != 0)
		revert_failed(r, "reading what there is", -err);
	return err == 0;
}

// ---- routes --------------------------------------------------------------------------------------------------------------------------------

static void delete_route(struct revert *r, const struct snap_route *route)
{
	union op_args a;

	memset(&a, 0, sizeof(a));
	a.route_del.destination = route->destination;
	a.route_del.table = route->table;
	a.route_del.has_metric = true;
	a.route_del.metric = route->metric;
	revert_do(r, OP_route_del, &a, route->device);
}

static void add_route(struct revert *r, const struct snap_route *route)
{
	union op_args a;

	memset(&a, 0, sizeof(a));
	a.route_add.destination = route->destination;
	a.route_add.table = route->table;
	a.route_add.has_metric = true;
	a.route_add.metric = route->metric;
	a.route_add.has_gateway = route->gateway.family != 0;
	a.route_add.gateway = route->gateway;
	a.route_add.has_source = route->source.family != 0;
	a.route_add.source = route->source;
	a.route_add.has_device = true;
	memcpy(a.route_add.device, route->device, sizeof(route->device));
	revert_do(r, OP_route_add, &a, route->device);
}

void revert_routes(struct revert *r, const struct snapshot *want)
{
	struct snapshot have = {0};

	if (revert_look(r, &have)) {
		for (uint32_t i = 0; i < have.nroutes; i++)
			if (!snapshot_has_route(want, &have.routes[i]))
				delete_route(r, &have.routes[i]);
		for (uint32_t i = 0; i < want->nroutes; i++)
			if (!snapshot_has_route(&have, &want->routes[i]))
				add_route(r, &want->routes[i]);
	}
	snapshot_free(&have);
}

// ---- the firewall's table ------------------------------------------------------------------------------------------------------------------

// Appends those of a that b hasn't; returns how many, or -errno.
static int append_missing(int fd, const struct snapshot *a, const struct snapshot *b)
{
	int n = 0, err = 0;

	for (uint32_t i = 0; err == 0 && i < a->nrecords; i++)
		if (!snapshot_has_record(b, &a->records[i])) {
			err = sys_append(fd, &a->records[i], sizeof(a->records[i]));
			n++;
		}
	return err == 0 ? n : err;
}

// One transaction for the whole table; connections through forwards that came or went end.
static void commit(struct revert *r, int fd, const struct snapshot *want, const struct snapshot *have)
{
	union op_args a;
	int removes, adds, err = want->nrecords > 0 ? sys_append(fd, want->records, want->nrecords * sizeof(*want->records)) : 0;

	memset(&a, 0, sizeof(a));
	removes = err == 0 ? append_missing(fd, have, want) : err;
	adds = removes >= 0 ? append_missing(fd, want, have) : removes;
	err = adds >= 0 ? sys_seal(fd) : adds;
	if (err != 0) {
		revert_failed(r, "the firewall's records", -err);
		return;
	}
	a.fw_commit.count = want->nrecords;
	a.fw_commit.has_removes = a.fw_commit.has_adds = true;
	a.fw_commit.removes = (uint32_t)removes;
	a.fw_commit.adds = (uint32_t)adds;
	step(r, OP_fw_commit, &a, &fd, "inet postern");
}

static bool same_records(const struct snapshot *a, const struct snapshot *b)
{
	return a->nrecords == b->nrecords && (a->nrecords == 0 || memcmp(a->records, b->records, a->nrecords * sizeof(*a->records)) == 0);
}

void revert_firewall(struct revert *r, const struct snapshot *want)
{
	struct snapshot have = {0};
	int fd;

	if (revert_look(r, &have) && (!same_records(want, &have) || !have.table_whole)) {
		fd = sys_memfd();
		if (fd >= 0) {
			commit(r, fd, want, &have);
			sys_close(fd);
		} else
			revert_failed(r, "the firewall's records", -fd);
	}
	snapshot_free(&have);
}
