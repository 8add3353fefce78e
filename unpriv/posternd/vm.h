// A VM as the daemon sees it: one state, one step function, everything else hangs on these.
//
// vm_step.c decides, vm_act.c does (each wait ends in exactly one event, and an answer that comes after the VM has gone on is dropped by its
// turn number), vm_table.c finds VMs, vm_events.c keeps what happened, vm_store.c writes rows.  A request that waits for a VM is a waiter; it
// is answered when the VM has come to rest and its row is on disk.
#ifndef POSTERN_POSTERND_VM_H
#define POSTERN_POSTERND_VM_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>
#include <sys/types.h>

#include "proto/helper.h"
#include "proto/rpc.h"
#include "unpriv/posternd/vm_desc.h"

#define VM_ID           65
#define VM_RING         64   // transitions kept for each VM
#define VM_POLL_MS      50   // between two tries of a grant
#define VM_KILL_POLL_MS 100  // between two looks whether a cgroup is empty
#define VM_QUIT_MS      3000 // for the VMM to end after QMP's quit
#define VM_TERM_MS      7000 // for the keeper to end after SIGTERM; it gives the VMM 5 s
#define VM_ADOPT_MS     5000 // for an adopted VM's sockets

// Where a VM is.  Each value names who enters it and what leaves it.
enum vm_at {
	VM_AT_NEW,           // create: the row is being stored; left when it is, to JAIL
	VM_AT_JAIL,          // jail_create; left by its answer, to GIVE
	VM_AT_GIVE,          // jail_give of file after file; left after the last, to RESTING (Configured)
	VM_AT_RESTING,       // nothing runs: Configured, Stopped, StartFailed or Failed; left by start or remove
	VM_AT_START,         // start: Starting is being stored; left when it is, to CGROUP
	VM_AT_CGROUP,        // jail_create again, for the cgroup is gone after a reboot; left by its answer, to TAPS
	VM_AT_TAPS,          // rows and tap_create of tap after tap; left after the last, to NAT
	VM_AT_NAT,           // translations that nets ask for; left by the answer, to SPAWN
	VM_AT_SPAWN,         // jail_spawn; left by its answer, to GRANT_API
	VM_AT_GRANT_API,     // grant_api, again and again; left with the socket, or at the deadline
	VM_AT_GRANT_VSOCK,   // the same for the vsock socket
	VM_AT_GRANT_CONSOLE, // the same for the console socket
	VM_AT_READY,         // the agent, or without vsock the VMM, is asked for a sign of life; left by it, to RUNNING, or at the deadline
	VM_AT_RUNNING,       // left by stop, or by the keeper's end
	VM_AT_STOP,          // stop: Stopping is being stored; left when it is, to STOP_GUEST or KILL
	VM_AT_STOP_GUEST,    // the guest was asked to shut down; left by the keeper's end, or when its time is over
	VM_AT_STOP_VMM,      // QMP quit; left likewise
	VM_AT_STOP_TERM,     // jail_signal; left likewise
	VM_AT_KILL,          // whatever came before: jail_kill until the cgroup is empty; left then, to UNTAP
	VM_AT_UNTAP,         // links_del and rows of the VM's taps; left by the answer, to UNNAT
	VM_AT_UNNAT,         // translations of the VM; left by the answer, to RESTING or REMOVE_JAIL
	VM_AT_REMOVE_JAIL,   // remove, or a create that failed: jail_remove; left by its answer, to REMOVE_ROW
	VM_AT_REMOVE_ROW,    // the row's deletion is being stored; then the VM is gone
};

// What can happen to it.
enum vm_event {
	VM_EV_STORED,  // everything handed to the store is on disk
	VM_EV_DONE,    // what the state waits for was done
	VM_EV_FAILED,  // it wasn't: vm->failure says why
	VM_EV_TIMEOUT, // the state's timer
	VM_EV_EXITED,  // the keeper has ended
	VM_EV_START,   // a request, or autostart
	VM_EV_STOP,    // a request: vm->stop_secs, vm->force
	VM_EV_REMOVE,  // a request: vm->force
};

enum vm_wait { VM_WAIT_CREATE, VM_WAIT_START, VM_WAIT_STOP, VM_WAIT_REMOVE };

struct request;
struct event;
struct endpoint;

struct vm_waiter {
	STAILQ_ENTRY(vm_waiter) link;
	enum vm_wait kind;
	struct request *rq;
};

struct vm_transition {
	uint64_t seq;
	char id[VM_ID];
	enum rpc_vm_state from, to;
	enum rpc_vm_reason reason;
	int64_t at_unix_ms;
};

// Why the last thing failed.
struct vm_failure {
	enum fail_kind kind;
	bool pending; // the helper said: not there yet
	int err;
	char text[200];
};

struct vm {
	TAILQ_ENTRY(vm) link;
	char id[VM_ID];
	char *tenant;       // owned; NULL: the host
	struct arena arena; // of desc and desc_text
	struct vm_desc desc;
	const char *desc_text;
	uint32_t uid, cid;
	int64_t created_unix, running_since_unix;

	enum vm_at at;
	enum rpc_vm_state state;
	enum rpc_vm_reason reason;
	char last_error[256];
	enum fail_kind error_kind; // of last_error
	int exit_code;             // of the VMM; -1: unknown

	uint64_t turn;           // changes with `at`: tells late answers
	unsigned stores;         // commits under way
	bool store_failed;       // one of them did
	unsigned index;          // of the file or tap being worked on
	enum rpc_vm_state final; // where KILL, UNTAP and UNNAT lead to
	enum rpc_vm_reason final_reason;
	bool removing;  // … or from there to REMOVE_JAIL
	bool want_stop; // a stop came where it has to wait
	bool force;
	bool adopting; // the sockets of a VM that runs already are being asked for
	bool verified; // looked at after the daemon's start
	int64_t stop_secs;
	uint64_t deadline_ns;
	struct vm_failure failure;

	pid_t pid; // keeper; 0: none
	uint64_t start_time;
	int64_t spawned_unix_ms;
	int pidfd;
	struct event *exit_event, *timer;
	int taps[VM_NETS_MAX];            // queues, between TAPS and SPAWN
	int api_fd, vsock_fd, console_fd; // O_PATH of granted sockets
	struct agent_call *agent;
	struct qmp_call *qmp;
	struct endpoint *exec_endpoint, *console_endpoint;

	STAILQ_HEAD(vm_waiter_list, vm_waiter) waiters;
	struct vm_transition ring[VM_RING];
	unsigned ring_n; // transitions ever; the newest VM_RING are in the ring
};

// ---- vm_step.c ----
// Everything that happens to a VM goes through here.  The VM may be gone afterwards.
void vm_step(struct vm *vm, enum vm_event ev);
// Begins where a new VM, or an adopted one, begins.
void vm_begin(struct vm *vm, enum vm_at at);
// Takes everything of a VM that has ended down; it comes to rest in `final`.
void vm_take_down(struct vm *vm, enum rpc_vm_state final, enum rpc_vm_reason reason, const char *why);

// ---- vm_act.c: each starts what its state waits for and ends in DONE or FAILED ----
void vm_act_jail(struct vm *vm);
void vm_act_give(struct vm *vm); // number vm->index
void vm_act_tap(struct vm *vm);  // number vm->index
void vm_act_nat(struct vm *vm);
void vm_act_spawn(struct vm *vm);
void vm_act_grant(struct vm *vm); // which: by vm->at; pending failures have failure.pending
bool vm_act_ready(struct vm *vm); // these three: false where it couldn't even be started, and then no event follows
bool vm_act_shutdown(struct vm *vm);
bool vm_act_quit(struct vm *vm);
void vm_act_signal(struct vm *vm);
void vm_act_kill(struct vm *vm); // DONE: empty; FAILED with pending: not yet
void vm_act_untap(struct vm *vm);
void vm_act_unnat(struct vm *vm);
void vm_act_remove_jail(struct vm *vm);
void vm_act_timer(struct vm *vm, int64_t ms);
// Watches the keeper, whose pidfd is vm->pidfd.
void vm_act_watch(struct vm *vm);
// Ends what is under way outside of the helper: agent, VMM, timer.
void vm_act_cancel(struct vm *vm);
// Opens and closes what clients connect to.
void vm_act_endpoints(struct vm *vm);
// Forgets the keeper and its sockets, which have ended.
void vm_act_forget(struct vm *vm);
// Number of files to give.
unsigned vm_files(const struct vm *vm);

// ---- vm_events.c ----
// Moves a VM to a public state: ring, stream, log, store.
void vm_become(struct vm *vm, enum rpc_vm_state to, enum rpc_vm_reason reason);

// ---- vm_store.c ----
// Writes the VM's row as it is now; VM_EV_STORED follows once nothing is under way.
void vm_store(struct vm *vm, const struct vm_transition *t);
void vm_unstore(struct vm *vm);

// ---- vm_wait.c ----
void vm_wait(struct vm *vm, enum vm_wait kind, struct request *rq);
// Answers those who wait, where the VM has come to rest and all is stored.
void vm_answer(struct vm *vm);
// Answers those who wait for a VM that is about to be freed.
void vm_answer_gone(struct vm *vm);

// ---- vm_table.c ----
struct vm *vm_find(const char *id);
struct vm *vm_first(void);
struct vm *vm_next(struct vm *vm);
// A VM with nothing in it but its id, uid and cid; NULL where no uid or cid is free.  tenant is copied.
struct vm *vm_new(const char *id, const char *tenant);
// The same for a row of the store, with its own uid and cid.
struct vm *vm_restore(const char *id, const char *tenant, uint32_t uid, uint32_t cid);
void vm_free(struct vm *vm);
void vm_uid_range(uint32_t first, uint32_t last);

#endif
