// Bytes both ways between two connected stream sockets, with bounded buffers: a side that doesn't read stops the other side's writing.
//
// An end of file on either side ends the relay once what that side had sent has been delivered: half a close isn't passed on, since on the
// guest's side it would kill both directions on some VMMs.
#ifndef POSTERN_POSTERND_RELAY_H
#define POSTERN_POSTERND_RELAY_H

#define RELAY_BUFFER 65536 // bytes each way

struct event_base;
struct relay;

// Takes both sockets (non-blocking) over.  ended is called once, when the relay is gone by itself.
struct relay *relay_create(struct event_base *base, int a, int b, void (*ended)(void *arg), void *arg);

// Closes both ends; no callback.  Takes NULL.
void relay_destroy(struct relay *r);

#endif
