// The hooks around writes, until the store sets its own: they go straight on. See request.h.
#include "unpriv/posternd/rpc_audit.h"

static void pass(struct request *rq, void (*next)(struct request *rq))
{
	next(rq);
}

static void ignore(struct request *rq, int code, const char *why)
{
	(void)rq;
	(void)code;
	(void)why;
}

static struct audit_hooks hooks = {.begin = pass, .end = pass, .refused = ignore};

void audit_set_hooks(const struct audit_hooks *h)
{
	hooks = *h;
}

const struct audit_hooks *rpc_audit(void)
{
	return &hooks;
}
