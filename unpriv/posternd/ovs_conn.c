// Asked of the helper -> connected -> gone. See ovs_conn.h.
//
// A callback may close the connection whose bytes are just being cut, so that is only marked then (`busy`), and done when the cutter has come back.
#include "unpriv/posternd/ovs_conn.h"

#include <errno.h>
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "unpriv/posternd/daemon.h"
#include "unpriv/posternd/task.h"

#define SLICE   16384
#define RUN_DIR "/run/openvswitch" // as the helper has it

struct ovs_conn {
	enum ovs_door door;
	const struct ovs_user *user;
	int fd;       // -1: the helper is still asked
	bool closed;  // by its user
	bool busy;    // its bytes are being cut
	bool waiting; // the helper's answer is to come
	struct event *readable, *writable, *late;
	struct jcut cut;
	struct text out;
};

static void destroy(struct ovs_conn *c)
{
	if (c->readable != NULL)
		event_free(c->readable);
	if (c->writable != NULL)
		event_free(c->writable);
	if (c->late != NULL)
		event_free(c->late);
	if (c->fd >= 0)
		close(c->fd);
	jcut_finish(&c->cut);
	text_finish(&c->out);
	free(c);
}

static bool no_more_text(void *arg, const char *text, size_t len)
{
	(void)arg;
	(void)text;
	(void)len;
	return false;
}

static bool no_more_rows(void *arg, unsigned op, const char *text, size_t len)
{
	(void)op;
	return no_more_text(arg, text, len);
}

void ovs_conn_close(struct ovs_conn *c)
{
	static const struct jcut_user nobody = {.row = no_more_rows, .piece = no_more_text, .message = no_more_text};

	if (c == NULL)
		return;
	c->closed = true;
	c->cut.user = &nobody; // its own may be gone when this returns
	if (!c->busy && !c->waiting)
		destroy(c);
}

static void end(struct ovs_conn *c, const struct ovs_end *why)
{
	const struct ovs_user *u = c->user;
	bool tell = !c->closed;

	destroy(c);
	if (tell)
		u->ended(u->arg, why);
}

static void lost(struct ovs_conn *c, enum fail_kind kind, int err, const char *detail)
{
	end(c, &(struct ovs_end){.fail = {.kind = kind, .err = err, .detail = detail}});
}

// ---- the helper's answer ----

// The policy has no word for it.
static bool unnamed(const struct priv_reply *r)
{
	return r->outcome == PRIV_ANSWERED && r->status == OPS_DENIED && strcmp(r->rule, "ovs") == 0;
}

// A host without Open vSwitch needs no word in its policy to be told so.
static bool absent(const struct priv_reply *r)
{
	return (r->outcome == PRIV_ANSWERED && r->status == OPS_UNSUPPORTED) || (unnamed(r) && access(RUN_DIR, F_OK) != 0 && errno == ENOENT);
}

static struct ovs_end refused_by_policy(enum ovs_door door)
{
	return (struct ovs_end){.fail = {
	                            .kind = FAIL_DENIED_BY_POLICY,
	                            .detail = door == OVS_DATABASE ? "the policy doesn't open Open vSwitch's database to postern"
	                                                           : "the policy doesn't open Open vSwitch's switch to postern",
	                            .hint = door == OVS_DATABASE
	                                        ? "Root may put \"ovs database\" into /etc/postern/policy.conf and start the helper again."
	                                        : "Root may put \"ovs switch\" into /etc/postern/policy.conf and start the helper again.",
	                        }};
}

static struct ovs_end end_of(enum ovs_door door, const struct priv_reply *r)
{
	if (absent(r))
		return (struct ovs_end){.fail = {.kind = FAIL_UNSUPPORTED,
		                                 .detail = "Open vSwitch doesn't run here",
		                                 .hint = "Install Open vSwitch and start it, with its sockets in /run/openvswitch."}};
	if (unnamed(r))
		return refused_by_policy(door);
	struct ovs_end e = {.fail = {.kind = priv_fail_kind(r), .detail = priv_error(r), .err = (int)r->err}};
	if (r->outcome == PRIV_ANSWERED && r->status == OPS_DENIED)
		e.fail.hint = "/run/openvswitch and what lies in it must belong to root, and nobody else may write there.";
	return e;
}

// ---- bytes ----

static void on_late(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	lost(arg, FAIL_TIMEOUT, 0, "Open vSwitch doesn't answer in time");
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
	static char slice[SLICE];
	struct ovs_conn *c = arg;
	ssize_t n = recv((int)fd, slice, sizeof(slice), 0);

	(void)what;
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		lost(c, FAIL_IO, n < 0 ? errno : 0, "Open vSwitch hung up");
		return;
	}
	c->busy = true;
	bool good = jcut_feed(&c->cut, slice, (size_t)n);
	c->busy = false;
	if (c->closed)
		destroy(c);
	else if (!good)
		lost(c, FAIL_IO, EPROTO, "Open vSwitch sent what can't be an answer");
}

// What can't be sent now is sent later; a connection that broke is seen when it is read.
static void send_out(struct ovs_conn *c)
{
	ssize_t n = send(c->fd, c->out.at, c->out.len, MSG_NOSIGNAL);

	if (n > 0)
		text_drop(&c->out, (size_t)n);
	if (c->out.len > 0 && (n >= 0 || errno == EAGAIN || errno == EINTR))
		event_add(c->writable, NULL);
}

static void on_writable(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	send_out(arg);
}

void ovs_conn_tell(struct ovs_conn *c, const char *text, size_t len)
{
	bool idle = c->out.len == 0;

	text_add(&c->out, text, len);
	if (idle)
		send_out(c);
}

void ovs_conn_ask(struct ovs_conn *c, const char *text, size_t len)
{
	event_add(c->late, &(struct timeval){.tv_sec = OVS_DEADLINE_S});
	ovs_conn_tell(c, text, len);
}

void ovs_conn_rest(struct ovs_conn *c)
{
	event_del(c->late);
}

// ---- beginning ----

static void on_socket(void *arg, const struct priv_reply *r)
{
	struct ovs_conn *c = arg;

	c->waiting = false;
	if (c->closed) {
		destroy(c);
		return;
	}
	if (!priv_ok(r)) {
		struct ovs_end e = end_of(c->door, r);
		end(c, &e);
		return;
	}
	c->fd = priv_take(r, RESFD_ovs_socket_socket);
	c->readable = event_new(daemon_base(), c->fd, EV_READ | EV_PERSIST, on_readable, c);
	c->writable = event_new(daemon_base(), c->fd, EV_WRITE, on_writable, c);
	c->late = evtimer_new(daemon_base(), on_late, c);
	if (c->readable == NULL || c->writable == NULL || c->late == NULL || event_add(c->readable, NULL) != 0)
		lost(c, FAIL_IO, ENOMEM, "no memory for a connection to Open vSwitch");
	else
		c->user->ready(c->user->arg);
}

static void on_not_asked(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	lost(arg, FAIL_BUSY, EAGAIN, "the helper has too much to do to open Open vSwitch's socket");
}

struct ovs_conn *ovs_conn_open(enum ovs_door door, const struct ovs_user *u)
{
	struct ovs_conn *c = xcalloc(1, sizeof(*c));
	const struct op_ovs_socket_args a = {.door = door};

	*c = (struct ovs_conn){.door = door, .user = u, .fd = -1, .cut = {.user = &u->cut}};
	c->waiting = priv_ovs_socket(&a, NULL, on_socket, c) == 0;
	if (!c->waiting) { // told later, as every end is
		c->late = evtimer_new(daemon_base(), on_not_asked, c);
		event_add(c->late, &(struct timeval){0});
	}
	return c;
}

void ovs_fail(struct request *rq, const struct ovs_end *e)
{
	struct failure f = e->fail;

	f.detail = arena_strdup(rq->arena, f.detail != NULL ? f.detail : "Open vSwitch can't be asked");
	fail_with(rq, &f);
}
