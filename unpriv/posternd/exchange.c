// Life of an exchange. See exchange.h.
#include "unpriv/posternd/exchange.h"

#include <stdlib.h>

#include "unpriv/posternd/conn.h"
#include "unpriv/posternd/sse.h"

enum { FREE_MAX = 64, KEEP_BYTES = 16384 };

static struct exchange *spare; // linked by next_spare
static unsigned spares;

static struct exchange *take_spare(void)
{
	struct exchange *x = spare;
	if (x == NULL)
		return xcalloc(1, sizeof *x);
	spare = x->next_spare;
	spares--;
	struct arena arena = x->arena;
	struct text out = x->out;
	*x = (struct exchange){.arena = arena, .out = out};
	return x;
}

struct exchange *exchange_create(struct conn *c)
{
	struct exchange *x = take_spare();
	x->conn = c;
	x->uid = c->peer.uid;
	x->type = "application/json";
	x->keep_alive = true;
	TAILQ_INSERT_TAIL(&c->exchanges, x, link);
	c->pending++;
	return x;
}

static void destroy(struct exchange *x)
{
	json_decref(x->tree);
	arena_finish(&x->arena);
	text_finish(&x->out);
	free(x);
}

static void recycle(struct exchange *x)
{
	if (spares >= FREE_MAX) {
		destroy(x);
		return;
	}
	json_decref(x->tree);
	x->tree = NULL;
	arena_reset(&x->arena);
	text_clear(&x->out, KEEP_BYTES);
	x->next_spare = spare;
	spare = x;
	spares++;
}

static void unlink_from(struct conn *c, struct exchange *x)
{
	TAILQ_REMOVE(&c->exchanges, x, link);
	c->pending--;
	x->conn = NULL;
	if (x->stream != NULL) {
		sse_destroy(x->stream);
		x->stream = NULL;
		x->complete = true;
	}
}

void exchange_release(struct exchange *x)
{
	unlink_from(x->conn, x);
	recycle(x);
}

void exchange_complete(struct exchange *x)
{
	x->complete = true;
	if (x->conn)
		x->conn->framing->done(x);
	else
		recycle(x);
}

void exchanges_abandon(struct conn *c)
{
	struct exchange *x = TAILQ_FIRST(&c->exchanges), *next;
	for (; x; x = next) {
		next = TAILQ_NEXT(x, link);
		unlink_from(c, x);
		if (x->complete)
			recycle(x);
	}
}

void exchanges_finish(void)
{
	while (spare) {
		struct exchange *x = spare;
		spare = x->next_spare;
		destroy(x);
	}
	spares = 0;
}
