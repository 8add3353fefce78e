// What the rows say of a forward or rule that is to be made or removed.  See fw_task.h.
#include <string.h>

#include "unpriv/posternd/addr.h"
#include "unpriv/posternd/cache.h"
#include "unpriv/posternd/fw_task.h"

static bool same(const char *a, const char *b)
{
	return (a == NULL) == (b == NULL) && (a == NULL || strcmp(a, b) == 0);
}

static void fail_busy(struct request *rq, const char *id)
{
	fail(rq, FAIL_BUSY, "%s is just being made or removed", id);
}

// Two forwards of one port whose sources overlap: which of them a packet takes would be chance.
static const struct row_dnat *overlapping(const struct row_dnat *row)
{
	struct wire_addr a, b;

	if (row->source == NULL || !addr_parse(row->source, &a))
		return NULL;
	for (size_t i = 0; i < cache_n_dnat(); i++) {
		const struct row_dnat *o = cache_at_dnat(i);
		if (o->proto != row->proto || o->host_port != row->host_port || o->source == NULL || !same(o->interface, row->interface) ||
		    !same(o->host_ip, row->host_ip) || !addr_parse(o->source, &b) || a.family != b.family || strcmp(o->id, row->id) == 0)
			continue;
		b.prefix = a.prefix = a.prefix < b.prefix ? a.prefix : b.prefix;
		struct wire_addr x = a;
		addr_network(&x);
		addr_network(&b);
		if (memcmp(&x, &b, sizeof(x)) == 0)
			return o;
		addr_parse(row->source, &a);
	}
	return NULL;
}

static void fail_taken(struct request *rq, const struct row_dnat *row, const struct row_dnat *have)
{
	bool seen = tenant_sees(rq, have->tenant);
	struct failure f = {
	    .kind = FAIL_ALREADY_EXISTS,
	    .detail = seen ? arena_printf(rq->arena, "port %d is forwarded to %s, port %d", (int)row->host_port, have->dest_ip, (int)have->dest_port)
	                   : arena_printf(rq->arena, "port %d is forwarded already", (int)row->host_port),
	    .hint = seen ? "Remove that forward first, or take another port." : "Take another port.",
	    .holder = seen ? arena_strdup(rq->arena, have->id) : NULL,
	};

	fail_with(rq, &f);
}

static bool dnat_agrees(struct request *rq, struct fw_item *i)
{
	const struct row_dnat *have = cache_find_dnat(i->id), *other = overlapping(&i->dnat);

	i->fresh = have == NULL;
	if (have != NULL && have->phase != PHASE_DONE)
		fail_busy(rq, i->id);
	else if (have != NULL && (!same(have->dest_ip, i->dnat.dest_ip) || have->dest_port != i->dnat.dest_port || !tenant_sees(rq, have->tenant)))
		fail_taken(rq, &i->dnat, have);
	else if (have == NULL && other != NULL)
		fail_taken(rq, &i->dnat, other);
	else
		return true;
	return false;
}

static bool allow_agrees(struct request *rq, struct fw_item *i)
{
	const struct row_allow *have = cache_find_allow(i->id);

	i->fresh = have == NULL;
	if (have == NULL || (have->phase == PHASE_DONE && tenant_sees(rq, have->tenant)))
		return true;
	if (have->phase != PHASE_DONE)
		fail_busy(rq, i->id);
	else
		fail(rq, FAIL_ALREADY_EXISTS, "somebody else has that rule");
	return false;
}

bool fw_item_agrees(struct request *rq, struct fw_item *i)
{
	if (i->rule) {
		allow_id(&i->allow, i->id);
		i->allow.id = i->id;
		return allow_agrees(rq, i);
	}
	dnat_id(&i->dnat, i->id);
	i->dnat.id = i->id;
	return dnat_agrees(rq, i);
}

static const char *keep(struct request *rq, const char *s)
{
	return s == NULL ? NULL : arena_strdup(rq->arena, s);
}

int fw_item_find(struct request *rq, const char *id, bool rule, struct fw_item *i)
{
	const struct row_dnat *d = rule ? NULL : cache_find_dnat(id);
	const struct row_allow *a = rule ? cache_find_allow(id) : NULL;

	if ((d == NULL && a == NULL) || !tenant_sees(rq, rule ? a->tenant : d->tenant))
		return 0;
	if ((rule ? a->phase : d->phase) != PHASE_DONE) {
		fail_busy(rq, id);
		return -1;
	}
	memset(i, 0, sizeof(*i));
	i->rule = rule;
	COPY_TEXT(i->id, id);
	if (rule) {
		i->allow = *a;
		i->allow.id = i->id;
		i->allow.source = keep(rq, a->source);
		i->allow.interface = keep(rq, a->interface);
		i->allow.comment = keep(rq, a->comment);
		i->allow.tenant = keep(rq, a->tenant);
	} else {
		i->dnat = *d;
		i->dnat.id = i->id;
		i->dnat.dest_ip = keep(rq, d->dest_ip);
		i->dnat.interface = keep(rq, d->interface);
		i->dnat.host_ip = keep(rq, d->host_ip);
		i->dnat.source = keep(rq, d->source);
		i->dnat.tenant = keep(rq, d->tenant);
	}
	return 1;
}
