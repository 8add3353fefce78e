// See many.h.
#include "unpriv/posternd/many.h"

#include <stdio.h>
#include <string.h>

static void keep(struct many *m, const struct priv_reply *r)
{
	if (m->failed)
		return;
	m->failed = true;
	snprintf(m->rule, sizeof(m->rule), "%s", r->rule);
	m->reply = *r;
	m->reply.rule = m->rule;
	m->reply.res = NULL;
	m->reply.fds = NULL;
}

static void go_on(struct many *m);

static void on_reply(void *arg, const struct priv_reply *r)
{
	struct many *m = arg;

	m->waiting--;
	if (!priv_ok(r))
		keep(m, r);
	else if (m->done != NULL)
		m->done(m->t, r);
	go_on(m);
}

static void go_on(struct many *m)
{
	while (!m->failed && m->asked < m->n && m->waiting < m->width) {
		union op_args a;
		int err;

		memset(&a, 0, sizeof(a));
		m->args(m->t, m->asked++, &a);
		m->waiting++;
		err = priv_call(m->op, &a, NULL, on_reply, m);
		if (err != 0) {
			m->waiting--;
			keep(m, &(struct priv_reply){
			            .outcome = PRIV_ANSWERED, .op = m->op, .status = OPS_IO, .err = (uint32_t)err, .rule = "request not sent"});
		}
	}
	if (m->waiting == 0 && (m->failed || m->asked == m->n)) {
		m->t->reply = &m->reply;
		m->t->run(m->t);
	}
}

void many_run(struct many *m)
{
	m->asked = m->waiting = 0;
	m->failed = false;
	m->reply = (struct priv_reply){.outcome = PRIV_ANSWERED, .op = m->op, .status = OPS_OK, .rule = ""};
	go_on(m);
}
