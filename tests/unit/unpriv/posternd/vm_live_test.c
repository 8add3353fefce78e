// LINK: unpriv/posternd/vm_live.o unpriv/posternd/addr.o unpriv/posternd/accel.o
// LIBS: -ljansson
// What /proc and the keeper's last word say about a VM; this very process stands in for a keeper.
#include "unpriv/posternd/vm_live.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/lib/test.h"
#include "unpriv/posternd/accel.h"
#include "unpriv/posternd/config.h"
#include "unpriv/posternd/daemon.h"

static char root[64] = "/tmp/postern-live-XXXXXX";
static struct config config = {.jail_root = root};

const struct config *daemon_config(void)
{
	return &config;
}

TEST("field 22 is found behind a name with spaces and brackets")
{
	uint64_t t;

	CHECK(vm_live_start_time("7 (a) b) c) S 1 7 7 0 -1 4194560 1 0 0 0 0 0 0 0 20 0 1 0 4711 1000 1", &t));
	CHECK_INT(t, 4711);
	CHECK(!vm_live_start_time("7 (a) S 1 7 7", &t));
	CHECK(!vm_live_start_time("", &t));
	CHECK(!vm_live_start_time("7 (a) S 1 7 7 0 -1 4194560 1 0 0 0 0 0 0 0 20 0 1 0 x 1", &t));
}

TEST("only the version 2 line counts, and only the VM's own cgroup at its end")
{
	CHECK(vm_live_in_cgroup("0::/postern/qemu@a\n", "a"));
	CHECK(vm_live_in_cgroup("3:pids:/x\n0::/system.slice/postern/qemu@a\n", "a"));
	CHECK(!vm_live_in_cgroup("3:pids:/postern/qemu@a\n0::/\n", "a"));
	CHECK(!vm_live_in_cgroup("0::/postern/qemu@ab\n", "a"));
	CHECK(!vm_live_in_cgroup("0::/postern/qemu@a/sub\n", "a"));
	CHECK(!vm_live_in_cgroup("0::/postern/qemu@ba\n", "a"));
	CHECK(!vm_live_in_cgroup("", "a"));
}

TEST("a process of another cgroup, an ended one, and pid 1 are no keepers")
{
	int fd = -1;

	CHECK(!vm_live_keeper(getpid(), 1, "a", &fd));
	CHECK(!vm_live_keeper(0, 0, "a", &fd));
	CHECK(!vm_live_keeper(1, 0, "a", &fd));
	CHECK(!vm_live_keeper(0x3fffff, 0, "a", &fd));
	CHECK_INT(fd, -1);
}

static void put(const char *leaf, const char *text)
{
	char path[200];
	int fd;

	snprintf(path, sizeof(path), "%s/qemu", root);
	mkdir(path, 0700);
	snprintf(path, sizeof(path), "%s/qemu/a", root);
	mkdir(path, 0700);
	snprintf(path, sizeof(path), "%s/qemu/a/root", root);
	mkdir(path, 0700);
	snprintf(path, sizeof(path), "%s/qemu/a/root/%s", root, leaf);
	unlink(path);
	fd = open(path, O_CREAT | O_WRONLY | O_TRUNC, 0600);
	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		abort();
	close(fd);
}

TEST("the keeper's word gives reason and exit code")
{
	struct vm vm = {.id = "a"};

	put("exit.json", "{\"reason\":\"vsock_backend_died\",\"exit_code\":3,\"signal\":0,\"at_unix_ms\":2000,\"detail\":\"x\"}\n");
	vm_live_exit(&vm, 1000, vm_reason_killed);
	CHECK_INT(vm.final_reason, vm_reason_vsock_backend_died);
	CHECK_INT(vm.exit_code, 3);
	put("exit.json", "{\"reason\":\"vmm_exited\",\"exit_code\":0,\"signal\":0,\"at_unix_ms\":2000}");
	vm_live_exit(&vm, 1000, vm_reason_killed);
	CHECK_INT(vm.final_reason, vm_reason_guest_shutdown);
	CHECK_STR(vm.last_error, "");
	put("exit.json", "{\"reason\":\"killed\",\"exit_code\":0,\"signal\":9,\"at_unix_ms\":2000}");
	vm_live_exit(&vm, 1000, vm_reason_killed);
	CHECK_INT(vm.exit_code, 137);
}

TEST("a word from an earlier run, nonsense, or none is the fall-back")
{
	struct vm vm = {.id = "a", .exit_code = -1};

	put("exit.json", "{\"reason\":\"vmm_exited\",\"exit_code\":0,\"signal\":0,\"at_unix_ms\":2000}");
	vm_live_exit(&vm, 3000, vm_reason_killed);
	CHECK_INT(vm.final_reason, vm_reason_killed);
	CHECK_INT(vm.exit_code, -1);
	put("exit.json", "[1,2");
	vm_live_exit(&vm, 0, vm_reason_host_restart);
	CHECK_INT(vm.final_reason, vm_reason_host_restart);
	strcpy(vm.id, "b");
	vm_live_exit(&vm, 0, vm_reason_host_restart);
	CHECK_INT(vm.final_reason, vm_reason_host_restart);
}

TEST("a symlink, a FIFO and a directory in place of a log are not opened")
{
	char path[200];

	put("serial.log", "hello\n");
	int fd = vm_live_open("a", "serial.log");
	CHECK(fd >= 0);
	close(fd);
	snprintf(path, sizeof(path), "%s/qemu/a/root/serial.log", root);
	unlink(path);
	CHECK(symlink("/etc/passwd", path) == 0);
	CHECK_INT(vm_live_open("a", "serial.log"), -1);
	unlink(path);
	CHECK(mkfifo(path, 0600) == 0);
	CHECK_INT(vm_live_open("a", "serial.log"), -1);
	unlink(path);
	CHECK(mkdir(path, 0700) == 0);
	CHECK_INT(vm_live_open("a", "serial.log"), -1);
	rmdir(path);
}

TEST("vmx or svm is found as a word among the flags and nowhere else")
{
	CHECK(accel_in_cpuinfo("processor : 0\nflags\t\t: fpu vme vmx sse\n"));
	CHECK(accel_in_cpuinfo("flags : svm\n"));
	CHECK(!accel_in_cpuinfo("flags : fpu vmxx svml\nbugs : vmx\n"));
	CHECK(!accel_in_cpuinfo(""));
}

int main(void)
{
	char cmd[128];

	if (mkdtemp(root) == NULL)
		return 1;
	int rc = test_main();
	snprintf(cmd, sizeof(cmd), "rm -rf %s", root);
	return system(cmd) != 0 ? 1 : rc;
}
