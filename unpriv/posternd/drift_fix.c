// See drift_fix.h.  An item is one operation, or for a bridge that is made again three.  A failure is logged and the next one tried: what is still
// wrong afterwards, the next comparison shows.
#include "unpriv/posternd/drift_fix.h"

#include <stdlib.h>

#include "unpriv/common/log.h"
#include "unpriv/posternd/addr.h"
#include "unpriv/posternd/bridge.h"
#include "unpriv/posternd/cache.h"
#include "unpriv/posternd/connection.h"
#include "unpriv/posternd/fw.h"
#include "unpriv/posternd/route.h"
#include "unpriv/posternd/tap.h"
#include "unpriv/posternd/task.h"
#include "unpriv/posternd/verify_rows.h"

enum act { ACT_LINK_ADD, ACT_TAP_CREATE, ACT_PAIR_ADD, ACT_LINK_SET, ACT_ADDRESS_ADD, ACT_ROUTE_ADD, ACT_SYSCTL, ACT_FIREWALL };

struct step {
	enum act act;
	char name[16];
	char id[96];
};

struct fixing {
	struct task t;
	struct step *v;
	size_t n, at;
	void (*ended)(void);
};

static const struct row_bridge *bridge_row(const char *name)
{
	const struct row_bridge *row = cache_find_bridge(name);

	return row != NULL && row->phase == PHASE_DONE ? row : NULL;
}

static const struct row_tap *tap_row(const char *name)
{
	const struct row_tap *row = cache_find_tap(name);

	return row != NULL && row->phase == PHASE_DONE ? row : NULL;
}

// ---- each builds its operation from the row, or says that there is nothing to do ----

static bool link_add(const struct step *s, struct op_link_add_args *a)
{
	const struct row_bridge *row = bridge_row(s->name);

	if (row == NULL)
		return false;
	bridge_args(row, a);
	return true;
}

static bool tap_create(const struct step *s, struct op_tap_create_args *a)
{
	const struct row_tap *row = tap_row(s->name);

	if (row != NULL)
		tap_args(row, a);
	return row != NULL;
}

static const struct row_connection *pair_row(const char *name)
{
	const struct row_connection *row = connection_of(name);

	return row != NULL && row->phase == PHASE_DONE ? row : NULL;
}

static bool pair_add(const struct step *s, struct op_link_add_args *a)
{
	const struct row_connection *row = pair_row(s->name);

	if (row != NULL)
		connection_add_args(row, a);
	return row != NULL;
}

static void set_master(struct op_link_set_args *a, const char *master)
{
	a->has_master = master != NULL;
	a->has_no_master = a->no_master = master == NULL;
	if (master != NULL)
		COPY_TEXT(a->master, master);
}

static bool link_set(const struct step *s, struct op_link_set_args *a)
{
	const struct row_bridge *bridge = bridge_row(s->name);
	const struct row_tap *tap = tap_row(s->name);
	const struct row_port *port = cache_find_port(s->name);
	const struct row_connection *pair = pair_row(s->name);

	*a = (struct op_link_set_args){.has_up = true, .up = true};
	COPY_TEXT(a->name, s->name);
	if (bridge != NULL) {
		bridge_up_args(bridge, a);
	} else if (tap != NULL) {
		a->has_mac = tap->mac != NULL && mac_parse(tap->mac, a->mac);
		a->has_mtu = tap->mtu != 0;
		a->mtu = (uint32_t)tap->mtu;
		set_master(a, tap->bridge);
	} else if (port != NULL && port->phase == PHASE_DONE) {
		set_master(a, port->bridge);
	} else if (pair != NULL) {
		set_master(a, strcmp(pair->name, s->name) == 0 ? pair->a : pair->b);
	} else {
		return false;
	}
	return true;
}

static bool address_add(const struct step *s, struct op_address_add_args *a)
{
	const struct row_bridge *row = bridge_row(s->name);

	*a = (struct op_address_add_args){0};
	COPY_TEXT(a->device, s->name);
	return row != NULL && row->address != NULL && addr_parse(row->address, &a->address);
}

static bool route_add(const struct step *s, struct op_route_add_args *a)
{
	const struct row_route *row = cache_find_route(s->id);

	if (row == NULL || row->phase != PHASE_DONE)
		return false;
	route_add_args(row, a);
	return true;
}

static bool sysctl_set(const struct step *s, struct op_sysctl_set_args *a)
{
	*a = (struct op_sysctl_set_args){.key = strcmp(s->id, VERIFY_FORWARD6) == 0 ? SYSCTL_IP6_FORWARD : SYSCTL_IP_FORWARD, .on = true};
	return true;
}

static bool build(const struct step *s, enum op_id *op, union op_args *a)
{
	switch (s->act) {
	case ACT_LINK_ADD: *op = OP_link_add; return link_add(s, &a->link_add);
	case ACT_TAP_CREATE: *op = OP_tap_create; return tap_create(s, &a->tap_create);
	case ACT_PAIR_ADD: *op = OP_link_add; return pair_add(s, &a->link_add);
	case ACT_LINK_SET: *op = OP_link_set; return link_set(s, &a->link_set);
	case ACT_ADDRESS_ADD: *op = OP_address_add; return address_add(s, &a->address_add);
	case ACT_ROUTE_ADD: *op = OP_route_add; return route_add(s, &a->route_add);
	case ACT_FIREWALL: return false; // see ask
	case ACT_SYSCTL: *op = OP_sysctl_set; return sysctl_set(s, &a->sysctl_set);
	}
	return false;
}

// ---- one after the other ----

static void judge(const struct step *s, const struct priv_reply *r)
{
	if (!priv_ok(r) && !(r->outcome == PRIV_ANSWERED && r->status == OPS_EXISTS))
		log_warn("not put right", "what=%s why=%s", s->id, priv_error(r));
}

// Asks for one step; false where there is nothing to do.
static bool ask(struct task *t, const struct step *s)
{
	union op_args a;
	enum op_id op;

	if (s->act == ACT_FIREWALL) {
		fw_ask_all(t, NULL);
		return true;
	}
	if (!build(s, &op, &a))
		return false;
	task_priv(t, op, &a, NULL);
	return true;
}

static void fix_step(struct task *t)
{
	struct fixing *f = (struct fixing *)t;
	void (*ended)(void) = f->ended;

	if (t->step++ > 0)
		judge(&f->v[f->at - 1], t->reply);
	while (f->at < f->n)
		if (ask(t, &f->v[f->at++]))
			return;
	free(f->v);
	task_done(t, true);
	ended();
}

static void add(struct fixing *f, enum act act, const char *link, const struct drift_item *i)
{
	struct step *s = &f->v[f->n++];

	s->act = act;
	COPY_TEXT(s->name, link);
	COPY_TEXT(s->id, i->id);
}

static void add_item(struct fixing *f, const struct drift_item *i)
{
	const struct row_connection *pair;

	switch (i->fix) {
	case FIX_BRIDGE:
		add(f, ACT_LINK_ADD, i->link, i);
		add(f, ACT_ADDRESS_ADD, i->link, i);
		add(f, ACT_LINK_SET, i->link, i);
		return;
	case FIX_TAP: add(f, ACT_TAP_CREATE, i->link, i); return;
	case FIX_PAIR:
		pair = pair_row(i->link);
		add(f, ACT_PAIR_ADD, i->link, i);
		add(f, ACT_LINK_SET, i->link, i);
		add(f, ACT_LINK_SET, pair != NULL ? pair->peer : i->link, i);
		return;
	case FIX_ROUTE: add(f, ACT_ROUTE_ADD, "", i); return;
	case FIX_LINK: add(f, ACT_LINK_SET, i->link, i); return;
	case FIX_ADDRESS: add(f, ACT_ADDRESS_ADD, i->link, i); return;
	case FIX_SYSCTL: add(f, ACT_SYSCTL, i->link, i); return;
	case FIX_FIREWALL:
		if (f->n == 0 || f->v[f->n - 1].act != ACT_FIREWALL) // once for all of it
			add(f, ACT_FIREWALL, "", i);
		return;
	case FIX_NONE: return;
	}
}

void drift_fix(const struct drift_item *v, size_t n, void (*ended)(void))
{
	struct fixing *f = task_new(sizeof(*f), "putting right", NULL, fix_step);

	f->v = xcalloc(3 * n + 1, sizeof(*f->v));
	f->ended = ended;
	for (int fix = 0; fix < FIX_NONE; fix++)
		for (size_t i = 0; i < n; i++)
			if ((int)v[i].fix == fix)
				add_item(f, &v[i]);
	task_run(&f->t);
}
