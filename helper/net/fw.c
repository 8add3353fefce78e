// fw_commit, and what fw_change shares with it.  See fw_impl.h.
//
// Each reads all its records twice: once to check and count them, and, when all of them may be, once to write the transaction.  They can't
// change in between: the memfd is sealed.  A transaction happens as a whole or not at all; what comes after it (ending connections, a look at
// other tables) can no longer fail the request.
#include "helper/net/fw_impl.h"

#include <errno.h>
#include <libnftnl/rule.h>
#include <linux/netfilter/nf_tables.h>
#include <stdlib.h>
#include <string.h>

#include "helper/net/ct_forward.h"
#include "helper/net/nfnl.h"
#include "helper/net/sys.h"

#define CHUNK 128u // records read or written at a time

struct fw_present fw_present;
unsigned fw_commits;

// ---- records in, one after the other ----

enum op_status fw_records(struct cell *c, int fd, uint32_t from, uint32_t count, fw_each_record *each, void *arg)
{
	static struct fw_record chunk[CHUNK];
	enum op_status s = OPS_OK;

	for (uint32_t at = 0; s == OPS_OK && at < count; at++) {
		if (at % CHUNK == 0) {
			size_t n = count - at < CHUNK ? count - at : CHUNK;
			int err = sys_read(fd, chunk, n * sizeof(chunk[0]), (off_t)((from + at) * sizeof(chunk[0])));

			if (err != 0)
				return cell_fail(c, err == -ENODATA ? OPS_INVALID : OPS_IO, "records in the memfd", -err);
		}
		s = each(c, &chunk[at % CHUNK], arg);
	}
	return s;
}

// Checks a record and adds what it becomes to *arg.
enum op_status fw_check(struct cell *c, const struct fw_record *r, void *arg)
{
	bool denied;
	const char *wrong = fw_record_wrong(&c->policy.net, r, &denied);

	if (wrong != NULL)
		return cell_fail(c, denied ? OPS_DENIED : OPS_INVALID, wrong, 0);
	*(size_t *)arg += fw_items(&c->policy.net, r);
	return OPS_OK;
}

// The same of a record that goes: policy may have changed since it came, and is no reason to keep it.
enum op_status fw_check_gone(struct cell *c, const struct fw_record *r, void *arg)
{
	bool denied;
	const char *wrong = fw_record_wrong(&c->policy.net, r, &denied);

	if (wrong != NULL && !denied)
		return cell_fail(c, OPS_INVALID, wrong, 0);
	*(size_t *)arg += fw_items(&c->policy.net, r);
	return OPS_OK;
}

void fw_put_items(struct fw_batch *b, uint16_t type, const struct policy_net *net, const struct fw_set *s, const struct fw_record *r)
{
	struct fw_elem e;

	for (uint32_t i = 0; i < (s->any ? net->uplinks.n : 1); i++) {
		fw_elem_of(s, r, net->uplinks.v[i], &e);
		fw_put_elem(b, type, s, &e, r->comment);
	}
}

enum op_status fw_add(struct cell *c, const struct fw_record *r, void *arg)
{
	struct fw_batch *b = arg;
	const struct fw_set *s = fw_set_of(r);
	struct nftnl_rule *rule;

	if (s != NULL) {
		fw_put_items(b, NFT_MSG_NEWSETELEM, &c->policy.net, s, r);
		return OPS_OK;
	}
	rule = fw_record_rule(r);
	fw_put_rule(b, NFT_MSG_NEWRULE, rule);
	if (rule != NULL)
		nftnl_rule_free(rule);
	return OPS_OK;
}

// ---- sending ----

enum op_status fw_make_room(struct cell *c, struct fw_batch *b, size_t items)
{
	memset(b, 0, sizeof(*b));
	b->cap = (items + FW_FRAME_ITEMS) * FW_ITEM_MAX;
	b->buf = malloc(b->cap);
	return b->buf != NULL ? OPS_OK : cell_fail(c, OPS_IO, "memory", ENOMEM);
}

enum op_status fw_transact(struct cell *c, struct fw_batch *b)
{
	int err;

	fw_end(b);
	if (b->full)
		return cell_fail(c, OPS_IO, "building the transaction", ENOMEM);
	fw_present.known = false;
	err = nfnl_commit(b->buf, b->len, b->seq);
	fw_commits += err == 0;
	return err == 0 ? OPS_OK : cell_fail_errno(c, "nftables", -err);
}

// ---- connections ----

static enum op_status note_gone(struct cell *c, const struct fw_record *r, void *arg)
{
	(void)c;
	(void)arg;
	ct_forward_note(r, true);
	return OPS_OK;
}

static enum op_status note_come(struct cell *c, const struct fw_record *r, void *arg)
{
	(void)c;
	(void)arg;
	ct_forward_note(r, false);
	return OPS_OK;
}

// What went ends now, before the answer; what came can wait until after it.
uint32_t fw_end_flows(struct cell *c, int fd, uint32_t from, uint32_t removes, uint32_t adds)
{
	if (!ct_forward_room(removes + adds))
		return 0;
	fw_records(c, fd, from, removes, note_gone, NULL);
	fw_records(c, fd, from + removes, adds, note_come, NULL);
	return ct_forward_urgent() ? ct_forward_sweep() : 0;
}

// ---- fw_commit ----

struct committing {
	bool lenient;
	size_t items;
	uint32_t refused;
	struct fw_batch b;
};

static bool left_out(struct cell *c, const struct fw_record *r, const struct committing *k)
{
	bool denied;

	return k->lenient && fw_record_wrong(&c->policy.net, r, &denied) != NULL && denied;
}

static enum op_status check_one(struct cell *c, const struct fw_record *r, void *arg)
{
	struct committing *k = arg;

	if (!left_out(c, r, k))
		return fw_check(c, r, &k->items);
	k->refused++;
	return OPS_OK;
}

static enum op_status add_one(struct cell *c, const struct fw_record *r, void *arg)
{
	struct committing *k = arg;

	return left_out(c, r, k) ? OPS_OK : fw_add(c, r, &k->b);
}

static enum op_status commit(struct cell *c, int fd, uint32_t count, struct committing *k)
{
	enum op_status s = fw_make_room(c, &k->b, k->items);

	if (s != OPS_OK)
		return s;
	fw_begin(&k->b);
	fw_put_table(&k->b, NFT_MSG_NEWTABLE, NLM_F_CREATE);
	fw_put_table(&k->b, NFT_MSG_DELTABLE, 0);
	if (count > 0)
		fw_put_frame(&k->b, &c->policy.net);
	s = fw_records(c, fd, 0, count, add_one, k);
	if (s == OPS_OK)
		s = fw_transact(c, &k->b);
	free(k->b.buf);
	return s;
}

enum op_status op_fw_commit(struct cell *c, const struct op_fw_commit_args *a, const int *fds, struct op_fw_commit_res *r, int *out_fds)
{
	int fd = fds[FD_fw_commit_records];
	struct committing k = {.lenient = a->lenient};
	size_t others = 0;
	enum op_status s = fw_records(c, fd, 0, a->count, check_one, &k);

	(void)out_fds;
	if (s == OPS_OK)
		s = fw_records(c, fd, a->count, a->removes, fw_check_gone, &others);
	if (s == OPS_OK)
		s = fw_records(c, fd, a->count + a->removes, a->adds, fw_check, &others);
	if (s != OPS_OK)
		return s;
	if (k.items > c->policy.limits.rules)
		return cell_fail(c, OPS_QUOTA, "limit rules", 0);
	s = commit(c, fd, a->count, &k);
	if (s != OPS_OK)
		return s;
	fw_present.known = true;
	fw_present.items = (uint32_t)k.items;
	r->refused = k.refused;
	r->flows = fw_end_flows(c, fd, a->count, a->removes, a->adds);
	return OPS_OK;
}
