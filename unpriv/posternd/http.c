// The HTTP framing: routes requests, holds the answers back until those before them have gone, and
// refuses what it doesn't understand with the status that says so.
//
// A request is taken only when its body is there; until then c->want says how long not to look. An
// error that leaves a body unread ends the connection after its answer. See http.h.
#include "unpriv/posternd/http.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "unpriv/posternd/config.h"
#include "unpriv/posternd/daemon.h"
#include "unpriv/posternd/exchange.h"
#include "unpriv/posternd/http_head.h"
#include "unpriv/posternd/metrics.h"
#include "unpriv/posternd/openrpc.h"
#include "unpriv/posternd/rpc.h"
#include "unpriv/posternd/sse.h"

static const char *reason_of(int status)
{
	static const struct {
		int status;
		const char *reason;
	} reasons[] = {
	    {200, "OK"},
	    {204, "No Content"},
	    {400, "Bad Request"},
	    {401, "Unauthorized"},
	    {403, "Forbidden"},
	    {404, "Not Found"},
	    {405, "Method Not Allowed"},
	    {408, "Request Timeout"},
	    {411, "Length Required"},
	    {413, "Content Too Large"},
	    {414, "URI Too Long"},
	    {415, "Unsupported Media Type"},
	    {417, "Expectation Failed"},
	    {431, "Request Header Fields Too Large"},
	    {503, "Service Unavailable"},
	    {505, "HTTP Version Not Supported"},
	};
	for (size_t i = 0; i < sizeof reasons / sizeof *reasons; i++)
		if (reasons[i].status == status)
			return reasons[i].reason;
	return "Error";
}

// "Date: …\r\n", made anew once a second.
static void put_date(struct text *out)
{
	static time_t made;
	static char line[48];
	struct timespec now;
	clock_gettime(CLOCK_REALTIME_COARSE, &now);
	if (now.tv_sec != made) {
		struct tm tm;
		gmtime_r(&now.tv_sec, &tm);
		strftime(line, sizeof line, "Date: %a, %d %b %Y %H:%M:%S GMT\r\n", &tm);
		made = now.tv_sec;
	}
	text_str(out, line);
}

static void put_status(struct text *out, int status)
{
	if (status == 200) {
		text_lit(out, "HTTP/1.1 200 OK\r\n");
		return;
	}
	text_printf(out, "HTTP/1.1 %d %s\r\n", status, reason_of(status));
}

static void put_answer(struct text *out, const struct exchange *x)
{
	int status = x->status ? x->status : x->out.len ? 200 : 204;
	put_status(out, status);
	put_date(out);
	if (status != 204) {
		text_lit(out, "Content-Type: ");
		text_str(out, x->type);
		text_lit(out, "\r\nContent-Length: ");
		text_u64(out, x->out.len);
		text_lit(out, "\r\n");
	}
	if (status == 405)
		text_str(out, x->allow_post ? "Allow: POST\r\n" : "Allow: GET, HEAD\r\n");
	if (status == 401)
		text_lit(out, "WWW-Authenticate: Bearer\r\n");
	if (!x->keep_alive)
		text_lit(out, "Connection: close\r\n");
	else if (x->http10)
		text_lit(out, "Connection: keep-alive\r\n");
	text_lit(out, "\r\n");
	if (!x->head_only)
		text_add(out, x->out.at, x->out.len);
}

static void done(struct exchange *x)
{
	struct conn *c = x->conn;
	struct exchange *first;
	while ((first = TAILQ_FIRST(&c->exchanges)) && first->complete) {
		put_answer(&c->out, first);
		exchange_release(first);
	}
	conn_flush(c);
}

// Answers with a problem document (RFC 9457).
static void answer_problem(struct exchange *x, int status, const char *detail)
{
	x->status = status;
	x->type = "application/problem+json";
	text_printf(&x->out, "{\"title\":\"%s\",\"status\":%d,\"detail\":", reason_of(status), status);
	text_json(&x->out, detail, strlen(detail));
	text_char(&x->out, '}');
	exchange_complete(x);
}

// Answers with a problem and ends the conversation after it.
static void answer_last(struct conn *c, int status, const char *detail)
{
	struct exchange *x = exchange_create(c);
	x->keep_alive = false;
	conn_deafen(c);
	answer_problem(x, status, detail);
}

static void refuse(struct conn *c, const char *why)
{
	answer_last(c, c->refused ? 503 : 408, why);
}

static void get_health(struct exchange *x, const struct http_head *h)
{
	(void)h;
	text_lit(&x->out, "{\"status\":\"ok\"}");
	exchange_complete(x);
}

static void get_openrpc(struct exchange *x, const struct http_head *h)
{
	(void)h;
	openrpc_document(&x->out);
	exchange_complete(x);
}

static void get_metrics(struct exchange *x, const struct http_head *h)
{
	(void)h;
	x->type = "application/openmetrics-text; version=1.0.0; charset=utf-8";
	metrics_write(&x->out);
	exchange_complete(x);
}

// The answer goes on until the client leaves; nothing else is understood on its connection.
static void get_events(struct exchange *x, const struct http_head *h)
{
	x->type = "text/event-stream";
	if (x->head_only) {
		x->status = 200;
		exchange_complete(x);
		return;
	}
	x->stream = sse_create(x, h->has_last_event, h->last_event);
	if (x->stream == NULL) {
		answer_problem(x, 503, "too many clients read the events");
		return;
	}
	x->keep_alive = false;
	conn_deafen(x->conn);
}

// An answer that goes on begins when all before it have gone.
static bool refill(struct conn *c)
{
	struct exchange *x = TAILQ_FIRST(&c->exchanges);
	if (x == NULL || x->stream == NULL)
		return false;
	bool begins = !x->streaming;
	if (begins) {
		put_status(&c->out, 200);
		put_date(&c->out);
		text_lit(&c->out, "Content-Type: text/event-stream\r\nCache-Control: no-store\r\nConnection: close\r\n\r\n");
		x->streaming = true;
	}
	return sse_fill(x->stream, &c->out) || begins;
}

void http_end_stream(struct exchange *x)
{
	struct conn *c = x->conn;
	exchange_release(x);
	conn_flush(c);
}

static const struct route {
	const char *path;
	void (*get)(struct exchange *x, const struct http_head *h); // NULL: JSON-RPC by POST
	enum rpc_method_id like;                                    // whoever may call this method may read it
} routes[] = {
    {"/", NULL, RPC_rpc_health},
    {"/rpc", NULL, RPC_rpc_health},
    {"/health", get_health, RPC_rpc_health},
    {"/openrpc.json", get_openrpc, RPC_rpc_discover},
    {"/metrics", get_metrics, RPC_rpc_health},
    {"/events", get_events, RPC_event_tail},
};

static const struct route *find_route(struct http_text path)
{
	for (size_t i = 0; i < sizeof routes / sizeof *routes; i++)
		if (strlen(routes[i].path) == path.len && memcmp(routes[i].path, path.at, path.len) == 0)
			return &routes[i];
	return NULL;
}

struct verdict {
	int status; // 0 = go on
	const char *why;
};

static struct verdict judge_post(const struct http_head *h)
{
	if (h->method != HTTP_POST)
		return (struct verdict){405, "JSON-RPC is sent by POST"};
	if (h->chunked || !h->has_length)
		return (struct verdict){411, "a body needs a Content-Length"};
	if (h->length > (uint64_t)daemon_config()->max_body_bytes)
		return (struct verdict){413, "the body is longer than the limit (max_body_bytes)"};
	if (h->type != HTTP_TYPE_JSON)
		return (struct verdict){415, "Content-Type must be application/json or application/json-rpc"};
	return (struct verdict){0, NULL};
}

static struct verdict judge(const struct http_head *h, const struct route *r)
{
	if (r == NULL)
		return (struct verdict){404, "there is nothing at this path"};
	if (r->get == NULL)
		return judge_post(h);
	if (h->method != HTTP_GET && h->method != HTTP_HEAD)
		return (struct verdict){405, "this path is read by GET"};
	return (struct verdict){0, NULL};
}

static struct exchange *make_exchange(struct conn *c, const struct http_head *h, const struct route *r)
{
	struct exchange *x = exchange_create(c);
	x->keep_alive = h->keep_alive;
	x->http10 = h->http10;
	x->head_only = h->method == HTTP_HEAD;
	x->allow_post = r && r->get == NULL;
	conn_caller(c, &x->caller);
	x->credential = h->has_authorization;
	if (h->bearer.len)
		access_add_token(daemon_acl(), &x->caller, h->bearer.at, h->bearer.len);
	if (!x->keep_alive)
		conn_deafen(c);
	return x;
}

static void answer_get(struct exchange *x, const struct route *r, const struct http_head *h)
{
	struct grant g = access_grant(daemon_acl(), &x->caller, r->like);
	if (g.right >= RIGHT_READ)
		r->get(x, h);
	else if (x->caller.anonymous && !x->credential)
		answer_problem(x, 401, "this needs an identity");
	else
		answer_problem(x, 403, "the caller's right is too low");
}

// A request whose head is read and whose body, if it is to be read at all, is there.
static void take(struct conn *c, const struct http_head *h, char *body)
{
	const struct route *r = find_route(h->path);
	struct verdict v = judge(h, r);
	struct exchange *x = make_exchange(c, h, r);
	if (v.status)
		answer_problem(x, v.status, v.why);
	else if (r->get)
		answer_get(x, r, h);
	else
		rpc_receive(x, body, (size_t)h->length);
}

static bool wants_body(const struct http_head *h)
{
	return judge(h, find_route(h->path)).status == 0 && h->method == HTTP_POST;
}

// Takes one request from in[0..len); returns the bytes used, 0 = more are needed.
static size_t take_one(struct conn *c, char *in, size_t len)
{
	struct http_head h;
	int status;
	const char *why;
	long head = http_head_read(in, len, &c->seen, &h, &status, &why);
	if (head < 0) {
		answer_last(c, status, why);
		return len;
	}
	if (head == 0)
		return 0;
	size_t body = wants_body(&h) ? (size_t)h.length : 0;
	if (body == 0 && (h.length || h.chunked))
		h.keep_alive = false; // an unread body would be taken for the next request
	if (len - (size_t)head < body) {
		if (h.expect_continue && c->want == 0 && c->pending == 0)
			text_lit(&c->out, "HTTP/1.1 100 Continue\r\n\r\n");
		c->want = (size_t)head + body;
		c->seen = 0;
		return 0;
	}
	c->seen = c->want = 0;
	take(c, &h, in + head);
	return (size_t)head + body;
}

static size_t input(struct conn *c, char *in, size_t len)
{
	size_t used = 0;
	while (used < len && !conn_is_full(c) && c->want <= len - used) {
		size_t n = take_one(c, in + used, len - used);
		if (n == 0)
			break;
		used += n;
	}
	return used;
}

const struct framing http_framing = {.name = "http", .input = input, .done = done, .refuse = refuse, .refill = refill};
