// nftables' data types: their names, and their values as nft(8) writes them.
//
// The numbers are nft's own (its enum datatypes): the kernel keeps them for nft with each set.  A concatenation is a number too, of six bits
// for each field.
#ifndef POSTERN_POSTERND_NFT_TYPE_H
#define POSTERN_POSTERND_NFT_TYPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "unpriv/posternd/mem.h"

enum nft_type {
	NFT_T_NONE = 0,
	NFT_T_VERDICT = 1,
	NFT_T_NFPROTO = 2,
	NFT_T_INTEGER = 4, // network byte order
	NFT_T_STRING = 5,
	NFT_T_LLADDR = 6,
	NFT_T_IP4 = 7,
	NFT_T_IP6 = 8,
	NFT_T_ETHER = 9,
	NFT_T_ETHERTYPE = 10,
	NFT_T_INET_PROTO = 12,
	NFT_T_SERVICE = 13,
	NFT_T_ICMP_TYPE = 14,
	NFT_T_TCP_FLAG = 15,
	NFT_T_MARK = 19,
	NFT_T_IFINDEX = 20,
	NFT_T_ARPHRD = 21,
	NFT_T_UID = 24,
	NFT_T_GID = 25,
	NFT_T_CT_STATE = 26,
	NFT_T_CT_DIR = 27,
	NFT_T_CT_STATUS = 28,
	NFT_T_ICMP6_TYPE = 29,
	NFT_T_PKTTYPE = 31,
	NFT_T_ICMP_CODE = 32,
	NFT_T_ICMP6_CODE = 33,
	NFT_T_DEVGROUP = 35,
	NFT_T_DSCP = 36,
	NFT_T_FIB_TYPE = 38,
	NFT_T_BOOLEAN = 39,
	NFT_T_IFNAME = 41,
	NFT_T_HOST_INT = 62, // ours: an integer in the host's byte order
};

// Appends "ipv4_addr . inet_service"; false where a field is of a type that isn't known here.
bool nft_type_name(struct text *out, uint32_t type);

// Is it a set of bits?
bool nft_type_is_bits(uint32_t type);

// Is a value of it kept in the host's byte order?
bool nft_type_is_host(uint32_t type);

// Bytes of a value of a type that is no concatenation; 0: any.
size_t nft_type_size(uint32_t type);

// The types of a concatenation's fields, at most 5; returns how many, one for a plain type.
#define NFT_FIELDS 5
size_t nft_type_fields(uint32_t type, uint32_t fields[NFT_FIELDS]);

// Appends one value of len bytes, of a plain type; false where it has no text.
bool nft_value(struct text *out, uint32_t type, const uint8_t *data, size_t len);

// The same of one end of a range, where numbers have no names.
bool nft_bound(struct text *out, uint32_t type, const uint8_t *data, size_t len);

// Appends a key or a datum of a set, each field of a concatenation padded to four bytes: "10.0.0.1 . 80".
bool nft_values(struct text *out, uint32_t type, const uint8_t *data, size_t len);

// Appends the names of the bits that are set, "established,related"; false where one has none.
bool nft_bits(struct text *out, uint32_t type, uint32_t bits);

// The length of a mask whose set bits all come first; -1 for any other.
int nft_prefix(const uint8_t *mask, size_t len);

#endif
