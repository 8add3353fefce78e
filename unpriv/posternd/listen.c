// Listening and accepting. See listen.h.
#include "unpriv/posternd/listen.h"

#include <errno.h>
#include <event2/event.h>
#include <grp.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "unpriv/posternd/conn.h"
#include "unpriv/posternd/daemon.h"

enum {
	SOCKETS_MAX = 16,
	BACKLOG = 512,
	ACCEPT_AT_ONCE = 16, // connections taken per turn of the loop
	REFUSALS_MAX = 16,   // connections over a uid's limit that are still told why
	PAUSE_MS = 100,      // after running out of descriptors
};

static struct listener {
	int fd;
	struct sockaddr_un addr;
	struct event *event;
} listeners[SOCKETS_MAX];
static unsigned n_listeners;
static struct event *resume;

// True if something answers at the address: then it isn't ours to replace.
static bool is_alive(const struct sockaddr_un *addr)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	bool alive = fd < 0 || connect(fd, (const struct sockaddr *)addr, sizeof *addr) == 0 || errno == EAGAIN;
	if (fd >= 0)
		close(fd);
	return alive;
}

// Only a dead socket is removed; any other file at the path makes bind fail.
static bool clear_path(const struct sockaddr_un *addr)
{
	struct stat st;
	if (lstat(addr->sun_path, &st) < 0 || !S_ISSOCK(st.st_mode))
		return true;
	if (is_alive(addr)) {
		log_error("something already listens here", "socket=%s", addr->sun_path);
		return false;
	}
	return unlink(addr->sun_path) == 0;
}

static bool set_group(const char *path, const char *group)
{
	if (group == NULL)
		return true;
	const struct group *g = getgrnam(group);
	if (g == NULL) {
		log_error("there is no such group", "group=%s key=rpc.socket_group", group);
		return false;
	}
	return chown(path, (uid_t)-1, g->gr_gid) == 0;
}

static bool bind_and_listen(int fd, const struct sockaddr_un *addr, const char *group)
{
	// Nobody but the daemon may connect between bind and chmod.
	mode_t old = umask(0177);
	bool bound = bind(fd, (const struct sockaddr *)addr, sizeof *addr) == 0;
	umask(old);
	return bound && set_group(addr->sun_path, group) && chmod(addr->sun_path, 0660) == 0 && listen(fd, BACKLOG) == 0;
}

static bool open_one(const char *path, const char *group)
{
	struct listener *l = &listeners[n_listeners];
	l->addr = (struct sockaddr_un){.sun_family = AF_UNIX};
	if (n_listeners == SOCKETS_MAX || strlen(path) >= sizeof l->addr.sun_path) {
		log_error(n_listeners == SOCKETS_MAX ? "too many sockets" : "socket path is too long", "socket=%s", path);
		return false;
	}
	memcpy(l->addr.sun_path, path, strlen(path));
	if (!clear_path(&l->addr))
		return false;
	l->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (l->fd < 0 || !bind_and_listen(l->fd, &l->addr, group)) {
		log_error("can't listen", "socket=%s error=%s", path, strerror(errno));
		return false;
	}
	n_listeners++;
	return true;
}

bool listen_open(const struct config *config)
{
	for (size_t i = 0; i < config->sockets.n; i++)
		if (!open_one(config->sockets.v[i], config->socket_group))
			return false;
	return true;
}

static void greet(int fd)
{
	struct peer peer;
	const struct config *config = daemon_config();
	if (!peer_read(fd, &peer) || conn_count() >= (unsigned)config->max_connections) {
		close(fd);
		return;
	}
	unsigned held = conn_count_of(peer.uid);
	unsigned limit = (unsigned)config->max_connections_per_uid;
	if (held >= limit + REFUSALS_MAX) {
		close(fd);
		return;
	}
	// Once when the limit is reached, not for each that comes beyond.
	if (held == limit)
		log_warn("too many connections of one uid", "uid=%u limit=%u", peer.uid, limit);
	log_debug("connection accepted", "fd=%d uid=%u", fd, peer.uid);
	conn_create(fd, &peer, held >= limit);
}

static void set_accepting(bool on)
{
	for (unsigned i = 0; i < n_listeners; i++) {
		if (on)
			event_add(listeners[i].event, NULL);
		else
			event_del(listeners[i].event);
	}
}

// Out of descriptors: stop for a moment instead of spinning on a backlog that can't be taken.
static void pause_accepting(void)
{
	log_warn("no descriptor for a new connection", "error=%s", strerror(errno));
	set_accepting(false);
	event_add(resume, &(struct timeval){.tv_usec = PAUSE_MS * 1000});
}

static void on_resume(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)arg;
	set_accepting(true);
}

static void on_connect(evutil_socket_t fd, short what, void *arg)
{
	(void)what;
	(void)arg;
	for (int i = 0; i < ACCEPT_AT_ONCE; i++) {
		int client = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
		if (client < 0) {
			if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
				pause_accepting();
			return;
		}
		greet(client);
	}
}

bool listen_start(void)
{
	resume = event_new(daemon_base(), -1, 0, on_resume, NULL);
	for (unsigned i = 0; i < n_listeners; i++) {
		struct listener *l = &listeners[i];
		l->event = event_new(daemon_base(), l->fd, EV_READ | EV_PERSIST, on_connect, NULL);
		if (l->event == NULL || event_add(l->event, NULL) < 0)
			return false;
		log_info("listening", "socket=%s", l->addr.sun_path);
	}
	return resume != NULL;
}

void listen_finish(void)
{
	for (unsigned i = 0; i < n_listeners; i++) {
		if (listeners[i].event)
			event_free(listeners[i].event);
		close(listeners[i].fd);
		unlink(listeners[i].addr.sun_path);
	}
	n_listeners = 0;
	if (resume)
		event_free(resume);
	resume = NULL;
}
