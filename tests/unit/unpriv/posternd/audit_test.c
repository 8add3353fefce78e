// LINK: unpriv/posternd/audit.o unpriv/posternd/mem.o unpriv/posternd/text.o unpriv/posternd/utf8.o unpriv/common/log.o proto/rpc.o
// LIBS: -levent_core -ljansson
// The audit trail's rules, with the store played here.
#include "unpriv/posternd/audit.h"

#include <event2/event.h>
#include <stdarg.h>
#include <stdlib.h>

#include "tests/lib/test.h"
#include "unpriv/posternd/daemon.h"
#include "unpriv/posternd/event_publish.h"
#include "unpriv/posternd/gate.h"
#include "unpriv/posternd/request.h"

static uint64_t clock_ns = 1;
static int rows;
static char last[320];
static store_cb *held_done;
static void *held_arg;
static struct audit_hooks hooks;

uint64_t now_ns(void)
{
	return clock_ns;
}

struct event_base *daemon_base(void)
{
	static struct event_base *base;

	return base != NULL ? base : (base = event_base_new());
}

void gate_pass(struct request *rq, void (*go)(struct request *rq))
{
	go(rq);
}

void gate_left(struct request *rq)
{
	(void)rq;
}

void audit_set_hooks(const struct audit_hooks *h)
{
	hooks = *h;
}

static int told;

void event_refusal(const char *identity, const char *method, const char *why)
{
	(void)identity;
	(void)method;
	(void)why;
	told++;
}

static int failures;

void fail_hint(struct request *rq, enum fail_kind kind, const char *hint, const char *detail, ...)
{
	(void)rq;
	(void)kind;
	(void)hint;
	(void)detail;
	failures++;
}

struct change {
	int none;
};

struct change *change_new(void)
{
	return xcalloc(1, sizeof(struct change));
}

void change_audit(struct change *c, const struct audit_row *r)
{
	(void)c;
	rows++;
	snprintf(last, sizeof(last), "%.60s|%.60s|%.100s|%.60s", r->identity, r->method, r->params, r->result);
}

void store_commit(struct change *c, store_cb *done, void *arg)
{
	free(c);
	held_done = done;
	held_arg = arg;
}

static const struct rpc_method *exec_method = &rpc_methods[RPC_vm_exec];

TEST("stdin, values of env and whatever is called secret, password or token never reach a row")
{
	json_t *p = json_loads("{\"id\":\"a\",\"stdin\":\"hush\",\"env\":{\"KEY\":\"hush\"},\"api_token\":\"hush\",\"password\":1,\"argv\":[\"ls\"]}",
	                       0, NULL);
	char *text = audit_params(exec_method, p);

	CHECK(strstr(text, "hush") == NULL && strstr(text, "\"KEY\"") != NULL && strstr(text, "\"ls\"") != NULL);
	free(text);
	json_decref(p);
}

TEST("an environment or a secret in the wrong form doesn't reach a row either")
{
	json_t *p = json_pack("{s:[s],s:[s],s:{s:s}}", "env", "PW=hunter2", "stdin", "hunter2", "api_token", "value", "hunter2");
	char *text = audit_params(exec_method, p);

	CHECK_STR(text, "{\"env\":\"(removed)\",\"stdin\":\"(removed)\",\"api_token\":\"(removed)\"}");
	free(text);
	json_decref(p);
}

TEST("parameters by position are written by name")
{
	json_t *p = json_loads("[\"a\"]", 0, NULL);
	char *text = audit_params(&rpc_methods[RPC_vm_start], p);

	CHECK_STR(text, "{\"id\":\"a\"}");
	free(text);
	json_decref(p);
}

TEST("parameters beyond the limit are replaced by their size")
{
	char *long_one = xmalloc(AUDIT_PARAMS_MAX * 2 + 1);

	memset(long_one, 'x', AUDIT_PARAMS_MAX * 2);
	long_one[AUDIT_PARAMS_MAX * 2] = '\0';
	json_t *p = json_pack("{s:s}", "cwd", long_one);
	char *text = audit_params(exec_method, p);
	CHECK(strncmp(text, "{\"omitted_bytes\":", 17) == 0);
	free(text);
	free(long_one);
	json_decref(p);
}

static int went, sent;

static void go(struct request *rq)
{
	(void)rq;
	went++;
}

static void send_answer(struct request *rq)
{
	(void)rq;
	sent++;
}

TEST("a write waits for its first row, its answer for the second, and both carry the outcome")
{
	struct request rq = {.id = 9, .method = exec_method, .identity = "uid:1000"};

	CHECK(audit_start());
	hooks.begin(&rq, go);
	CHECK_STR(last, "uid:1000|compute.vm.exec|{}|pending");
	CHECK_INT(went, 0);
	held_done(held_arg, 0);
	CHECK_INT(went, 1);
	rq.result = "busy";
	hooks.end(&rq, send_answer);
	CHECK_STR(last, "uid:1000|compute.vm.exec||busy");
	CHECK_INT(sent, 0);
	held_done(held_arg, 0);
	CHECK_INT(sent, 1);
}

TEST("a write whose first row can't be stored doesn't happen")
{
	struct request rq = {.id = 10, .method = exec_method, .identity = "uid:1000"};

	went = failures = 0;
	hooks.begin(&rq, go);
	held_done(held_arg, 28);
	CHECK(went == 0 && failures == 1);
	hooks.end(&rq, send_answer);
	held_done(held_arg, 28);
	CHECK_INT(sent, 2); // the failure is still told
}

TEST("refusals beyond ten a minute are counted and written as one row")
{
	rows = 0;
	for (int i = 0; i < 500; i++)
		audit_refusal("uid:7", "vol.mount", "{}", "right too low");
	CHECK_INT(rows, AUDIT_REFUSALS);
	clock_ns += 61 * UINT64_C(1000000000);
	audit_refusal("uid:7", "vol.mount", "{}", "right too low");
	CHECK_INT(rows, AUDIT_REFUSALS + 2);
	CHECK_STR(last, "uid:7|vol.mount|{}|refused: right too low");
}

TEST("a flood of identities ends in one shared counter")
{
	char who[32];

	rows = 0;
	for (int i = 0; i < 5000; i++) {
		snprintf(who, sizeof(who), "uid:%d", 100000 + i);
		audit_refusal(who, "vol.mount", "{}", "no");
	}
	CHECK(rows <= AUDIT_COUNTERS + AUDIT_REFUSALS);
	audit_stop();
	event_base_free(daemon_base());
}

int main(void)
{
	return test_main();
}
