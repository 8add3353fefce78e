// What rules of nftables look at, as nft(8) writes it: header fields, and what the kernel knows of a packet and its connection.
#ifndef POSTERN_POSTERND_NFT_EXPR_H
#define POSTERN_POSTERND_NFT_EXPR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// Something that can be looked at.
struct nft_field {
	const char *name; // "ip saddr"
	uint32_t type;    // enum nft_type
	uint8_t len;      // bytes, of a header's field
};

// What is known of the packet at a place in a rule.
struct nft_packet {
	uint8_t l3; // 4, 6, 0: not known
	uint8_t l4; // IPPROTO_…; with has_l4
	bool has_l4;
	bool ether;
};

// A header's field, by NFT_PAYLOAD_… base, offset and length in bytes; one that is shorter than its field is the beginning of it.
// NULL where it is none that has a name.
const struct nft_field *nft_payload_field(const struct nft_packet *p, uint32_t base, uint32_t offset, uint32_t len);

// By NFT_META_… and NFT_CT_….  dir: IP_CT_DIR_…, or -1.
const struct nft_field *nft_meta_field(uint32_t key);
const struct nft_field *nft_ct_field(uint32_t key, int dir);

#endif
