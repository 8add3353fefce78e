// net.verify.
#include "unpriv/posternd/guard.h"
#include "unpriv/posternd/request.h"
#include "unpriv/posternd/rpc_net.h"
#include "unpriv/posternd/task.h"
#include "unpriv/posternd/verify.h"

static void verified(const struct drift_list *l, int err, void *arg)
{
	struct request *rq = arg;
	struct rpc_net_verify_result r = {0};

	if (err != 0) {
		net_page_failed(rq, err, "interfaces and addresses");
		return;
	}
	r.drift.v = arena_alloc(rq->arena, (l->n + 1) * sizeof(*r.drift.v));
	for (size_t i = 0; i < l->n; i++)
		if (tenant_sees(rq, l->v[i].tenant))
			r.drift.v[r.drift.n++] =
			    (struct obj_drift){.kind = (int)l->v[i].kind, .id = l->v[i].id, .expected = l->v[i].expected, .actual = l->v[i].actual};
	r.has_unchecked = l->firewall_unread;
	if (l->firewall_unread) {
		r.unchecked.v = arena_alloc(rq->arena, 2 * sizeof(*r.unchecked.v));
		r.unchecked.v[r.unchecked.n++] = drift_kind_firewall;
		r.unchecked.v[r.unchecked.n++] = drift_kind_nat;
	}
	r.in_sync = r.drift.n == 0 && !l->firewall_unread;
	if (l->n > 0)
		guard_poke();
	reply_net_verify(rq, &r);
}

void rpc_net_verify(struct request *rq, const struct rpc_net_verify_params *p)
{
	(void)p;
	net_page_keep(rq);
	verify(verified, rq);
}
