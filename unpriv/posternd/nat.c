// See nat.h.  The records travel in a sealed memfd; translations that several owners asked for are one record.
#include "unpriv/posternd/nat.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "unpriv/posternd/addr.h"
#include "unpriv/posternd/cache.h"
#include "unpriv/posternd/sealed.h"

void nat_id(const char *source, const char *out_interface, const char *to, const char *vm, char out[NAT_ID])
{
	char tuple[256];
	unsigned char hash[EVP_MAX_MD_SIZE];
	int n = snprintf(tuple, sizeof(tuple), "%s|%s|%s|%s", source, out_interface != NULL ? out_interface : "", to != NULL ? to : "",
	                 vm != NULL ? vm : "");

	EVP_Digest(tuple, (size_t)n, hash, NULL, EVP_sha256(), NULL);
	snprintf(out, NAT_ID, "snat-%02x%02x%02x%02x%02x%02x", hash[0], hash[1], hash[2], hash[3], hash[4], hash[5]);
}

void nat_ask_forward(struct task *t, const char *source)
{
	struct op_sysctl_set_args a = {.key = strchr(source, ':') != NULL ? SYSCTL_IP6_FORWARD : SYSCTL_IP_FORWARD, .on = true};

	task_priv(t, OP_sysctl_set, &a, NULL);
}

static bool record_of(const struct row_snat *row, struct fw_record *r)
{
	memset(r, 0, sizeof(*r));
	r->kind = row->to != NULL ? FW_SNAT : FW_MASQUERADE;
	if (row->source == NULL || !addr_parse(row->source, &r->source) || (row->to != NULL && !addr_parse(row->to, &r->to)))
		return false;
	if (row->out_interface != NULL)
		COPY_TEXT(r->interface, row->out_interface);
	return true;
}

// True when a's packets are b's too, and both do the same with them: sources that overlap can't stand in one set.
static bool covered(const struct fw_record *a, const struct fw_record *b)
{
	struct wire_addr net = a->source;

	if (a->kind != b->kind || a->source.family != b->source.family || b->source.prefix > a->source.prefix ||
	    memcmp(a->interface, b->interface, sizeof(a->interface)) != 0 || memcmp(&a->to, &b->to, sizeof(a->to)) != 0)
		return false;
	net.prefix = b->source.prefix;
	addr_network(&net);
	return memcmp(&net, &b->source, sizeof(net)) == 0;
}

struct fw_record *nat_expected(uint32_t *n)
{
	struct fw_record *v = xcalloc(cache_n_snat() + 1, sizeof(*v)), one;

	*n = 0;
	for (size_t i = 0; i < cache_n_snat(); i++) {
		const struct row_snat *row = cache_at_snat(i);
		uint32_t k = 0, kept = 0;
		if (row->phase == PHASE_REMOVING || !record_of(row, &one))
			continue;
		COPY_TEXT(one.comment, row->id);
		while (k < *n && !covered(&one, &v[k]))
			k++;
		if (k < *n)
			continue;
		for (k = 0; k < *n; k++)
			if (!covered(&v[k], &one))
				v[kept++] = v[k];
		v[kept] = one;
		*n = kept + 1;
	}
	return v;
}

void nat_ask_commit(struct task *t)
{
	struct op_fw_commit_args a = {0};
	struct fw_record *v = nat_expected(&a.count);
	int fd = sealed_memfd("postern-fw", v, a.count * sizeof(*v));

	task_priv(t, OP_fw_commit, &a, &fd);
	if (fd >= 0)
		close(fd);
	free(v);
}
