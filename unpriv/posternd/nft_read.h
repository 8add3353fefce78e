// The kernel's whole rule set at one moment, through the helper, as the messages it came in.
#ifndef POSTERN_POSTERND_NFT_READ_H
#define POSTERN_POSTERND_NFT_READ_H

#include "unpriv/posternd/helper_client.h"
#include "unpriv/posternd/nft_set.h"

#define NFT_RULESET_MAX (32u << 20) // bytes of messages; 20,000 rules take about half of it

struct nft_ruleset {
	struct text tables, chains, rules, elements; // messages, one behind the other
	struct nft_set *sets;                        // in the arena
	size_t n_sets;
	uint32_t generation; // the kernel's number of this state
	struct arena arena;
};

// What is wanted of sets; tables, chains and rules come whole.
struct nft_query {
	bool has_family;
	uint8_t family;    // NFPROTO_…
	const char *table; // or NULL; borrowed
};

// Reads it; when it changes meanwhile, again, up to eight times.  done is called later, once: rs is handed over, or NULL with why: failed, or err
// (EBUSY: it changes too fast, EFBIG: it is longer than NFT_RULESET_MAX; EPROTO: the helper sent something else).
typedef void nft_read_done(void *arg, struct nft_ruleset *rs, const struct priv_reply *failed, int err);
void nft_read(const struct nft_query *q, nft_read_done *done, void *arg);

void nft_ruleset_destroy(struct nft_ruleset *rs);

// Does the table of this family and name fit the query?
bool nft_query_fits(const struct nft_query *q, uint8_t family, const char *table);

#endif
