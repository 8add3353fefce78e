// Counters and histograms, written as OpenMetrics text.
#ifndef POSTERN_POSTERND_METRICS_H
#define POSTERN_POSTERND_METRICS_H

#include <stdint.h>

#include "proto/rpc.h"
#include "unpriv/posternd/mem.h"

// A request has ended: `result` is "ok", a failure's kind, "invalid_params" or "internal" (a constant).
void metrics_request(enum rpc_method_id method, const char *result, uint64_t took_ns);

// A call that came to no request: the error code answered.
void metrics_refused(int code);

// Other parts add their own lines: `write` is called for each scrape. At most 8.
void metrics_add_source(void (*write)(struct text *out));

// The whole exposition, "# EOF" included.
void metrics_write(struct text *out);

#endif
