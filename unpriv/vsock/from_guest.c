// Packets from the guest.
//
// The header given here is a private copy, the payload lies in guest memory and is only ever copied on. What the guest
// may say depends on the connection's state; anything else ends that connection with RST, except that RST is never
// answered with RST: two sides that do will never stop.

#include <sys/socket.h>
#include <unistd.h>

#include "unpriv/vsock/mux_parts.h"

static void answer_stray(struct mux *m, const struct packet *p)
{
	if (p->op != OP_RST)
		mux_reset_pair(m, p->dst_port, p->src_port, p->type);
}

static void guest_connects(struct mux *m, const struct packet *p)
{
	int fd = host_connect(m, p->dst_port);
	struct conn *c = fd < 0 ? NULL : table_new(&m->table, fd, CONN_OPEN);

	if (c == NULL) {
		if (fd >= 0)
			close(fd);
		answer_stray(m, p);
		return;
	}
	conn_peer_credit(c, p);
	// The pair is free: mux_from_guest looked.
	if (!table_bind(&m->table, c, p->dst_port, p->src_port) || !mux_watch(m, c)) {
		answer_stray(m, p);
		mux_free(m, c);
		return;
	}
	mux_say(m, c, PEND_RESPONSE);
}

static void guest_answers(struct mux *m, struct conn *c)
{
	mux_disarm(c);
	c->state = CONN_OPEN;
	host_answer(c);
	mux_say(m, c, 0);
}

static void guest_shuts_down(struct mux *m, struct conn *c, uint32_t flags)
{
	c->shut_guest |= flags & SHUT_ALL;
	if ((c->shut_guest & SHUT_NO_RECEIVE) != 0)
		shutdown(c->fd, SHUT_RD); // a host that writes on learns it by EPIPE
	if (c->hung_up && c->shut_guest == SHUT_NO_RECEIVE)
		mux_linger(m, c); // neither side takes anything any more
	else
		mux_flush(m, c);
}

static void on_asked(struct mux *m, struct conn *c, const struct packet *p)
{
	if (p->op == OP_RST)
		mux_free(m, c); // refused: the host sees end of file and no OK
	else if (p->op == OP_RESPONSE && (c->pending & PEND_REQUEST) == 0)
		guest_answers(m, c);
	else
		mux_kill(m, c);
}

static void on_open(struct mux *m, struct conn *c, const struct packet *p, struct iovec *payload, unsigned count)
{
	switch (p->op) {
	case OP_RW:
		if ((c->shut_guest & SHUT_NO_SEND) != 0)
			mux_kill(m, c);
		else
			mux_to_host(m, c, payload, count, p->len);
		break;
	case OP_SHUTDOWN: guest_shuts_down(m, c, p->flags); break;
	case OP_RST: mux_drain(m, c); break;
	case OP_CREDIT_REQUEST: mux_say(m, c, PEND_CREDIT); break;
	case OP_CREDIT_UPDATE: break;
	default: mux_kill(m, c);
	}
}

// The host is gone. Bytes that crossed our SHUTDOWN are dropped; the guest's own shutdown asks for the RST.
static void on_linger(struct mux *m, struct conn *c, const struct packet *p)
{
	if (p->op == OP_RST)
		mux_free(m, c);
	else if (p->op == OP_SHUTDOWN && (c->shut_guest |= p->flags & SHUT_ALL) == SHUT_ALL)
		mux_kill(m, c);
	else if (p->op == OP_REQUEST || p->op == OP_RESPONSE)
		mux_kill(m, c);
}

void mux_from_guest(struct mux *m, const struct packet *p, struct iovec *payload, unsigned count, bool whole)
{
	// As the kernel's own vhost-vsock: what isn't from this guest or not for the host has no one to answer to.
	if (p->src_cid != m->cid || p->dst_cid != CID_HOST)
		return;
	struct conn *c = table_find(&m->table, p->dst_port, p->src_port);
	if (p->type != TYPE_STREAM || (c == NULL && p->op != OP_REQUEST)) {
		answer_stray(m, p);
		return;
	}
	if (c == NULL) {
		guest_connects(m, p);
		return;
	}
	if (!whole && p->op == OP_RW) {
		mux_kill(m, c);
		return;
	}
	if (conn_peer_credit(c, p) && c->state == CONN_OPEN && c->readable)
		mux_say(m, c, 0);
	switch (c->state) {
	case CONN_ASKED: on_asked(m, c, p); break;
	case CONN_OPEN: on_open(m, c, p, payload, count); break;
	case CONN_LINGER: on_linger(m, c, p); break;
	case CONN_FREE:
	case CONN_LINE:
	case CONN_DRAIN: break; // have no name, so they aren't found
	}
}
