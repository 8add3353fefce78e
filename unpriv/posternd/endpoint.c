// Accepting -> judged -> audited (its row is on disk) -> connected to the VM -> relayed.  See endpoint.h.
#include "unpriv/posternd/endpoint.h"

#include <dirent.h>
#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "proto/guest.h"
#include "unpriv/common/log.h"
#include "unpriv/posternd/access.h"
#include "unpriv/posternd/audit.h"
#include "unpriv/posternd/config.h"
#include "unpriv/posternd/daemon.h"
#include "unpriv/posternd/hybrid.h"
#include "unpriv/posternd/mem.h"
#include "unpriv/posternd/relay.h"
#include "unpriv/posternd/unix_connect.h"

#define PAUSE_MS 100 // after running out of descriptors

struct session {
	TAILQ_ENTRY(session) link;
	struct endpoint *owner; // NULL: the endpoint was closed while the audit row was being written
	bool auditing;
	int client;
	struct hybrid *hybrid;
	struct relay *relay;
};

struct endpoint {
	enum endpoint_kind kind;
	char vm[80];
	char *tenant;
	int o_path, listener;
	struct event *event, *resume;
	struct sockaddr_un addr;
	unsigned n;
	TAILQ_HEAD(session_list, session) sessions;
};

static const struct {
	const char *prefix;
	enum rpc_method_id method;
} kinds[] = {[ENDPOINT_EXEC] = {"exec-", RPC_vm_exec_endpoint}, [ENDPOINT_CONSOLE] = {"console-", RPC_vm_console_endpoint}};

static void end_session(struct session *s)
{
	hybrid_cancel(s->hybrid);
	relay_destroy(s->relay);
	if (s->client >= 0)
		close(s->client);
	s->hybrid = NULL;
	s->relay = NULL;
	s->client = -1;
	if (s->owner != NULL) {
		TAILQ_REMOVE(&s->owner->sessions, s, link);
		s->owner->n--;
	}
	s->owner = NULL;
	if (!s->auditing)
		free(s);
}

static void on_relay_ended(void *arg)
{
	struct session *s = arg;

	s->relay = NULL;
	end_session(s);
}

static void on_connected(void *arg, int fd, const char *why)
{
	struct session *s = arg;

	s->hybrid = NULL;
	if (fd < 0) {
		log_info("no connection to a VM", "vm=%s why=%s", s->owner->vm, why);
		end_session(s);
		return;
	}
	s->relay = relay_create(daemon_base(), s->client, fd, on_relay_ended, s);
	s->client = -1;
}

static void connect_vm(struct session *s)
{
	struct endpoint *e = s->owner;

	if (e->kind == ENDPOINT_CONSOLE) {
		on_connected(s, unix_connect_fd(e->o_path), "the console doesn't take connections");
		return;
	}
	s->hybrid = hybrid_connect(daemon_base(), e->o_path, GUEST_PORT, HYBRID_CONNECT_MS, on_connected, s);
	if (s->hybrid == NULL)
		end_session(s);
}

static void on_audited(void *arg, int err)
{
	struct session *s = arg;

	s->auditing = false;
	if (s->owner == NULL || err != 0)
		end_session(s);
	else
		connect_vm(s);
}

// The right is looked up anew for each connection: the access list may have changed since the path was handed out.
static bool may_enter(const struct endpoint *e, const struct caller *caller)
{
	struct grant g = access_grant(daemon_acl(), caller, kinds[e->kind].method);

	if (g.right < rpc_methods[kinds[e->kind].method].right)
		return false;
	return g.tenant == NULL || (e->tenant != NULL && strcmp(g.tenant, e->tenant) == 0);
}

static void greet(struct endpoint *e, int fd)
{
	const char *method = rpc_methods[kinds[e->kind].method].name;
	struct peer peer;
	struct caller caller;
	char params[128];

	snprintf(params, sizeof(params), "{\"id\":\"%s\",\"connected\":true}", e->vm);
	if (!peer_read(fd, &peer)) {
		close(fd);
		return;
	}
	access_peer_caller(daemon_acl(), &peer, &caller);
	if (!may_enter(e, &caller) || e->n >= ENDPOINT_SESSIONS) {
		audit_refusal(caller.name, method, params, e->n >= ENDPOINT_SESSIONS ? "too many connections" : "right too low");
		close(fd);
		return;
	}
	struct session *s = xcalloc(1, sizeof(*s));
	s->owner = e;
	s->client = fd;
	s->auditing = true;
	TAILQ_INSERT_TAIL(&e->sessions, s, link);
	e->n++;
	audit_note(caller.name, method, params, "ok", on_audited, s);
}

static void on_resume(evutil_socket_t fd, short what, void *arg)
{
	struct endpoint *e = arg;

	(void)fd;
	(void)what;
	event_add(e->event, NULL);
}

// Out of descriptors a connection can't be taken, and waits: so does the endpoint, instead of spinning on it.
static void on_connect(evutil_socket_t fd, short what, void *arg)
{
	struct endpoint *e = arg;
	int client = accept4((int)fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	(void)what;
	if (client >= 0)
		greet(e, client);
	else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
		event_del(e->event);
		event_add(e->resume, &(struct timeval){.tv_usec = PAUSE_MS * 1000});
	}
}

// The directory of the daemon's first socket, with its slash.
static void run_dir(char *out, size_t size)
{
	const char *socket = daemon_config()->sockets.v[0];
	const char *slash = strrchr(socket, '/');

	snprintf(out, size, "%.*s/", (int)(slash - socket), socket);
}

static bool listen_at(struct endpoint *e)
{
	struct stat rpc;
	mode_t old;
	bool bound;

	e->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	unlink(e->addr.sun_path);
	old = umask(0177); // nobody connects before mode and group are set
	bound = e->listener >= 0 && bind(e->listener, (const struct sockaddr *)&e->addr, sizeof(e->addr)) == 0;
	umask(old);
	return bound && stat(daemon_config()->sockets.v[0], &rpc) == 0 && chown(e->addr.sun_path, (uid_t)-1, rpc.st_gid) == 0 &&
	       chmod(e->addr.sun_path, 0660) == 0 && listen(e->listener, 16) == 0;
}

struct endpoint *endpoint_open(enum endpoint_kind kind, const char *vm, const char *tenant, int o_path)
{
	struct endpoint *e = xcalloc(1, sizeof(*e));
	char dir[sizeof(e->addr.sun_path)];
	int n;

	e->kind = kind;
	snprintf(e->vm, sizeof(e->vm), "%s", vm);
	e->tenant = tenant != NULL ? xstrdup(tenant) : NULL;
	TAILQ_INIT(&e->sessions);
	e->listener = -1;
	e->o_path = fcntl(o_path, F_DUPFD_CLOEXEC, 3);
	e->addr.sun_family = AF_UNIX;
	run_dir(dir, sizeof(dir));
	n = snprintf(e->addr.sun_path, sizeof(e->addr.sun_path), "%s%s%s.sock", dir, kinds[kind].prefix, vm);
	if (e->o_path >= 0 && n < (int)sizeof(e->addr.sun_path) && listen_at(e)) {
		e->event = event_new(daemon_base(), e->listener, EV_READ | EV_PERSIST, on_connect, e);
		e->resume = event_new(daemon_base(), -1, 0, on_resume, e);
		event_add(e->event, NULL);
		return e;
	}
	log_error("no endpoint for a VM", "vm=%s path=%s error=%s", vm, e->addr.sun_path, strerror(errno));
	endpoint_close(e);
	return NULL;
}

const char *endpoint_path(const struct endpoint *e)
{
	return e->addr.sun_path;
}

void endpoint_close(struct endpoint *e)
{
	struct session *s;

	if (e == NULL)
		return;
	while ((s = TAILQ_FIRST(&e->sessions)) != NULL) {
		TAILQ_REMOVE(&e->sessions, s, link);
		s->owner = NULL;
		end_session(s);
	}
	if (e->event != NULL)
		event_free(e->event);
	if (e->resume != NULL)
		event_free(e->resume);
	if (e->listener >= 0) {
		close(e->listener);
		unlink(e->addr.sun_path);
	}
	if (e->o_path >= 0)
		close(e->o_path);
	free(e->tenant);
	free(e);
}

static bool is_ours(const char *name)
{
	size_t n = strlen(name);

	if (n < 5 || strcmp(name + n - 5, ".sock") != 0)
		return false;
	return strncmp(name, kinds[ENDPOINT_EXEC].prefix, strlen(kinds[ENDPOINT_EXEC].prefix)) == 0 ||
	       strncmp(name, kinds[ENDPOINT_CONSOLE].prefix, strlen(kinds[ENDPOINT_CONSOLE].prefix)) == 0;
}

void endpoint_sweep(void)
{
	char dir[256];
	struct dirent *d;
	struct stat st;
	DIR *at;

	run_dir(dir, sizeof(dir));
	at = opendir(dir);
	while (at != NULL && (d = readdir(at)) != NULL)
		if (is_ours(d->d_name) && fstatat(dirfd(at), d->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISSOCK(st.st_mode))
			unlinkat(dirfd(at), d->d_name, 0);
	if (at != NULL)
		closedir(at);
}
