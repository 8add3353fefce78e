// net.health: the checks one after the other, those that wait at the end.
#include "unpriv/posternd/dns.h"
#include "unpriv/posternd/guard.h"
#include "unpriv/posternd/health.h"
#include "unpriv/posternd/request.h"
#include "unpriv/posternd/verify.h"

struct asking {
	struct request *rq;
	struct health h;
};

static void answer(void *arg)
{
	struct asking *k = arg;
	struct rpc_net_health_result r = {.status = health_status_ok, .checks = k->h.list};

	for (size_t i = 0; i < r.checks.n; i++)
		if (r.checks.v[i].status > r.status)
			r.status = r.checks.v[i].status;
	reply_net_health(k->rq, &r);
}

static void on_dns(void *arg, const char *path, const struct resolv *r, int err)
{
	struct asking *k = arg;

	health_dns(&k->h, path, r, err);
	health_forward_policy(&k->h, answer, k);
}

static void on_verified(const struct drift_list *l, int err, void *arg)
{
	struct asking *k = arg;

	health_drift(&k->h, l, err);
	if (l->n > 0)
		guard_poke();
	dns_read(k->rq->arena, on_dns, k);
}

void rpc_net_health(struct request *rq, const struct rpc_net_health_params *p)
{
	struct asking *k = arena_zalloc(rq->arena, sizeof(*k));

	(void)p;
	k->rq = rq;
	k->h.a = rq->arena;
	k->h.list.v = arena_alloc(rq->arena, HEALTH_CHECKS * sizeof(*k->h.list.v));
	health_at_once(&k->h);
	verify(on_verified, k);
}
