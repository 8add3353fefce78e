// postern-vsock: a vhost-user vsock backend for one QEMU.
//
// It runs as the VM's uid in the VM's jail, beside QEMU, and gives the host the hybrid vsock socket that Firecracker and
// cloud-hypervisor have. Started with three descriptors and nothing else (unpriv/common/vsock_boot.h); ends with 0 when
// QEMU closes its socket, with 1 and one line on stderr when QEMU breaks the protocol, with 2 when it won't start.
//
// Everything from QEMU and the guest is hostile. Before the first byte of it is read the process has no new
// privileges, isn't dumpable (QEMU has the same uid and could otherwise trace it) and is under its filter: it can
// neither open a file nor start a program nor make memory executable.

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#include "unpriv/common/vsock_boot.h"
#include "unpriv/vsock/confine.h"
#include "unpriv/vsock/device.h"

#define EVENTS 64

enum { EXIT_CLOSED = 0, EXIT_PROTOCOL = 1, EXIT_START = 2 };

static void complain(const char *what)
{
	char line[256];
	int n = snprintf(line, sizeof(line), "postern-vsock: %s\n", what);

	if (n > 0 && write(STDERR_FILENO, line, (size_t)n) < 0)
		return; // there is nobody to tell
}

static bool read_boot(struct vsock_boot *b)
{
	size_t have = 0;

	while (have < sizeof(*b)) {
		ssize_t n = read(VSOCK_FD_BOOT, (uint8_t *)b + have, sizeof(*b) - have);
		if (n <= 0)
			return false;
		have += (size_t)n;
	}
	close(VSOCK_FD_BOOT);
	return b->magic == VSOCK_BOOT_MAGIC && b->version == VSOCK_BOOT_VERSION && b->guest_cid >= CID_GUEST_MIN && b->guest_cid <= CID_GUEST_MAX;
}

static bool watch(int epoll, int fd, uint64_t tag, uint32_t events)
{
	struct epoll_event e = {.events = events, .data.u64 = tag};

	return epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &e) == 0;
}

static uint64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

// 1: go on; 0 and -1 as device_messages.
static int handle(struct device *d, const struct epoll_event *e)
{
	switch ((uint32_t)e->data.u64) {
	case TAG_QEMU: return device_messages(d);
	case TAG_LISTENER: mux_accept(&d->mux); return 1;
	case TAG_KICK: return 1; // device_turn looks at the rings anyhow
	default: mux_event(&d->mux, e->data.u64, e->events); return 1;
	}
}

static int serve(struct device *d, int epoll)
{
	struct epoll_event e[EVENTS];
	bool more = false;

	for (;;) {
		int n = epoll_pwait(epoll, e, EVENTS, more ? 0 : mux_timeout(&d->mux), NULL);
		if (n < 0 && errno != EINTR) { // EINTR: this process was stopped and continued
			complain("can't wait for events");
			return EXIT_PROTOCOL;
		}
		mux_tick(&d->mux, now_ms());
		for (int i = 0; i < n; i++) {
			int rc = handle(d, &e[i]);
			if (rc == 0)
				return EXIT_CLOSED;
			if (rc < 0) {
				complain(d->error);
				return EXIT_PROTOCOL;
			}
		}
		if (d->mux.accept_more)
			mux_accept(&d->mux);
		more = device_turn(d);
	}
}

int main(void)
{
	static struct device device;
	struct vsock_boot boot = {0};
	const char *why;

	if ((why = confine_fds(VSOCK_FD_BOOT, VSOCK_NOFILE_MIN)) != NULL || !read_boot(&boot)) {
		complain(why != NULL ? why : "fd 5 doesn't hold a vsock_boot");
		return EXIT_START;
	}
	int epoll = epoll_create1(EPOLL_CLOEXEC);
	device_init(&device, boot.guest_cid, VSOCK_FD_QEMU, VSOCK_FD_LISTEN, epoll);
	if (epoll < 0 || !watch(epoll, VSOCK_FD_QEMU, TAG_QEMU, EPOLLIN) || !watch(epoll, VSOCK_FD_LISTEN, TAG_LISTENER, EPOLLIN | EPOLLET)) {
		complain("can't watch fd 3 and fd 4");
		return EXIT_START;
	}
	if ((why = confine_self()) != NULL) {
		complain(why);
		return EXIT_START;
	}
	device.mux.now_ms = now_ms();
	int rc = serve(&device, epoll);
	device_finish(&device);
	return rc;
}
