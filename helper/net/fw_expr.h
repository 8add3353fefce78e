// Pieces that the firewall's rules are made of: each appends one or a few nftables expressions to a rule.
//
// Values travel in sixteen 4-byte registers; the pieces that compare use the first ones.  Whoever has no memory for an expression is ended.
#ifndef HELPER_NET_FW_EXPR_H
#define HELPER_NET_FW_EXPR_H

#include <stdbool.h>
#include <stdint.h>

#include "helper/net/fw_set.h"

struct nftnl_rule;
struct nftnl_expr;

// The n-th register, by the number that the kernel gives back.
uint32_t expr_reg(unsigned n);

// An expression of that name, still empty.
struct nftnl_expr *expr_add(struct nftnl_rule *r, const char *name);

// Loads something about the packet (NFT_META_…) into register `to` and those behind it.
void expr_meta(struct nftnl_rule *r, uint32_t key, unsigned to);

// Loads len bytes of the packet.
void expr_payload(struct nftnl_rule *r, uint32_t base, uint32_t offset, uint32_t len, unsigned to);

// Loads its source or destination address.
void expr_address(struct nftnl_rule *r, uint8_t family, bool source, unsigned to);

// Goes on where the first register and data compare so (NFT_CMP_…).
void expr_compare(struct nftnl_rule *r, uint32_t op, const void *data, uint32_t len);

// … where they are equal.
void expr_equals(struct nftnl_rule *r, const void *data, uint32_t len);

// Keeps the bits of the first register that are set in `bits`.
void expr_mask(struct nftnl_rule *r, const void *bits, uint32_t len);

// Goes on where the connection has one of these bits in its NFT_CT_STATE or NFT_CT_STATUS.
void expr_connection(struct nftnl_rule *r, uint32_t key, uint32_t bits);

// Ends the rule: NF_ACCEPT, NFT_RETURN.
void expr_verdict(struct nftnl_rule *r, uint32_t code);

// Asks the routing table (NFT_FIB_RESULT_…, NFTA_FIB_F_…) into the first register.
void expr_fib(struct nftnl_rule *r, uint32_t result, uint32_t flags);

// Goes on for packets of this family; 0: of both.
void expr_family_is(struct nftnl_rule *r, uint8_t family);

// Loads the key of a set and goes on where it is in there; a map's value lands where the key was.
void expr_lookup(struct nftnl_rule *r, const struct fw_set *s);

// Translates to what a map gave.
void expr_translate(struct nftnl_rule *r, const struct fw_set *s);

#endif
