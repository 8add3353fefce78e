// Life of an exchange. See exchange.h.
#include "unpriv/posternd/exchange.h"

#include <stdlib.h>

#include "unpriv/posternd/conn.h"

enum { FREE_MAX = 64, KEEP_BYTES = 16384 };

static struct exchanges spare = TAILQ_HEAD_INITIALIZER(spare);
static unsigned spares;

static struct exchange *take_spare(void)
{
	struct exchange *x = TAILQ_FIRST(&spare);
	if (x == NULL)
		return xcalloc(1, sizeof *x);
	TAILQ_REMOVE(&spare, x, link);
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
	TAILQ_INSERT_HEAD(&spare, x, link);
	spares++;
}

static void unlink_from_conn(struct exchange *x)
{
	TAILQ_REMOVE(&x->conn->exchanges, x, link);
	x->conn->pending--;
	x->conn = NULL;
}

void exchange_release(struct exchange *x)
{
	unlink_from_conn(x);
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
	while (!TAILQ_EMPTY(&c->exchanges)) {
		struct exchange *x = TAILQ_FIRST(&c->exchanges);
		unlink_from_conn(x);
		if (x->complete)
			recycle(x);
	}
}

void exchanges_finish(void)
{
	while (!TAILQ_EMPTY(&spare)) {
		struct exchange *x = TAILQ_FIRST(&spare);
		TAILQ_REMOVE(&spare, x, link);
		destroy(x);
	}
	spares = 0;
}
