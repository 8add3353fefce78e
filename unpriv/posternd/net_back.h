// Puts back what belongs to a bridge, when postern itself makes it again.  What comes and goes otherwise is the guard's matter (guard.h).
#ifndef POSTERN_POSTERND_NET_BACK_H
#define POSTERN_POSTERND_NET_BACK_H

// A bridge is there again: its ports join it and its routes come back; then ended(arg) is called.
void net_back_bridge(const char *bridge, void (*ended)(void *arg), void *arg);

#endif
