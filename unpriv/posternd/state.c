// See state.h.  Order: the rows are read before the store's thread starts; the helper's first hello starts the restoring, after which VMs are
// looked at (an adopted VM's bridge must be there first), and then the sweep.
#include "unpriv/posternd/state.h"

#include <stdio.h>

#include "unpriv/common/log.h"
#include "unpriv/posternd/audit.h"
#include "unpriv/posternd/cache.h"
#include "unpriv/posternd/checkpoint.h"
#include "unpriv/posternd/config.h"
#include "unpriv/posternd/conntrack.h"
#include "unpriv/posternd/daemon.h"
#include "unpriv/posternd/endpoint.h"
#include "unpriv/posternd/event_publish.h"
#include "unpriv/posternd/event_wait.h"
#include "unpriv/posternd/events.h"
#include "unpriv/posternd/firewall.h"
#include "unpriv/posternd/gate.h"
#include "unpriv/posternd/guard.h"
#include "unpriv/posternd/helper_client.h"
#include "unpriv/posternd/lease_port.h"
#include "unpriv/posternd/net_restore.h"
#include "unpriv/posternd/ovs_ctl.h"
#include "unpriv/posternd/ovsdb.h"
#include "unpriv/posternd/rpc_net.h"
#include "unpriv/posternd/rtnl.h"
#include "unpriv/posternd/rtnl_window.h"
#include "unpriv/posternd/store.h"
#include "unpriv/posternd/stream.h"
#include "unpriv/posternd/tap_pool.h"
#include "unpriv/posternd/uplinks.h"
#include "unpriv/posternd/verify.h"
#include "unpriv/posternd/vm.h"
#include "unpriv/posternd/vm_restart.h"
#include "unpriv/posternd/watch.h"

#define EXIT_MALFORMED 3

static bool restored;

static void on_restored(void *arg, bool ok)
{
	(void)arg;
	(void)ok;
	tap_pool_start();
	vm_restart_verify();
	gate_open();
	guard_begin();
}

static void start_restoring(void)
{
	net_restore(on_restored, NULL);
}

static void on_helper_ready(void *arg)
{
	(void)arg;
	daemon_helper_met();
	lease_helper_ready();
	event_publish(event_topic_helper_up, NULL, (const struct event_member[]){{"why", restored ? "started again" : "started"}, {NULL, NULL}});
	watch_helper();
	uplinks_ask();
	if (restored)
		return;
	restored = true;
	checkpoint_forget_helpers(start_restoring);
}

static void on_helper_gone(bool malformed)
{
	streams_lost();
	event_publish(event_topic_helper_down, NULL,
	              (const struct event_member[]){{"why", malformed ? "it sent what no helper sends" : "it ended"}, {NULL, NULL}});
	ovsdb_helper_gone();
	if (malformed)
		daemon_exit(EXIT_MALFORMED);
	else
		daemon_helper_gone();
}

bool state_start(void)
{
	char path[512], err[300];

	snprintf(path, sizeof(path), "%s/state.db", daemon_config()->state_dir);
	if (!store_open(path, err, sizeof(err))) {
		log_error("state can't be opened", "why=%s", err);
		return false;
	}
	if (!checkpoint_recover() || !cache_load() || !vm_restart_load()) {
		log_error("state can't be read", "path=%s", path);
		return false;
	}
	endpoint_sweep();
	rpc_net_started();
	if (!rtnl_start() || !store_start(daemon_base()) || !helper_client_start(daemon_base()) || !audit_start() || !gate_start() || !event_wait_start() || !watch_start()) {
		log_error("state can't be started", NULL);
		return false;
	}
	checkpoint_report();
	helper_client_on_ready(on_helper_ready, NULL);
	helper_client_on_gone(on_helper_gone);
	net_sweep_start();
	return lease_start();
}

void state_helper(int fd)
{
	helper_client_attach(fd);
}

// VMs go on without us: only what is ours is closed.
void state_stop(void)
{
	net_sweep_stop();
	watch_stop();
	guard_stop();
	verify_stop();
	checkpoint_stop();
	lease_stop();
	event_wait_stop();
	tap_pool_stop();
	gate_stop();
	ovsdb_stop();
	ovs_ctl_stop();
	helper_client_stop();
	conntrack_stop();
	firewall_stop();
	for (struct vm *vm = vm_first(); vm != NULL; vm = vm_next(vm)) {
		vm_act_cancel(vm);
		endpoint_close(vm->exec_endpoint);
		endpoint_close(vm->console_endpoint);
		vm->exec_endpoint = vm->console_endpoint = NULL;
	}
	audit_stop();
	store_close();
	rtnl_scan_stop();
	rtnl_window_stop();
	request_reply_stop();
	rtnl_stop();
	cache_finish();
	events_finish();
}
