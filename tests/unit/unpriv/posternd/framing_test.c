// LINK: unpriv/posternd/conn.o unpriv/posternd/http.o unpriv/posternd/http_head.o unpriv/posternd/line.o unpriv/posternd/exchange.o
// LINK: unpriv/posternd/rpc.o unpriv/posternd/rpc_reply.o unpriv/posternd/rpc_audit.o unpriv/posternd/jsonrpc.o unpriv/posternd/scan.o
// LINK: unpriv/posternd/rows_read.o unpriv/posternd/rows_kinds.o unpriv/posternd/rows_write.o unpriv/posternd/openrpc.o unpriv/posternd/metrics.o
// LINK: unpriv/posternd/access.o unpriv/posternd/acl.o unpriv/posternd/toml.o unpriv/posternd/toml_value.o unpriv/posternd/toml_rows.o
// LINK: unpriv/posternd/sse.o unpriv/posternd/events.o unpriv/posternd/event_sight.o unpriv/posternd/addr.o
// LINK: unpriv/posternd/mem.o unpriv/posternd/text.o unpriv/posternd/utf8.o unpriv/common/log.o proto/rpc.o
// LIBS: -levent_core -ljansson -lcrypto
// Both framings over a socket pair, with handlers that this test answers when it likes.
#include "tests/lib/test.h"

#include <event2/event.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "unpriv/posternd/config.h"
#include "unpriv/posternd/conn.h"
#include "unpriv/posternd/daemon.h"
#include "unpriv/posternd/events.h"
#include "unpriv/posternd/exchange.h"
#include "unpriv/posternd/request.h"
#include "unpriv/posternd/rows_read.h"
#include "unpriv/posternd/rpc.h"
#include "unpriv/posternd/sse.h"
#include "unpriv/posternd/tenant.h"

static struct event_base *base;
static struct config config = {.max_body_bytes = 1 << 20, .idle_timeout_secs = 60};
static struct acl *acl;
static uint64_t skipped_ns; // time that a test lets pass

struct event_base *daemon_base(void)
{
	return base;
}
const struct config *daemon_config(void)
{
	return &config;
}
const struct acl *daemon_acl(void)
{
	return acl;
}
uint64_t now_ns(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000U + (uint64_t)t.tv_nsec + skipped_ns;
}

bool tenant_may(const char *who, const char *owner)
{
	return who == NULL || (owner != NULL && strcmp(who, owner) == 0);
}
void change_put_event(struct change *c, const struct row_event *row)
{
	(void)c;
	(void)row;
}
void change_del_event(struct change *c, col_num seq)
{
	(void)c;
	(void)seq;
}

// rpc.health is answered at once, net.status never but by hand; the others fail.
static struct request *waiting[128];
static unsigned n_waiting;

#define METHOD(id, name, right, doc)                                                                                                                 \
	void rpc_##id(struct request *rq, const struct rpc_##id##_params *p)                                                                         \
	{                                                                                                                                            \
		(void)p;                                                                                                                             \
		if (RPC_##id == RPC_rpc_health)                                                                                                      \
			request_reply(rq, &(struct rpc_rpc_health_result){.status = "ok"});                                                          \
		else if (RPC_##id == RPC_net_status)                                                                                                 \
			waiting[n_waiting++] = rq;                                                                                                   \
		else                                                                                                                                 \
			fail_hint(rq, FAIL_BUSY, "wait", "the %s is busy", "test");                                                                  \
	}
#include "proto/rpc.def"

static void answer_waiting(unsigned i)
{
	request_reply(waiting[i], &(struct rpc_net_status_result){.mode = "native"});
}

static int client;
static char got[1 << 22];
static size_t got_len;

static void connect_client(bool refused)
{
	int pair[2];
	struct peer peer = {.uid = 1000};
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) < 0)
		abort();
	client = pair[0];
	got_len = 0;
	n_waiting = 0;
	conn_create(pair[1], &peer, refused);
}

static void spin(void)
{
	for (int i = 0; i < 3; i++)
		event_base_loop(base, EVLOOP_NONBLOCK);
}

static void send_bytes(const char *bytes, size_t len)
{
	while (len) {
		ssize_t n = send(client, bytes, len, MSG_NOSIGNAL);
		if (n > 0) {
			bytes += n;
			len -= (size_t)n;
		}
		spin();
	}
}

static void send_text(const char *text)
{
	send_bytes(text, strlen(text));
}

// What has come so far, NUL-terminated.
static const char *received(void)
{
	spin();
	for (;;) {
		ssize_t n = recv(client, got + got_len, sizeof(got) - got_len - 1, MSG_DONTWAIT);
		if (n <= 0)
			break;
		got_len += (size_t)n;
		spin();
	}
	got[got_len] = '\0';
	return got;
}

static bool is_closed(void)
{
	char c;
	spin();
	return recv(client, &c, 1, MSG_DONTWAIT) == 0;
}

static void hang_up(void)
{
	close(client);
	spin();
}

static size_t count_of(const char *in, const char *what)
{
	size_t n = 0;
	for (const char *p = in; (p = strstr(p, what)); p += strlen(what))
		n++;
	return n;
}

#define HEALTH(id) "{\"jsonrpc\":\"2.0\",\"method\":\"rpc.health\",\"id\":" id "}"
#define STATUS(id) "{\"jsonrpc\":\"2.0\",\"method\":\"net.status\",\"id\":" id "}"
#define OK(id)	   "{\"jsonrpc\":\"2.0\",\"result\":{\"status\":\"ok\"},\"id\":" id "}"

static const char *post(const char *body)
{
	static char text[8192];
	snprintf(text, sizeof(text), "POST / HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s", strlen(body), body);
	return text;
}

TEST("a line cut at every byte is answered the same")
{
	// The first byte decides the framing, so the conversation starts with a message.
	static const char whole[] = HEALTH("0") "\n" "\n  " HEALTH("1e3") "\r\n\n" HEALTH("\"x\"") "\n";
	for (size_t cut = 1; cut < sizeof(whole) - 1; cut++) {
		connect_client(false);
		send_bytes(whole, cut);
		send_bytes(whole + cut, sizeof(whole) - 1 - cut);
		bool same = strcmp(received(), OK("0") "\n" OK("1e3") "\n" OK("\"x\"") "\n") == 0;
		hang_up();
		if (!same)
			FAIL("cut at %zu: %.300s", cut, got);
	}
}

TEST("an HTTP request cut at every byte is answered the same")
{
	char whole[1024] = "";
	strcat(whole, post(HEALTH("7")));
	strcat(whole, post(HEALTH("8")));
	for (size_t cut = 1; cut < strlen(whole); cut++) {
		connect_client(false);
		send_bytes(whole, cut);
		send_text(whole + cut);
		const char *r = received();
		bool same = count_of(r, "HTTP/1.1 200 OK\r\n") == 2 && strstr(r, OK("7")) && strstr(r, OK("8"));
		hang_up();
		if (!same)
			FAIL("cut at %zu: %.300s", cut, got);
	}
}

TEST("bytes that come one by one make the same conversation")
{
	connect_client(false);
	const char *text = post(HEALTH("7"));
	for (size_t i = 0; text[i]; i++)
		send_bytes(text + i, 1);
	CHECK(strstr(received(), OK("7")));
	hang_up();
}

TEST("pipelined HTTP answers leave in the order of their requests")
{
	connect_client(false);
	send_text(post(STATUS("1")));
	send_text(post(HEALTH("2")));
	send_text("GET /health HTTP/1.1\r\nHost: h\r\n\r\n");
	CHECK_STR(received(), "");
	answer_waiting(0);
	const char *first = strstr(received(), "\"id\":1}"), *second = strstr(got, "\"id\":2}");
	CHECK(first && second && first < second);
	CHECK_INT(count_of(got, "HTTP/1.1 200"), 3);
	hang_up();
}

TEST("on lines answers go out as they come")
{
	connect_client(false);
	send_text(STATUS("1") "\n" HEALTH("2") "\n");
	CHECK_STR(received(), OK("2") "\n");
	answer_waiting(0);
	CHECK(strstr(received(), "\"id\":1}\n"));
	hang_up();
}

TEST("a batch is one array in order of completion, also when an answer comes late")
{
	connect_client(false);
	send_text("[" STATUS("1") "," HEALTH("2") ",{\"jsonrpc\":\"2.0\",\"method\":\"rpc.health\"}]\n");
	CHECK_STR(received(), "");
	answer_waiting(0);
	static const char first[] = "[" OK("2") ",{\"jsonrpc\":\"2.0\",\"result\":";
	CHECK(strncmp(received(), first, sizeof(first) - 1) == 0);
	CHECK(strcmp(got + got_len - 9, "\"id\":1}]\n") == 0);
	hang_up();
}

TEST("a request outlives its client, and its answer is dropped")
{
	connect_client(false);
	send_text("[" STATUS("1") "," STATUS("2") "]\n");
	CHECK_INT(n_waiting, 2);
	hang_up();
	// It still counts against its uid: leaving is no way to have more at work than the limit.
	CHECK_INT(conn_count(), 1);
	answer_waiting(0);
	answer_waiting(1);
	CHECK_INT(conn_count(), 0);
}

TEST("notifications get no answer: nothing on lines, 204 over HTTP, errors or not")
{
#define NOTE "{\"jsonrpc\":\"2.0\",\"method\":\"rpc.health\"}"
#define BAD  "{\"jsonrpc\":\"2.0\",\"method\":\"no.such\"}"
#define WORSE "{\"jsonrpc\":\"2.0\",\"method\":\"rpc.health\",\"params\":{\"x\":1}}"
	connect_client(false);
	send_text(NOTE "\n" BAD "\n" WORSE "\n[" NOTE "," BAD "," WORSE "]\n");
	CHECK_STR(received(), "");
	hang_up();
	connect_client(false);
	send_text(post("[" NOTE "," BAD "]"));
	CHECK(strncmp(received(), "HTTP/1.1 204 No Content\r\n", 25) == 0);
	CHECK(strstr(got, "Content-Length") == NULL);
	CHECK(strcmp(got + got_len - 4, "\r\n\r\n") == 0);
	hang_up();
}

static bool http_gives(const char *text, const char *status, const char *header)
{
	connect_client(false);
	send_text(text);
	bool fine = strncmp(received() + 9, status, 3) == 0 && strstr(got, header);
	if (!fine)
		printf("# %s\n", got);
	hang_up();
	return fine;
}

#define JSON_TYPE "Content-Type: application/json\r\n"
TEST("what isn't a JSON-RPC request over HTTP gets the status that says why")
{
	CHECK(http_gives("GET / HTTP/1.1\r\nHost: h\r\n\r\n", "405", "Allow: POST\r\n"));
	CHECK(http_gives("DELETE /health HTTP/1.1\r\nHost: h\r\n\r\n", "405", "Allow: GET, HEAD\r\n"));
	CHECK(http_gives("POST / HTTP/1.1\r\nHost: h\r\n" JSON_TYPE "\r\n", "411", "Length Required"));
	CHECK(http_gives("POST / HTTP/1.1\r\nHost: h\r\n" JSON_TYPE "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "411", "Connection: close\r\n"));
	CHECK(http_gives("POST / HTTP/1.1\r\nHost: h\r\n" JSON_TYPE "Content-Length: 1048577\r\n\r\n", "413", "Connection: close\r\n"));
	CHECK(http_gives("POST / HTTP/1.1\r\nHost: h\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\n{}", "415", "Connection: close\r\n"));
	CHECK(http_gives("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\n{}", "415", "problem+json"));
	CHECK(http_gives("GET /nothing HTTP/1.1\r\nHost: h\r\n\r\n", "404", "problem+json"));
	CHECK(http_gives("GET /health HTTP/1.1\r\n\r\n", "400", "Connection: close\r\n"));
	CHECK(http_gives("HEAD /health HTTP/1.1\r\nHost: h\r\n\r\n", "200", "Content-Length: 15\r\n"));
	CHECK(strcmp(got + got_len - 4, "\r\n\r\n") == 0);
	CHECK(http_gives("GET /metrics HTTP/1.1\r\nHost: h\r\n\r\n", "200", "# EOF\n"));
	CHECK(http_gives("GET /openrpc.json HTTP/1.1\r\nHost: h\r\n\r\n", "200", "\"openrpc\":\"1.3.2\""));
	CHECK(http_gives("GET /health HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", "200", "Connection: keep-alive\r\n"));
	CHECK(http_gives("GET /health HTTP/1.0\r\n\r\n", "200", "Connection: close\r\n"));
	CHECK(http_gives("\x16\x03\x01\r\n\r\n", "400", "problem+json"));
}

TEST("after an answer that ends the conversation nothing more is understood")
{
	connect_client(false);
	send_text("GET /health HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\nGET /health HTTP/1.1\r\nHost: h\r\n\r\n");
	CHECK_INT(count_of(received(), "HTTP/1.1 "), 1);
	CHECK(is_closed());
	CHECK_INT(conn_count(), 1); // it waits for the client to have read
	hang_up();
	CHECK_INT(conn_count(), 0);
}

TEST("a body that is waited for is asked for when the client expects that")
{
	connect_client(false);
	send_text("POST / HTTP/1.1\r\nHost: h\r\n" JSON_TYPE "Expect: 100-continue\r\nContent-Length: 47\r\n\r\n");
	CHECK_STR(received(), "HTTP/1.1 100 Continue\r\n\r\n");
	send_text(HEALTH("1") "    ");
	CHECK(strstr(received(), OK("1")));
	hang_up();
}

TEST("a line over the limit is answered once, and the connection ends")
{
	static char line[(1 << 20) + 10];
	connect_client(false);
	memset(line, ' ', sizeof(line));
	line[0] = '{';
	send_bytes(line, sizeof(line));
	CHECK_INT(count_of(received(), "-32600"), 1);
	CHECK(is_closed());
	hang_up();
}

TEST("a body of a whole MiB is taken")
{
	static char body[1 << 20];
	char head[200];
	memset(body, ' ', sizeof(body));
	memcpy(body, HEALTH("1"), strlen(HEALTH("1")));
	connect_client(false);
	snprintf(head, sizeof(head), "POST / HTTP/1.1\r\nHost: h\r\n" JSON_TYPE "Content-Length: %d\r\n\r\n", 1 << 20);
	send_text(head);
	send_bytes(body, sizeof(body));
	CHECK(strstr(received(), OK("1")));
	hang_up();
}

TEST("a client that asks without reading is made to wait, and loses nothing")
{
	enum { ASKED = 20000 };
	connect_client(false);
	size_t sent = 0;
	static const char line[] = "{\"jsonrpc\":\"2.0\",\"method\":\"rpc.discover\"}\n" HEALTH("1") "\n";
	// Until the socket takes no more: neither side may grow without end.
	for (int i = 0; i < ASKED; i++) {
		ssize_t n = send(client, line, sizeof(line) - 1, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n != (ssize_t)sizeof(line) - 1)
			break;
		sent++;
		spin();
	}
	CHECK(sent > 100);
	CHECK_INT(count_of(received(), OK("1") "\n"), sent);
	hang_up();
}

TEST("at most 64 messages of a connection are at work at a time, and the others follow")
{
	connect_client(false);
	for (int i = 0; i < 70; i++)
		send_text(STATUS("1") "\n");
	spin();
	CHECK_INT(n_waiting, 64);
	for (unsigned i = 0; i < 64; i++)
		answer_waiting(i);
	spin();
	CHECK_INT(n_waiting, 70);
	for (unsigned i = 64; i < 70; i++)
		answer_waiting(i);
	CHECK_INT(count_of(received(), "\"id\":1}"), 70);
	hang_up();
}

TEST("messages sent before a half-close are answered, then the connection ends")
{
	connect_client(false);
	send_text(STATUS("1") "\n" HEALTH("2") "\n{\"half");
	shutdown(client, SHUT_WR);
	CHECK(strstr(received(), OK("2")));
	CHECK(!is_closed());
	answer_waiting(0);
	CHECK(strstr(received(), "\"id\":1}"));
	CHECK(is_closed());
	hang_up();
}

static void sweep(void)
{
	struct timespec t = {.tv_sec = 1, .tv_nsec = 50000000};
	nanosleep(&t, NULL);
	spin();
}

TEST("an unfinished message is given up after the idle timeout, with an answer; a silent connection without one")
{
	connect_client(false);
	send_text("{\"half");
	skipped_ns += 61000000000U;
	sweep();
	CHECK(strstr(received(), "idle timeout"));
	hang_up();
	connect_client(false);
	send_text("GET / HT");
	skipped_ns += 61000000000U;
	sweep();
	CHECK(strncmp(received(), "HTTP/1.1 408 ", 13) == 0);
	hang_up();
	connect_client(false);
	spin();
	skipped_ns += 61000000000U;
	sweep();
	CHECK_STR(received(), "");
	CHECK(is_closed());
	hang_up();
	CHECK_INT(conn_count(), 0);
}

TEST("a client that only waits for its answer isn't idle")
{
	connect_client(false);
	send_text(STATUS("1") "\n");
	skipped_ns += 61000000000U;
	sweep();
	answer_waiting(0);
	CHECK(strstr(received(), "\"id\":1}"));
	hang_up();
}

TEST("a connection over its uid's limit is told so in its own framing")
{
	connect_client(true);
	send_text(HEALTH("1") "\n");
	CHECK(strstr(received(), "too many connections"));
	CHECK(strstr(got, "\"kind\":\"busy\""));
	CHECK(is_closed());
	hang_up();
	connect_client(true);
	send_text("GET /health HTTP/1.1\r\nHost: h\r\n\r\n");
	CHECK(strncmp(received(), "HTTP/1.1 503 ", 13) == 0);
	hang_up();
}

#define GET_EVENTS "GET /events HTTP/1.1\r\nHost: h\r\n"

static void add_events(unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		events_add(event_topic_net_drift, NULL, "{\"id\":\"pt-br0\"}", NULL);
	sse_wake();
	spin();
}

TEST("the stream of events begins behind the answers to what was asked before it, and brings each event with its number")
{
	events_finish();
	add_events(2);
	connect_client(false);
	send_text("POST / HTTP/1.1\r\nHost: h\r\n" JSON_TYPE "Content-Length: 46\r\n\r\n{\"jsonrpc\":\"2.0\",\"method\":\"net.status\",\"id\":1}" GET_EVENTS
	          "\r\n" GET_EVENTS "\r\n");
	add_events(1);
	CHECK_STR(received(), "");
	answer_waiting(0);
	CHECK(strstr(received(), "\"id\":1}HTTP/1.1 200 OK\r\n") != NULL);
	CHECK(strstr(got, "Content-Type: text/event-stream\r\n") != NULL);
	CHECK(strstr(got, "\r\n\r\nid: 3\nevent: net.drift\ndata: {\"seq\":3,\"topic\":\"net.drift\",") != NULL);
	CHECK(strstr(got, "id: 2\n") == NULL);
	add_events(1);
	CHECK(strstr(received(), "\nid: 4\nevent: net.drift\n") != NULL);
	hang_up();
	add_events(1);
}

TEST("Last-Event-ID resumes the stream of events, and one that isn't ours begins at the first")
{
	events_finish();
	add_events(5);
	connect_client(false);
	send_text(GET_EVENTS "Last-Event-ID: 3\r\n\r\n");
	CHECK(strstr(received(), "\r\n\r\nid: 4\n") != NULL && strstr(got, "\nid: 5\n") != NULL);
	hang_up();
	connect_client(false);
	send_text(GET_EVENTS "Last-Event-ID: 99\r\n\r\n");
	CHECK(strstr(received(), "\r\n\r\nid: 1\n") != NULL);
	hang_up();
}

TEST("a client that doesn't read its events is held nothing for, and is told how many it has missed")
{
	events_finish();
	connect_client(false);
	send_text(GET_EVENTS "\r\n");
	for (int i = 0; i < 20; i++)
		add_events(EVENTS_KEPT / 2);
	size_t n = strlen(received());
	CHECK(n > 0 && n < 20 * EVENTS_KEPT / 2 * 60);
	CHECK(strstr(got, "\nevent: dropped\ndata: {\"dropped\":") != NULL);
	CHECK(strstr(got, "id: 40960\n") != NULL);
	hang_up();
}

TEST("all streams end when the access list they were opened under is gone")
{
	events_finish();
	connect_client(false);
	send_text(GET_EVENTS "\r\n");
	CHECK(strstr(received(), "text/event-stream") != NULL);
	sse_end_all();
	received();
	CHECK_INT(recv(client, got, 1, 0), 0);
	hang_up();
	add_events(1);
	events_finish();
}

TEST("a failure carries kind, detail and hint")
{
	connect_client(false);
	send_text("{\"jsonrpc\":\"2.0\",\"method\":\"net.bridge\",\"id\":1}\n");
	CHECK_STR(received(), "{\"jsonrpc\":\"2.0\",\"error\":{\"code\":-32000,\"message\":\"the test is busy\",\"data\":{\"kind\":\"busy\",\"detail\":\"the test is "
	                      "busy\",\"hint\":\"wait\"}},\"id\":1}\n");
	hang_up();
}

TEST("a right that is too low is refused before the parameters are looked at")
{
	connect_client(false);
	send_text("{\"jsonrpc\":\"2.0\",\"method\":\"net.bridge.add\",\"params\":{\"x\":1},\"id\":1}\n");
	CHECK(strstr(received(), "\"code\":-32001"));
	CHECK(strstr(got, "\"needed\":\"write\",\"held\":\"read\""));
	hang_up();
	connect_client(false);
	char text[400], *at = text;
	at += sprintf(at, "POST / HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer x\r\n" JSON_TYPE "Content-Length: 64\r\n\r\n");
	sprintf(at, "%-64s", "{\"jsonrpc\":\"2.0\",\"method\":\"net.bridge.add\",\"id\":1}");
	send_text(text);
	CHECK(strstr(received(), "\"code\":-32003"));
	hang_up();
}

int main(void)
{
	struct arena arena = {0};
	const char *error;
	log_init("test", LEVEL_ERROR);
	base = event_base_new();
	acl = acl_load("/nonexistent/acl.toml", true, &arena, &error);
	int code = rpc_init() && conns_init() ? test_main() : 1;
	conns_finish();
	exchanges_finish();
	rows_finish();
	acl_destroy(acl);
	event_base_free(base);
	return code;
}
