// Framing of vhost-user: a 12-byte header in native byte order, its payload, descriptors with the first byte.
//
// A message is read exactly, header first, so that bytes and descriptors of the next one stay in the socket. A message
// may come in any pieces; what is there is kept in struct vu_msg.

#include "unpriv/vsock/vumsg.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#define VERSION_MASK 3U
#define VERSION      1U
#define REPLY        4U

_Static_assert(sizeof(struct vu_header) == 12 && sizeof(struct vu_addr) == 40 && sizeof(struct mem_wire) == 32, "wire layout");

// Keeps what fits and closes the rest. False when there were too many.
static int keep_fds(struct vu_msg *msg, const struct cmsghdr *c)
{
	size_t n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
	int all = 1;

	for (size_t i = 0; i < n; i++) {
		int fd;
		memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(fd));
		if (msg->fds < VU_FDS_MAX) {
			msg->fd[msg->fds++] = fd;
		} else {
			close(fd);
			all = 0;
		}
	}
	return all;
}

// Up to n bytes to `to`, with their descriptors. Bytes, 0 for end of file, -EAGAIN, or another -errno.
static ssize_t recv_part(int sock, struct vu_msg *msg, void *to, size_t n)
{
	union {
		char bytes[CMSG_SPACE(VU_FDS_MAX * sizeof(int))];
		struct cmsghdr align;
	} control;
	struct iovec iov = {to, n};
	struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control.bytes, .msg_controllen = sizeof(control.bytes)};

	ssize_t got = recvmsg(sock, &m, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	if (got < 0)
		return -errno;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&m); c != NULL; c = CMSG_NXTHDR(&m, c))
		if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS && !keep_fds(msg, c))
			return -EMSGSIZE;
	return (m.msg_flags & MSG_CTRUNC) != 0 ? -EMSGSIZE : got;
}

enum vu_recv vumsg_recv(int sock, struct vu_msg *msg)
{
	const size_t head = sizeof(msg->header);

	for (;;) {
		size_t want = msg->have < head ? head : head + msg->header.size;
		uint8_t *to = msg->have < head ? (uint8_t *)&msg->header + msg->have : msg->payload + (msg->have - head);
		ssize_t n = recv_part(sock, msg, to, want - msg->have);
		if (n == -EAGAIN)
			return VU_AGAIN;
		if (n <= 0)
			return n == 0 && msg->have == 0 ? VU_CLOSED : VU_PROTOCOL;
		msg->have += (size_t)n;
		if (msg->have < head)
			continue;
		if ((msg->header.flags & VERSION_MASK) != VERSION || (msg->header.flags & REPLY) != 0 || msg->header.size > VU_PAYLOAD_MAX)
			return VU_PROTOCOL;
		if (msg->have == head + msg->header.size)
			return VU_MESSAGE;
	}
}

int vumsg_take_fd(struct vu_msg *msg)
{
	if (msg->fds != 1)
		return -1;
	msg->fds = 0;
	return msg->fd[0];
}

void vumsg_clear(struct vu_msg *msg)
{
	for (unsigned i = 0; i < msg->fds; i++)
		close(msg->fd[i]);
	msg->fds = 0;
	msg->have = 0;
	msg->header = (struct vu_header){0};
}

int vumsg_reply(int sock, const struct vu_msg *msg, const void *payload, uint32_t size)
{
	struct vu_header header = {.request = msg->header.request, .flags = VERSION | REPLY, .size = size};
	struct iovec iov[2] = {{&header, sizeof(header)}, {(void *)(uintptr_t)payload, size}};
	struct msghdr m = {.msg_iov = iov, .msg_iovlen = 2};

	return sendmsg(sock, &m, MSG_NOSIGNAL | MSG_DONTWAIT) == (ssize_t)(sizeof(header) + size) ? 0 : -1;
}
