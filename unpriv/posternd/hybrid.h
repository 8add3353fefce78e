// A connection to a port of a guest, over the hybrid vsock socket that Firecracker, cloud-hypervisor and postern-vsock serve.
//
// "CONNECT <port>\n" goes out in one write, "OK <number>\n" is read byte by byte and not one byte further.  A guest that doesn't listen yet shows
// as an end of file before OK: tried again every HYBRID_RETRY_MS until the deadline, which also ends a wait for a guest without a driver.
#ifndef POSTERN_POSTERND_HYBRID_H
#define POSTERN_POSTERND_HYBRID_H

#include <stdint.h>

#define HYBRID_RETRY_MS   100
#define HYBRID_CONNECT_MS 5000 // usual deadline

struct event_base;
struct hybrid;

// fd: connected and non-blocking, now the callee's; or -1 with why (a constant).  The hybrid is gone when this is called.
typedef void hybrid_cb(void *arg, int fd, const char *why);

// Starts; o_path is duplicated.  done is never called from within.  NULL where no descriptor is free.
struct hybrid *hybrid_connect(struct event_base *base, int o_path, uint32_t port, int64_t deadline_ms, hybrid_cb *done, void *arg);

// Gives up without a callback.  Takes NULL.
void hybrid_cancel(struct hybrid *h);

#endif
