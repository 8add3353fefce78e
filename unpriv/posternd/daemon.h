// What every part of the worker may ask for: the event loop, the configuration in force, and a way to end.
#ifndef POSTERN_POSTERND_DAEMON_H
#define POSTERN_POSTERND_DAEMON_H

#include <stdbool.h>
#include <stdint.h>

struct event_base;
struct config;
struct acl;

struct event_base *daemon_base(void);

// Replaced as a whole by a reload: don't keep the pointer, or anything it points at, over a return to the loop.
const struct config *daemon_config(void);
const struct acl *daemon_acl(void);

// Tells the parent that the helper has said hello, and that its socket is at its end, so that it makes a new one.
void daemon_helper_met(void);
void daemon_helper_gone(void);

// Asks the parent to open /etc/resolv.conf, as it is now: opened(fd) is called later, and owns fd; -1 = it can't be opened.
// False: the parent can't be asked just now.
bool daemon_open_resolv(void (*opened)(int fd));

// Ends the loop; the process exits with this code after an orderly stop. 3 = the helper sent a malformed packet.
void daemon_exit(int code);

// CLOCK_MONOTONIC in nanoseconds.
uint64_t now_ns(void);

#endif
