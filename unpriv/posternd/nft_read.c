// See nft_read.h.  One stream after the other: the kernel says of each whether it changed while it was read, and its generation, asked for at
// the beginning and at the end, says whether it changed in between.
#include "unpriv/posternd/nft_read.h"

#include <arpa/inet.h> // before the kernel's headers, which then leave out what it has
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>

#include "unpriv/posternd/stream.h"

#define TRIES 8

enum stage { BEFORE, TABLES, CHAINS, RULES, SETS, ELEMENTS, AFTER };

struct reading {
	struct nft_query q;
	char *table; // q's
	nft_read_done *done;
	void *arg;
	struct nft_ruleset *rs;
	enum stage stage;
	size_t at;               // ELEMENTS: the set
	struct text *into, last; // `last`: of stages whose messages don't stay
	struct stream *s;
	size_t bytes;
	unsigned tries;
};

void nft_ruleset_destroy(struct nft_ruleset *rs)
{
	text_finish(&rs->tables);
	text_finish(&rs->chains);
	text_finish(&rs->rules);
	text_finish(&rs->elements);
	arena_finish(&rs->arena);
	free(rs);
}

bool nft_query_fits(const struct nft_query *q, uint8_t family, const char *table)
{
	return (!q->has_family || q->family == family) && (q->table == NULL || strcmp(q->table, table) == 0);
}

static void finish(struct reading *r, const struct priv_reply *failed, int err)
{
	struct nft_ruleset *rs = r->rs;

	if (failed != NULL || err != 0) {
		nft_ruleset_destroy(rs);
		rs = NULL;
	}
	r->done(r->arg, rs, failed, err);
	text_finish(&r->last);
	free(r->table);
	free(r);
}

static void ask(struct reading *r);

static void begin(struct reading *r)
{
	if (r->rs != NULL)
		nft_ruleset_destroy(r->rs);
	r->rs = xcalloc(1, sizeof(*r->rs));
	r->stage = BEFORE;
	r->at = r->bytes = 0;
	ask(r);
}

static void again(struct reading *r)
{
	if (++r->tries < TRIES)
		begin(r);
	else
		finish(r, NULL, EBUSY);
}

// The generation that a message of its kind says; 0 where it is none.
static uint32_t generation(const struct text *t)
{
	struct {
		struct nlmsghdr h;
		struct nfgenmsg g;
		struct nlattr a;
		uint32_t id;
	} m;

	if (t->len < sizeof(m))
		return 0;
	memcpy(&m, t->at, sizeof(m));
	return m.a.nla_type == NFTA_GEN_ID ? ntohl(m.id) : 0;
}

static void parse_sets(struct reading *r)
{
	size_t room = 0;

	for (size_t at = 0; at < r->last.len; room++)
		at += NLMSG_ALIGN(((const struct nlmsghdr *)(const void *)(r->last.at + at))->nlmsg_len);
	r->rs->sets = arena_alloc(&r->rs->arena, (room + 1) * sizeof(struct nft_set));
	for (size_t at = 0; at < r->last.len;) {
		const struct nlmsghdr *h = (const struct nlmsghdr *)(const void *)(r->last.at + at);
		if (nft_set_parse(h, &r->rs->sets[r->rs->n_sets], &r->rs->arena))
			r->rs->n_sets++;
		at += NLMSG_ALIGN(h->nlmsg_len);
	}
}

// Goes on to the set whose elements are wanted next; false where there is none.
static bool next_set(struct reading *r)
{
	while (r->at < r->rs->n_sets && !nft_query_fits(&r->q, r->rs->sets[r->at].family, r->rs->sets[r->at].table))
		r->at++;
	return r->at < r->rs->n_sets;
}

static void stage_over(struct reading *r)
{
	struct nft_ruleset *rs = r->rs;

	if (r->stage == BEFORE)
		rs->generation = generation(&r->last);
	if (r->stage == SETS)
		parse_sets(r);
	if (r->stage == ELEMENTS)
		rs->sets[r->at++].to = rs->elements.len;
	if (r->stage == AFTER) {
		if (generation(&r->last) != rs->generation)
			again(r);
		else
			finish(r, NULL, 0);
		return;
	}
	if (r->stage != ELEMENTS)
		r->stage++;
	if (r->stage == ELEMENTS && !next_set(r))
		r->stage = AFTER;
	ask(r);
}

// Are these bytes whole messages of nftables?
static bool whole(const uint8_t *bytes, size_t len)
{
	struct nlmsghdr h;

	for (size_t at = 0; at < len; at += NLMSG_ALIGN(h.nlmsg_len)) {
		if (len - at < sizeof(h))
			return false;
		memcpy(&h, bytes + at, sizeof(h));
		if (h.nlmsg_len < NLMSG_LENGTH(sizeof(struct nfgenmsg)) || h.nlmsg_len > len - at)
			return false;
	}
	return true;
}

static void on_data(void *arg, const uint8_t *bytes, size_t len)
{
	struct reading *r = arg;

	r->bytes += len;
	if (r->bytes > NFT_RULESET_MAX || !whole(bytes, len)) {
		stream_drop(r->s);
		finish(r, NULL, r->bytes > NFT_RULESET_MAX ? EFBIG : EPROTO);
		return;
	}
	text_add(r->into, bytes, len);
}

static void on_ended(void *arg, const struct priv_reply *failed, bool torn)
{
	struct reading *r = arg;
	bool vanished =
	    failed != NULL && failed->outcome == PRIV_ANSWERED && (failed->err == EINTR || (r->stage == ELEMENTS && failed->status == OPS_NOT_FOUND));

	if (torn || vanished)
		again(r);
	else if (failed != NULL)
		finish(r, failed, 0);
	else
		stage_over(r);
}

static void ask(struct reading *r)
{
	static const struct stream_reader reader = {on_data, on_ended};
	static const enum fw_read what[] = {
	    [BEFORE] = FW_READ_GENERATION, [TABLES] = FW_READ_TABLES,     [CHAINS] = FW_READ_CHAINS,   [RULES] = FW_READ_RULES,
	    [SETS] = FW_READ_SETS,         [ELEMENTS] = FW_READ_ELEMENTS, [AFTER] = FW_READ_GENERATION};
	struct text *into[] = {[BEFORE] = &r->last, [TABLES] = &r->rs->tables,     [CHAINS] = &r->rs->chains, [RULES] = &r->rs->rules,
	                       [SETS] = &r->last,   [ELEMENTS] = &r->rs->elements, [AFTER] = &r->last};
	struct op_fw_read_args a = {.what = what[r->stage]};

	r->into = into[r->stage];
	r->last.len = 0;
	if (r->stage == ELEMENTS) {
		struct nft_set *s = &r->rs->sets[r->at];
		s->from = s->to = r->rs->elements.len;
		a.has_family = a.has_table = a.has_set = true;
		a.family = s->family;
		strncpy(a.table, s->table, sizeof(a.table) - 1);
		strncpy(a.set, s->name, sizeof(a.set) - 1);
	}
	r->s = stream_start(OP_fw_read, &a, &reader, r);
}

void nft_read(const struct nft_query *q, nft_read_done *done, void *arg)
{
	struct reading *r = xcalloc(1, sizeof(*r));

	r->q = *q;
	r->q.table = r->table = q->table != NULL ? xstrdup(q->table) : NULL;
	r->done = done;
	r->arg = arg;
	begin(r);
}
