// How a request ends: its answer is formed, the audit closes its row, then the answer goes into the
// exchange and the request is over. See request.h.
#include <stdio.h>

#include "unpriv/common/log.h"
#include "unpriv/posternd/daemon.h"
#include "unpriv/posternd/exchange.h"
#include "unpriv/posternd/metrics.h"
#include "unpriv/posternd/request.h"
#include "unpriv/posternd/rows_write.h"
#include "unpriv/posternd/rpc.h"
#include "unpriv/posternd/rpc_audit.h"

enum { KEEP_BYTES = 16384 };

static const char *right_name(enum rpc_right right)
{
	static const char *const names[] = {"none", "read", "write", "admin"};
	return names[right];
}

static const char *code_text(int code)
{
	switch (code) {
	case RPC_PARSE_ERROR: return "Parse error";
	case RPC_INVALID_REQUEST: return "Invalid Request";
	case RPC_METHOD_NOT_FOUND: return "Method not found";
	case RPC_INVALID_PARAMS: return "Invalid params";
	case RPC_INTERNAL_ERROR: return "Internal error";
	case RPC_NO_IDENTITY: return "No identity";
	case RPC_RIGHT_TOO_LOW: return "Right too low";
	default: return NULL;
	}
}

static void put_member(struct text *out, const char *key, const char *value)
{
	if (value == NULL)
		return;
	if (out->at[out->len - 1] != '{')
		text_char(out, ',');
	text_printf(out, "\"%s\":", key);
	text_json(out, value, strlen(value));
}

static void put_message(struct text *out, const struct rpc_error *e)
{
	const char *title = code_text(e->code);
	struct text message = {0};
	if (title)
		text_str(&message, title);
	if (title && e->detail)
		text_lit(&message, ": ");
	if (e->detail)
		text_str(&message, e->detail);
	text_json(out, message.at ? message.at : "", message.len);
	text_finish(&message);
}

static void put_data(struct text *out, const struct rpc_error *e)
{
	text_lit(out, ",\"data\":{");
	put_member(out, "kind", e->kind);
	put_member(out, "detail", e->detail);
	put_member(out, "hint", e->hint);
	put_member(out, "holder", e->holder);
	if (e->err)
		text_printf(out, ",\"errno\":%d", e->err);
	if (e->needed) {
		put_member(out, "needed", right_name(e->needed));
		put_member(out, "held", right_name(e->held));
	}
	text_char(out, '}');
}

static void put_id(struct text *out, const char *raw_id, size_t len)
{
	text_lit(out, ",\"id\":");
	if (raw_id)
		text_add(out, raw_id, len);
	else
		text_lit(out, "null");
	text_char(out, '}');
}

void rpc_put_error(struct text *out, const struct rpc_error *e)
{
	text_printf(out, "{\"jsonrpc\":\"2.0\",\"error\":{\"code\":%d,\"message\":", e->code);
	put_message(out, e);
	if (e->detail)
		put_data(out, e);
	text_char(out, '}');
	put_id(out, e->raw_id, e->raw_id_len);
}

// One buffer goes from answer to answer, so that a usual request allocates none.
static struct text spare;

static struct text *take_held(struct request *rq)
{
	rq->held = spare;
	spare = (struct text){0};
	return &rq->held;
}

static void give_back(struct text *held)
{
	text_clear(held, KEEP_BYTES);
	if (spare.at == NULL)
		spare = *held;
	else
		text_finish(held);
}

// The audit, if any, is done: the answer leaves and the request is over.
static void send_held(struct request *rq)
{
	metrics_request(rq->method_id, rq->result, now_ns() - rq->started_ns);
	struct text held = rq->held;
	rpc_answered(rq->exchange, rq->raw_id ? &held : NULL);
	give_back(&held);
}

static void end(struct request *rq, int code, const char *result)
{
	rq->code = code;
	rq->result = result;
	if (rq->inner_end != NULL) {
		rq->inner_end(rq, NULL);
		return;
	}
	if (rq->method->right >= RIGHT_WRITE) {
		log_info("write", "rid=%lu method=%s identity=%s result=%s dry_run=%d", rq->id, rq->method->name, rq->identity, result, rq->dry_run);
		rpc_audit()->end(rq, send_held);
	} else {
		send_held(rq);
	}
}

struct text *request_result_begin(struct request *rq)
{
	struct text *out = take_held(rq);

	text_lit(out, "{\"jsonrpc\":\"2.0\",\"result\":");
	return out;
}

void request_result_end(struct request *rq)
{
	if (rq->raw_id)
		put_id(&rq->held, rq->raw_id, rq->raw_id_len);
	end(rq, 0, "ok");
}

void request_reply(struct request *rq, const void *result)
{
	if (rq->raw_id)
		rows_write(rq->method, result, &(struct page){rq->limit, rq->cursor}, request_result_begin(rq));
	request_result_end(rq);
}

void request_reply_raw(struct request *rq, const char *json, size_t len)
{
	if (rq->raw_id)
		text_add(request_result_begin(rq), json, len);
	request_result_end(rq);
}

static enum fail_kind kind_of(const char *name)
{
	for (int k = 0; name != NULL && k < FAIL_COUNT; k++)
		if (strcmp(rpc_fail_names[k], name) == 0)
			return (enum fail_kind)k;
	return FAIL_INVALID_STATE; // parameters that made no sense
}

static void end_error(struct request *rq, struct rpc_error *e, const char *result)
{
	log_debug("failed", "rid=%lu method=%s code=%d result=%s detail=%s", rq->id, rq->method->name, e->code, result, e->detail);
	e->raw_id = rq->raw_id;
	e->raw_id_len = rq->raw_id_len;
	if (rq->inner_end != NULL) {
		rq->code = e->code;
		rq->result = result;
		rq->inner_end(rq, &(struct failure){.kind = kind_of(e->kind), .detail = e->detail, .hint = e->hint, .holder = e->holder, .err = e->err});
		return;
	}
	if (rq->raw_id)
		rpc_put_error(take_held(rq), e);
	end(rq, e->code, result);
}

void fail_with(struct request *rq, const struct failure *f)
{
	struct rpc_error e = {
	    .code = RPC_FAILED,
	    .kind = rpc_fail_names[f->kind],
	    .detail = f->detail ? f->detail : rpc_fail_names[f->kind],
	    .hint = f->hint,
	    .holder = f->holder,
	    .err = f->err,
	};
	end_error(rq, &e, e.kind);
}

void fail(struct request *rq, enum fail_kind kind, const char *detail, ...)
{
	va_list ap;
	va_start(ap, detail);
	struct failure f = {.kind = kind, .detail = arena_vprintf(rq->arena, detail, ap)};
	va_end(ap);
	fail_with(rq, &f);
}

void fail_hint(struct request *rq, enum fail_kind kind, const char *hint, const char *detail, ...)
{
	va_list ap;
	va_start(ap, detail);
	struct failure f = {.kind = kind, .hint = hint, .detail = arena_vprintf(rq->arena, detail, ap)};
	va_end(ap);
	fail_with(rq, &f);
}

void fail_errno(struct request *rq, enum fail_kind kind, int err, const char *detail, ...)
{
	va_list ap;
	va_start(ap, detail);
	const char *text = arena_vprintf(rq->arena, detail, ap);
	va_end(ap);
	struct failure f = {.kind = kind, .err = err, .detail = arena_printf(rq->arena, "%s: %s", text, strerror(err))};
	fail_with(rq, &f);
}

void fail_params(struct request *rq, const char *detail, ...)
{
	va_list ap;
	va_start(ap, detail);
	struct rpc_error e = {.code = RPC_INVALID_PARAMS, .detail = arena_vprintf(rq->arena, detail, ap)};
	va_end(ap);
	end_error(rq, &e, "invalid_params");
}

void fail_internal(struct request *rq, const char *detail, ...)
{
	va_list ap;
	va_start(ap, detail);
	const char *text = arena_vprintf(rq->arena, detail, ap);
	va_end(ap);
	log_error("internal error", "rid=%lu method=%s detail=%s", rq->id, rq->method->name, text);
	end_error(rq, &(struct rpc_error){.code = RPC_INTERNAL_ERROR, .detail = "see the daemon's log"}, "internal");
}
