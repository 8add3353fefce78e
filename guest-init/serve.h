// One connection from its hello to its end: knows no vsock, no process 1 and no way to end the machine but through struct serve_host.
#ifndef POSTERN_GUEST_INIT_SERVE_H
#define POSTERN_GUEST_INIT_SERVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "guest-init/config.h"

// What a request can do to the machine itself.  Each returns 0 or an errno.
struct serve_host {
	int (*power)(bool reboot, unsigned grace_ms);
	int (*set_time)(uint64_t unix_ms);
	int (*reseed)(const uint8_t *seed, size_t len);
};

struct serve_env {
	const struct serve_host *host;
	const struct config *config;
	const uint8_t *secret;      // 32 bytes the hello must carry, or NULL
	volatile uint32_t *running; // how many commands run now, shared by all connections' processes
};

// Serves the connection fd and closes it.  Blocks until it is over: the caller has forked for it.
void serve(int fd, const struct serve_env *env);

#endif
