// Every order of deaths, without a process.
// LINK: unpriv/keeper/vm.o
#include <signal.h>

#include "tests/lib/test.h"
#include "unpriv/keeper/vm.h"

enum { VMM = 10, BACKEND = 11, STRANGER = 12 };

static int exited(int code)
{
	return code << 8; // as wait(2) packs it
}

static struct vm running(void)
{
	struct vm vm;
	vm_init(&vm, VMM, BACKEND);
	return vm;
}

TEST("a VMM that exits ends the VM with its code")
{
	struct vm vm = running();

	vm_child_ended(&vm, VMM, exited(3), 0);
	CHECK(vm.state == VM_ENDED && vm.reason == VM_EXITED && vm.exit_code == 3 && vm.signal == 0 && vm.vmm == 0);
}

TEST("a VMM that dies by a signal was killed")
{
	struct vm vm = running();

	vm_child_ended(&vm, VMM, SIGSEGV, 0);
	CHECK(vm.state == VM_ENDED && vm.reason == VM_WAS_KILLED && vm.signal == SIGSEGV);
}

TEST("an orphan's end means nothing")
{
	struct vm vm = running();

	vm_child_ended(&vm, STRANGER, exited(0), 0);
	CHECK(vm.state == VM_RUNS && vm.vmm == VMM && vm.backend == BACKEND);
}

TEST("a backend that ends just before its VMM is no reason")
{
	struct vm vm = running();

	vm_child_ended(&vm, BACKEND, exited(0), 100);
	CHECK(vm.state == VM_BACKEND_LOST && vm_step(&vm, 100) == VM_DO_NOTHING);
	vm_child_ended(&vm, VMM, exited(0), 110);
	CHECK(vm.state == VM_ENDED && vm.reason == VM_EXITED);
}

TEST("a backend that ends without its VMM is the reason, after a grace")
{
	struct vm vm = running();

	vm_child_ended(&vm, BACKEND, SIGKILL, 100);
	CHECK(vm_timeout(&vm, 100) == VM_BACKEND_GRACE_MS);
	CHECK(vm_step(&vm, 100 + VM_BACKEND_GRACE_MS - 1) == VM_DO_NOTHING);
	CHECK(vm_step(&vm, 100 + VM_BACKEND_GRACE_MS) == VM_DO_KILL);
	CHECK(vm_step(&vm, 100000) == VM_DO_NOTHING);
	vm_child_ended(&vm, VMM, SIGKILL, 500);
	CHECK(vm.state == VM_ENDED && vm.reason == VM_BACKEND_DIED);
}

TEST("a stop is SIGTERM, and SIGKILL when the grace is over")
{
	struct vm vm = running();

	CHECK(vm_asked_to_stop(&vm, 0) == VM_DO_TERM);
	CHECK(vm_asked_to_stop(&vm, 10) == VM_DO_NOTHING);
	CHECK(vm_timeout(&vm, 1000) == VM_STOP_GRACE_MS - 1000);
	CHECK(vm_step(&vm, VM_STOP_GRACE_MS) == VM_DO_KILL);
	vm_child_ended(&vm, VMM, SIGKILL, VM_STOP_GRACE_MS + 1);
	CHECK(vm.reason == VM_WAS_KILLED);
}

TEST("a VMM that ends on request was stopped, by its own exit or by the signal, whichever way its backend goes")
{
	struct vm vm = running();

	vm_asked_to_stop(&vm, 0);
	vm_child_ended(&vm, BACKEND, exited(0), 1);
	CHECK(vm.state == VM_STOPS);
	vm_child_ended(&vm, VMM, SIGTERM, 2);
	CHECK(vm.reason == VM_STOPPED && vm.signal == SIGTERM);
	vm = running();
	vm_asked_to_stop(&vm, 0);
	vm_child_ended(&vm, VMM, exited(0), 2);
	CHECK(vm.reason == VM_STOPPED);
}

TEST("nothing is asked for once the VM has ended, and no state waits without a deadline")
{
	struct vm vm = running();

	CHECK(vm_timeout(&vm, 5) == -1);
	vm_child_ended(&vm, VMM, exited(0), 0);
	CHECK(vm_asked_to_stop(&vm, 1) == VM_DO_NOTHING && vm_step(&vm, 1000000) == VM_DO_NOTHING && vm_timeout(&vm, 1) == -1);
	vm_child_ended(&vm, BACKEND, exited(0), 2);
	CHECK(vm.state == VM_ENDED);
}

TEST("each reason has its own word")
{
	for (int a = VM_EXITED; a <= VM_START_FAILED; a++)
		for (int b = VM_EXITED; b < a; b++)
			CHECK(strcmp(vm_reason_name((enum vm_reason)a), vm_reason_name((enum vm_reason)b)) != 0);
}

int main(void)
{
	return test_main();
}
