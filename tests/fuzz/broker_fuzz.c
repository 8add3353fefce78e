// LINK: helper/broker/packet.o helper/common/recheck.o helper/common/rules.o helper/common/policy.o proto/mp.o proto/wire.o proto/wire_kinds.o proto/helper.o
//
// The broker's whole path from the daemon's bytes to a cell: first byte picks request, hello or a cell's answer.  What is decoded must pass the
// cell's own check, must be judged by the policy without a fault, and what a cell may answer must fit into a packet.
#include <stdlib.h>
#include <string.h>

#include "helper/broker/packet.h"
#include "helper/common/recheck.h"
#include "helper/common/rules.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void request(const uint8_t *data, size_t len)
{
	static struct policy policy;
	static union op_args args;
	uint32_t id;
	enum op_id op;

	policy_default(&policy);
	if (!packet_request(data, len, &id, &op, &args))
		return;
	if (id == 0 || op >= OP_COUNT || !recheck(op_rows[op].args, op_rows[op].nargs, &args))
		abort();
	const char *rule = rules_refuse(&policy, op, &args);
	if (rule != NULL && strlen(rule) >= CELL_RULE)
		abort();
}

// data is a cell's answer: whatever passes the broker's check must come out as a packet.
static void answer(const uint8_t *data, size_t len)
{
	static struct cell_rep rep;
	static uint8_t out[HELPER_MAX_PACKET];
	enum op_id op;

	if (len < 2)
		return;
	op = (enum op_id)(data[0] % OP_COUNT);
	memset(&rep, 0, sizeof(rep));
	memcpy(&rep, data + 2, len - 2 < sizeof(rep) ? len - 2 : sizeof(rep));
	size_t more = len - 2 > sizeof(rep) ? len - 2 - sizeof(rep) : 0;
	if (packet_rep_ok(&rep, data + len - more, sizeof(rep) + more, op, data[1]) && packet_answer(out, sizeof(out), 1, op, &rep) == 0)
		abort();
}

// Raw struct bytes instead of decoded ones, as a broker that was taken over could send: the check itself must hold.
static void raw_request(const uint8_t *data, size_t len)
{
	static struct policy policy;
	static union op_args args;
	enum op_id op;

	if (len < 1)
		return;
	op = (enum op_id)(data[0] % OP_COUNT);
	policy_default(&policy);
	memset(&args, 0, sizeof(args));
	memcpy(&args, data + 1, len - 1 < sizeof(args) ? len - 1 : sizeof(args));
	if (recheck(op_rows[op].args, op_rows[op].nargs, &args))
		rules_refuse(&policy, op, &args);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	if (len == 0)
		return 0;
	switch (data[0] & 3) {
	case 0: request(data + 1, len - 1); break;
	case 1: packet_hello_read(data + 1, len - 1); break;
	case 2: answer(data + 1, len - 1); break;
	default: raw_request(data + 1, len - 1); break;
	}
	return 0;
}
