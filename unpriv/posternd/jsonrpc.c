// Envelope of JSON-RPC 2.0. See jsonrpc.h.
//
// The scanner walks the text once, proves it to be JSON and gives the place of each envelope member.
// An id is copied as it is written and then blanked, for a parser would turn 1e3 into 1000.0 and
// choke on 2^64. Only when some call has parameters, or members that aren't the envelope's, is a tree
// built from the text, which also finds duplicate keys below the envelope.
#include "unpriv/posternd/jsonrpc.h"

#include <stdio.h>

struct reader {
	struct scan s;
	struct arena *a;
	struct message *m;
	size_t room;
	bool needs_tree;
};

static bool read_version(struct reader *r, struct call *c)
{
	struct scanned v;
	if (c->has_version)
		return scan_fail(&r->s, "duplicate key \"jsonrpc\"");
	c->has_version = true;
	if (!scan_value(&r->s, 3, &v))
		return false;
	if (v.type != SCAN_STRING || !span_is((struct span){v.span.at + 1, v.span.len - 2}, "2.0"))
		c->invalid = "\"jsonrpc\" must be \"2.0\"";
	return true;
}

static bool read_id(struct reader *r, struct call *c)
{
	struct scanned v;
	if (c->has_id)
		return scan_fail(&r->s, "duplicate key \"id\"");
	c->has_id = true;
	if (!scan_value(&r->s, 3, &v))
		return false;
	c->id_span = v.span;
	if (v.type == SCAN_STRING || v.type == SCAN_NUMBER || v.type == SCAN_NULL) {
		c->id = arena_strndup(r->a, v.span.at, v.span.len);
		c->id_len = v.span.len;
	} else {
		c->invalid = "\"id\" must be a string, a number or null";
	}
	return true;
}

static bool read_method(struct reader *r, struct call *c)
{
	struct scanned v;
	if (c->has_method)
		return scan_fail(&r->s, "duplicate key \"method\"");
	c->has_method = true;
	if (!scan_value(&r->s, 3, &v))
		return false;
	if (v.type == SCAN_STRING)
		c->method = span_decode((struct span){v.span.at + 1, v.span.len - 2}, r->a);
	else
		c->invalid = "\"method\" must be a string";
	return true;
}

static bool read_params(struct reader *r, struct call *c)
{
	struct scanned v;
	if (c->has_params)
		return scan_fail(&r->s, "duplicate key \"params\"");
	c->has_params = true;
	if (!scan_value(&r->s, 3, &v))
		return false;
	if (v.type != SCAN_ARRAY && v.type != SCAN_OBJECT)
		c->invalid = "\"params\" must be an object or an array";
	else if (!v.empty)
		r->needs_tree = true;
	return !r->s.number_too_big || scan_fail(&r->s, "an integer doesn't fit 64 bits");
}

// JSON-RPC says nothing on other members: they are checked as JSON and ignored.
static bool read_other(struct reader *r)
{
	struct scanned v;
	r->needs_tree = true;
	if (!scan_value(&r->s, 3, &v))
		return false;
	return !r->s.number_too_big || scan_fail(&r->s, "an integer doesn't fit 64 bits");
}

static bool read_member(struct reader *r, struct call *c)
{
	struct span key;
	if (!scan_string(&r->s, &key))
		return false;
	if (!scan_eat(&r->s, ':'))
		return scan_fail(&r->s, "':' was expected");
	if (span_is(key, "jsonrpc"))
		return read_version(r, c);
	if (span_is(key, "method"))
		return read_method(r, c);
	if (span_is(key, "id"))
		return read_id(r, c);
	if (span_is(key, "params"))
		return read_params(r, c);
	return read_other(r);
}

static bool read_envelope(struct reader *r, struct call *c)
{
	scan_eat(&r->s, '{');
	if (!scan_eat(&r->s, '}')) {
		do {
			if (!read_member(r, c))
				return false;
		} while (scan_eat(&r->s, ','));
		if (!scan_eat(&r->s, '}'))
			return scan_fail(&r->s, "',' or '}' was expected");
	}
	if (!c->invalid && !c->has_version)
		c->invalid = "\"jsonrpc\" is missing";
	if (!c->invalid && !c->has_method)
		c->invalid = "\"method\" is missing";
	return true;
}

static struct call *add_call(struct reader *r)
{
	struct message *m = r->m;
	if (m->n == r->room) {
		size_t room = r->room ? r->room * 4 : 1;
		struct call *calls = arena_alloc(r->a, room * sizeof *calls);
		if (m->n)
			memcpy(calls, m->calls, m->n * sizeof *calls);
		m->calls = calls;
		r->room = room;
	}
	m->calls[m->n] = (struct call){0};
	return &m->calls[m->n++];
}

static bool read_call(struct reader *r)
{
	struct scanned v;
	if (r->m->n == BATCH_MAX) {
		r->m->too_long = true; // the rest only has to be JSON
		return scan_value(&r->s, 2, &v);
	}
	struct call *c = add_call(r);
	if (scan_peek(&r->s) == '{')
		return read_envelope(r, c);
	c->invalid = "a request must be an object";
	r->needs_tree = true;
	if (!scan_value(&r->s, 2, &v))
		return false;
	return !r->s.number_too_big || scan_fail(&r->s, "an integer doesn't fit 64 bits");
}

static bool read_message(struct reader *r)
{
	if (scan_peek(&r->s) != '[')
		return read_call(r) && scan_end(&r->s);
	r->m->batch = true;
	scan_eat(&r->s, '[');
	if (scan_eat(&r->s, ']'))
		return scan_end(&r->s);
	do {
		if (!read_call(r))
			return false;
	} while (scan_eat(&r->s, ','));
	if (!scan_eat(&r->s, ']'))
		return scan_fail(&r->s, "',' or ']' was expected");
	return scan_end(&r->s);
}

// The id's place gets a 0, so that the tree is built from text that says the same but for the ids.
static void blank_ids(const struct message *m)
{
	for (size_t i = 0; i < m->n; i++)
		if (m->calls[i].has_id) {
			memset(m->calls[i].id_span.at, ' ', m->calls[i].id_span.len);
			m->calls[i].id_span.at[0] = '0';
		}
}

static bool build_tree(struct message *m, const char *text, size_t len)
{
	json_error_t error;
	blank_ids(m);
	m->tree = json_loadb(text, len, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &error);
	if (m->tree == NULL)
		snprintf(m->why, sizeof m->why, "%.120s at byte %d", error.text, error.position);
	return m->tree != NULL;
}

bool jsonrpc_read(struct message *m, char *text, size_t len, struct arena *a)
{
	struct reader r = {.a = a, .m = m};
	*m = (struct message){0};
	scan_init(&r.s, text, len);
	if (!read_message(&r)) {
		snprintf(m->why, sizeof m->why, "%s at byte %zu", r.s.why, (size_t)(r.s.at - r.s.start));
		return false;
	}
	return !r.needs_tree || m->too_long || build_tree(m, text, len);
}

const json_t *jsonrpc_params(const struct message *m, size_t i)
{
	const json_t *call = m->batch ? json_array_get(m->tree, i) : m->tree;
	return json_object_get(call, "params");
}
