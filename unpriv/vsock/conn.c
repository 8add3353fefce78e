// Credit and backlog of one connection.
//
// Each side says how much buffer it has for the connection (buf_alloc) and how many bytes it has passed on (fwd_cnt), in
// counters that wrap at 2^32; what it may send is buf_alloc - (sent - fwd_cnt). A byte from the guest is "forwarded" when
// the host's socket took it, not before, so the guest can never have more under way than the window we advertised, and
// the backlog needs no bound of its own: more than the window is the guest's breach and ends the connection.
//
// A payload goes from guest memory to the host's socket by one sendmsg; only what the socket doesn't take is copied.

#include "unpriv/vsock/conn.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>

uint32_t conn_credit(const struct conn *c)
{
	uint32_t under_way = c->sent - c->peer_fwd;

	return under_way >= c->peer_alloc ? 0 : c->peer_alloc - under_way;
}

bool conn_peer_credit(struct conn *c, const struct packet *p)
{
	bool had = conn_credit(c) != 0;

	c->peer_alloc = p->buf_alloc;
	c->peer_fwd = p->fwd_cnt;
	c->begged = false;
	return !had && conn_credit(c) != 0;
}

bool conn_credit_due(const struct conn *c)
{
	return c->forwarded - c->forwarded_told >= c->backlog.size / 4;
}

ssize_t conn_send(int fd, struct iovec *iov, unsigned count)
{
	struct msghdr m = {.msg_iov = iov, .msg_iovlen = count};
	ssize_t n = sendmsg(fd, &m, MSG_NOSIGNAL | MSG_DONTWAIT);

	if (n >= 0)
		return n;
	return errno == EAGAIN ? 0 : -1; // there are no signal handlers, so no EINTR
}

// Drops the first n bytes of an array; returns the entries left, which start at *iov.
static unsigned iov_advance(struct iovec **iov, unsigned count, size_t n)
{
	while (count > 0 && n >= (*iov)->iov_len) {
		n -= (*iov)->iov_len;
		(*iov)++;
		count--;
	}
	if (count > 0) {
		(*iov)->iov_base = (uint8_t *)(*iov)->iov_base + n;
		(*iov)->iov_len -= n;
	}
	return count;
}

static bool backlog_map(struct backlog *b)
{
	if (b->bytes != NULL)
		return true;
	void *p = mmap(NULL, b->size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (p == MAP_FAILED)
		return false;
	b->bytes = p;
	return true;
}

static void backlog_put(struct backlog *b, const uint8_t *from, size_t n)
{
	size_t tail = (b->head + b->used) % b->size;
	size_t first = n < b->size - tail ? n : b->size - tail;

	memcpy(b->bytes + tail, from, first);
	memcpy(b->bytes, from + first, n - first);
	b->used += n;
}

void conn_drop_backlog(struct conn *c)
{
	struct backlog *b = &c->backlog;

	c->forwarded += (uint32_t)b->used;
	if (b->bytes != NULL)
		munmap(b->bytes, b->size);
	b->bytes = NULL;
	b->head = 0;
	b->used = 0;
}

enum to_host conn_flush(struct conn *c)
{
	struct backlog *b = &c->backlog;

	while (b->used > 0 && c->writable) {
		size_t first = b->used < b->size - b->head ? b->used : b->size - b->head;
		struct iovec iov[2] = {{b->bytes + b->head, first}, {b->bytes, b->used - first}};
		ssize_t n = conn_send(c->fd, iov, 2);
		if (n < 0) {
			conn_drop_backlog(c);
			return TO_HOST_GONE;
		}
		c->writable = n != 0;
		c->forwarded += (uint32_t)n;
		b->head = (b->head + (size_t)n) % b->size;
		b->used -= (size_t)n;
	}
	if (b->used == 0)
		b->head = 0; // start over at the first page: a long-lived connection touches no more than it needs
	return TO_HOST_OK;
}

enum to_host conn_to_host(struct conn *c, struct iovec *iov, unsigned count, size_t len)
{
	struct backlog *b = &c->backlog;

	if (len > b->size - b->used)
		return TO_HOST_OVERRUN;
	while (b->used == 0 && c->writable && len > 0) {
		ssize_t n = conn_send(c->fd, iov, count);
		if (n < 0) {
			c->forwarded += (uint32_t)len;
			return TO_HOST_GONE;
		}
		c->writable = n != 0;
		c->forwarded += (uint32_t)n;
		len -= (size_t)n;
		count = iov_advance(&iov, count, (size_t)n);
	}
	if (len == 0)
		return TO_HOST_OK;
	if (!backlog_map(b))
		return TO_HOST_NOMEM;
	for (; count > 0; iov++, count--)
		backlog_put(b, iov->iov_base, iov->iov_len);
	return TO_HOST_OK;
}
