// A page of a rule set: its messages turned into the objects of net.firewall, a few at a time.
#ifndef POSTERN_POSTERND_NFT_PAGE_H
#define POSTERN_POSTERND_NFT_PAGE_H

#include "unpriv/posternd/nft_read.h"

// How far a rule set has been shown.
struct nft_place {
	enum { NFT_AT_TABLES, NFT_AT_CHAINS, NFT_AT_RULES, NFT_AT_SETS, NFT_AT_END } part;
	size_t at;   // byte of that part's messages; NFT_AT_SETS: number of the set
	size_t elem; // NFT_AT_SETS: byte of its elements' messages; 0: the set itself is due
};

struct nft_page {
	struct nft_ruleset *rs;
	const struct nft_query *q;
	struct nft_place place;
	struct arena *a; // of the page's objects
	struct list_fw_table tables;
	size_t n, limit; // things shown, and how many there may be
	size_t near;     // number of the chain that the last rule belonged to
};

// Shows the next thing.  False when the page is full, or everything has been shown.
bool nft_page_step(struct nft_page *p);

#endif
