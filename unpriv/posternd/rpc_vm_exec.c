// compute.vm.exec: one command, its whole output in one answer.
//
// Connecting -> Talking -> over.  While talking, input is put into the writer as it empties and output is taken as it comes, so neither waits
// for the other; output beyond the limit is read and dropped, so that the command ends as it would.
#include <errno.h>
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "unpriv/common/guestwire.h"
#include "unpriv/posternd/base64.h"
#include "unpriv/posternd/config.h"
#include "unpriv/posternd/daemon.h"
#include "unpriv/posternd/hybrid.h"
#include "unpriv/posternd/rpc_vm.h"

#define EXECS_MAX  256   // at one time: each holds a quarter of a MiB
#define TIMEOUT_MS 30000 // default
#define GRACE_MS   10000 // beyond the command's own time, for the agent to end it and to say so
#define ARGS_MAX   57344 // bytes of argv and env together, in one message

struct exec {
	struct request *rq;
	const struct rpc_vm_exec_params *p;
	size_t limit;
	struct hybrid *hybrid;
	int fd;
	struct event *readable, *writable, *deadline;
	size_t stdin_sent, stdin_len;
	bool eof_sent, truncated;
	struct text out, err;
	uint8_t *scratch; // in the request's arena
	struct guestwire_in in;
	struct guestwire_out to_guest;
};

static unsigned running;

static void finish(struct exec *x)
{
	hybrid_cancel(x->hybrid);
	if (x->readable != NULL)
		event_free(x->readable);
	if (x->writable != NULL)
		event_free(x->writable);
	event_free(x->deadline);
	if (x->fd >= 0)
		close(x->fd);
	text_finish(&x->out);
	text_finish(&x->err);
	free(x);
	running--;
}

static void give_up(struct exec *x, enum fail_kind kind, const char *why)
{
	fail(x->rq, kind, "VM %s: %s", x->p->id, why);
	finish(x);
}

// ---- the input ----

// Puts what fits of the input into the writer, and at the guest, and sends; false on a dead connection.
static bool send_some(struct exec *x)
{
	struct msg eof = {.id = MSG_stdin_eof};

	if (x->p->has_stdin && x->stdin_sent < x->stdin_len)
		x->stdin_sent += guestwire_put_stdin(&x->to_guest, x->p->stdin + x->stdin_sent, x->stdin_len - x->stdin_sent);
	if (x->p->has_stdin && !x->eof_sent && x->stdin_sent == x->stdin_len)
		x->eof_sent = guestwire_put(&x->to_guest, &eof);
	if (guestwire_flush(&x->to_guest, x->fd) < 0 && errno != EAGAIN)
		return false;
	if (guestwire_pending(&x->to_guest) > 0 || (x->p->has_stdin && !x->eof_sent && guestwire_stdin_room(&x->to_guest) > 0))
		event_add(x->writable, NULL);
	return true;
}

// ---- the answer ----

static bool plain(const struct text *t)
{
	return t->len == 0 || (memchr(t->at, '\0', t->len) == NULL && mp_utf8((const uint8_t *)t->at, t->len));
}

static const char *written(const struct text *t, bool base64, struct arena *a)
{
	if (!base64)
		return arena_strndup(a, t->at != NULL ? t->at : "", t->len);
	char *out = arena_alloc(a, base64_length(t->len) + 1);
	base64_write(t->at, t->len, out);
	return out;
}

static void reply(struct exec *x, const struct msg_exit *e)
{
	bool base64 = !plain(&x->out) || !plain(&x->err);
	struct arena *a = x->rq->arena;
	struct msg ack = {.id = MSG_ack};

	// The guest closes only after this; where there is no room for it, closing says the same.
	if (guestwire_put(&x->to_guest, &ack))
		(void)guestwire_flush(&x->to_guest, x->fd);
	reply_vm_exec(x->rq, &(struct rpc_vm_exec_result){
	                         .changed = true,
	                         .exit_code = e->code,
	                         .has_signal = e->has_signal,
	                         .signal = e->signal,
	                         .stdout = written(&x->out, base64, a),
	                         .stderr = written(&x->err, base64, a),
	                         .stdout_encoding = base64 ? encoding_base64 : encoding_utf8,
	                         .truncated = x->truncated || (e->has_truncated && e->truncated),
	                         .timed_out = e->has_timed_out && e->timed_out,
	                         .duration_ms = (int64_t)e->duration_ms,
	                     });
	finish(x);
}

static void take_output(struct exec *x, struct text *t, const struct mp_slice *data)
{
	size_t room = x->limit - t->len, n = data->len < room ? data->len : room;

	text_add(t, data->p, n);
	x->truncated = x->truncated || n < data->len;
}

// True when the exec is over.
static bool take(struct exec *x, const struct msg *m)
{
	if (!guestwire_note(&x->to_guest, m)) {
		give_up(x, FAIL_AGENT_UNAVAILABLE, "the guest's agent breaks the protocol");
		return true;
	}
	switch ((int)m->id) {
	case MSG_stdout_data: take_output(x, &x->out, &m->stdout_data.data); return false;
	case MSG_stderr_data: take_output(x, &x->err, &m->stderr_data.data); return false;
	case MSG_exit: reply(x, &m->exit); return true;
	case MSG_error:
		fail_with(x->rq, &(struct failure){.kind = FAIL_IO,
		                                   .detail = arena_strndup(x->rq->arena, (const char *)m->error.what.p, m->error.what.len)});
		finish(x);
		return true;
	case MSG_hello:
	case MSG_stdin_taken:
		(void)send_some(x); // a guest that has hung up shows on the reading side, which may still hold its last words
		return false;
	default: return false; // started
	}
}

// ---- the conversation ----

static void on_writable(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)send_some(arg);
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct exec *x = arg;
	struct wire_error err;
	struct msg m;
	ssize_t n = guestwire_fill(&x->in, (int)fd);

	(void)what;
	if (n == 0 || (n < 0 && errno != EAGAIN)) {
		give_up(x, FAIL_AGENT_UNAVAILABLE, "the guest's agent hung up before the command ended");
		return;
	}
	for (;;) {
		enum guestwire_status s = guestwire_next(&x->in, &m, &err);
		if (s == GUESTWIRE_MORE)
			return;
		if (s == GUESTWIRE_BAD) {
			give_up(x, FAIL_AGENT_UNAVAILABLE, "the guest's agent breaks the protocol");
			return;
		}
		if (take(x, &m))
			return;
	}
}

static bool put_lists(struct exec *x, struct msg_exec *e)
{
	struct mp_out scratch = {.buf = x->scratch, .cap = ARGS_MAX};
	const struct rpc_vm_exec_params *p = x->p;
	const char **argv = arena_zalloc(x->rq->arena, (p->argv.n + 1) * sizeof(*argv));
	const char **env = arena_zalloc(x->rq->arena, (p->has_env ? p->env.n + 1 : 1) * sizeof(*env));

	memcpy(argv, p->argv.v, p->argv.n * sizeof(*argv));
	for (size_t i = 0; p->has_env && i < p->env.n; i++)
		env[i] = arena_printf(x->rq->arena, "%s=%s", p->env.v[i].key, p->env.v[i].value);
	e->has_env = p->has_env && p->env.n > 0;
	return guestwire_list(&scratch, argv, &e->argv) && guestwire_list(&scratch, env, &e->env);
}

static bool put_exec(struct exec *x)
{
	const struct rpc_vm_exec_params *p = x->p;
	struct msg m = {.id = MSG_exec};
	struct msg_exec *e = &m.exec;

	e->has_timeout_ms = true;
	e->timeout_ms = p->has_timeout_ms ? (uint64_t)p->timeout_ms : TIMEOUT_MS;
	e->has_want_stdin = p->has_stdin;
	e->want_stdin = p->has_stdin;
	e->has_cwd = p->has_cwd;
	if (p->has_cwd)
		guestwire_text(p->cwd, &e->cwd);
	e->has_user = p->has_user;
	if (p->has_user)
		guestwire_text(p->user, &e->user);
	return put_lists(x, e) && guestwire_put(&x->to_guest, &m);
}

static void on_connected(void *arg, int fd, const char *why)
{
	struct exec *x = arg;

	x->hybrid = NULL;
	if (fd < 0) {
		give_up(x, FAIL_AGENT_UNAVAILABLE, why);
		return;
	}
	x->fd = fd;
	x->readable = event_new(daemon_base(), fd, EV_READ | EV_PERSIST, on_readable, x);
	x->writable = event_new(daemon_base(), fd, EV_WRITE, on_writable, x);
	event_add(x->readable, NULL);
	if (!send_some(x))
		give_up(x, FAIL_AGENT_UNAVAILABLE, "the guest's agent hung up");
}

static void on_deadline(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	give_up(arg, FAIL_TIMEOUT, "the guest's agent doesn't end the command whose time is over");
}

static struct exec *exec_new(struct request *rq, const struct rpc_vm_exec_params *p)
{
	struct exec *x = xcalloc(1, sizeof(*x));
	int64_t ms = (p->has_timeout_ms ? p->timeout_ms : TIMEOUT_MS) + GRACE_MS;
	struct timeval late = {.tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000};

	running++;
	x->rq = rq;
	x->p = p;
	x->fd = -1;
	x->limit = (size_t)daemon_config()->exec_output_bytes;
	x->stdin_len = p->has_stdin ? strlen(p->stdin) : 0;
	x->scratch = arena_alloc(rq->arena, ARGS_MAX);
	x->deadline = event_new(daemon_base(), -1, 0, on_deadline, x);
	event_add(x->deadline, &late);
	guestwire_in_init(&x->in);
	guestwire_out_init(&x->to_guest, NULL);
	return x;
}

void rpc_vm_exec(struct request *rq, const struct rpc_vm_exec_params *p)
{
	struct vm *vm = vm_with_guest(rq, p->id);
	struct exec *x;

	if (vm == NULL)
		return;
	if (p->argv.n == 0) {
		fail_params(rq, "argv: it is empty; a program is needed");
		return;
	}
	if (rq->dry_run) {
		reply_vm_exec(rq, &(struct rpc_vm_exec_result){.changed = true, .stdout = "", .stderr = "", .stdout_encoding = encoding_utf8});
		return;
	}
	if (running >= EXECS_MAX) {
		fail(rq, FAIL_BUSY, "%u commands run already", running);
		return;
	}
	x = exec_new(rq, p);
	if (!put_exec(x)) {
		fail_params(rq, "argv: together with env, cwd and user it is longer than a message can be (%d bytes)", ARGS_MAX);
		finish(x);
		return;
	}
	x->hybrid = hybrid_connect(daemon_base(), vm->vsock_fd, GUEST_PORT, HYBRID_CONNECT_MS, on_connected, x);
	if (x->hybrid == NULL)
		give_up(x, FAIL_IO, "no descriptor is free");
}
