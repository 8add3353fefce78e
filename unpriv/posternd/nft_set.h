// Sets and maps of nftables, and their elements as nft(8) writes them.
#ifndef POSTERN_POSTERND_NFT_SET_H
#define POSTERN_POSTERND_NFT_SET_H

#include <linux/netlink.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/rpc.h"
#include "unpriv/posternd/mem.h"

// One as its message describes it; lives in an arena.
struct nft_set {
	uint8_t family;
	const char *table, *name;
	uint64_t handle;
	uint32_t flags; // NFT_SET_…
	uint32_t key_type, data_type, key_len, data_len;
	uint32_t size;    // 0: no limit
	uint64_t timeout; // milliseconds; 0: none
	size_t from, to;  // its elements' messages, as offsets into a text of the owner's
	const char *text; // of one without a name, "{ 22, 80 }", once it was asked for
	bool tried;
};

// Reads its message.  False where it is none.
bool nft_set_parse(const struct nlmsghdr *h, struct nft_set *s, struct arena *a);

// Appends the elements of a message; whole: that is all of them, and so they are put in order and intervals can be told.
// False where one has no text.
bool nft_set_elements(const struct nft_set *s, const char *messages, size_t len, bool whole, struct list_str *out, struct arena *a);

// Can its elements be read message by message?
bool nft_set_by_parts(const struct nft_set *s);

#endif
