// fw_change: records go and come, by their elements alone.
#include <errno.h>
#include <libnftnl/rule.h>
#include <linux/netfilter/nf_tables.h>
#include <stdlib.h>
#include <string.h>

#include "helper/net/fw_impl.h"

#define RETRIES 4 // of reading a table that somebody changed meanwhile

struct handles {
	struct handle {
		struct fw_record r;
		uint64_t handle;
	} *v;
	size_t n, room;
	bool failed;
};

struct changing {
	struct fw_batch *b;
	struct handles *h; // of the rules that carry records, where the request has such
};

static void keep_handle(void *arg, const struct fw_record *r, uint64_t handle)
{
	struct handles *h = arg;
	struct handle *v;

	if (h->n == h->room) {
		v = malloc((h->room + 64) * 2 * sizeof(*v));
		h->failed = h->failed || v == NULL;
		if (v == NULL)
			return;
		if (h->n > 0)
			memcpy(v, h->v, h->n * sizeof(*v));
		free(h->v);
		h->v = v;
		h->room = (h->room + 64) * 2;
	}
	h->v[h->n++] = (struct handle){*r, handle};
}

static int read_handles(const struct policy_net *net, struct handles *h)
{
	int err = -EINTR;

	for (int i = 0; err == -EINTR && i < RETRIES; i++) {
		h->n = 0;
		err = fw_read_rules(net, keep_handle, h);
	}
	return h->failed ? -ENOMEM : err;
}

static enum op_status count_rules(struct cell *c, const struct fw_record *r, void *arg)
{
	(void)c;
	*(size_t *)arg += fw_set_of(r) == NULL;
	return OPS_OK;
}

// The same record's rule, whatever its comment says.
static struct handle *find_handle(const struct handles *h, const struct fw_record *r)
{
	for (size_t i = 0; i < h->n; i++)
		if (h->v[i].handle != 0 && memcmp(&h->v[i].r, r, offsetof(struct fw_record, comment)) == 0)
			return &h->v[i];
	return NULL;
}

static enum op_status remove_rule(struct cell *c, const struct fw_record *r, const struct changing *x)
{
	struct handle *k = find_handle(x->h, r);
	struct nftnl_rule *rule;

	if (k == NULL)
		return cell_fail(c, OPS_NOT_FOUND, "rule of a record", 0);
	rule = nftnl_rule_alloc();
	if (rule == NULL)
		return cell_fail(c, OPS_IO, "memory", ENOMEM);
	nftnl_rule_set_str(rule, NFTNL_RULE_TABLE, FW_TABLE);
	nftnl_rule_set_str(rule, NFTNL_RULE_CHAIN, "input");
	nftnl_rule_set_u64(rule, NFTNL_RULE_HANDLE, k->handle);
	fw_put_rule(x->b, NFT_MSG_DELRULE, rule);
	nftnl_rule_free(rule);
	k->handle = 0; // a second one of its kind is another rule
	return OPS_OK;
}

// A rule that is there already isn't put there twice, as an element isn't.
static enum op_status put_in(struct cell *c, const struct fw_record *r, void *arg)
{
	const struct changing *x = arg;

	return fw_set_of(r) == NULL && find_handle(x->h, r) != NULL ? OPS_OK : fw_add(c, r, x->b);
}

static enum op_status take_out(struct cell *c, const struct fw_record *r, void *arg)
{
	const struct changing *x = arg;
	const struct fw_set *s = fw_set_of(r);

	if (s == NULL)
		return remove_rule(c, r, x);
	fw_put_items(x->b, NFT_MSG_DELSETELEM, &c->policy.net, s, r);
	return OPS_OK;
}

static void count_item(void *arg, const struct fw_record *r, uint64_t handle)
{
	(void)arg;
	(void)r;
	(void)handle;
}

static enum op_status know_present(struct cell *c)
{
	struct fw_found f;
	int err = -EINTR;

	for (int i = 0; err == -EINTR && i < RETRIES; i++)
		err = fw_read(&c->policy.net, &f, count_item, NULL);
	if (err != 0)
		return cell_fail_errno(c, "reading the table", -err);
	if (!f.present)
		return cell_fail(c, OPS_NOT_FOUND, "table inet postern", 0);
	fw_present.known = true;
	fw_present.items = f.items;
	return OPS_OK;
}

static bool fits(const struct cell *c, size_t out, size_t in, size_t *left)
{
	*left = fw_present.items > out ? fw_present.items - out : 0;
	return *left + in <= c->policy.limits.rules;
}

// The limit counts what is in the table, which is read anew before a request is refused for it.
static enum op_status allowed(struct cell *c, size_t out, size_t in, size_t *left)
{
	enum op_status s = fw_present.known && fits(c, out, in, left) ? OPS_OK : know_present(c);

	if (s != OPS_OK)
		return s;
	return fits(c, out, in, left) ? OPS_OK : cell_fail(c, OPS_QUOTA, "limit rules", 0);
}

static enum op_status change(struct cell *c, const struct op_fw_change_args *a, int fd, struct fw_batch *b)
{
	struct handles h = {0};
	struct changing x = {b, &h};
	size_t rules = 0;
	enum op_status s = fw_records(c, fd, 0, a->removes + a->adds, count_rules, &rules);
	int err = rules > 0 ? read_handles(&c->policy.net, &h) : 0;

	if (s == OPS_OK && err != 0)
		s = cell_fail_errno(c, "reading the rules", -err);
	fw_begin(b);
	if (s == OPS_OK)
		s = fw_records(c, fd, 0, a->removes, take_out, &x);
	if (s == OPS_OK)
		s = fw_records(c, fd, a->removes, a->adds, put_in, &x);
	free(h.v);
	return s != OPS_OK ? s : fw_transact(c, b);
}

static void look_around(const struct cell *c, struct op_fw_change_res *r)
{
	struct fw_foreign f;

	r->input_drop = c->policy.net.input_drop;
	if (fw_foreign(&f, fw_commits) != 0)
		return;
	fw_commits = 0;
	r->has_forward_drop = f.forward[0] != '\0';
	memcpy(r->forward_drop, f.forward, sizeof(f.forward));
	r->has_foreign_input_drop = f.input[0] != '\0';
	memcpy(r->foreign_input_drop, f.input, sizeof(f.input));
}

enum op_status op_fw_change(struct cell *c, const struct op_fw_change_args *a, const int *fds, struct op_fw_change_res *r, int *out_fds)
{
	int fd = fds[FD_fw_change_records];
	size_t out = 0, in = 0, left;
	struct fw_batch b = {0};
	enum op_status s = fw_records(c, fd, 0, a->removes, fw_check_gone, &out);

	(void)out_fds;
	if (s == OPS_OK)
		s = fw_records(c, fd, a->removes, a->adds, fw_check, &in);
	if (s != OPS_OK)
		return s;
	s = allowed(c, out, in, &left);
	if (s == OPS_OK)
		s = out + in == 0 ? OPS_OK : fw_make_room(c, &b, out + in);
	if (s == OPS_OK && out + in > 0)
		s = change(c, a, fd, &b);
	free(b.buf);
	if (s != OPS_OK)
		return s;
	fw_present.known = true;
	fw_present.items = (uint32_t)(left + in);
	r->flows = fw_end_flows(c, fd, 0, a->removes, a->adds);
	look_around(c, r);
	return OPS_OK;
}
