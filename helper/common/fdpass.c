// Packets with descriptors.  See fdpass.h.
#include "helper/common/fdpass.h"

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

// Room for the header and exactly FDPASS_MAX descriptors: the kernel says MSG_CTRUNC for one more.
union control {
	struct cmsghdr align;
	char room[CMSG_SPACE(FDPASS_MAX * sizeof(int))];
};

void fdpass_close(int *fds, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		if (fds[i] >= 0)
			close(fds[i]);
		fds[i] = -1;
	}
}

// Takes the descriptors out of m.  Returns false when there is anything else in its control data.
static bool take(struct msghdr *m, int *fds, unsigned *nfds)
{
	bool clean = true;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c != NULL; c = CMSG_NXTHDR(m, c)) {
		size_t n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);

		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS || n > FDPASS_MAX - *nfds) {
			clean = false;
			continue;
		}
		memcpy(fds + *nfds, CMSG_DATA(c), n * sizeof(int));
		*nfds += (unsigned)n;
	}
	return clean;
}

// recvmsg() says 0 for an empty packet as well as for the end; after the end the socket is hung up.
static bool hung_up(int sock)
{
	struct pollfd p = {.fd = sock, .events = POLLRDHUP};

	return poll(&p, 1, 0) == 1 && (p.revents & (POLLHUP | POLLRDHUP | POLLERR)) != 0;
}

ssize_t fdpass_recv(int sock, void *buf, size_t cap, int *fds, unsigned *nfds, int flags)
{
	union control control;
	struct iovec v = {.iov_base = buf, .iov_len = cap};
	struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control)};
	ssize_t n;

	*nfds = 0;
	for (unsigned i = 0; i < FDPASS_MAX; i++)
		fds[i] = -1;
	do
		n = recvmsg(sock, &m, flags | MSG_CMSG_CLOEXEC);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -1;
	if (take(&m, fds, nfds) && (m.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) == 0 && (n > 0 || (*nfds == 0 && hung_up(sock))))
		return n;
	fdpass_close(fds, *nfds);
	*nfds = 0;
	errno = EPROTO;
	return -1;
}

int fdpass_send(int sock, const void *buf, size_t len, const int *fds, unsigned nfds, int flags)
{
	union control control;
	struct iovec v = {.iov_base = (void *)(uintptr_t)buf, .iov_len = len};
	struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1};
	ssize_t n;

	if (nfds > 0) {
		memset(&control, 0, sizeof(control));
		m.msg_control = &control;
		m.msg_controllen = CMSG_SPACE(nfds * sizeof(int));
		struct cmsghdr *c = CMSG_FIRSTHDR(&m);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(nfds * sizeof(int));
		memcpy(CMSG_DATA(c), fds, nfds * sizeof(int));
	}
	do
		n = sendmsg(sock, &m, flags | MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -1 : 0;
}
