// A socket that clients connect to for one VM: its console, or its guest's agent.
//
// The socket that the VM gave belongs to the daemon alone; this one lies in the run directory with the mode and group of the daemon's own
// socket.  Every connection is judged by its peer's credentials against the method that hands the socket out, written to the audit trail,
// and only then relayed.
#ifndef POSTERN_POSTERND_ENDPOINT_H
#define POSTERN_POSTERND_ENDPOINT_H

#define ENDPOINT_SESSIONS 64 // connections to one endpoint at a time

enum endpoint_kind { ENDPOINT_EXEC, ENDPOINT_CONSOLE };

struct endpoint;

// Listens.  o_path: the granted socket, duplicated.  NULL where it can't (logged).
struct endpoint *endpoint_open(enum endpoint_kind kind, const char *vm, const char *tenant, int o_path);

const char *endpoint_path(const struct endpoint *e);

// Ends all its connections and removes the socket.  Takes NULL.
void endpoint_close(struct endpoint *e);

// Removes sockets that an earlier process left in the run directory.
void endpoint_sweep(void);

#endif
