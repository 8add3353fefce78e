// fw_commit and fw_change.
//
// Each reads all its records twice: once to check and count them, and, when all of them may be, once to write the transaction.  They can't
// change in between: the memfd is sealed.  A transaction happens as a whole or not at all; what comes after it (ending connections, a look at
// other tables) can no longer fail the request.
#include "helper/net/fw.h"

#include <errno.h>
#include <libnftnl/rule.h>
#include <linux/netfilter/nf_tables.h>
#include <stdlib.h>
#include <string.h>

#include "helper/net/ct_forward.h"
#include "helper/net/nfnl.h"
#include "helper/net/sys.h"

#define CHUNK   128u // records read or written at a time
#define RETRIES 4    // of reading a table that somebody changed meanwhile

// What is in the table, as far as this cell knows.
static struct {
	bool known;
	uint32_t items;
} present;
static unsigned commits; // of ours since the last look at other tables

// ---- records in, one after the other ----

typedef enum op_status each_record(struct cell *c, const struct fw_record *r, void *arg);

static enum op_status records(struct cell *c, int fd, uint32_t from, uint32_t count, each_record *each, void *arg)
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
static enum op_status check(struct cell *c, const struct fw_record *r, void *arg)
{
	bool denied;
	const char *wrong = fw_record_wrong(&c->policy.net, r, &denied);

	if (wrong != NULL)
		return cell_fail(c, denied ? OPS_DENIED : OPS_INVALID, wrong, 0);
	*(size_t *)arg += fw_items(&c->policy.net, r);
	return OPS_OK;
}

static void put_set(struct fw_batch *b, uint16_t type, const struct policy_net *net, const struct fw_set *s, const struct fw_record *r)
{
	struct fw_elem e;

	for (uint32_t i = 0; i < (s->any ? net->uplinks.n : 1); i++) {
		fw_elem_of(s, r, net->uplinks.v[i], &e);
		fw_put_elem(b, type, s, &e, r->comment);
	}
}

static enum op_status add(struct cell *c, const struct fw_record *r, void *arg)
{
	struct fw_batch *b = arg;
	const struct fw_set *s = fw_set_of(r);
	struct nftnl_rule *rule;

	if (s != NULL) {
		put_set(b, NFT_MSG_NEWSETELEM, &c->policy.net, s, r);
		return OPS_OK;
	}
	rule = fw_record_rule(r);
	fw_put_rule(b, NFT_MSG_NEWRULE, rule);
	if (rule != NULL)
		nftnl_rule_free(rule);
	return OPS_OK;
}

// ---- sending ----

static enum op_status make_room(struct cell *c, struct fw_batch *b, size_t items)
{
	memset(b, 0, sizeof(*b));
	b->cap = (items + FW_FRAME_ITEMS) * FW_ITEM_MAX;
	b->buf = malloc(b->cap);
	return b->buf != NULL ? OPS_OK : cell_fail(c, OPS_IO, "memory", ENOMEM);
}

static enum op_status transact(struct cell *c, struct fw_batch *b)
{
	int err;

	fw_end(b);
	if (b->full)
		return cell_fail(c, OPS_IO, "building the transaction", ENOMEM);
	present.known = false;
	err = nfnl_commit(b->buf, b->len, b->seq);
	commits += err == 0;
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
static uint32_t end_flows(struct cell *c, int fd, uint32_t from, uint32_t removes, uint32_t adds)
{
	if (!ct_forward_room(removes + adds))
		return 0;
	records(c, fd, from, removes, note_gone, NULL);
	records(c, fd, from + removes, adds, note_come, NULL);
	return ct_forward_urgent() ? ct_forward_sweep() : 0;
}

// ---- fw_commit ----

static enum op_status commit(struct cell *c, int fd, uint32_t count, struct fw_batch *b)
{
	enum op_status s;

	fw_begin(b);
	fw_put_table(b, NFT_MSG_NEWTABLE, NLM_F_CREATE);
	fw_put_table(b, NFT_MSG_DELTABLE, 0);
	if (count > 0)
		fw_put_frame(b, &c->policy.net);
	s = records(c, fd, 0, count, add, b);
	return s != OPS_OK ? s : transact(c, b);
}

enum op_status op_fw_commit(struct cell *c, const struct op_fw_commit_args *a, const int *fds, struct op_fw_commit_res *r, int *out_fds)
{
	int fd = fds[FD_fw_commit_records];
	size_t items = 0, others = 0;
	struct fw_batch b;
	enum op_status s = records(c, fd, 0, a->count, check, &items);

	(void)out_fds;
	if (s == OPS_OK)
		s = records(c, fd, a->count, a->removes + a->adds, check, &others);
	if (s != OPS_OK)
		return s;
	if (items > c->policy.limits.rules)
		return cell_fail(c, OPS_QUOTA, "limit rules", 0);
	s = make_room(c, &b, items);
	if (s == OPS_OK)
		s = commit(c, fd, a->count, &b);
	free(b.buf);
	if (s != OPS_OK)
		return s;
	present.known = true;
	present.items = (uint32_t)items;
	r->flows = end_flows(c, fd, a->count, a->removes, a->adds);
	return OPS_OK;
}

// ---- fw_change ----

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

	return fw_set_of(r) == NULL && find_handle(x->h, r) != NULL ? OPS_OK : add(c, r, x->b);
}

static enum op_status take_out(struct cell *c, const struct fw_record *r, void *arg)
{
	const struct changing *x = arg;
	const struct fw_set *s = fw_set_of(r);

	if (s == NULL)
		return remove_rule(c, r, x);
	put_set(x->b, NFT_MSG_DELSETELEM, &c->policy.net, s, r);
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
	present.known = true;
	present.items = f.items;
	return OPS_OK;
}

static bool fits(const struct cell *c, size_t out, size_t in, size_t *left)
{
	*left = present.items > out ? present.items - out : 0;
	return *left + in <= c->policy.limits.rules;
}

// The limit counts what is in the table, which is read anew before a request is refused for it.
static enum op_status allowed(struct cell *c, size_t out, size_t in, size_t *left)
{
	enum op_status s = present.known && fits(c, out, in, left) ? OPS_OK : know_present(c);

	if (s != OPS_OK)
		return s;
	return fits(c, out, in, left) ? OPS_OK : cell_fail(c, OPS_QUOTA, "limit rules", 0);
}

static enum op_status change(struct cell *c, const struct op_fw_change_args *a, int fd, struct fw_batch *b)
{
	struct handles h = {0};
	struct changing x = {b, &h};
	size_t rules = 0;
	enum op_status s = records(c, fd, 0, a->removes + a->adds, count_rules, &rules);
	int err = rules > 0 ? read_handles(&c->policy.net, &h) : 0;

	if (s == OPS_OK && err != 0)
		s = cell_fail_errno(c, "reading the rules", -err);
	fw_begin(b);
	if (s == OPS_OK)
		s = records(c, fd, 0, a->removes, take_out, &x);
	if (s == OPS_OK)
		s = records(c, fd, a->removes, a->adds, put_in, &x);
	free(h.v);
	return s != OPS_OK ? s : transact(c, b);
}

static void look_around(const struct cell *c, struct op_fw_change_res *r)
{
	struct fw_foreign f;

	r->input_drop = c->policy.net.input_drop;
	if (fw_foreign(&f, commits) != 0)
		return;
	commits = 0;
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
	enum op_status s = records(c, fd, 0, a->removes, check, &out);

	(void)out_fds;
	if (s == OPS_OK)
		s = records(c, fd, a->removes, a->adds, check, &in);
	if (s != OPS_OK)
		return s;
	s = allowed(c, out, in, &left);
	if (s == OPS_OK)
		s = out + in == 0 ? OPS_OK : make_room(c, &b, out + in);
	if (s == OPS_OK && out + in > 0)
		s = change(c, a, fd, &b);
	free(b.buf);
	if (s != OPS_OK)
		return s;
	present.known = true;
	present.items = (uint32_t)(left + in);
	r->flows = end_flows(c, fd, 0, a->removes, a->adds);
	look_around(c, r);
	return OPS_OK;
}
