// The daemon's own metrics. One thread, so plain counters. See metrics.h.
#include "unpriv/posternd/metrics.h"

#include <stdio.h>

#include "unpriv/posternd/conn.h"
#include "unpriv/posternd/daemon.h"

enum { RESULTS = FAIL_COUNT + 3, BUCKETS = 8, SOURCES_MAX = 8 };

// Upper bounds in nanoseconds and as OpenMetrics writes them.
static const struct {
	uint64_t ns;
	const char *le;
} bounds[BUCKETS] = {
    {50000, "0.00005"}, {200000, "0.0002"}, {1000000, "0.001"},  {5000000, "0.005"},
    {20000000, "0.02"}, {100000000, "0.1"}, {1000000000, "1.0"}, {10000000000, "10.0"},
};

static uint64_t requests[RPC_COUNT][RESULTS];
static uint64_t buckets[RPC_COUNT][BUCKETS + 1]; // the last: slower than all bounds
static uint64_t total_ns[RPC_COUNT];

static const int refused_codes[] = {RPC_PARSE_ERROR,    RPC_INVALID_REQUEST, RPC_METHOD_NOT_FOUND,
                                    RPC_INVALID_PARAMS, RPC_NO_IDENTITY,     RPC_RIGHT_TOO_LOW};
enum { REFUSED_CODES = sizeof refused_codes / sizeof *refused_codes };
static uint64_t refused[REFUSED_CODES];

static void (*sources[SOURCES_MAX])(struct text *out);
static unsigned n_sources;

static const char *result_name(unsigned r)
{
	static const char *const own[] = {"ok", "invalid_params", "internal"};
	return r < FAIL_COUNT ? rpc_fail_names[r] : own[r - FAIL_COUNT];
}

static unsigned result_index(const char *result)
{
	unsigned r = FAIL_COUNT; // "ok" is by far the most frequent
	if (strcmp(result, "ok") == 0)
		return r;
	for (r = 0; r < RESULTS - 1 && strcmp(result_name(r), result) != 0; r++)
		;
	return r;
}

void metrics_request(enum rpc_method_id method, const char *result, uint64_t took_ns)
{
	unsigned b = 0;
	while (b < BUCKETS && took_ns > bounds[b].ns)
		b++;
	requests[method][result_index(result)]++;
	buckets[method][b]++;
	total_ns[method] += took_ns;
}

void metrics_refused(int code)
{
	for (size_t i = 0; i < REFUSED_CODES; i++)
		refused[i] += refused_codes[i] == code;
}

void metrics_add_source(void (*write)(struct text *out))
{
	if (n_sources < SOURCES_MAX)
		sources[n_sources++] = write;
}

static void write_requests(struct text *out)
{
	text_lit(out, "# HELP postern_requests Requests by method and result.\n# TYPE postern_requests counter\n");
	for (size_t m = 0; m < RPC_COUNT; m++)
		for (unsigned r = 0; r < RESULTS; r++)
			if (requests[m][r])
				text_printf(out, "postern_requests_total{method=\"%s\",result=\"%s\"} %lu\n", rpc_methods[m].name, result_name(r),
				            requests[m][r]);
	text_lit(out, "# HELP postern_refused Calls that came to no request, by error code.\n# TYPE postern_refused counter\n");
	for (size_t i = 0; i < REFUSED_CODES; i++)
		text_printf(out, "postern_refused_total{code=\"%d\"} %lu\n", refused_codes[i], refused[i]);
}

static void write_histogram(struct text *out, size_t m)
{
	uint64_t sum = 0;
	for (size_t b = 0; b <= BUCKETS; b++) {
		sum += buckets[m][b];
		text_printf(out, "postern_request_seconds_bucket{method=\"%s\",le=\"%s\"} %lu\n", rpc_methods[m].name,
		            b < BUCKETS ? bounds[b].le : "+Inf", sum);
	}
	text_printf(out, "postern_request_seconds_sum{method=\"%s\"} %.9f\n", rpc_methods[m].name, (double)total_ns[m] / 1e9);
	text_printf(out, "postern_request_seconds_count{method=\"%s\"} %lu\n", rpc_methods[m].name, sum);
}

static void write_latency(struct text *out)
{
	text_lit(out, "# HELP postern_request_seconds From a call's dispatch to its answer.\n# TYPE postern_request_seconds histogram\n# UNIT "
	              "postern_request_seconds seconds\n");
	for (size_t m = 0; m < RPC_COUNT; m++) {
		bool any = false;
		for (size_t b = 0; b <= BUCKETS; b++)
			any = any || buckets[m][b];
		if (any)
			write_histogram(out, m);
	}
}

void metrics_write(struct text *out)
{
	write_requests(out);
	write_latency(out);
	text_lit(out, "# HELP postern_connections Open client connections.\n# TYPE postern_connections gauge\n");
	text_printf(out, "postern_connections %u\n", conn_count());
	for (unsigned i = 0; i < n_sources; i++)
		sources[i](out);
	text_lit(out, "# EOF\n");
}
