// The net cell's system calls.  See sys.h.
#include "helper/net/sys.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <linux/landlock.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "helper/common/cell.h"
#include "helper/net/fds.h"

#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 0x0008U // linux/memfd.h since 6.3
#endif

#define BATCH_BYTES (32 << 20) // largest netlink datagram that we send: 20,000 firewall rules take about half of it

// Landlock's right to use ioctl on devices, of kernels newer than the build's headers; others drop it.
#define ACCESS_IOCTL_DEV (UINT64_C(1) << 15)
#define ACCESS_RW        ((uint64_t)(LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE))

static const struct {
	int dir;
	const char *name;
} sysctls[SYSCTL_MAX + 1] = {
    [SYSCTL_IP_FORWARD] = {NET_FD_IP4, "ip_forward"},
    [SYSCTL_IP6_FORWARD] = {NET_FD_IP6, "forwarding"},
};

// Moves fd to its fixed number, which the filter names.
static bool fix(int fd, int number)
{
	bool ok = fd >= 0 && dup3(fd, number, O_CLOEXEC) == number;

	if (fd >= 0)
		close(fd);
	return ok;
}

static bool netlink_open(int protocol, int number)
{
	const struct sockaddr_nl any = {.nl_family = AF_NETLINK};
	const struct timeval patience = {.tv_sec = 5};
	const int on = 1, big = BATCH_BYTES;
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol);

	return fd >= 0 && bind(fd, (const struct sockaddr *)&any, sizeof(any)) == 0 &&
	       setsockopt(fd, SOL_NETLINK, NETLINK_EXT_ACK, &on, sizeof(on)) == 0 &&
	       setsockopt(fd, SOL_NETLINK, NETLINK_CAP_ACK, &on, sizeof(on)) == 0 &&
	       (protocol != NETLINK_ROUTE || setsockopt(fd, SOL_NETLINK, NETLINK_GET_STRICT_CHK, &on, sizeof(on)) == 0) &&
	       setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &big, sizeof(big)) == 0 &&
	       setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)) == 0 && fix(fd, number);
}

// Lets no notification pass of what we ourselves changed: its nlmsg_pid is that of our socket.  A filter loads it in network byte order.
static bool pass_foreign(int fd, uint32_t ours)
{
	struct sock_filter f[] = {
	    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct nlmsghdr, nlmsg_pid)),
	    BPF_JUMP(BPF_JMP | BPF_K | BPF_JEQ, htonl(ours), 0, 1),
	    BPF_STMT(BPF_RET | BPF_K, 0),
	    BPF_STMT(BPF_RET | BPF_K, UINT32_MAX),
	};
	const struct sock_fprog program = {.len = sizeof(f) / sizeof(*f), .filter = f};

	return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)) == 0;
}

// In its group before any right is dropped: nobody can put it into another one later without that right.
static bool event_open(void)
{
	const struct sockaddr_nl group = {.nl_family = AF_NETLINK, .nl_groups = 1u << (NFNLGRP_NFTABLES - 1)};
	struct sockaddr_nl own = {0};
	socklen_t len = sizeof(own);
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_NETFILTER);

	return fd >= 0 && getsockname(NET_FD_NFT, (struct sockaddr *)&own, &len) == 0 && pass_foreign(fd, own.nl_pid) &&
	       bind(fd, (const struct sockaddr *)&group, sizeof(group)) == 0 && fix(fd, NET_FD_EVENT);
}

static bool directory_open(const char *path, int number)
{
	return fix(open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC), number);
}

bool sys_open_route(void)
{
	return netlink_open(NETLINK_ROUTE, NET_FD_ROUTE);
}

const char *sys_open(struct confine_path *paths, size_t *npaths)
{
	*npaths = 0;
	if (fcntl(CELL_FD_CHECKPOINTS, F_SETFD, FD_CLOEXEC) != 0)
		return "the checkpoints' file";
	if (!sys_open_route())
		return "rtnetlink";
	if (!netlink_open(NETLINK_NETFILTER, NET_FD_NFT))
		return "nfnetlink";
	if (!event_open())
		return "nfnetlink's events";
	if (!directory_open("/proc/sys/net/ipv4", NET_FD_IP4))
		return "/proc/sys/net/ipv4";
	paths[(*npaths)++] = (struct confine_path){CELL_FD_EXTRA, ACCESS_RW | ACCESS_IOCTL_DEV};
	paths[(*npaths)++] = (struct confine_path){NET_FD_IP4, ACCESS_RW};
	// A kernel without IPv6 has no such directory; its sysctl then says so.
	if (directory_open("/proc/sys/net/ipv6/conf/all", NET_FD_IP6))
		paths[(*npaths)++] = (struct confine_path){NET_FD_IP6, ACCESS_RW};
	if (directory_open("/proc/sys/net/ipv6/conf", NET_FD_CONF6))
		paths[(*npaths)++] = (struct confine_path){NET_FD_CONF6, ACCESS_RW};
	return NULL;
}

static int fd_of(enum sys_socket s)
{
	return s == SYS_ROUTE ? NET_FD_ROUTE : NET_FD_NFT;
}

int sys_send(enum sys_socket s, const void *buf, size_t len)
{
	return sys_stream_send(fd_of(s), buf, len);
}

int sys_stream_send(int fd, const void *buf, size_t len)
{
	struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};
	struct iovec v = {.iov_base = (void *)(uintptr_t)buf, .iov_len = len};
	struct msghdr m = {.msg_name = &kernel, .msg_namelen = sizeof(kernel), .msg_iov = &v, .msg_iovlen = 1};
	ssize_t n;

	do
		n = sendmsg(fd, &m, 0);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : 0;
}

static ssize_t receive(int fd, void *buf, size_t cap, bool wait)
{
	struct sockaddr_nl from;
	struct iovec v = {.iov_base = buf, .iov_len = cap};
	struct msghdr m = {.msg_name = &from, .msg_iov = &v, .msg_iovlen = 1};
	ssize_t n;

	do {
		m.msg_namelen = sizeof(from);
		n = recvmsg(fd, &m, wait ? 0 : MSG_DONTWAIT);
	} while ((n < 0 && errno == EINTR) || (n >= 0 && from.nl_pid != 0));
	if (n < 0)
		return errno == EAGAIN && wait ? -ETIMEDOUT : -errno;
	return (m.msg_flags & MSG_TRUNC) != 0 ? -EMSGSIZE : n;
}

ssize_t sys_receive(enum sys_socket s, void *buf, size_t cap, bool wait)
{
	return receive(fd_of(s), buf, cap, wait);
}

int sys_stream_open(void)
{
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER);

	return fd < 0 ? -errno : fd;
}

ssize_t sys_stream_receive(int fd, void *buf, size_t cap)
{
	ssize_t n = receive(fd, buf, cap, false);

	return n == -EAGAIN ? -EPROTO : n;
}

uint64_t sys_now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

int sys_event_socket(void)
{
	int fd = fcntl(NET_FD_EVENT, F_DUPFD_CLOEXEC, 0);

	return fd < 0 ? -errno : fd;
}

int sys_tap_open(const char *name, uint16_t flags)
{
	struct ifreq r;
	int fd = openat(CELL_FD_EXTRA, "tun", O_RDWR | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	memset(&r, 0, sizeof(r));
	memcpy(r.ifr_name, name, strnlen(name, sizeof(r.ifr_name) - 1));
	r.ifr_flags = (short)(IFF_TAP | IFF_NO_PI | flags);
	if (ioctl(fd, TUNSETIFF, &r) == 0)
		return fd;
	int err = errno;
	close(fd);
	return -err;
}

int sys_tap_owner(int fd, uint32_t uid)
{
	return ioctl(fd, TUNSETOWNER, (unsigned long)uid) == 0 ? 0 : -errno;
}

int sys_tap_persist(int fd, bool on)
{
	return ioctl(fd, TUNSETPERSIST, on ? 1ul : 0ul) == 0 ? 0 : -errno;
}

static int sysctl_open(enum sysctl_key key)
{
	int fd = openat(sysctls[key].dir, sysctls[key].name, O_RDWR | O_CLOEXEC);

	if (fd < 0)
		return errno == EBADF ? -ENOENT : -errno;
	return fd;
}

int sys_sysctl_get(enum sysctl_key key, bool *on)
{
	char c = 0;
	int fd = sysctl_open(key), err = 0;

	if (fd < 0)
		return fd;
	if (pread(fd, &c, 1, 0) != 1)
		err = errno == 0 ? -EIO : -errno;
	close(fd);
	*on = c != '0';
	return err;
}

int sys_sysctl_set(enum sysctl_key key, bool on)
{
	int fd = sysctl_open(key), err = 0;

	if (fd < 0)
		return fd;
	if (pwrite(fd, on ? "1" : "0", 1, 0) != 1)
		err = -errno;
	close(fd);
	return err;
}

// The name has been checked to be one component; a link in a directory of procfs there is none.
int sys_accept_ra(const char *device, bool *changed)
{
	char path[32], now = 0;
	int fd, err = 0;

	snprintf(path, sizeof(path), "%s/accept_ra", device);
	fd = openat(NET_FD_CONF6, path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return errno == EBADF ? -ENOENT : -errno;
	if (pread(fd, &now, 1, 0) != 1 || (now != '2' && pwrite(fd, "2", 1, 0) != 1))
		err = errno == 0 ? -EIO : -errno;
	close(fd);
	*changed = now != '2';
	return err;
}

int sys_read(int fd, void *buf, size_t len, off_t off)
{
	ssize_t n = pread(fd, buf, len, off);

	if (n < 0)
		return -errno;
	return (size_t)n == len ? 0 : -ENODATA;
}

int sys_memfd(void)
{
	int fd = memfd_create("postern-fw", MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_NOEXEC_SEAL);

	if (fd < 0 && errno == EINVAL) // before Linux 6.3
		fd = memfd_create("postern-fw", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	return fd < 0 ? -errno : fd;
}

int sys_append(int fd, const void *buf, size_t len)
{
	const char *p = buf;

	while (len > 0) {
		ssize_t n = write(fd, p, len);
		if (n < 0)
			return -errno;
		p += n;
		len -= (size_t)n;
	}
	return 0;
}

int sys_seal(int fd)
{
	return fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) == 0 ? 0 : -errno;
}

int sys_checkpoints_read(void *buf, size_t len, off_t off)
{
	return sys_read(CELL_FD_CHECKPOINTS, buf, len, off);
}

int sys_checkpoints_write(const void *buf, size_t len, off_t off)
{
	const char *at = buf;

	while (len > 0) {
		ssize_t n = pwrite(CELL_FD_CHECKPOINTS, at, len, off);

		if (n <= 0)
			return n == 0 ? -EIO : -errno;
		at += n;
		off += n;
		len -= (size_t)n;
	}
	return 0;
}

int sys_checkpoints_empty(void)
{
	return ftruncate(CELL_FD_CHECKPOINTS, 0) == 0 ? 0 : -errno;
}

void sys_close(int fd)
{
	close(fd);
}
