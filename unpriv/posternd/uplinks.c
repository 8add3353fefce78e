// See uplinks.h.
#include "unpriv/posternd/uplinks.h"

#include "unpriv/posternd/helper_client.h"

static wire_ifnames names;
static bool known;

static void on_answer(void *arg, const struct priv_reply *r)
{
	(void)arg;
	if (priv_ok(r)) {
		names = r->res->uplinks.names;
		known = true;
	}
}

void uplinks_ask(void)
{
	const struct op_uplinks_args a = {0};

	priv_uplinks(&a, NULL, on_answer, NULL);
}

const wire_ifnames *uplinks(void)
{
	return known ? &names : NULL;
}
