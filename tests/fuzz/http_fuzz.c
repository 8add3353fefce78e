// LINK: unpriv/posternd/http_head.o
// An HTTP head read whole, and read byte by byte: both must come to the same verdict.
#include <stdlib.h>
#include <string.h>

#include "unpriv/posternd/http_head.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

// Exactly n bytes on the heap, so that a read beyond them is seen.
static long read_part(const uint8_t *data, size_t n, size_t *seen, struct http_head *h, int *status)
{
	const char *why;
	char *copy = malloc(n ? n : 1);
	memcpy(copy, data, n);
	long got = http_head_read(copy, n, seen, h, status, &why);
	free(copy);
	return got;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct http_head whole, part;
	int status = 0;
	size_t seen = 0;
	long got = read_part(data, size, &seen, &whole, &status);
	if (got > (long)size || (got < 0 && (status < 400 || status > 505)))
		abort();
	if (got <= 0 || size > 2048)
		return 0;
	seen = 0;
	for (size_t n = 1; n <= (size_t)got; n++) {
		long at = read_part(data, n, &seen, &part, &status);
		if (at != (n == (size_t)got ? got : 0))
			abort();
	}
	if (part.length != whole.length || part.method != whole.method || part.path.len != whole.path.len || part.keep_alive != whole.keep_alive)
		abort();
	return 0;
}
