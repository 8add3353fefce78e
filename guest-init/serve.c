// Hello, one request, its answer, ack.  The table at the end says which messages are requests.
#include "guest-init/serve.h"

#include <errno.h>
#include <string.h>

#include "guest-init/conn.h"
#include "guest-init/exec.h"
#include "guest-init/text.h"

#define REQUEST_MS 10000 // to say hello, and to say what is wanted
#define ACK_MS     5000  // to take the answer

static void done_or_error(struct conn *c, int err, const char *what)
{
	struct msg m = {.id = MSG_done};

	if (err == 0)
		(void)conn_put(c, &m);
	else
		(void)conn_put_error(c, err, what);
}

static void do_health(struct conn *c, const struct msg *m, const struct serve_env *env)
{
	struct msg a = {.id = MSG_healthy};

	(void)m;
	a.healthy.uptime_ms = now_ms();
	a.healthy.execs = *env->running;
	a.healthy.agent = (struct mp_slice){.p = (const uint8_t *)POSTERN_VERSION, .len = sizeof(POSTERN_VERSION) - 1};
	(void)conn_put(c, &a);
	conn_finish(c, ACK_MS);
}

static void do_exec(struct conn *c, const struct msg *m, const struct serve_env *env)
{
	(void)__atomic_add_fetch(env->running, 1, __ATOMIC_RELAXED);
	exec_serve(c, m, env->config);
	(void)__atomic_sub_fetch(env->running, 1, __ATOMIC_RELAXED);
}

// Answered first: once the end has begun, nothing is certain to be sent.
static void do_shutdown(struct conn *c, const struct msg *m, const struct serve_env *env)
{
	bool reboot = m->shutdown.reboot;
	unsigned grace = m->shutdown.has_grace_ms ? m->shutdown.grace_ms : 3000;

	done_or_error(c, 0, NULL);
	conn_finish(c, ACK_MS);
	(void)env->host->power(reboot, grace);
}

static void do_set_time(struct conn *c, const struct msg *m, const struct serve_env *env)
{
	done_or_error(c, env->host->set_time(m->set_time.unix_ms), "the clock can't be set");
	conn_finish(c, ACK_MS);
}

static void do_reseed(struct conn *c, const struct msg *m, const struct serve_env *env)
{
	done_or_error(c, env->host->reseed(m->reseed.seed.p, m->reseed.seed.len), "the generator doesn't take it");
	conn_finish(c, ACK_MS);
}

// In constant time: any local user of the host may try, where a secret is asked for.
static bool secret_fits(const struct msg_hello *h, const uint8_t *secret)
{
	uint8_t different = 0;

	if (secret == NULL)
		return true;
	if (!h->has_secret)
		return false;
	for (size_t i = 0; i < 32; i++)
		different |= h->secret.p[i] ^ secret[i];
	return different == 0;
}

static const struct {
	enum msg_id id;
	void (*serve)(struct conn *c, const struct msg *m, const struct serve_env *env);
} requests[] = {
    {MSG_health, do_health}, {MSG_exec, do_exec}, {MSG_shutdown, do_shutdown}, {MSG_set_time, do_set_time}, {MSG_reseed, do_reseed},
};

static void dispatch(struct conn *c, const struct msg *m, const struct serve_env *env)
{
	for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++)
		if (requests[i].id == m->id) {
			requests[i].serve(c, m, env);
			return;
		}
	(void)conn_put_error(c, EPROTO, "not a request");
	conn_finish(c, ACK_MS);
}

void serve(int fd, const struct serve_env *env)
{
	static struct conn c; // a process serves one connection; on the stack it would be 128 KiB
	struct msg m;

	conn_init(&c, fd);
	if (conn_await(&c, &m, REQUEST_MS)) {
		if (!secret_fits(&m.hello, env->secret)) {
			(void)conn_put_error(&c, EACCES, "the secret is missing or wrong");
			conn_finish(&c, ACK_MS);
		} else if (conn_await(&c, &m, REQUEST_MS)) {
			dispatch(&c, &m, env);
		} else {
			(void)conn_put_error(&c, EPROTO, "no request came, or none that can be read");
			conn_finish(&c, ACK_MS);
		}
	}
	conn_end(&c);
}
