// postern-init: process 1 of a guest.
//
//	initramfs:  /proc /sys /dev, modules, switch to root=     then, there or where the kernel mounted the root itself:
//	root:       the other mounts, modules by alias, network, then one agent (agent.c) that serves the host over vsock
//
// Nothing here is allowed to fail the boot: each failure is one line on the console.  Process 1 never exits.
#include <errno.h>
#include <signal.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <unistd.h>

#include "guest-init/cmdline.h"
#include "guest-init/config.h"
#include "guest-init/modules.h"
#include "guest-init/mounts.h"
#include "guest-init/net.h"
#include "guest-init/supervise.h"
#include "guest-init/switchroot.h"
#include "guest-init/text.h"

int main(void)
{
	const struct config *c;

	if (getpid() != 1) {
		say("runs as process 1 of a guest only", NULL, 0);
		return 1;
	}
	supervise_init();
	umask(022);
	(void)reboot(RB_DISABLE_CAD); // Ctrl-Alt-Del then comes as SIGINT; in a pid namespace it isn't ours to say
	mount_early();
	cmdline_read();
	modules_from_list();
	switch_root();
	mount_rest();
	modules_by_alias();
	c = config_load();
	net_up(c);
	supervise(c);
}
