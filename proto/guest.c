// Tables, reader and writer of the host-to-guest conversation, generated from guest.def.
#include "proto/guest.h"

#include <msgpack/pack.h>
#include <string.h>

// The guest's own build leaves the sentences out: its size is a promise, and nobody reads them there.
#ifdef POSTERN_TERSE
#define DOC(text) NULL
#else
#define DOC(text) text
#endif

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

#define MSG(id, from, doc) static const struct wire_field fields_##id[] = {
#define FIELD(id, kind, name, need, min, max, doc) \
	{#name, W_##kind, need, offsetof(struct msg_##id, name), offsetof(struct msg_##id, has_##name), min, max, DOC(doc)},
#define END_MSG(id) {NULL, W_u32, OPT, 0, 0, 0, 0, NULL}};
#include "proto/guest.def"

const struct msg_row msg_rows[MSG_COUNT] = {
#define MSG(id, from, doc) [MSG_##id] = {#id, FROM_##from, DOC(doc), fields_##id, COUNT(fields_##id) - 1, sizeof(struct msg_##id)},
#include "proto/guest.def"
};

static enum mp_status bad(struct wire_error *err, const char *what)
{
	*err = (struct wire_error){.field = NULL, .what = what};
	return MP_BAD;
}

enum mp_status msg_read(const void *buf, size_t len, enum msg_from from, struct msg *m, size_t *used, struct wire_error *err)
{
	struct mp_value v;
	struct mp r;
	enum mp_status st = mp_size(buf, len, used);

	if (st != MP_OK)
		return st == MP_BAD ? bad(err, "not canonical msgpack, or too long") : st;
	r = mp_over(buf, *used);
	if (mp_next(&r, &v) != MP_OK || v.type != MP_ARRAY || v.n != 2)
		return bad(err, "not an array of two");
	if (mp_next(&r, &v) != MP_OK || v.type != MP_UINT || v.u >= MSG_COUNT)
		return bad(err, "unknown message");
	m->id = (enum msg_id)v.u;
	if ((msg_rows[m->id].from & from) == 0)
		return bad(err, "message from the wrong side");
	// The union's members all start at the same address.
	return wire_decode(msg_rows[m->id].fields, msg_rows[m->id].nfields, &r, &m->hello, msg_rows[m->id].size, err) ? MP_OK : MP_BAD;
}

bool msg_write(struct mp_out *o, const struct msg *m)
{
	msgpack_packer pk;

	msgpack_packer_init(&pk, o, mp_out_write);
	msgpack_pack_array(&pk, 2);
	msgpack_pack_uint32(&pk, (uint32_t)m->id);
	return wire_encode(msg_rows[m->id].fields, msg_rows[m->id].nfields, &m->hello, o);
}
