// LINK: helper/launcher/policy_parse.o helper/launcher/policy_words.o helper/common/policy.o proto/mp.o proto/wire.o proto/wire_kinds.o
//
// policy.conf on arbitrary bytes: an error names a line of the file, and a policy that is accepted keeps what the rest of the helper relies on.
#include <stdlib.h>
#include <string.h>

#include "helper/launcher/policy_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void ended(const char *s, size_t size)
{
	if (strnlen(s, size) == size)
		abort();
}

static void sound(const struct policy *p)
{
	const uint32_t ids[] = {p->ids.daemon_uid, p->ids.broker_uid, p->ids.net_uid, p->ids.vol_uid};

	for (unsigned i = 0; i < 4; i++) {
		if (ids[i] == 0 || ids[i] == UINT32_MAX || policy_in_range(&p->uids, ids[i]))
			abort();
		for (unsigned k = 0; k < i; k++)
			if (ids[i] == ids[k])
				abort();
	}
	if (p->net.prefixes.n > POLICY_PREFIXES || p->net.bridges.n > POLICY_NAMES || p->net.uplinks.n > POLICY_NAMES ||
	    p->net.tables.n > POLICY_RANGES || p->vol.sources.n > POLICY_DEVICES || p->vol.devices.n > POLICY_DEVICES || p->tools.n > POLICY_TOOLS)
		abort();
	if (p->limits.requests_per_second == 0 || p->size != sizeof(*p) || policy_prefix(&p->net, "") || policy_bridge(&p->net, ""))
		abort();
	ended(p->vol.mount_root, POLICY_PATH);
	ended(p->jail.jail_root, POLICY_PATH);
	for (uint32_t i = 0; i < p->net.bridges.n; i++)
		ended(p->net.bridges.v[i], 16);
	for (uint32_t i = 0; i < p->vol.sources.n; i++)
		ended(p->vol.sources.v[i], POLICY_PATH);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static struct policy p;
	struct policy_error err;
	unsigned lines = 1;

	for (size_t i = 0; i < len; i++)
		lines += data[i] == '\n';
	if (policy_parse(&p, (const char *)data, len, &err))
		sound(&p);
	else if (err.what == NULL || err.line > lines)
		abort();
	return 0;
}
