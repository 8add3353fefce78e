// Start, loop, reload and end of the worker. See worker.h.
//
// Order of the start: configuration, lock, sockets, confinement, modules (store, helper client, VMs),
// accepting. Nothing of a client is read before confinement.
#include "unpriv/posternd/worker.h"

#include <event2/event.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>

#include "unpriv/posternd/access.h"
#include "unpriv/posternd/confine.h"
#include "unpriv/posternd/conn.h"
#include "unpriv/posternd/control.h"
#include "unpriv/posternd/daemon.h"
#include "unpriv/posternd/exchange.h"
#include "unpriv/posternd/listen.h"
#include "unpriv/posternd/lock.h"
#include "unpriv/posternd/modules.h"
#include "unpriv/posternd/rows_read.h"
#include "unpriv/posternd/rpc.h"

enum { EVENTS_MAX = 4 };

static struct {
	struct event_base *base;
	struct config *config;
	struct acl *acl;
	const struct flags *flags;
	int exit_code;
	struct event *events[EVENTS_MAX];
	unsigned n_events;
	void (*resolv_opened)(int fd);
} worker;

struct event_base *daemon_base(void)
{
	return worker.base;
}

const struct config *daemon_config(void)
{
	return worker.config;
}

const struct acl *daemon_acl(void)
{
	return worker.acl;
}

void daemon_helper_met(void)
{
	control_send(CONTROL_FD, CONTROL_MET, -1);
}

void daemon_helper_gone(void)
{
	control_send(CONTROL_FD, CONTROL_GONE, -1);
}

bool daemon_open_resolv(void (*opened)(int fd))
{
	worker.resolv_opened = opened;
	return control_send(CONTROL_FD, CONTROL_RESOLV, -1);
}

void daemon_exit(int code)
{
	worker.exit_code = code;
	event_base_loopbreak(worker.base);
}

uint64_t now_ns(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000U + (uint64_t)t.tv_nsec;
}

// Reads both files; both are good, or nothing is changed.
static bool load(struct config **config, struct acl **acl)
{
	struct arena a = {0};
	const char *error = NULL;
	*config = config_load(worker.flags, &a, &error);
	*acl = *config ? acl_load((*config)->acl_path, (*config)->acl_optional, &a, &error) : NULL;
	if (*acl == NULL) {
		log_error("configuration is wrong", "error=%s", error);
		config_destroy(*config);
		*config = NULL;
	}
	arena_finish(&a);
	return *acl != NULL;
}

static bool same_strings(const struct strings *a, const struct strings *b)
{
	for (size_t i = 0; i < a->n && i < b->n; i++)
		if (strcmp(a->v[i], b->v[i]) != 0)
			return false;
	return a->n == b->n;
}

static void on_reload(evutil_socket_t signo, short what, void *arg)
{
	struct config *config;
	struct acl *acl;
	(void)signo;
	(void)what;
	(void)arg;
	if (!load(&config, &acl)) {
		log_error("reload refused: the old configuration stays in force", NULL);
		return;
	}
	if (!same_strings(&config->sockets, &worker.config->sockets) || strcmp(config->state_dir, worker.config->state_dir) != 0)
		log_warn("sockets and state directory change at the next start only", NULL);
	config_destroy(worker.config);
	acl_destroy(worker.acl);
	worker.config = config;
	worker.acl = acl;
	log_set_level(config->log_level);
	modules_reloaded();
	log_info("reloaded", NULL);
}

static void on_stop(evutil_socket_t signo, short what, void *arg)
{
	(void)what;
	(void)arg;
	log_info("stopping", "signal=%d", (int)signo);
	daemon_exit(0);
}

static void on_control(evutil_socket_t fd, short what, void *arg)
{
	(void)what;
	(void)arg;
	int passed;
	int got = control_receive(fd, &passed);
	if (got == 0) {
		log_error("the parent is gone", NULL);
		daemon_exit(1);
	} else if (got == CONTROL_HELPER && passed >= 0) {
		modules_helper(passed);
	} else if (got == CONTROL_RESOLV) {
		worker.resolv_opened(passed);
	}
}

static bool watch(int fd_or_signal, short what, event_callback_fn callback)
{
	struct event *e = event_new(worker.base, fd_or_signal, (short)(what | EV_PERSIST), callback, NULL);
	if (e == NULL || event_add(e, NULL) < 0)
		return false;
	worker.events[worker.n_events++] = e;
	return true;
}

static bool make_loop(void)
{
	worker.base = event_base_new();
	return worker.base && watch(SIGHUP, EV_SIGNAL, on_reload) && watch(SIGTERM, EV_SIGNAL, on_stop) && watch(SIGINT, EV_SIGNAL, on_stop) &&
	       watch(CONTROL_FD, EV_READ, on_control);
}

static bool start(void)
{
	prctl(PR_SET_NAME, "posternd"); // it was executed as /proc/self/exe
	// Survives the parent by nothing; a parent already gone shows as the end of CONTROL_FD.
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	prctl(PR_SET_NAME, "posternd"); // started through /proc/self/exe, it would be called "exe"
	signal(SIGPIPE, SIG_IGN);
	if (!load(&worker.config, &worker.acl))
		return false;
	log_set_level(worker.config->log_level);
	return rpc_init() && lock_take(worker.config->state_dir) && make_loop() && listen_open(worker.config) &&
	       confine(worker.config, worker.flags) && modules_start() && conns_init() && listen_start();
}

static void finish(void)
{
	listen_finish();
	if (worker.base)
		conns_finish();
	modules_stop();
	exchanges_finish();
	for (unsigned i = 0; i < worker.n_events; i++)
		event_free(worker.events[i]);
	if (worker.base)
		event_base_free(worker.base);
	rows_finish();
	config_destroy(worker.config);
	acl_destroy(worker.acl);
}

int worker_run(const struct flags *flags)
{
	worker.flags = flags;
	worker.exit_code = 1;
	prctl(PR_SET_NAME, "posternd"); // executed through /proc/self/exe, it would be called "exe"
	if (start()) {
		worker.exit_code = 0;
		log_info("ready", "version=%s", POSTERN_VERSION);
		control_send(CONTROL_FD, CONTROL_READY, -1);
		event_base_dispatch(worker.base);
	}
	finish();
	return worker.exit_code;
}
