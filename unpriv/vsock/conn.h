// One vsock connection: its states, its credit in both directions, and the bytes a slow host has yet to take.
#ifndef UNPRIV_VSOCK_CONN_H
#define UNPRIV_VSOCK_CONN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>
#include <sys/uio.h>

#include "unpriv/vsock/packet.h"

#define CONNECT_LINE_MAX 32U // as Firecracker and cloud-hypervisor bound it

enum conn_state {
	CONN_FREE,   // the slot is unused
	CONN_LINE,   // accepted from the host, "CONNECT <port>\n" is not yet complete; leaves on the newline, end of file or the deadline
	CONN_ASKED,  // REQUEST waits for a buffer or for its answer; leaves on RESPONSE, RST or the deadline
	CONN_OPEN,   // bytes flow, less what either side has shut down; leaves on RST, on the guest's or the host's close
	CONN_LINGER, // the host closed, the guest was or will be told; leaves on the guest's RST or the deadline
	CONN_DRAIN,  // the guest is done with it and can't name it any more; leaves when the host has taken the last byte
};

// What is still to be told to the guest about a connection.
enum conn_pending {
	PEND_REQUEST = 1,
	PEND_RESPONSE = 2,
	PEND_SHUTDOWN = 4, // with conn.shut_host as flags
	PEND_CREDIT = 8,   // CREDIT_UPDATE; any other packet does it as well
	PEND_BEG = 16,     // CREDIT_REQUEST
};

// A ring of bytes on its way from the guest to the host. The mapping is made when a byte has to wait for the first time.
struct backlog {
	uint8_t *bytes; // NULL, or `size` bytes
	size_t size, head, used;
};

TAILQ_HEAD(conn_list, conn);

struct conn {
	enum conn_state state;
	int fd;              // the host's socket, non-blocking, or -1
	uint32_t generation; // changes with every use of the slot, so that stale events are told apart
	uint32_t host_port, guest_port;
	struct conn *hash_next;
	TAILQ_ENTRY(conn) ready, timer; // ready: something for the guest; timer: a deadline
	bool is_ready;
	struct conn_list *timers; // the list it waits in, or NULL
	uint64_t deadline_ms;

	unsigned pending;               // enum conn_pending
	unsigned shut_host, shut_guest; // enum packet_shutdown: what we told the guest, what the guest told us
	bool readable, writable;        // edge-triggered: true until EAGAIN
	bool hung_up;                   // the host closed its end for both directions
	bool eof;                       // nothing more to read from the host
	bool begged;                    // CREDIT_REQUEST is out and nothing came back yet

	uint32_t sent, peer_alloc, peer_fwd; // host to guest; all wrapping
	uint32_t forwarded, forwarded_told;  // guest to host; all wrapping
	struct backlog backlog;              // backlog.size is what we advertise as buf_alloc

	char line[CONNECT_LINE_MAX];
	uint32_t line_len;
};

// Bytes that may still be sent to the guest; 0 also when the guest's numbers make no sense.
uint32_t conn_credit(const struct conn *c);
// Takes the guest's credit fields. Returns true when there is credit now and there was none.
bool conn_peer_credit(struct conn *c, const struct packet *p);
// True when the guest should hear that the host took bytes: a quarter of the window since it last heard.
bool conn_credit_due(const struct conn *c);

// What became of bytes that were meant for the host.
enum to_host {
	TO_HOST_OK,      // written, or kept until the host reads
	TO_HOST_OVERRUN, // the guest ignored its credit
	TO_HOST_GONE,    // the host doesn't read any more: they are dropped, and counted as forwarded
	TO_HOST_NOMEM,
};

// Passes len bytes in count entries of iov (which it changes) on to the host, after what is kept already.
enum to_host conn_to_host(struct conn *c, struct iovec *iov, unsigned count, size_t len);
// Writes what is kept. TO_HOST_OK or TO_HOST_GONE.
enum to_host conn_flush(struct conn *c);
// Drops and unmaps what is kept, as if forwarded.
void conn_drop_backlog(struct conn *c);

// Sends without blocking and without SIGPIPE. Bytes sent, 0 for a full socket, -1 when the peer takes no more.
ssize_t conn_send(int fd, struct iovec *iov, unsigned count);

#endif
