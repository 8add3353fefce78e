// See nat.h.  The records travel in a sealed memfd; translations that several owners asked for are one record.
#include "unpriv/posternd/nat.h"

#include <errno.h>
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
		COPY_TEXT(r->out_interface, row->out_interface);
	return true;
}

// All distinct records; the caller frees them.
static struct fw_record *records(uint32_t *n)
{
	struct fw_record *v = xcalloc(cache_n_snat() + 1, sizeof(*v));

	*n = 0;
	for (size_t i = 0; i < cache_n_snat(); i++) {
		const struct row_snat *row = cache_at_snat(i);
		uint32_t k = 0;
		if (row->phase == PHASE_REMOVING || !record_of(row, &v[*n]))
			continue;
		while (k < *n && memcmp(&v[k], &v[*n], offsetof(struct fw_record, comment)) != 0)
			k++;
		if (k < *n)
			continue;
		COPY_TEXT(v[*n].comment, row->id);
		(*n)++;
	}
	memset(&v[*n], 0, sizeof(*v));
	return v;
}

void nat_ask_commit(struct task *t)
{
	struct op_fw_commit_args a = {0};
	struct fw_record *v = records(&a.count);
	int fd = sealed_memfd("postern-fw", v, a.count * sizeof(*v));

	task_priv(t, OP_fw_commit, &a, &fd);
	if (fd >= 0)
		close(fd);
	free(v);
}
