// HTTP/1.1 with keep-alive and pipelining; answers leave in the order of their requests.
#ifndef POSTERN_POSTERND_HTTP_H
#define POSTERN_POSTERND_HTTP_H

#include "unpriv/posternd/conn.h"

extern const struct framing http_framing;

// Ends an answer that goes on, and its connection.
struct exchange;
void http_end_stream(struct exchange *x);

#endif
