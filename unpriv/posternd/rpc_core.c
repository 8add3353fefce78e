// Handlers of rpc.*: what every JSON-RPC service of this kind has.
#include "unpriv/posternd/daemon.h"
#include "unpriv/posternd/exchange.h"
#include "unpriv/posternd/openrpc.h"
#include "unpriv/posternd/request.h"

void rpc_rpc_health(struct request *rq, const struct rpc_rpc_health_params *p)
{
	(void)p;
	reply_rpc_health(rq, &(struct rpc_rpc_health_result){.status = "ok"});
}

void rpc_rpc_discover(struct request *rq, const struct rpc_rpc_discover_params *p)
{
	(void)p;
	struct text document = {0};
	openrpc_document(&document);
	request_reply_raw(rq, document.at, document.len);
	text_finish(&document);
}

// The highest right that the caller has for any method of a namespace.
static const char *right_in(const struct request *rq, const char *space)
{
	static const char *const names[] = {"none", "read", "write", "admin"};
	enum rpc_right best = RIGHT_NONE;
	for (size_t i = 0; i < RPC_COUNT; i++) {
		if (strncmp(rpc_methods[i].name, space, strlen(space)) != 0 || rpc_methods[i].name[strlen(space)] != '.')
			continue;
		struct grant g = access_grant(daemon_acl(), &rq->exchange->caller, (enum rpc_method_id)i);
		if (g.right > best)
			best = g.right;
	}
	return names[best];
}

void rpc_rpc_whoami(struct request *rq, const struct rpc_rpc_whoami_params *p)
{
	(void)p;
	static const char *const spaces[] = {"net", "vol", "compute", "rpc"};
	struct kv rights[sizeof spaces / sizeof *spaces];
	for (size_t i = 0; i < sizeof spaces / sizeof *spaces; i++)
		rights[i] = (struct kv){spaces[i], right_in(rq, spaces[i])};
	struct rpc_rpc_whoami_result r = {
	    .identity = rq->identity,
	    .rights = {sizeof rights / sizeof *rights, rights},
	    .has_tenant = rq->tenant != NULL,
	    .tenant = rq->tenant,
	};
	r.groups.v = access_group_names(daemon_acl(), &rq->exchange->caller, rq->arena);
	while (r.groups.v[r.groups.n])
		r.groups.n++;
	reply_rpc_whoami(rq, &r);
}
