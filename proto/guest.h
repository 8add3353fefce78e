// The host-to-guest conversation, from the rows of guest.def: message numbers, one struct a message, and the table msg_rows.
//
// A message is [number, {fields}].  Texts that come from a command line are bin: they need not be UTF-8.
#ifndef PROTO_GUEST_H
#define PROTO_GUEST_H

#include "proto/wire.h"

#define GUEST_PROTOCOL 1u
#define GUEST_PORT 1024u
#define GUEST_MAX_DATA 61440u  // bytes of output or input in one message

// Optional abilities, bits of hello's features; one counts when both sides have said it.
#define FEATURE_STDIN_WINDOW 1u // at most STDIN_WINDOW bytes of stdin_data are under way: see stdin_taken
// The guest can hold as much, so it never stops reading: a signal, or the host's end, isn't stuck behind input that no command takes.
#define STDIN_WINDOW 131072u

enum msg_id {
#define MSG(id, from, doc) MSG_##id,
#include "proto/guest.def"
	MSG_COUNT
};

enum msg_from { FROM_HOST = 1, FROM_GUEST = 2, FROM_BOTH = FROM_HOST | FROM_GUEST };

#define MSG(id, from, doc) struct msg_##id { uint8_t none_;
#define FIELD(id, kind, name, need, min, max, doc) bool has_##name; wire_##kind name;
#define END_MSG(id) };
#include "proto/guest.def"

// Any one message; texts and data borrow the buffer it was read from.
struct msg {
	enum msg_id id;
	union {
#define MSG(id_, from, doc) struct msg_##id_ id_;
#include "proto/guest.def"
	};
};

struct msg_row {
	const char *name;
	enum msg_from from;
	const char *doc;
	const struct wire_field *fields;
	size_t nfields;
	size_t size;
};

extern const struct msg_row msg_rows[MSG_COUNT];

// Reads the message at the start of buf, sent by `from`, and says how many bytes it took.
// MP_SHORT: not all there yet.  MP_BAD: with *err; the connection is no good any more.
enum mp_status msg_read(const void *buf, size_t len, enum msg_from from, struct msg *m, size_t *used, struct wire_error *err);

// Packs a message behind what o holds.  Returns false when it doesn't fit; o is then full.
bool msg_write(struct mp_out *o, const struct msg *m);

#endif
