// Every system call that the net cell makes on behalf of a request: the audit point, and the seam where unit tests link a fake.
//
// The cell holds NET_ADMIN.  Sockets and directories are opened once, before the filter, and kept for life in the cell's own net namespace.
// Failures are negative errno values.
#ifndef HELPER_NET_SYS_H
#define HELPER_NET_SYS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "helper/common/confine.h"
#include "proto/helper.h"

enum sys_socket { SYS_ROUTE, SYS_NFT };

#define SYS_PATHS_MAX 5

// Opens the netlink sockets (strict checking, extended acknowledgements, five seconds of patience) and the sysctl directories.
// Fills paths with what Landlock must leave reachable.  Returns NULL, or the step that failed with errno.
const char *sys_open(struct confine_path *paths, size_t *npaths);

// Opens the rtnetlink socket alone, for the reaper.  False with errno.
bool sys_open_route(void);

// Sends one datagram of netlink messages to the kernel.
int sys_send(enum sys_socket s, const void *buf, size_t len);

// Receives one whole datagram that the kernel itself sent; one from anybody else is passed over.  wait: false = -EAGAIN where none is there.
ssize_t sys_receive(enum sys_socket s, void *buf, size_t cap, bool wait);

// Opens a socket for one dump of nfnetlink, unbound.  A dump can't be taken back, so it has a socket of its own, closed with sys_close().
int sys_stream_open(void);

// Sends one request to the kernel on such a socket.
int sys_stream_send(int fd, const void *buf, size_t len);

// Receives the dump's next datagram, which the kernel makes in this call: there always is one until the dump is over.
ssize_t sys_stream_receive(int fd, void *buf, size_t cap);

// CLOCK_MONOTONIC in nanoseconds.
uint64_t sys_now_ns(void);

// Another descriptor of the one socket that hears of nftables' changes; the cell itself never reads from it.
int sys_event_socket(void);

// Opens a queue of tap `name` (IFF_TAP and IFF_NO_PI and flags: IFF_VNET_HDR, IFF_MULTI_QUEUE, IFF_TUN_EXCL).  Returns its descriptor.
int sys_tap_open(const char *name, uint16_t flags);

// Says which uid may attach to the tap without privilege.
int sys_tap_owner(int fd, uint32_t uid);

// Makes the tap outlive its descriptors, or not.
int sys_tap_persist(int fd, bool on);

// Reads one sysctl of the closed list into *on.  -ENOENT where the kernel has no such key.
int sys_sysctl_get(enum sysctl_key key, bool *on);

// Writes it.
int sys_sysctl_set(enum sysctl_key key, bool on);

// Sets accept_ra of an interface to 2: router advertisements count, also while the host forwards.  -ENOENT where there is no such interface, or no IPv6.
int sys_accept_ra(const char *device, bool *changed);

// Reads exactly len bytes at off from a caller's memfd.
int sys_read(int fd, void *buf, size_t len, off_t off);

// Makes an empty memfd, appends to it, and seals it against every change.
int sys_memfd(void);
int sys_append(int fd, const void *buf, size_t len);
int sys_seal(int fd);

// Reads or writes exactly len bytes at off of the checkpoints' file; a hole reads as zeros, what lies behind the end gives -ENODATA.
int sys_checkpoints_read(void *buf, size_t len, off_t off);
int sys_checkpoints_write(const void *buf, size_t len, off_t off);

// Gives the file's memory back.
int sys_checkpoints_empty(void);

// Closes a descriptor that sys_memfd(), sys_tap_open(), sys_event_socket() or sys_stream_open() gave.
void sys_close(int fd);

#endif
