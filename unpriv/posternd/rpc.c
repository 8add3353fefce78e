// Dispatch: reads a message, and for each call finds its method, checks right and parameters, and
// runs the handler. The order of checks is the order of errors: envelope, method, right, parameters;
// a caller without the right learns nothing about parameters.
#include "unpriv/posternd/rpc.h"

#include "unpriv/common/log.h"
#include "unpriv/posternd/config.h"
#include "unpriv/posternd/daemon.h"
#include "unpriv/posternd/exchange.h"
#include "unpriv/posternd/jsonrpc.h"
#include "unpriv/posternd/metrics.h"
#include "unpriv/posternd/request.h"
#include "unpriv/posternd/rows_read.h"
#include "unpriv/posternd/rpc_audit.h"

// Handlers take their own params struct; a table needs them all to look the same.
#define METHOD(id, name, right, doc)                                                                                                                 \
	static void call_##id(struct request *rq, const void *params)                                                                                \
	{                                                                                                                                            \
		rpc_##id(rq, params);                                                                                                                \
	}
#include "proto/rpc.def"

static void (*const handlers[RPC_COUNT])(struct request *rq, const void *params) = {
#define METHOD(id, name, right, doc) [RPC_##id] = call_##id,
#include "proto/rpc.def"
};

// A call on its way through the audit.
struct pending_call {
	struct request rq; // first: handlers and hooks know only this
	void *params;
};

enum { INDEX_SLOTS = 512 };
static const struct rpc_method *slots[INDEX_SLOTS];
static uint64_t last_id;

// FNV-1a
static uint32_t hash_of(const char *name)
{
	uint32_t h = 2166136261U;
	for (; *name; name++)
		h = (h ^ (unsigned char)*name) * 16777619U;
	return h;
}

bool rpc_init(void)
{
	_Static_assert(RPC_COUNT < INDEX_SLOTS / 2, "the method index is too small");
	for (size_t i = 0; i < RPC_COUNT; i++) {
		uint32_t s = hash_of(rpc_methods[i].name) % INDEX_SLOTS;
		while (slots[s])
			s = (s + 1) % INDEX_SLOTS;
		slots[s] = &rpc_methods[i];
	}
	return rows_init();
}

const struct rpc_method *rpc_find(const char *name)
{
	for (uint32_t s = hash_of(name) % INDEX_SLOTS; slots[s]; s = (s + 1) % INDEX_SLOTS)
		if (strcmp(slots[s]->name, name) == 0)
			return slots[s];
	return NULL;
}

void rpc_answered(struct exchange *x, struct text *json)
{
	if (json && x->batch)
		text_char(&x->out, x->out.len ? ',' : '[');
	if (json)
		text_move(&x->out, json);
	if (--x->waiting)
		return;
	if (x->batch && x->out.len)
		text_char(&x->out, ']');
	exchange_complete(x);
}

static void answer_error(struct exchange *x, const struct rpc_error *e)
{
	struct text t = {0};
	rpc_put_error(&t, e);
	rpc_answered(x, &t);
	text_finish(&t);
}

// Answers a call that came to no request; a notification gets no answer even then.
static void refuse(struct exchange *x, const struct call *c, struct rpc_error *e)
{
	e->raw_id = c->id;
	e->raw_id_len = c->id_len;
	metrics_refused(e->code);
	if (c->id || c->invalid)
		answer_error(x, e);
	else
		rpc_answered(x, NULL);
}

static void refuse_right(struct exchange *x, const struct call *c, struct request *rq, enum rpc_right held)
{
	bool stranger = x->caller.anonymous && !x->credential;
	struct rpc_error e = {
	    .code = stranger ? RPC_NO_IDENTITY : RPC_RIGHT_TOO_LOW,
	    .detail = arena_printf(&x->arena, "%s may not call %s", rq->identity, rq->method->name),
	    .needed = rq->method->right,
	    .held = held,
	};
	log_debug("refused", "rid=%lu method=%s identity=%s code=%d", rq->id, rq->method->name, rq->identity, e.code);
	if (rq->method->right >= RIGHT_WRITE)
		rpc_audit()->refused(rq, e.code, e.detail);
	refuse(x, c, &e);
}

const struct caller *request_caller(const struct request *rq)
{
	return &rq->exchange->caller;
}

static void run_handler(struct request *rq)
{
	handlers[rq->method_id](rq, ((struct pending_call *)(void *)rq)->params);
}

// Rights and parameters are in order.
static void run(struct request *rq)
{
	if (rq->method->right >= RIGHT_WRITE)
		rpc_audit()->begin(rq, run_handler);
	else
		run_handler(rq);
}

static void fill_request(struct request *rq, struct exchange *x, const struct call *c, const struct rpc_method *m, const json_t *params)
{
	*rq = (struct request){
	    .id = ++last_id,
	    .method = m,
	    .method_id = (enum rpc_method_id)(m - rpc_methods),
	    .identity = x->caller.name,
	    .uid = x->uid,
	    .params = params,
	    .arena = &x->arena,
	    .started_ns = now_ns(),
	    .exchange = x,
	    .raw_id = c->id,
	    .raw_id_len = c->id_len,
	};
}

static void start_request(struct exchange *x, const struct call *c, const struct rpc_method *m, const json_t *params)
{
	struct pending_call *p = arena_alloc(&x->arena, sizeof *p);
	struct request *rq = &p->rq;
	fill_request(rq, x, c, m, params);
	struct grant g = access_grant(daemon_acl(), &x->caller, rq->method_id);
	if (g.right < m->right) {
		refuse_right(x, c, rq, g.right);
		return;
	}
	rq->right = g.right;
	rq->tenant = g.tenant ? arena_strdup(&x->arena, g.tenant) : NULL;
	struct common_params common;
	p->params = arena_zalloc(&x->arena, m->params_size);
	const char *why = rows_read(m, params, p->params, &common, &x->arena);
	if (why) {
		if (m->right >= RIGHT_WRITE)
			rpc_audit()->refused(rq, RPC_INVALID_PARAMS, why);
		refuse(x, c, &(struct rpc_error){.code = RPC_INVALID_PARAMS, .detail = why});
		return;
	}
	rq->dry_run = common.dry_run;
	rq->limit = common.limit;
	rq->cursor = common.cursor;
	run(rq);
}

void rpc_call_inner(struct request *outer, enum rpc_method_id method, const json_t *params, void (*ended)(struct request *rq, const struct failure *failed),
                    void *arg)
{
	const struct rpc_method *m = &rpc_methods[method];
	struct request *rq = arena_alloc(outer->arena, sizeof *rq);
	void *read = arena_zalloc(outer->arena, m->params_size);
	struct common_params common;

	*rq = *outer;
	rq->method = m;
	rq->method_id = method;
	rq->params = params;
	rq->raw_id = NULL;
	rq->audit = NULL;
	rq->gated = false;
	rq->inner_end = ended;
	rq->inner_arg = arg;
	const char *why = rows_read(m, params, read, &common, outer->arena);
	if (why)
		fail_params(rq, "%s", why);
	else
		handlers[method](rq, read);
}

static void start_call(struct exchange *x, const struct call *c, const json_t *params)
{
	if (c->invalid) {
		refuse(x, c, &(struct rpc_error){.code = RPC_INVALID_REQUEST, .detail = c->invalid});
		return;
	}
	const struct rpc_method *m = rpc_find(c->method);
	if (m == NULL) {
		const char *detail = arena_printf(&x->arena, "%.100s", c->method);
		refuse(x, c, &(struct rpc_error){.code = RPC_METHOD_NOT_FOUND, .detail = detail});
		return;
	}
	start_request(x, c, m, params);
}

// Answers a message as a whole with one error.
static void refuse_message(struct exchange *x, int code, const char *why)
{
	metrics_refused(code);
	answer_error(x, &(struct rpc_error){.code = code, .detail = why});
}

void rpc_receive(struct exchange *x, char *text, size_t len)
{
	struct message m;
	x->waiting = 1; // held until all calls are started, so that none completes the exchange before
	if (!jsonrpc_read(&m, text, len, &x->arena)) {
		refuse_message(x, RPC_PARSE_ERROR, m.why);
		return;
	}
	x->tree = m.tree;
	if (m.n == 0 || m.too_long) {
		refuse_message(x, RPC_INVALID_REQUEST, m.too_long ? arena_printf(&x->arena, "a batch of more than %d requests", BATCH_MAX) : "an empty batch");
		return;
	}
	x->batch = m.batch;
	x->waiting += (unsigned)m.n;
	for (size_t i = 0; i < m.n; i++)
		start_call(x, &m.calls[i], jsonrpc_params(&m, i));
	rpc_answered(x, NULL);
}
