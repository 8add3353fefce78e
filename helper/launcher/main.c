// postern-helper, the launcher: setuid root, or started by init.
//
// It cleans the world it came from, reads the policy, checks its caller, starts broker and cells, gives up everything and waits.  It never
// reads a byte of a request.  argv and environment are not looked at; a step that fails is a refusal to start.
#include <errno.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

#include "filter_launcher.h"
#include "helper/common/confine.h"
#include "helper/launcher/launcher.h"
#include "helper/launcher/policy_file.h"

static void policy_read(struct policy *p)
{
	char what[200];
	struct policy_error e;

	if (policy_load(p, POLICY_FILE, &e))
		return;
	if (e.line > 0)
		snprintf(what, sizeof(what), "%s:%u: %s", POLICY_FILE, e.line, e.what);
	else
		snprintf(what, sizeof(what), "%s: %s", POLICY_FILE, e.what);
	confine_refuse(LAUNCHER, what, 0);
}

// The launcher has no uid of its own in the policy: as the broker's it can at most end the helper, which the broker can anyway.
static void give_up_everything(const struct policy_ids *ids)
{
	static const struct confine_limit limits[] = {{RLIMIT_NPROC, 0}, {RLIMIT_FSIZE, 0}};
	const struct confine c = {
	    .name = LAUNCHER,
	    .uid = ids->broker_uid,
	    .gid = ids->broker_uid,
	    .mdwe = true,
	    .signals_out = true, // the kernel sends PDEATHSIG in the name of whoever dies
	    .landlock = CONFINE_FS_DENY,
	    .limits = limits,
	    .nlimits = sizeof(limits) / sizeof(limits[0]),
	    .filter = filter_launcher,
	    .filter_len = filter_launcher_len,
	};

	confine_or_refuse(&c);
}

int main(void)
{
	static struct policy policy;
	uid_t caller = getuid();
	int life;

	world_clean();
	policy_read(&policy);
	caller_check(caller, &policy);
	life = tree_start(&policy, tree_lock());
	give_up_everything(&policy.ids);
	_exit(tree_wait(life));
}
