// Packets for the guest, one per buffer it gave: first resets that are owed, then the ready connections in turn.
//
// A payload goes from the host's socket into guest memory by one recvmsg, with the header written in front of it when
// its length is known. SHUTDOWN is said after the last byte. Every packet carries our credit.

#include <errno.h>
#include <sys/socket.h>

#include "unpriv/vsock/mux_parts.h"

bool mux_has_more(const struct mux *m)
{
	return m->reset_count > 0 || !TAILQ_EMPTY(&m->ready);
}

static size_t put(const struct chain *to, const struct packet *p)
{
	uint8_t header[PACKET_HEADER];

	packet_encode(p, header);
	return chain_write(to, header, sizeof(header)) ? sizeof(header) + p->len : 0;
}

static size_t put_reset(struct mux *m, const struct chain *to)
{
	const struct reset *r = &m->reset[m->reset_head];
	const struct packet p = {
	    .src_cid = CID_HOST, .dst_cid = m->cid, .src_port = r->host_port, .dst_port = r->guest_port, .type = r->type, .op = OP_RST};

	m->reset_head = (m->reset_head + 1) % RST_QUEUE;
	m->reset_count--;
	return put(to, &p);
}

static size_t put_op(struct mux *m, struct conn *c, const struct chain *to, enum packet_op op, uint32_t len, uint32_t flags)
{
	const struct packet p = {.src_cid = CID_HOST,
	                         .dst_cid = m->cid,
	                         .src_port = c->host_port,
	                         .dst_port = c->guest_port,
	                         .len = len,
	                         .type = TYPE_STREAM,
	                         .op = (uint16_t)op,
	                         .flags = flags,
	                         .buf_alloc = (uint32_t)c->backlog.size,
	                         .fwd_cnt = c->forwarded};

	c->forwarded_told = c->forwarded;
	c->pending &= ~(unsigned)PEND_CREDIT;
	return put(to, &p);
}

static bool wants_bytes(const struct conn *c)
{
	return c->state == CONN_OPEN && c->readable && !c->eof && (c->shut_guest & SHUT_NO_RECEIVE) == 0;
}

// End of file, or an error, which on a Unix socket means that the peer is gone.
static void host_ended(struct mux *m, struct conn *c)
{
	c->eof = true;
	if (c->hung_up) {
		mux_linger(m, c);
		return;
	}
	c->shut_host |= SHUT_NO_SEND;
	mux_say(m, c, PEND_SHUTDOWN);
}

static size_t put_bytes(struct mux *m, struct conn *c, const struct chain *to)
{
	static struct iovec iov[CHAIN_IOV_MAX];
	size_t len, max = conn_credit(c) < PACKET_DATA_MAX ? conn_credit(c) : PACKET_DATA_MAX;
	struct msghdr msg = {.msg_iov = iov, .msg_iovlen = chain_slice(to, PACKET_HEADER, max, iov, &len)};

	ssize_t n = recvmsg(c->fd, &msg, MSG_DONTWAIT);
	if (n > 0) {
		c->sent += (uint32_t)n;
		return put_op(m, c, to, OP_RW, (uint32_t)n, 0);
	}
	if (n < 0 && errno == EAGAIN) {
		c->readable = false;
		return 0;
	}
	c->hung_up |= n < 0;
	host_ended(m, c);
	return 0;
}

static bool take_pending(struct conn *c, enum conn_pending bit)
{
	bool set = (c->pending & (unsigned)bit) != 0;

	c->pending &= ~(unsigned)bit;
	return set;
}

// The next packet of c, or 0. Changes c's state but doesn't free it.
static size_t produce(struct mux *m, struct conn *c, const struct chain *to)
{
	size_t n = 0;

	if (take_pending(c, PEND_REQUEST))
		return put_op(m, c, to, OP_REQUEST, 0, 0);
	if (take_pending(c, PEND_RESPONSE))
		return put_op(m, c, to, OP_RESPONSE, 0, 0);
	if (wants_bytes(c)) {
		if (conn_credit(c) > 0)
			n = put_bytes(m, c, to);
		else if (!c->begged)
			c->pending |= PEND_BEG;
	}
	if (n > 0)
		return n;
	if (take_pending(c, PEND_SHUTDOWN))
		return put_op(m, c, to, OP_SHUTDOWN, 0, c->shut_host);
	if (take_pending(c, PEND_BEG)) {
		c->begged = true;
		return put_op(m, c, to, OP_CREDIT_REQUEST, 0, 0);
	}
	if (take_pending(c, PEND_CREDIT))
		return put_op(m, c, to, OP_CREDIT_UPDATE, 0, 0);
	return 0;
}

size_t mux_to_guest(struct mux *m, const struct chain *to)
{
	struct conn *c;

	if (m->reset_count > 0)
		return put_reset(m, to);
	while ((c = TAILQ_FIRST(&m->ready)) != NULL) {
		size_t n = produce(m, c, to);
		mux_unready(m, c);
		if (c->pending != 0 || (wants_bytes(c) && (conn_credit(c) > 0 || !c->begged)))
			mux_say(m, c, 0); // to the end of the list: the others first
		if (n > 0)
			return n;
	}
	return 0;
}
