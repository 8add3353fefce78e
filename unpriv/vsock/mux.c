// Lives and deaths of connections, deadlines, and events of the host's sockets.
//
// Sockets are watched edge-triggered and once: an event only sets flags in the connection, EAGAIN clears them, so an idle
// or a blocked connection costs no system call and can't spin. A connection is in the ready list while the guest may have
// to hear something of it; to_guest.c takes it from there, one packet at a time, round robin.
//
// Both deadlines are constants, so each list is sorted by being appended to.
//
// Both sides gone at different times:
//   the guest shuts down both ways   its bytes go to the host first, then RST answers it and the host's socket closes
//   the guest resets                 the same without the answer (CONN_DRAIN)
//   the host closes                  its bytes go to the guest first, then SHUTDOWN of both ways and LINGER for the RST
// A half-close of either side is passed on alone, after the bytes before it.

#include "unpriv/vsock/mux_parts.h"

#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

void mux_init(struct mux *m, uint64_t cid, int epoll, int listener)
{
	socklen_t len = sizeof(m->name);

	memset(m, 0, sizeof(*m));
	table_init(&m->table);
	m->cid = cid;
	m->epoll = epoll;
	m->listener = listener;
	TAILQ_INIT(&m->ready);
	TAILQ_INIT(&m->asking);
	TAILQ_INIT(&m->lingering);
	if (getsockname(listener, (struct sockaddr *)&m->name, &len) == 0 && m->name.sun_family == AF_UNIX && len > sizeof(sa_family_t))
		m->name_len = strnlen(m->name.sun_path, sizeof(m->name.sun_path));
}

void mux_finish(struct mux *m)
{
	for (unsigned i = 0; i < TABLE_CONNS; i++)
		if (m->table.conn[i].state != CONN_FREE)
			mux_free(m, &m->table.conn[i]);
}

void mux_say(struct mux *m, struct conn *c, unsigned pending)
{
	c->pending |= pending;
	if (c->is_ready)
		return;
	TAILQ_INSERT_TAIL(&m->ready, c, ready);
	c->is_ready = true;
}

void mux_unready(struct mux *m, struct conn *c)
{
	if (c->is_ready)
		TAILQ_REMOVE(&m->ready, c, ready);
	c->is_ready = false;
}

void mux_arm(struct mux *m, struct conn *c, struct conn_list *list, uint64_t delay_ms)
{
	mux_disarm(c);
	c->deadline_ms = m->now_ms + delay_ms;
	c->timers = list;
	TAILQ_INSERT_TAIL(list, c, timer);
}

void mux_disarm(struct conn *c)
{
	if (c->timers != NULL)
		TAILQ_REMOVE(c->timers, c, timer);
	c->timers = NULL;
}

void mux_free(struct mux *m, struct conn *c)
{
	mux_unready(m, c);
	mux_disarm(c);
	table_free(&m->table, c);
}

void mux_kill(struct mux *m, struct conn *c)
{
	mux_reset_pair(m, c->host_port, c->guest_port, TYPE_STREAM);
	mux_free(m, c);
}

// A guest that gives no buffers and floods us with strays gets no more than the queue holds; it will stray again.
// Waiting for it instead would deadlock: Linux stops giving buffers while its own replies can't leave.
void mux_reset_pair(struct mux *m, uint32_t host_port, uint32_t guest_port, uint16_t type)
{
	if (m->reset_count == RST_QUEUE)
		return;
	m->reset[(m->reset_head + m->reset_count++) % RST_QUEUE] = (struct reset){host_port, guest_port, type};
}

void mux_drain(struct mux *m, struct conn *c)
{
	if (c->backlog.used == 0) {
		mux_free(m, c);
		return;
	}
	mux_unready(m, c);
	mux_disarm(c);
	table_unbind(&m->table, c);
	c->state = CONN_DRAIN;
}

void mux_linger(struct mux *m, struct conn *c)
{
	close(c->fd);
	c->fd = -1;
	conn_drop_backlog(c);
	c->state = CONN_LINGER;
	c->shut_host = SHUT_ALL;
	mux_arm(m, c, &m->lingering, LINGER_MS);
	mux_say(m, c, PEND_SHUTDOWN);
}

// After bytes went to the host, or couldn't. Says what follows from that to both sides; may free c.
static void after_write(struct mux *m, struct conn *c, enum to_host result)
{
	if (result == TO_HOST_OVERRUN || result == TO_HOST_NOMEM) {
		mux_kill(m, c);
		return;
	}
	if (c->state == CONN_DRAIN) {
		if (c->backlog.used == 0)
			mux_free(m, c);
		return;
	}
	if (c->backlog.used == 0 && c->shut_guest == SHUT_ALL) {
		mux_kill(m, c); // RST is what confirms the guest's close
		return;
	}
	if (result == TO_HOST_GONE && (c->eof || (c->shut_guest & SHUT_NO_RECEIVE) != 0)) {
		mux_linger(m, c);
		return;
	}
	if (result == TO_HOST_GONE && (c->shut_host & SHUT_NO_RECEIVE) == 0) {
		c->shut_host |= SHUT_NO_RECEIVE;
		mux_say(m, c, PEND_SHUTDOWN);
	}
	if (c->backlog.used == 0 && (c->shut_guest & SHUT_NO_SEND) != 0)
		shutdown(c->fd, SHUT_WR);
	if (conn_credit_due(c))
		mux_say(m, c, PEND_CREDIT);
}

void mux_to_host(struct mux *m, struct conn *c, struct iovec *iov, unsigned count, size_t len)
{
	after_write(m, c, conn_to_host(c, iov, count, len));
}

void mux_flush(struct mux *m, struct conn *c)
{
	after_write(m, c, conn_flush(c));
}

uint64_t mux_tag(const struct mux *m, const struct conn *c)
{
	return (uint64_t)c->generation << 32 | table_index(&m->table, c);
}

bool mux_watch(struct mux *m, struct conn *c)
{
	struct epoll_event e = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, .data.u64 = mux_tag(m, c)};

	return epoll_ctl(m->epoll, EPOLL_CTL_ADD, c->fd, &e) == 0;
}

static void open_event(struct mux *m, struct conn *c)
{
	// Nothing can be read any more that anybody wants, or all has been read: the host's close is complete.
	if (c->hung_up && c->shut_guest == SHUT_ALL) {
		mux_kill(m, c); // the guest has closed before, and waits for this
		return;
	}
	if (c->hung_up && (c->eof || (c->shut_guest & SHUT_NO_RECEIVE) != 0)) {
		mux_linger(m, c);
		return;
	}
	if (c->readable && !c->eof)
		mux_say(m, c, 0);
	if (c->backlog.used > 0 && c->writable)
		mux_flush(m, c);
}

void mux_event(struct mux *m, uint64_t tag, uint32_t events)
{
	struct conn *c = table_event(&m->table, (uint32_t)tag, (uint32_t)(tag >> 32));

	if (c == NULL)
		return;
	c->hung_up |= (events & (EPOLLHUP | EPOLLERR)) != 0;
	c->readable |= (events & (EPOLLIN | EPOLLRDHUP)) != 0 || c->hung_up;
	c->writable |= (events & EPOLLOUT) != 0 || c->hung_up;
	switch (c->state) {
	case CONN_LINE: host_read_line(m, c); break;
	case CONN_OPEN: open_event(m, c); break;
	case CONN_DRAIN: mux_flush(m, c); break;
	case CONN_ASKED:  // even a client that closed already may have sent bytes to deliver; the deadline bounds it
	case CONN_LINGER: // has no socket
	case CONN_FREE: break;
	}
}

void mux_tick(struct mux *m, uint64_t now_ms)
{
	struct conn *c;

	m->now_ms = now_ms;
	while ((c = TAILQ_FIRST(&m->asking)) != NULL && c->deadline_ms <= now_ms)
		if (c->state == CONN_ASKED && (c->pending & PEND_REQUEST) == 0)
			mux_kill(m, c);
		else
			mux_free(m, c);
	while ((c = TAILQ_FIRST(&m->lingering)) != NULL && c->deadline_ms <= now_ms)
		mux_kill(m, c);
}

int mux_timeout(const struct mux *m)
{
	const struct conn *a = TAILQ_FIRST(&m->asking), *l = TAILQ_FIRST(&m->lingering);
	uint64_t first = UINT64_MAX;

	if (m->accept_more)
		return 0;
	if (a != NULL)
		first = a->deadline_ms;
	if (l != NULL && l->deadline_ms < first)
		first = l->deadline_ms;
	if (first == UINT64_MAX)
		return -1;
	return first <= m->now_ms ? 0 : (int)(first - m->now_ms);
}

void mux_guest_reset(struct mux *m)
{
	m->reset_count = 0;
	for (unsigned i = 0; i < TABLE_CONNS; i++) {
		struct conn *c = &m->table.conn[i];
		switch (c->state) {
		case CONN_ASKED: mux_say(m, c, PEND_REQUEST); break;
		case CONN_OPEN: mux_drain(m, c); break;
		case CONN_LINGER: mux_free(m, c); break;
		case CONN_FREE:
		case CONN_LINE:
		case CONN_DRAIN: break;
		}
	}
}
