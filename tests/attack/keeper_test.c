// The keeper, started as a VM is: by the jail and spawn cells, in its jail. Where QEMU would stand, a VMM stands that does as it is told over the console.
// LINK: helper/common/fdpass.o proto/helper.o proto/wire.o proto/wire_kinds.o proto/mp.o
#include <dirent.h>
#include <errno.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <time.h>

#include "tests/lib/cells.h"
#include "unpriv/common/vmspec.h"

#define BASE CELLS_BASE "/base"
#define ROOT CELLS_BASE "/jail/qemu/vm1/root"

static struct policy policy;
static struct cell_run jail, spawn;
static struct cell_rep rep;
static struct vm_spec spec;
static int keeper = -1; // pidfd

static void make_base(void)
{
	char command[1024];

	snprintf(command, sizeof command,
		 "cd %s && mkdir -p " BASE "/usr/bin && cp tests/guest/fake_vmm " BASE "/usr/bin/qemu-system-x86_64 && cp bin/postern-keeper bin/postern-vsock " BASE " && mkdir " BASE "/dev " BASE
		 "/run " BASE "/vm && echo kernel > " CELLS_BASE "/img/kernel && chmod 644 " CELLS_BASE "/img/kernel",
		 cells_build());
	cells_must(system(command) == 0, "base");
}

static void wait_ended(int seconds)
{
	struct pollfd p = {.fd = keeper, .events = POLLIN};
	cells_must(poll(&p, 1, seconds * 1000) == 1, "the keeper ends in time");
	close(keeper);
	keeper = -1;
}

static void remove_vm(void)
{
	const struct op_jail_kill_args k = {.vmm = VMM_QEMU, .id = "vm1"};
	const struct op_jail_remove_args r = {.vmm = VMM_QEMU, .id = "vm1"};

	for (int i = 0; i < 200; i++) {
		cells_must(CELLS_CALL(&jail, jail_kill, &k, NULL, 0, &rep, NULL) == OPS_OK, "jail_kill");
		if (rep.res.jail_kill.empty && CELLS_CALL(&jail, jail_remove, &r, NULL, 0, &rep, NULL) == OPS_OK)
			break;
		usleep(10000);
	}
	if (keeper >= 0)
		close(keeper);
	keeper = -1;
}

static void prepare_vm(void)
{
	const struct op_jail_create_args c = {.vmm = VMM_QEMU, .id = "vm1", .uid = CELLS_UID};
	const struct op_jail_give_args g = {.vmm = VMM_QEMU, .id = "vm1", .slot = SLOT_KERNEL, .path = "kernel"};
	int fd = open(CELLS_BASE "/img/kernel", O_RDONLY | O_CLOEXEC);

	remove_vm();
	cells_must(CELLS_CALL(&jail, jail_create, &c, NULL, 0, &rep, NULL) == OPS_OK, "jail_create");
	cells_must(CELLS_CALL(&jail, jail_give, &g, &fd, 1, &rep, NULL) == OPS_OK, "jail_give");
	close(fd);
}

static enum op_status start_spec(const void *bytes, size_t size)
{
	const struct op_jail_spawn_args a = {.vmm = VMM_QEMU, .id = "vm1"};
	int out[FDPASS_MAX], fd = cells_memfd(bytes, size);
	enum op_status status = CELLS_CALL(&spawn, jail_spawn, &a, &fd, 1, &rep, out);

	close(fd);
	keeper = out[0];
	return status;
}

static int console(void)
{
	const struct op_grant_console_args a = {.vmm = VMM_QEMU, .id = "vm1"};
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int out[FDPASS_MAX], sock = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	for (int i = 0; i < 500 && CELLS_CALL(&jail, grant_console, &a, NULL, 0, &rep, out) == OPS_PENDING; i++)
		usleep(10000);
	cells_must(rep.status == OPS_OK, "grant_console");
	snprintf(address.sun_path, sizeof address.sun_path, "/proc/self/fd/%d", out[0]);
	// Granted between the keeper's bind and its listen, it takes connections a moment later.
	for (int i = 0; i < 500 && connect(sock, (const struct sockaddr *)&address, sizeof address) != 0; i++)
		usleep(errno == ECONNREFUSED ? 10000 : 1000000);
	cells_must(getpeername(sock, (struct sockaddr *)&address, &(socklen_t){sizeof address}) == 0, "connect to the console");
	close(out[0]);
	return sock;
}

// expect reads until `text` came, two seconds at most.
static bool expect(int fd, const char *text)
{
	static char got[65536];
	size_t used = 0;
	struct pollfd p = {.fd = fd, .events = POLLIN};

	while (used < sizeof got - 1 && poll(&p, 1, 2000) == 1) {
		ssize_t n = read(fd, got + used, sizeof got - 1 - used);
		if (n <= 0)
			return false;
		used += (size_t)n;
		got[used] = '\0';
		if (strstr(got, text))
			return true;
		if (used > sizeof got / 2) { // the end is what matters
			memmove(got, got + used - 1024, 1024);
			used = 1024;
		}
	}
	return false;
}

static void order(int fd, const char *line)
{
	cells_must(write(fd, line, strlen(line)) == (ssize_t)strlen(line) && write(fd, "\n", 1) == 1, "order");
}

static bool ask(int fd, const char *line, const char *answer)
{
	order(fd, line);
	return expect(fd, answer);
}

// start answers a console on which the VMM said that it is ready.
static int start(void)
{
	prepare_vm();
	cells_must(start_spec(&spec, sizeof spec) == OPS_OK, "jail_spawn");
	int fd = console();
	cells_must(expect(fd, "ready\n"), "the VMM is ready");
	return fd;
}

static const char *file(const char *path)
{
	static char text[65536];
	int fd = open(path, O_RDONLY);
	ssize_t got = fd < 0 ? -1 : read(fd, text, sizeof text - 1);

	close(fd);
	text[got < 0 ? 0 : got] = '\0';
	return text;
}

// logged waits two seconds at most: the keeper serves viewers before it writes its log.
static bool logged(const char *text)
{
	for (int i = 0; i < 200 && !strstr(file(ROOT "/serial.log"), text); i++)
		usleep(10000);
	return strstr(file(ROOT "/serial.log"), text) != NULL;
}

static bool ended_as(const char *reason, int code, int signal)
{
	char want[128];

	snprintf(want, sizeof want, "{\"reason\":\"%s\",\"exit_code\":%d,\"signal\":%d,\"at_unix_ms\":", reason, code, signal);
	return !strncmp(file(ROOT "/exit.json"), want, strlen(want));
}

static pid_t look_for(const char *name)
{
	char path[512], comm[64];
	pid_t pid, found = -1;

	snprintf(path, sizeof path, "%s/qemu@vm1/cgroup.procs", policy.jail.cgroup_root);
	FILE *list = fopen(path, "re");
	while (list && fscanf(list, "%d", &pid) == 1) {
		snprintf(path, sizeof path, "/proc/%d/comm", pid);
		snprintf(comm, sizeof comm, "%.15s\n", name); // as the kernel cuts it
		if (!strcmp(file(path), comm))
			found = pid;
	}
	if (list)
		fclose(list);
	return found;
}

// pid_of finds a process of the VM by its name; the backend may not have been executed yet when the VMM is ready.
static pid_t pid_of(const char *name)
{
	pid_t pid = -1;

	for (int i = 0; i < 100 && (pid = look_for(name)) < 0; i++)
		usleep(20000);
	return pid;
}

static bool status_has(pid_t pid, const char *line)
{
	char path[64];
	snprintf(path, sizeof path, "/proc/%d/status", pid);
	return strstr(file(path), line) != NULL;
}

TEST("what is typed at the console reaches the guest, and what it writes comes back")
{
	int fd = start();
	CHECK(ask(fd, "echo hello", "hello\n"));
	close(fd);
	fd = console();
	CHECK(ask(fd, "echo again", "again\n"));
	close(fd);
}

TEST("every viewer sees what the guest writes, beginning with what was before; the oldest alone writes, and the next inherits")
{
	int first = start(), second, third;

	CHECK(ask(first, "echo one", "one\n"));
	second = console();
	CHECK(expect(second, "ready\none\n"));
	third = console();
	order(second, "echo never");
	CHECK(ask(first, "echo two", "two\n") && expect(second, "two\n") && expect(third, "two\n"));
	close(first);
	usleep(50000);
	CHECK(ask(second, "echo three", "three\n"));
	CHECK(!strstr(file(ROOT "/serial.log"), "never"));
	close(second), close(third);
}

TEST("a viewer that doesn't read is dropped, and holds up nobody")
{
	int fast = start(), slow = console(), more = 0, size = 4096;

	cells_must(setsockopt(slow, SOL_SOCKET, SO_RCVBUF, &size, sizeof size) == 0, "SO_RCVBUF");
	for (int i = 0; i < 20; i++)
		CHECK(ask(fast, "flood 100", "flooded\n"));
	CHECK(ask(fast, "echo alive", "alive\n"));
	char bytes[65536];
	ssize_t got;
	while ((got = read(slow, bytes, sizeof bytes)) > 0)
		more += (int)got;
	CHECK(got == 0 && more < 1500 * 1024);
	close(fast), close(slow);
}

TEST("a ninth viewer is turned away")
{
	int viewers[8] = {start()}, ninth;
	char byte;

	for (int i = 1; i < 8; i++)
		viewers[i] = console();
	ninth = console();
	struct pollfd p = {.fd = ninth, .events = POLLIN};
	CHECK(poll(&p, 1, 2000) == 1 && read(ninth, &byte, 1) == 0);
	CHECK(ask(viewers[0], "echo still", "still\n"));
	for (int i = 0; i < 8; i++)
		close(viewers[i]);
	close(ninth);
}

TEST("a guest that writes without end fills two files of a MiB, which the daemon's group may read")
{
	int fd = start();
	struct stat now, old;

	for (int i = 0; i < 35; i++)
		CHECK(ask(fd, "flood 100", "flooded\n"));
	usleep(100000);
	CHECK(stat(ROOT "/serial.log", &now) == 0 && stat(ROOT "/serial.log.1", &old) == 0 && access(ROOT "/serial.log.2", F_OK) != 0);
	CHECK(now.st_size <= 1 << 20 && old.st_size <= 1 << 20 && old.st_size > 1 << 19);
	CHECK((now.st_mode & 07777) == 0640 && now.st_gid == CELLS_DAEMON && now.st_uid == CELLS_UID && (old.st_mode & 07777) == 0640);
	close(fd);
}

TEST("what the VMM says on its standard error is in vmm.log")
{
	int fd = start();

	order(fd, "err a word of warning");
	CHECK(ask(fd, "echo x", "x\n"));
	usleep(100000);
	CHECK(strstr(file(ROOT "/vmm.log"), "a word of warning\n"));
	close(fd);
}

TEST("a VMM that exits leaves its code: vmm_exited")
{
	int fd = start();

	order(fd, "exit 7");
	wait_ended(3);
	CHECK(ended_as("vmm_exited", 7, 0));
	CHECK(access(ROOT "/exit.json.new", F_OK) != 0);
	close(fd);
}

TEST("a VMM that crashes leaves its signal: killed")
{
	int fd = start();

	order(fd, "abort");
	wait_ended(3);
	CHECK(ended_as("killed", 0, SIGABRT));
	close(fd);
}

TEST("a VMM that is killed: killed")
{
	int fd = start();

	CHECK(cells_kill(pid_of("qemu-system-x86_64")));
	wait_ended(3);
	CHECK(ended_as("killed", 0, SIGKILL));
	close(fd);
}

TEST("a vsock backend that dies ends the VM: vsock_backend_died")
{
	int fd = start();
	pid_t backend = pid_of("postern-vsock");

	CHECK(cells_kill(backend));
	wait_ended(3);
	CHECK(ended_as("vsock_backend_died", 0, SIGKILL));
	close(fd);
}

TEST("a VMM that exits, and so hangs up on its backend, is never taken for a dead backend (20 times)")
{
	for (int i = 0; i < 20; i++) {
		int fd = start();
		order(fd, "exit 0");
		wait_ended(3);
		CHECK(ended_as("vmm_exited", 0, 0));
		close(fd);
	}
}

TEST("jail_signal stops the VM: stopped")
{
	const struct op_jail_signal_args a = {.vmm = VMM_QEMU, .id = "vm1"};
	int fd = start();

	CHECK_INT(CELLS_CALL(&jail, jail_signal, &a, NULL, 0, &rep, NULL), OPS_OK);
	wait_ended(3);
	CHECK(ended_as("stopped", 0, SIGTERM));
	close(fd);
}

TEST("a VMM that doesn't hear SIGTERM is killed after five seconds")
{
	const struct op_jail_signal_args a = {.vmm = VMM_QEMU, .id = "vm1"};
	struct timespec before, after;
	int fd = start();

	CHECK(ask(fd, "deaf", "deaf\n"));
	clock_gettime(CLOCK_MONOTONIC, &before);
	CHECK_INT(CELLS_CALL(&jail, jail_signal, &a, NULL, 0, &rep, NULL), OPS_OK);
	wait_ended(8);
	clock_gettime(CLOCK_MONOTONIC, &after);
	CHECK(after.tv_sec - before.tv_sec >= 4);
	CHECK(ended_as("killed", 0, SIGKILL));
	close(fd);
}

TEST("a keeper that is killed takes everything with it, and leaves no exit.json")
{
	const struct op_jail_signal_args a = {.vmm = VMM_QEMU, .id = "vm1", .has_kill = true, .kill = true};
	const struct op_jail_kill_args k = {.vmm = VMM_QEMU, .id = "vm1"};
	int fd = start();

	CHECK_INT(CELLS_CALL(&jail, jail_signal, &a, NULL, 0, &rep, NULL), OPS_OK);
	wait_ended(3);
	for (int i = 0; i < 100 && !rep.res.jail_kill.empty; i++) {
		CHECK_INT(CELLS_CALL(&jail, jail_kill, &k, NULL, 0, &rep, NULL), OPS_OK);
		usleep(10000);
	}
	CHECK(rep.res.jail_kill.empty && access(ROOT "/exit.json", F_OK) != 0);
	close(fd);
}

TEST("orphans of the VMM are reaped")
{
	int fd = start();
	char path[512];

	CHECK(ask(fd, "orphan", "orphaned\n"));
	usleep(300000);
	snprintf(path, sizeof path, "%s/qemu@vm1/cgroup.procs", policy.jail.cgroup_root);
	CHECK(strtok(strdup(file(path)), "\n") && !status_has(pid_of("qemu-system-x86_64") + 2, "State:\tZ"));
	order(fd, "exit 5");
	wait_ended(3);
	CHECK(ended_as("vmm_exited", 5, 0));
	close(fd);
}

TEST("a spec that is none, of another version, or cut short is refused with a word in exit.json")
{
	struct vm_spec bad = spec;

	prepare_vm();
	CHECK_INT(start_spec("x", 1), OPS_OK);
	wait_ended(3);
	CHECK(ended_as("start_failed", 0, 0) && strstr(file(ROOT "/exit.json"), "not a vm_spec"));
	bad.version = 99;
	prepare_vm();
	CHECK_INT(start_spec(&bad, sizeof bad), OPS_OK);
	wait_ended(3);
	CHECK(strstr(file(ROOT "/exit.json"), "unknown vm_spec version"));
	bad = spec;
	bad.vmm = 77;
	prepare_vm();
	CHECK_INT(start_spec(&bad, sizeof bad), OPS_OK);
	wait_ended(3);
	CHECK(strstr(file(ROOT "/exit.json"), "unknown VMM"));
}

TEST("a second start of a VM that runs is busy")
{
	int fd = start(), first = keeper;

	CHECK_INT(start_spec(&spec, sizeof spec), OPS_BUSY);
	keeper = first;
	CHECK(ask(fd, "echo unharmed", "unharmed\n"));
	close(fd);
}

TEST("keeper, backend and VMM run as the VM's uid and gid, no group, no capability in any set, no_new_privs, filters")
{
	static const char *const names[] = {"postern-keeper", "postern-vsock", "qemu-system-x86_64"};
	static const char *const lines[] = {"Uid:\t900000\t900000\t900000\t900000\n", "Gid:\t900000\t900000\t900000\t900000\n", "Groups:\t \n", "NoNewPrivs:\t1\n", "Seccomp:\t2\n",
					    "CapInh:\t0000000000000000\n", "CapPrm:\t0000000000000000\n", "CapEff:\t0000000000000000\n", "CapBnd:\t0000000000000000\n",
					    "CapAmb:\t0000000000000000\n"};
	int fd = start();

	for (size_t i = 0; i < 3; i++) {
		pid_t pid = pid_of(names[i]);
		CHECK(pid > 0);
		for (size_t l = 0; l < sizeof lines / sizeof *lines; l++)
			if (!status_has(pid, lines[l]))
				FAIL("%s: no line %s", names[i], lines[l]);
	}
	CHECK(status_has(pid_of("postern-keeper"), "Seccomp_filters:\t3\n")); // spawn's, the VM's, its own
	close(fd);
}

TEST("the VM has mount, pid, ipc, uts and net namespaces of its own, its id as hostname, and is pid 1 in there")
{
	static const char *const kinds[] = {"mnt", "pid", "ipc", "uts", "net"};
	char path[64], own[64], theirs[64];
	int fd = start();
	pid_t pid = pid_of("postern-keeper");

	for (size_t i = 0; i < 5; i++) {
		snprintf(path, sizeof path, "/proc/self/ns/%s", kinds[i]);
		ssize_t a = readlink(path, own, sizeof own - 1);
		snprintf(path, sizeof path, "/proc/%d/ns/%s", pid, kinds[i]);
		ssize_t b = readlink(path, theirs, sizeof theirs - 1);
		CHECK(a > 0 && b > 0 && (a != b || memcmp(own, theirs, (size_t)a) != 0));
	}
	snprintf(own, sizeof own, "NSpid:\t%d\t1\n", pid);
	snprintf(path, sizeof path, "/proc/%d/status", pid);
	CHECK(strstr(file(path), "\t1\n"));
	close(fd);
}

TEST("the jail holds the base, three device nodes, the run directory and what was given, and nothing else")
{
	int fd = start();

	CHECK(ask(fd, "ls /dev", "urandom "));
	CHECK(ask(fd, "ls /vm", "kernel \n"));
	CHECK(ask(fd, "ls /proc", "\n") && ask(fd, "ls /sys", "\n") && ask(fd, "ls /etc", "\n"));
	CHECK(ask(fd, "env", "end\n"));
	CHECK(logged("end\n") && !strstr(file(ROOT "/serial.log"), "="));
	CHECK(ask(fd, "fds", "0 1 2 3 4 \n"));
	close(fd);
}

TEST("the VMM's command line is the spec's")
{
	int fd = start();

	CHECK(ask(fd, "args", "end\n"));
	CHECK(logged("\nend\n"));
	const char *said = file(ROOT "/serial.log");
	CHECK(strstr(said, "\n-kernel\n/vm/kernel\n") && strstr(said, "\n-append\nconsole=ttyS0 test=1\n") && strstr(said, "\n-m\n128M\n"));
	CHECK(strstr(said, "\nmemory-backend-memfd,id=mem,size=128M,share=on\n") && strstr(said, "\nunix:/run/api.socket,server=on,wait=off\n"));
	close(fd);
}

TEST("a VMM that was taken over can't leave: no root, no write to base, kernel or nodes, no mount, namespace, network, ptrace, io_uring, device node (G6)")
{
	static const struct {
		const char *what, *end;
	} attempts[] = {
		{"root", "killed 31"},	      {"write-keeper", "EACCES"}, {"write-base", "EROFS"}, {"write-vm", "EROFS"}, {"write-kernel", "EACCES"}, {"write-dev", "EROFS"},
		{"mount", "killed 31"},	      {"open_tree", "killed 31"}, {"unshare", "killed 31"},   {"clone3", "ENOSYS"},	 {"clone-user", "killed 31"},
		{"ptrace", "killed 31"},      {"inet", "killed 31"},	{"netlink", "killed 31"},   {"io_uring", "ENOSYS"},	 {"chroot", "killed 31"},
		{"mknod", "killed 31"},	      {"chmod", "killed 31"},	{"bpf", "killed 31"},	    {"openat2", "killed 31"},	 {"kill-outside", "ESRCH"},
		{"core-limit", "EPERM"},
	};
	char line[64], want[64];
	int fd = start();

	for (size_t i = 0; i < sizeof attempts / sizeof *attempts; i++) {
		snprintf(line, sizeof line, "probe %s", attempts[i].what);
		snprintf(want, sizeof want, "%s %s\n", attempts[i].what, attempts[i].end);
		if (!ask(fd, line, want))
			FAIL("%s did not end as %s", attempts[i].what, attempts[i].end);
	}
	close(fd);
}

TEST("the VM lives on when both cells are killed, and new cells end it")
{
	const struct op_jail_signal_args a = {.vmm = VMM_QEMU, .id = "vm1"};
	int fd = start();

	CHECK(cells_kill(jail.pid) && cells_kill(spawn.pid));
	cells_stop(&jail), cells_stop(&spawn);
	CHECK(ask(fd, "echo orphan", "orphan\n"));
	cells_start(&jail, "postern-jail", &policy);
	cells_start(&spawn, "postern-spawn", &policy);
	CHECK_INT(CELLS_CALL(&jail, jail_signal, &a, NULL, 0, &rep, NULL), OPS_OK);
	wait_ended(3);
	CHECK(ended_as("stopped", 0, SIGTERM));
	close(fd);
}

static void write_text(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_TRUNC);
	cells_must(fd >= 0 && write(fd, text, strlen(text)) > 0, path);
	close(fd);
}

TEST("a base that others may write or replace, and files that were swapped after they were given, are not started (G5)")
{
	prepare_vm();
	CHECK(chmod(BASE, 0777) == 0);
	CHECK_INT(start_spec(&spec, sizeof spec), OPS_DENIED);
	CHECK(chmod(BASE, 0755) == 0);
	CHECK(chmod(CELLS_BASE, 0777) == 0);
	CHECK_INT(start_spec(&spec, sizeof spec), OPS_DENIED);
	CHECK_STR(rep.rule, "vmm");
	CHECK(chmod(CELLS_BASE, 0755) == 0);
	CHECK(rename(CELLS_BASE "/img/kernel", CELLS_BASE "/img/old") == 0);
	CHECK(system("cp " CELLS_BASE "/img/old " CELLS_BASE "/img/kernel") == 0);
	CHECK_INT(start_spec(&spec, sizeof spec), OPS_DENIED);
	CHECK_STR(rep.rule, "same file");
	CHECK(rename(CELLS_BASE "/img/old", CELLS_BASE "/img/kernel") == 0);
	write_text(CELLS_BASE "/img/kernel", "kernel\n");
	CHECK_INT(start_spec(&spec, sizeof spec), OPS_OK);
}

TEST("a step of the child that fails is named, and leaves no process")
{
	const struct op_jail_kill_args k = {.vmm = VMM_QEMU, .id = "vm1"};

	prepare_vm();
	CHECK(rmdir(BASE "/vm") == 0);
	CHECK_INT(start_spec(&spec, sizeof spec), OPS_IO);
	CHECK_STR(rep.rule, "attach files");
	CHECK_INT(rep.err, ENOENT);
	CHECK(mkdir(BASE "/vm", 0755) == 0 && rename(BASE "/postern-keeper", BASE "/gone") == 0);
	usleep(50000);
	CHECK_INT(start_spec(&spec, sizeof spec), OPS_IO);
	CHECK_STR(rep.rule, "exec keeper");
	CHECK(rename(BASE "/gone", BASE "/postern-keeper") == 0);
	usleep(50000);
	CHECK_INT(CELLS_CALL(&jail, jail_kill, &k, NULL, 0, &rep, NULL), OPS_OK);
	CHECK(rep.res.jail_kill.empty);
}

TEST("an unsealed memfd, a file and a pipe as the spec end the cell (C6, G5)")
{
	const struct op_jail_spawn_args a = {.vmm = VMM_QEMU, .id = "vm1"};
	int ends[2], fds[3] = {memfd_create("x", MFD_ALLOW_SEALING), open("/etc/passwd", O_RDONLY)};

	CHECK(pipe(ends) == 0);
	fds[2] = ends[0];
	for (int i = 0; i < 3; i++) {
		struct cell_run run;
		cells_start(&run, "postern-spawn", &policy);
		CHECK_INT(CELLS_CALL(&run, jail_spawn, &a, &fds[i], 1, &rep, NULL), OPS_COUNT);
		int status = cells_stop(&run);
		CHECK(WIFEXITED(status) && WEXITSTATUS(status) == HELPER_EXIT_DIED);
		close(fds[i]);
	}
	close(ends[1]);
}

int main(void)
{
	signal(SIGPIPE, SIG_IGN);
	spec = (struct vm_spec){.magic = VM_SPEC_MAGIC, .version = VM_SPEC_VERSION, .vmm = VM_SPEC_QEMU, .accel = VM_SPEC_TCG, .vcpus = 1, .memory_mib = 128,
				.cid = 7, .flags = VM_SPEC_VSOCK, .cmdline = "console=ttyS0 test=1"};
	cells_world(&policy, "keeper");
	make_base();
	cells_start(&jail, "postern-jail", &policy);
	cells_start(&spawn, "postern-spawn", &policy);
	int failed = test_main();
	remove_vm();
	cells_stop(&jail);
	cells_stop(&spawn);
	cells_world_end(&policy);
	return failed;
}
