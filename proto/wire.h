// Rows of the two binary conversations, turned into C structs and back.
//
// A message is a map whose keys stand in the order of its rows; that makes the encoding canonical and turns "duplicate", "unknown" and
// "out of order" into one check.  Each row gives a field's name, kind, place in the struct, and limits.  Kinds are the closed list of
// wire_kinds.def.  Decoding copies text into the struct's own arrays, except for slices, which borrow the packet.
#ifndef PROTO_WIRE_H
#define PROTO_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/mp.h"

#define WIRE_IFNAMES_MAX 64

struct wire_addr {
	uint8_t family;   // 4 or 6
	uint8_t prefix;   // 0 to 32 or 128
	uint8_t addr[16]; // network byte order; IPv4 in the first 4 bytes, the rest zero
};

struct wire_ifname_list {
	uint32_t n;
	char v[WIRE_IFNAMES_MAX][16];
};

// A list left in the packet: n bin values one behind the other, each checked while decoding.
struct wire_bytes_list {
	uint32_t n;
	struct mp_slice raw;
};

typedef uint32_t wire_u32;
typedef uint64_t wire_u64;
typedef int32_t wire_i32;
typedef bool wire_flag;
typedef uint32_t wire_choice;   // one of an enum's values, 0 to max
typedef char wire_ifname[16];   // 1 to 15 of [A-Za-z0-9_.-], not "." or ".."
typedef char wire_vmid[64 + 1]; // [a-z0-9][a-z0-9-]{0,63}
typedef char wire_relpath[256]; // relative, no empty, "." or ".." component, no control character
typedef char wire_text[128];    // printable UTF-8 without control characters
typedef uint8_t wire_mac[6];    // unicast, not all zero
typedef struct wire_addr wire_addr;
typedef uint8_t wire_hash[32];
typedef struct wire_ifname_list wire_ifnames;
typedef struct mp_slice wire_bytes;             // borrowed bin
typedef struct wire_bytes_list wire_bytes_list; // borrowed array of bin

enum wire_kind {
#define WIRE_KIND(kind) W_##kind,
#include "proto/wire_kinds.def"
};

enum wire_need { OPT = 0, REQ = 1 };

struct wire_field {
	const char *name;
	enum wire_kind kind;
	enum wire_need need;
	size_t off;  // of the value in the struct
	size_t has;  // of its `bool has_…`
	int64_t min; // numbers: smallest; text, bytes, lists: fewest bytes or elements; unused where the kind says it all (both 0)
	int64_t max;
	const char *doc;
};

// What is wrong with a message; both texts are constants.  field is NULL where no field is to blame.
struct wire_error {
	const char *field;
	const char *what;
};

// Reads one map into out, a struct that the fields describe; sets each has_….  Returns false with *err on the first wrong byte.
// out is zeroed first, so that no byte of it is left to chance (cells get these structs whole).
bool wire_decode(const struct wire_field *fields, size_t n, struct mp *m, void *out, size_t out_size, struct wire_error *err);

// Packs in as one map: every required field (its has_… isn't asked) and those optional ones whose has_… is true.  Returns false where it didn't fit.
bool wire_encode(const struct wire_field *fields, size_t n, const void *in, struct mp_out *o);

// Walks a wire_bytes_list: sets *item to the next element; false at the end.  Start with *it = mp_over(list->raw.p, list->raw.len).
bool wire_bytes_next(struct mp *it, struct mp_slice *item);

// The checks of the text kinds, also for whoever reads such names from elsewhere.  s is NUL-terminated.
bool wire_ifname_ok(const char *s);
bool wire_vmid_ok(const char *s);
bool wire_relpath_ok(const char *s);

#endif
