// LINK: unpriv/posternd/vm_step.o unpriv/posternd/vm_table.o unpriv/posternd/vm_wait.o unpriv/posternd/vm_events.o unpriv/posternd/events.o unpriv/posternd/addr.o
// LINK: unpriv/posternd/mem.o unpriv/posternd/text.o unpriv/posternd/utf8.o unpriv/common/log.o proto/rpc.o
// The state machine with everything around it played here: what a state starts is written down, and the test says how it ends.
#include <stdarg.h>
#include <stdlib.h>

#include "tests/lib/test.h"
#include "unpriv/posternd/config.h"
#include "unpriv/posternd/daemon.h"
#include "unpriv/posternd/request.h"
#include "unpriv/posternd/store.h"
#include "unpriv/posternd/vm.h"

// ---- what was started: one letter each ----
static char acts[256];
static uint64_t clock_ns;
static int64_t timer_ms;
static bool can_start = true, store_fails;
static struct config config = {.boot_deadline_secs = 30};

static void act(char c)
{
	size_t n = strlen(acts);

	if (n + 1 < sizeof(acts)) {
		acts[n] = c;
		acts[n + 1] = '\0';
	}
}

uint64_t now_ns(void)
{
	return clock_ns;
}

const struct config *daemon_config(void)
{
	return &config;
}

#define ACT(name, letter)                                                                                                                            \
	void vm_act_##name(struct vm *vm)                                                                                                            \
	{                                                                                                                                            \
		(void)vm;                                                                                                                            \
		act(letter);                                                                                                                         \
	}
ACT(jail, 'j')
ACT(give, 'g')
ACT(tap, 't')
ACT(nat, 'n')
ACT(spawn, 's')
ACT(grant, 'G')
ACT(signal, 'T')
ACT(kill, 'K')
ACT(untap, 'u')
ACT(unnat, 'U')
ACT(remove_jail, 'r')
ACT(watch, 'w')
ACT(cancel, '.')
ACT(endpoints, 'e')
ACT(forget, 'f')

bool vm_act_ready(struct vm *vm)
{
	(void)vm;
	act('R');
	return can_start;
}

bool vm_act_shutdown(struct vm *vm)
{
	(void)vm;
	act('S');
	return can_start;
}

bool vm_act_quit(struct vm *vm)
{
	(void)vm;
	act('Q');
	return can_start;
}

void vm_act_timer(struct vm *vm, int64_t ms)
{
	(void)vm;
	timer_ms = ms;
}

unsigned vm_files(const struct vm *vm)
{
	return 1 + vm->desc.ndisks;
}

void vm_store(struct vm *vm, const struct vm_transition *t)
{
	(void)t;
	if (vm->stores++ == 0)
		vm->store_failed = false;
}

void vm_unstore(struct vm *vm)
{
	vm_store(vm, NULL);
	act('D');
}

// ---- the event's row, which vm_store() above would put beside the VM's ----
void change_put_event(struct change *c, const struct row_event *row)
{
	(void)c;
	(void)row;
}

void change_del_event(struct change *c, col_num seq)
{
	(void)c;
	(void)seq;
}

// ---- answers ----
static int replies, fails;
static enum fail_kind last_kind;
static char last_text[512];

void request_reply(struct request *rq, const void *result)
{
	(void)rq;
	(void)result;
	replies++;
}

static void failed(enum fail_kind kind, const char *fmt, va_list ap)
{
	fails++;
	last_kind = kind;
	vsnprintf(last_text, sizeof(last_text), fmt, ap);
}

void fail(struct request *rq, enum fail_kind kind, const char *detail, ...)
{
	va_list ap;

	(void)rq;
	va_start(ap, detail);
	failed(kind, detail, ap);
	va_end(ap);
}

void fail_hint(struct request *rq, enum fail_kind kind, const char *hint, const char *detail, ...)
{
	va_list ap;

	(void)rq;
	(void)hint;
	va_start(ap, detail);
	failed(kind, detail, ap);
	va_end(ap);
}

// ---- driving ----

// All commits under way have ended.
static void stored(struct vm *vm)
{
	vm->stores = 0;
	vm->store_failed = store_fails;
	vm_step(vm, VM_EV_STORED);
}

static void done(struct vm *vm, int times)
{
	while (times-- > 0)
		vm_step(vm, VM_EV_DONE);
}

static void not_yet(struct vm *vm, bool pending)
{
	vm->failure = (struct vm_failure){.kind = FAIL_DENIED_BY_POLICY, .pending = pending, .text = "no"};
	vm_step(vm, VM_EV_FAILED);
}

static struct vm *fresh(unsigned nets)
{
	struct vm *vm = vm_new("a", NULL);

	vm->desc = (struct vm_desc){.vsock = true, .console = true, .nnets = nets, .ndisks = 1};
	vm->state = vm_state_pending;
	vm->verified = true;
	acts[0] = '\0';
	replies = fails = 0;
	can_start = true;
	store_fails = false;
	clock_ns = 1;
	vm_wait(vm, VM_WAIT_CREATE, NULL);
	vm_begin(vm, VM_AT_NEW);
	return vm;
}

static struct vm *configured(unsigned nets)
{
	struct vm *vm = fresh(nets);

	stored(vm);
	done(vm, 3); // jail, kernel, disk
	stored(vm);
	acts[0] = '\0';
	replies = 0;
	return vm;
}

static struct vm *running(void)
{
	struct vm *vm = configured(0);

	vm_wait(vm, VM_WAIT_START, NULL);
	vm_step(vm, VM_EV_START);
	stored(vm);
	done(vm, 6); // cgroup, spawn, three grants, sign of life
	stored(vm);
	acts[0] = '\0';
	return vm;
}

// What was started, without the cancelling at each change of state.
static const char *started(void)
{
	static char out[256];
	char *p = out;

	for (const char *a = acts; *a != '\0'; a++)
		if (*a != '.')
			*p++ = *a;
	*p = '\0';
	acts[0] = '\0';
	return out;
}

static void drop(struct vm *vm)
{
	vm_answer_gone(vm);
	vm_free(vm);
}

TEST("a create stores its row first, then makes the jail, gives each file, and answers when Configured is stored")
{
	struct vm *vm = fresh(0);

	CHECK_STR(started(), "");
	CHECK_INT(vm->state, vm_state_provisioning);
	stored(vm);
	CHECK_STR(started(), "j");
	done(vm, 1);
	CHECK_STR(started(), "g");
	done(vm, 2);
	CHECK_INT(vm->state, vm_state_configured);
	CHECK_INT(replies, 0);
	stored(vm);
	CHECK_INT(replies, 1);
	drop(vm);
}

TEST("a create whose file is refused takes everything back, deletes the row and answers the refusal")
{
	struct vm *vm = fresh(0);

	stored(vm);
	done(vm, 1);
	started();
	not_yet(vm, false);
	CHECK_STR(started(), "K");
	done(vm, 3);
	CHECK_STR(started(), "fuUr");
	done(vm, 1);
	CHECK_STR(started(), "D");
	CHECK_INT(fails, 0);
	stored(vm);
	CHECK_INT(fails, 1);
	CHECK_INT(last_kind, FAIL_DENIED_BY_POLICY);
	CHECK(vm_find("a") == NULL);
}

TEST("a create whose row can't be stored makes no jail")
{
	struct vm *vm = fresh(0);

	store_fails = true;
	stored(vm);
	CHECK_STR(started(), "K");
	CHECK(vm->removing);
	drop(vm);
}

TEST("a start goes up in order and answers when Running is stored")
{
	struct vm *vm = configured(2);

	vm_wait(vm, VM_WAIT_START, NULL);
	vm_step(vm, VM_EV_START);
	CHECK_INT(vm->state, vm_state_starting);
	CHECK_STR(started(), "");
	stored(vm);
	done(vm, 5); // cgroup, two taps, translations, spawn
	CHECK_STR(started(), "jttnswG");
	done(vm, 3);
	CHECK_STR(started(), "GGR");
	CHECK_INT(vm->state, vm_state_starting);
	done(vm, 1);
	CHECK_INT(vm->state, vm_state_running);
	CHECK_INT(replies, 0);
	stored(vm);
	CHECK_INT(replies, 1);
	drop(vm);
}

TEST("a socket that isn't there yet is asked for again until the boot deadline, then the start has failed")
{
	struct vm *vm = configured(0);

	vm_wait(vm, VM_WAIT_START, NULL);
	vm_step(vm, VM_EV_START);
	stored(vm);
	done(vm, 3); // cgroup, spawn, api
	started();
	not_yet(vm, true);
	CHECK_INT(timer_ms, VM_POLL_MS);
	vm_step(vm, VM_EV_TIMEOUT);
	CHECK_STR(started(), "G");
	clock_ns += UINT64_C(31000000000);
	not_yet(vm, true);
	CHECK_STR(started(), "K");
	done(vm, 3);
	CHECK_INT(vm->state, vm_state_start_failed);
	CHECK_INT(vm->reason, vm_reason_vsock_grant_timeout);
	stored(vm);
	CHECK_INT(fails, 1);
	drop(vm);
}

TEST("a guest without a sign of life is taken down with the reason agent_timeout")
{
	struct vm *vm = configured(0);

	vm_step(vm, VM_EV_START);
	stored(vm);
	done(vm, 5);
	not_yet(vm, false);
	done(vm, 3);
	CHECK_INT(vm->state, vm_state_start_failed);
	CHECK_INT(vm->reason, vm_reason_agent_timeout);
	drop(vm);
}

TEST("a VMM that ends while it starts leads to StartFailed with the keeper's reason")
{
	struct vm *vm = configured(0);

	vm_step(vm, VM_EV_START);
	stored(vm);
	done(vm, 2);
	vm->final_reason = vm_reason_vmm_exited; // as read from the exit file
	vm_step(vm, VM_EV_EXITED);
	done(vm, 3);
	CHECK_INT(vm->state, vm_state_start_failed);
	CHECK_INT(vm->reason, vm_reason_vmm_exited);
	drop(vm);
}

TEST("a stop climbs the ladder: guest, VMM, TERM, KILL, and takes down before it answers")
{
	struct vm *vm = running();

	vm->api_fd = 0;
	vm->stop_secs = 10;
	vm_wait(vm, VM_WAIT_STOP, NULL);
	vm_step(vm, VM_EV_STOP);
	CHECK_INT(vm->state, vm_state_stopping);
	stored(vm);
	CHECK_STR(started(), "S");
	CHECK_INT(timer_ms, 10000);
	vm_step(vm, VM_EV_TIMEOUT);
	CHECK_STR(started(), "Q");
	vm_step(vm, VM_EV_TIMEOUT);
	CHECK_STR(started(), "T");
	vm_step(vm, VM_EV_TIMEOUT);
	CHECK_STR(started(), "K");
	vm->failure.pending = true;
	vm_step(vm, VM_EV_FAILED); // processes are left
	CHECK_INT(timer_ms, VM_KILL_POLL_MS);
	vm_step(vm, VM_EV_TIMEOUT);
	CHECK_STR(started(), "K");
	done(vm, 3);
	CHECK_STR(started(), "fuU");
	CHECK_INT(vm->state, vm_state_stopped);
	CHECK_INT(vm->reason, vm_reason_killed);
	replies = 0;
	stored(vm);
	CHECK_INT(replies, 1);
	vm->api_fd = -1;
	drop(vm);
}

TEST("a guest that shuts down when asked ends the ladder at once")
{
	struct vm *vm = running();

	vm->api_fd = 0;
	vm->stop_secs = 10;
	vm_step(vm, VM_EV_STOP);
	stored(vm);
	done(vm, 1); // the agent has taken the request: nothing more to do but wait
	CHECK_STR(started(), "S");
	vm_step(vm, VM_EV_EXITED);
	done(vm, 3);
	CHECK_INT(vm->state, vm_state_stopped);
	CHECK_INT(vm->reason, vm_reason_requested);
	vm->api_fd = -1;
	drop(vm);
}

TEST("force kills at once, also in the middle of an orderly stop")
{
	struct vm *vm = running();

	vm->api_fd = 0;
	vm->stop_secs = 10;
	vm_step(vm, VM_EV_STOP);
	stored(vm);
	started();
	vm->force = true;
	vm_step(vm, VM_EV_STOP);
	CHECK_STR(started(), "K");
	vm->api_fd = -1;
	drop(vm);
}

TEST("a VMM that dies leads to Failed, a guest that shuts itself down to Stopped")
{
	for (int i = 0; i < 2; i++) {
		struct vm *vm = running();
		vm->final_reason = i == 0 ? vm_reason_vsock_backend_died : vm_reason_guest_shutdown;
		vm_step(vm, VM_EV_EXITED);
		CHECK_STR(started(), "K");
		done(vm, 3);
		CHECK_INT(vm->state, i == 0 ? vm_state_failed : vm_state_stopped);
		CHECK_INT(vm->reason, i == 0 ? vm_reason_vsock_backend_died : vm_reason_guest_shutdown);
		drop(vm);
	}
}

TEST("a stop that comes before the keeper runs waits for it, and no VM is left running")
{
	struct vm *vm = configured(1);

	vm_wait(vm, VM_WAIT_START, NULL);
	vm_step(vm, VM_EV_START);
	stored(vm);
	vm_wait(vm, VM_WAIT_STOP, NULL);
	vm_step(vm, VM_EV_STOP);
	started();
	done(vm, 4); // cgroup, tap, translations, spawn
	CHECK_INT(vm->state, vm_state_stopping);
	stored(vm);
	CHECK(strchr(started(), 'K') != NULL);
	done(vm, 3);
	CHECK_INT(vm->state, vm_state_stopped);
	fails = replies = 0;
	stored(vm);
	CHECK_INT(replies, 1);
	CHECK_INT(fails, 1); // the start was interrupted
	drop(vm);
}

TEST("a remove of a running VM stops it, removes its jail, deletes its row and only then answers")
{
	struct vm *vm = running();

	vm->force = true;
	vm_wait(vm, VM_WAIT_REMOVE, NULL);
	vm_step(vm, VM_EV_REMOVE);
	stored(vm);
	done(vm, 3);
	CHECK_STR(started(), "KfuUr");
	done(vm, 1);
	CHECK_STR(started(), "D");
	replies = 0;
	stored(vm);
	CHECK_INT(replies, 1);
	CHECK(vm_find("a") == NULL);
}

TEST("a jail that can't be removed leaves the VM there and says why")
{
	struct vm *vm = configured(0);

	vm_wait(vm, VM_WAIT_REMOVE, NULL);
	vm_step(vm, VM_EV_REMOVE);
	done(vm, 3);
	not_yet(vm, false);
	stored(vm);
	CHECK_INT(fails, 1);
	CHECK(vm_find("a") == vm);
	drop(vm);
}

TEST("an adopted VM goes on running even where its sockets don't come")
{
	struct vm *vm = running();

	vm->adopting = true;
	vm_begin(vm, VM_AT_GRANT_API);
	clock_ns += UINT64_C(60000000000);
	for (int i = 0; i < 3; i++)
		not_yet(vm, true);
	CHECK_INT(vm->at, VM_AT_RUNNING);
	CHECK_INT(vm->state, vm_state_running);
	drop(vm);
}

TEST("every state takes every event without losing the VM or leaving its enum")
{
	for (int at = VM_AT_NEW; at <= VM_AT_REMOVE_ROW; at++)
		for (int ev = VM_EV_STORED; ev <= VM_EV_REMOVE; ev++) {
			struct vm *vm = configured(1);
			vm->at = (enum vm_at)at;
			vm->stores = 0;
			vm_step(vm, (enum vm_event)ev);
			bool gone = at == VM_AT_REMOVE_ROW && ev == VM_EV_STORED;
			CHECK((vm_find("a") == NULL) == gone);
			if (!gone) {
				CHECK(vm->at <= VM_AT_REMOVE_ROW);
				drop(vm);
			}
		}
}

TEST("the ring keeps the newest 64 transitions")
{
	struct vm *vm = running();

	for (int i = 0; i < 50; i++) {
		vm_become(vm, vm_state_stopping, vm_reason_requested);
		vm_become(vm, vm_state_running, vm_reason_requested);
	}
	CHECK(vm->ring_n > VM_RING);
	uint64_t newest = vm->ring[(vm->ring_n - 1) % VM_RING].seq, oldest = vm->ring[vm->ring_n % VM_RING].seq;
	CHECK_INT(newest - oldest, VM_RING - 1);
	drop(vm);
}

TEST("uids and vsock addresses are not given twice, and not again at once")
{
	struct vm *a, *b;
	uint32_t uid;

	vm_uid_range(900000, 900002);
	a = vm_new("a", NULL);
	b = vm_new("b", NULL);
	CHECK(a->uid != b->uid && a->cid != b->cid && a->cid >= 3);
	uid = b->uid;
	vm_free(b);
	b = vm_new("b", NULL);
	CHECK(b->uid != uid);
	CHECK(vm_new("c", NULL) != NULL);
	CHECK(vm_new("d", NULL) == NULL);
	vm_free(vm_find("c"));
	vm_free(a);
	vm_free(b);
	vm_uid_range(900000, 999999);
}

int main(void)
{
	return test_main();
}
