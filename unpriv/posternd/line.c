// Line framing: a message ends with LF (a CR before it is white space to JSON). An empty line is
// nothing. A line over the body limit is answered once with an error and the connection ends, for
// where the next message begins can't be told without reading on for ever.
#include "unpriv/posternd/line.h"

#include <string.h>

#include "unpriv/posternd/config.h"
#include "unpriv/posternd/daemon.h"
#include "unpriv/posternd/exchange.h"
#include "unpriv/posternd/rpc.h"

static void refuse(struct conn *c, const char *why)
{
	rpc_put_error(&c->out, &(struct rpc_error){.code = RPC_FAILED, .kind = "busy", .detail = why});
	text_char(&c->out, '\n');
}

static void too_long(struct conn *c)
{
	rpc_put_error(&c->out, &(struct rpc_error){.code = RPC_INVALID_REQUEST, .detail = "the message is longer than the limit (max_body_bytes)"});
	text_char(&c->out, '\n');
	conn_deafen(c);
}

static bool is_blank(const char *line, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (line[i] != ' ' && line[i] != '\t' && line[i] != '\r')
			return false;
	return true;
}

static void take_line(struct conn *c, char *line, size_t len)
{
	if (is_blank(line, len))
		return;
	struct exchange *x = exchange_create(c);
	conn_caller(c, &x->caller);
	rpc_receive(x, line, len);
}

static size_t input(struct conn *c, char *in, size_t len)
{
	size_t max = (size_t)daemon_config()->max_body_bytes;
	size_t used = 0;
	while (!conn_is_full(c)) {
		size_t from = used + c->seen;
		char *lf = len > from ? memchr(in + from, '\n', len - from) : NULL;
		size_t line_len = lf ? (size_t)(lf - in) - used : len - used;
		if (line_len > max) {
			too_long(c);
			return len;
		}
		c->seen = lf ? 0 : line_len;
		if (lf == NULL)
			return used;
		take_line(c, in + used, line_len);
		used += line_len + 1;
	}
	return used;
}

static void done(struct exchange *x)
{
	struct conn *c = x->conn;
	if (x->out.len) {
		text_move(&c->out, &x->out);
		text_char(&c->out, '\n');
	}
	exchange_release(x);
	conn_flush(c);
}

const struct framing line_framing = {.name = "line", .input = input, .done = done, .refuse = refuse};
