// The list of modules: a new one is a row here. See modules.h.
#include "unpriv/posternd/modules.h"

#include <stddef.h>
#include <unistd.h>

#include "unpriv/common/log.h"
#include "unpriv/posternd/event_wait.h"
#include "unpriv/posternd/state.h"

static const struct module modules[] = {
    {.name = "state", .start = state_start, .helper = state_helper, .reloaded = event_wait_reloaded, .stop = state_stop},
    {.name = NULL},
};

bool modules_start(void)
{
	for (const struct module *m = modules; m->name; m++) {
		if (m->start && !m->start()) {
			log_error("module did not start", "module=%s", m->name);
			return false;
		}
		log_debug("module started", "module=%s", m->name);
	}
	return true;
}

void modules_helper(int fd)
{
	for (const struct module *m = modules; m->name; m++)
		if (m->helper) {
			m->helper(fd);
			return;
		}
	close(fd);
}

void modules_reloaded(void)
{
	for (const struct module *m = modules; m->name; m++)
		if (m->reloaded)
			m->reloaded();
}

void modules_stop(void)
{
	const struct module *m = modules;
	while (m->name)
		m++;
	while (m-- > modules)
		if (m->stop)
			m->stop();
}
