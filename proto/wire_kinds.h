// What wire.c and wire_kinds.c share; nobody else includes it.
#ifndef PROTO_WIRE_KINDS_H
#define PROTO_WIRE_KINDS_H

#include <msgpack/pack.h>

#include "proto/wire.h"

// One kind of value.  get() reads a value that was taken from `m` already (a container's elements still stand there) into the field's
// member, and answers NULL, or what is wrong with it: a constant.  put() appends the member.
struct wire_codec {
	const char *(*get)(const struct wire_field *f, struct mp *m, const struct mp_value *v, void *out);
	void (*put)(msgpack_packer *pk, const void *in);
};

extern const struct wire_codec wire_codecs[]; // by enum wire_kind

void wire_put_str(msgpack_packer *pk, const void *in); // a C string as a str value

#endif
