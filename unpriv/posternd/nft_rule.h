// A rule of nftables as nft(8) writes it, from the kernel's expressions.
//
// The kernel keeps a program of loads into registers and comparisons; nft's text is guessed back from it, as nft itself does.  Where an
// expression, or a combination of them, isn't known here, there is no text: a rule is decoded whole or not at all.
#ifndef POSTERN_POSTERND_NFT_RULE_H
#define POSTERN_POSTERND_NFT_RULE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "unpriv/posternd/mem.h"

struct nftnl_rule;

// A set or map that a rule looks things up in.
struct nft_set_view {
	const char *text; // "@name", or "{ 22, 80 }" of one without a name
	uint32_t key_type, data_type;
	uint32_t key_len, data_len;
};

// Finds one by its name; false where there is none, or its elements have no text.
struct nft_sets {
	bool (*find)(void *arg, const char *name, struct nft_set_view *out);
	void *arg;
};

// The rule's text without its comment, in the arena; NULL where it has none.  family: its table's, NFPROTO_….
const char *nft_rule_text(const struct nftnl_rule *r, uint8_t family, const struct nft_sets *sets, struct arena *a);

// Its comment, in the arena; NULL where it has none.
const char *nft_comment(const void *userdata, size_t len, uint8_t kind, struct arena *a);

// Appends a verdict, NFT_… or NF_…, "jump c"; false where it is none that nft writes.
bool nft_verdict(struct text *out, uint32_t code, const char *chain);

// Appends a time as nft writes it, "1h30m".
void nft_time(struct text *out, uint64_t ms);

#endif
