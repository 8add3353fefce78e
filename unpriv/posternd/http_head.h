// Reads the head of an HTTP/1.1 request (RFC 9112) out of a buffer. Pure: no socket, no allocation.
#ifndef POSTERN_POSTERND_HTTP_HEAD_H
#define POSTERN_POSTERND_HTTP_HEAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	HTTP_LINE_MAX = 8192,  // bytes of a request or header line without its end
	HTTP_HEAD_MAX = 32768, // bytes of a whole head
	HTTP_HEADERS_MAX = 64,
};

enum http_method { HTTP_GET, HTTP_HEAD, HTTP_POST, HTTP_OTHER };
enum http_type { HTTP_TYPE_NONE, HTTP_TYPE_JSON, HTTP_TYPE_OTHER };

// Spans lie in the buffer that was read.
struct http_text {
	const char *at;
	size_t len;
};

struct http_head {
	enum http_method method;
	enum http_type type;     // Content-Type
	struct http_text path;   // without its query
	struct http_text bearer; // credentials of "Authorization: Bearer"
	bool has_authorization;  // of any scheme
	bool has_length, chunked, has_host;
	bool keep_alive, expect_continue;
	bool http10;
	uint64_t length;       // Content-Length
	bool has_last_event;   // Last-Event-ID that is a number; another is none
	uint64_t last_event;
};

// Reads a head from in[0..len). Returns 0 = more is needed, -1 = wrong (*status is the HTTP status to
// answer, *why says what), else the number of bytes of the head, empty line included. *seen carries
// over, between calls on a growing buffer, how far it has been searched; it starts as 0.
long http_head_read(const char *in, size_t len, size_t *seen, struct http_head *head, int *status, const char **why);

#endif
