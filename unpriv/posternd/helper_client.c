// Requests in flight, the socket, and the clock.  Packing and unpacking are helper_packet.c's.
//
// Disconnected -> Greeting (attach: our hello is sent) -> Ready (its hello came, with our rows) -> Disconnected (end of file, error, or a packet
// that no helper sends).  An operation is queued, then sent, then answered; on the way to Disconnected those sent are interrupted and those
// queued stay, for a helper that is restarted answers them within HELPER_WAIT_MS.
#include "unpriv/posternd/helper_client.h"

#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <unistd.h>

#include "unpriv/common/log.h"
#include "unpriv/posternd/daemon.h"
#include "unpriv/posternd/helper_packet.h"
#include "unpriv/posternd/mem.h"

enum link_state { LINK_NONE, LINK_GREETING, LINK_READY };

struct op {
	TAILQ_ENTRY(op) link;
	uint32_t id;
	enum op_id op;
	bool sent;
	uint64_t queued_ns;
	priv_cb *done;
	void *arg;
	struct helper_packet packet; // freed once sent
};

TAILQ_HEAD(ops, op);

static struct {
	struct event_base *base;
	enum link_state state;
	int fd;
	struct event *read_event, *write_event, *clock;
	struct ops queued, sent;
	unsigned count;
	uint32_t next_id;
	void (*ready)(void *arg);
	void *ready_arg;
	void (*gone)(bool malformed);
} client = {.fd = -1};

static void finish(struct op *o, const struct priv_reply *r)
{
	TAILQ_REMOVE(o->sent ? &client.sent : &client.queued, o, link);
	client.count--;
	helper_packet_finish(&o->packet);
	o->done(o->arg, r);
	free(o);
}

static void interrupt_op(struct op *o)
{
	struct priv_reply r = {.outcome = PRIV_INTERRUPTED, .op = o->op, .rule = ""};

	finish(o, &r);
}

static void forget_events(void)
{
	if (client.read_event != NULL)
		event_free(client.read_event);
	if (client.write_event != NULL)
		event_free(client.write_event);
	client.read_event = client.write_event = NULL;
}

static void disconnect(bool malformed)
{
	struct op *o;

	if (client.state == LINK_NONE)
		return;
	client.state = LINK_NONE;
	forget_events();
	close(client.fd);
	client.fd = -1;
	// A callback may start new operations; they go to `queued` and wait for the next helper.
	while ((o = TAILQ_FIRST(&client.sent)) != NULL)
		interrupt_op(o);
	if (client.gone != NULL)
		client.gone(malformed);
}

static void broken(const char *what)
{
	log_error("helper sent a malformed packet", "what=%s", what);
	disconnect(true);
}

// Sends what is queued until the socket is full.
static void flush(void)
{
	struct op *o;

	while (client.state == LINK_READY && (o = TAILQ_FIRST(&client.queued)) != NULL) {
		if (!helper_packet_send(client.fd, &o->packet)) {
			if (errno == EAGAIN || errno == ENOBUFS)
				event_add(client.write_event, NULL);
			else
				disconnect(false);
			return;
		}
		TAILQ_REMOVE(&client.queued, o, link);
		o->sent = true;
		TAILQ_INSERT_TAIL(&client.sent, o, link);
		helper_packet_finish(&o->packet);
	}
}

static void on_writable(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)arg;
	flush();
}

static struct op *find_sent(uint32_t id)
{
	struct op *o;

	TAILQ_FOREACH(o, &client.sent, link)
	if (o->id == id)
		return o;
	return NULL;
}

static void on_hello(const uint8_t *buf, size_t len)
{
	const char *wrong = helper_packet_check_hello(buf, len);

	if (wrong != NULL) {
		broken(wrong);
		return;
	}
	client.state = LINK_READY;
	log_info("helper is ready", NULL);
	if (client.ready != NULL)
		client.ready(client.ready_arg);
	flush();
}

static void on_answer(const uint8_t *buf, size_t len, int *fds, unsigned nfds)
{
	struct helper_answer a;
	uint32_t id;
	struct op *o = helper_packet_answer_id(buf, len, &id) ? find_sent(id) : NULL;
	const char *wrong = o == NULL ? "answer to nothing" : helper_packet_read(buf, len, o->op, nfds, &a);

	if (wrong != NULL) {
		broken(wrong);
		return;
	}
	struct priv_reply r = {PRIV_ANSWERED, o->op, a.status, a.status == OPS_OK ? &a.res : NULL, a.failure.err, a.failure.rule, fds};
	finish(o, &r);
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
	static uint8_t buf[HELPER_MAX_PACKET];
	int fds[HELPER_MAX_FDS];
	unsigned nfds;
	ssize_t n;

	(void)what;
	(void)arg;
	// Bounded, so that other connections have their turn; a callback may end the connection.
	for (int i = 0; i < 64 && client.fd == (int)fd; i++) {
		n = helper_packet_receive((int)fd, buf, sizeof(buf), fds, &nfds);
		if (n < 0 && errno == EAGAIN)
			return;
		if (n < 0 && errno == EMSGSIZE)
			broken("packet too long");
		else if (n <= 0)
			disconnect(false);
		else if (client.state == LINK_GREETING)
			on_hello(buf, (size_t)n);
		else
			on_answer(buf, (size_t)n, fds, nfds);
		for (unsigned k = 0; k < HELPER_MAX_FDS; k++)
			if (fds[k] >= 0)
				close(fds[k]);
	}
}

void helper_client_attach(int fd)
{
	disconnect(false);
	fcntl(fd, F_SETFL, O_NONBLOCK);
	client.fd = fd;
	client.state = LINK_GREETING;
	client.read_event = event_new(client.base, fd, EV_READ | EV_PERSIST, on_readable, NULL);
	client.write_event = event_new(client.base, fd, EV_WRITE, on_writable, NULL);
	if (client.read_event == NULL || client.write_event == NULL || event_add(client.read_event, NULL) != 0 || !helper_packet_send_hello(fd))
		disconnect(false);
}

static void on_clock(evutil_socket_t fd, short what, void *arg)
{
	struct op *o;
	uint64_t now = now_ns();

	(void)fd;
	(void)what;
	(void)arg;
	while (client.state != LINK_READY && (o = TAILQ_FIRST(&client.queued)) != NULL && now - o->queued_ns > HELPER_WAIT_MS * UINT64_C(1000000))
		interrupt_op(o);
}

int priv_call(enum op_id op, const void *args, const int *fds, priv_cb *done, void *arg)
{
	struct op *o;
	int err;

	if (client.count >= HELPER_IN_FLIGHT)
		return EAGAIN;
	o = xcalloc(1, sizeof(*o));
	o->id = ++client.next_id != 0 ? client.next_id : ++client.next_id; // 0 is the hello's
	o->op = op;
	o->queued_ns = now_ns();
	o->done = done;
	o->arg = arg;
	err = helper_packet_pack(&o->packet, o->id, op, args, fds);
	if (err != 0) {
		free(o);
		return err;
	}
	TAILQ_INSERT_TAIL(&client.queued, o, link);
	client.count++;
	if (client.state == LINK_READY && TAILQ_FIRST(&client.queued) == o)
		event_active(client.write_event, EV_WRITE, 0); // sent from the loop: done must not run inside this call
	return 0;
}

int priv_take(const struct priv_reply *r, unsigned i)
{
	int fd = -1;

	if (r->fds != NULL && i < HELPER_MAX_FDS) {
		fd = r->fds[i];
		r->fds[i] = -1;
	}
	return fd;
}

const char *priv_error(const struct priv_reply *r)
{
	static char text[256];

	if (r->outcome == PRIV_INTERRUPTED)
		return "interrupted: the privileged helper ended or didn't come back";
	snprintf(text, sizeof(text), "%s: %s%s%s%s%s", op_rows[r->op].name, op_status_name(r->status), r->rule[0] != '\0' ? " (" : "", r->rule,
	         r->rule[0] != '\0' ? ")" : "", r->err != 0 ? ": " : "");
	if (r->err != 0)
		snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s", strerror((int)r->err));
	return text;
}

bool helper_client_start(struct event_base *base)
{
	struct timeval tick = {.tv_usec = 500000};

	TAILQ_INIT(&client.queued);
	TAILQ_INIT(&client.sent);
	client.base = base;
	client.clock = event_new(base, -1, EV_PERSIST, on_clock, NULL);
	return client.clock != NULL && event_add(client.clock, &tick) == 0;
}

bool helper_client_ready(void)
{
	return client.state == LINK_READY;
}

void helper_client_on_ready(void (*ready)(void *arg), void *arg)
{
	client.ready = ready;
	client.ready_arg = arg;
}

void helper_client_on_gone(void (*gone)(bool malformed))
{
	client.gone = gone;
}

void helper_client_stop(void)
{
	struct op *o;

	client.gone = NULL;
	client.ready = NULL;
	disconnect(false);
	while ((o = TAILQ_FIRST(&client.queued)) != NULL)
		interrupt_op(o);
	if (client.clock != NULL)
		event_free(client.clock);
	client.clock = NULL;
}
