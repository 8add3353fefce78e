// Bounded msgpack reader.
//
// Reads the canonical subset of msgpack that postern speaks on its two binary wires (daemon to helper, host to guest agent): nil, bool,
// integers in their shortest form, str in valid UTF-8, bin, array and map.  Floats, ext types, 0xc1, longer forms than needed and
// invalid UTF-8 are errors.  It never allocates and never copies: a str or bin is a slice of the caller's buffer, so it is as safe on
// a hostile guest's bytes as in the helper's broker.  msgpack-c packs (see mp_out below) and is the oracle this reader is fuzzed against.
#ifndef PROTO_MP_H
#define PROTO_MP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// No value on either wire is longer than this (bytes), nor nested deeper than this.
#define MP_MAX_VALUE 65536u
#define MP_MAX_DEPTH 4u

struct mp {
	const uint8_t *p;    // next byte
	const uint8_t *end;  // one past the last
};

enum mp_status {
	MP_OK = 0,
	MP_SHORT,  // the bytes end inside a value: in a stream, more may come
	MP_BAD,    // no continuation makes these bytes acceptable
};

enum mp_type { MP_NIL, MP_BOOL, MP_UINT, MP_NEGINT, MP_STR, MP_BIN, MP_ARRAY, MP_MAP };

struct mp_slice {
	const uint8_t *p;  // borrowed, not NUL-terminated
	uint32_t len;      // bytes
};

struct mp_value {
	enum mp_type type;
	union {
		bool b;
		uint64_t u;         // MP_UINT
		int64_t i;          // MP_NEGINT, always below zero
		struct mp_slice s;  // MP_STR, MP_BIN
		uint32_t n;         // MP_ARRAY: elements that follow; MP_MAP: pairs that follow
	};
};

// Starts reading buf[0..len).
struct mp mp_over(const void *buf, size_t len);

// Reads one scalar, or the head of an array or map whose elements are then read by further calls.
// On MP_SHORT and MP_BAD the reader is where it was.
enum mp_status mp_next(struct mp *m, struct mp_value *v);

// Passes over one whole value with everything inside it; deeper than depth levels of arrays and maps is MP_BAD.
enum mp_status mp_skip(struct mp *m, unsigned depth);

// Says how many bytes the value at the start of buf takes.  MP_SHORT = not all there yet; longer than MP_MAX_VALUE is MP_BAD.
enum mp_status mp_size(const void *buf, size_t len, size_t *size);

// True for well-formed UTF-8 (RFC 3629: no surrogates, no overlong forms, at most U+10FFFF).
bool mp_utf8(const uint8_t *p, size_t len);

// A bounded buffer that msgpack-c packs into.  Once full it stays full: check `full` once, at the end.
struct mp_out {
	uint8_t *buf;
	size_t cap;
	size_t len;
	bool full;
};

// The write callback for msgpack_packer_init(); data is a struct mp_out.  Returns 0, or -1 when the buffer is full.
int mp_out_write(void *data, const char *buf, size_t len);

#endif
