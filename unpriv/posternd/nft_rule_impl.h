// What the two halves of the decoder share: matches (nft_rule.c) and what a rule does (nft_stmt.c).
#ifndef POSTERN_POSTERND_NFT_RULE_IMPL_H
#define POSTERN_POSTERND_NFT_RULE_IMPL_H

#include <stdio.h> // libnftnl's header takes it for granted

#include <libnftnl/expr.h>

#include "unpriv/posternd/nft_expr.h"
#include "unpriv/posternd/nft_rule.h"

#define NFT_SLOTS 16 // registers of 4 bytes
#define NFT_STMTS 64 // statements of a rule

// What is in a register: the text of what was loaded, or a constant.
struct nft_reg {
	const char *text;    // NULL: a constant, or nothing
	const uint8_t *data; // constant
	uint32_t len;        // bytes; of a header's field, those that were loaded
	uint32_t type;
	uint32_t field_len; // bytes of the whole field
	const uint8_t *mask;
	uint32_t mask_len;
	uint32_t map_slots; // what a map gave: registers that it fills; text stands in the first
	bool big;           // turned into network byte order
};

enum nft_dep { DEP_LINK, DEP_NET, DEP_TRANSPORT, DEP_COUNT };

struct nft_decoder {
	uint8_t family;
	const struct nft_sets *sets;
	struct arena *a;
	struct nft_packet packet;
	struct nft_reg regs[NFT_SLOTS];
	const char *stmts[NFT_STMTS]; // NULL: taken back, for what follows says as much
	size_t n;
	int deps[DEP_COUNT]; // the statement that says what the layer above is; -1: none
};

// The register by its number of the kernel's, NULL where there is none.
struct nft_reg *nft_reg(struct nft_decoder *d, uint32_t number);

// Adds a statement, a copy of the text, which it empties.  False where there are too many.
bool nft_stmt(struct nft_decoder *d, struct text *t);

// Takes back the statement that says what layer there is.
void nft_forget(struct nft_decoder *d, enum nft_dep layer);

// Appends what is in a register, as of a type: a constant's value, or the text of what was loaded.
bool nft_put_reg(struct nft_decoder *d, struct text *out, uint32_t number, uint32_t type, size_t len);

// The text of len bytes of registers as one key, "ip saddr . tcp dport".
bool nft_put_key(struct nft_decoder *d, struct text *out, uint32_t number, uint32_t type, size_t len);

// Decodes an expression that does something; false where it is none of those.
bool nft_action(struct nft_decoder *d, struct nftnl_expr *e, const char *name);

#endif
