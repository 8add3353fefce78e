// What postern-keeper tells postern-vsock: the content of the backend's fd 5.
//
// The keeper writes this struct, whole and once, into a sealed memfd or a pipe. Both ends are the same build on the
// same machine, so it travels in native byte order.
#ifndef UNPRIV_COMMON_VSOCK_BOOT_H
#define UNPRIV_COMMON_VSOCK_BOOT_H

#include <stdint.h>

#define VSOCK_BOOT_MAGIC   0x5056534bU // "PVSK"
#define VSOCK_BOOT_VERSION 1U

// The fixed descriptors of postern-vsock.
#define VSOCK_FD_QEMU   3 // connected AF_UNIX stream socket, the other end is QEMU's chardev
#define VSOCK_FD_LISTEN 4 // bound and listening AF_UNIX stream socket, /run/vsock.sock, backlog 128
#define VSOCK_FD_BOOT   5 // struct vsock_boot

// RLIMIT_NOFILE that the backend refuses to start below: 1023 connections and its own descriptors.
#define VSOCK_NOFILE_MIN 1100U

struct vsock_boot {
	uint32_t magic;     // VSOCK_BOOT_MAGIC
	uint32_t version;   // VSOCK_BOOT_VERSION
	uint64_t guest_cid; // 3 .. 0xfffffffe
};

#endif
