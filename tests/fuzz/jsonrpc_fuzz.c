// LINK: unpriv/posternd/jsonrpc.o unpriv/posternd/scan.o unpriv/posternd/rows_read.o unpriv/posternd/rows_kinds.o unpriv/posternd/mem.o
// LINK: unpriv/posternd/text.o unpriv/posternd/utf8.o unpriv/common/log.o proto/rpc.o
// LIBS: -ljansson
// A client's message: the envelope, then the parameters of whatever method it names. What the scanner refuses, jansson must refuse too,
// unless it is one of the limits that are ours alone.
#include <stdlib.h>
#include <string.h>

#include "unpriv/posternd/jsonrpc.h"
#include "unpriv/posternd/rows_read.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct rpc_method *find(const char *name)
{
	for (size_t i = 0; i < RPC_COUNT; i++)
		if (strcmp(rpc_methods[i].name, name) == 0)
			return &rpc_methods[i];
	return NULL;
}

// The scanner's grammar against jansson's.
static void against_oracle(const uint8_t *data, size_t size, const char *why)
{
	static const char *const ours[] = {"deeper than", "64 bits", "NUL", "uplicate", "real number"};
	for (size_t i = 0; i < sizeof(ours) / sizeof(*ours); i++)
		if (strstr(why, ours[i]))
			return;
	// jansson takes a NUL byte for the end of the text.
	if (memchr(data, '\0', size))
		return;
	json_t *tree = json_loadb((const char *)data, size, JSON_DECODE_ANY | JSON_REJECT_DUPLICATES, NULL);
	if (tree)
		abort();
}

// Parameters of the named method and, since names are hard to guess, of one more.
static void read_params(const struct rpc_method *m, const json_t *params, struct arena *a)
{
	struct common_params common;
	if (m)
		rows_read(m, params, arena_zalloc(a, m->params_size), &common, a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static bool ready;
	struct arena a = {0};
	struct message m;
	char *text = malloc(size + 1);

	if (!ready && !rows_init())
		abort();
	ready = true;
	memcpy(text, data, size);
	if (jsonrpc_read(&m, text, size, &a)) {
		for (size_t i = 0; i < m.n; i++) {
			if (m.calls[i].invalid == NULL && (m.calls[i].method == NULL || !m.calls[i].has_version))
				abort();
			read_params(m.calls[i].method ? find(m.calls[i].method) : NULL, jsonrpc_params(&m, i), &a);
			read_params(&rpc_methods[size % RPC_COUNT], jsonrpc_params(&m, i), &a);
		}
		json_decref(m.tree);
	} else {
		against_oracle(data, size, m.why);
	}
	arena_finish(&a);
	free(text);
	return 0;
}
