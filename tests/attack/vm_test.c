// A real QEMU with a real kernel in its jail, started by the release cells: what runs, what it may, what it holds, and how it ends.
// LINK: helper/common/fdpass.o proto/helper.o proto/wire.o proto/wire_kinds.o proto/mp.o
#include <linux/if_tun.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/un.h>
#include <time.h>

#include "tests/lib/cells.h"
#include "unpriv/common/vmspec.h"

#define ROOT CELLS_BASE "/jail/qemu/vm1/root"

static struct policy policy;
static struct cell_run jail, spawn;
static struct cell_rep rep;
static int keeper = -1; // pidfd
static struct vm_spec spec;

static void give(uint32_t slot, const char *path, bool writable)
{
	struct op_jail_give_args a = {.vmm = VMM_QEMU, .id = "vm1", .slot = slot, .has_writable = true, .writable = writable};
	char full[300];

	snprintf(a.path, sizeof a.path, "%s", path);
	snprintf(full, sizeof full, CELLS_BASE "/img/%s", path);
	int fd = open(full, (writable ? O_RDWR : O_RDONLY) | O_CLOEXEC);
	cells_must(CELLS_CALL(&jail, jail_give, &a, &fd, 1, &rep, NULL) == OPS_OK, path);
	close(fd);
}

static enum op_status grant(enum op_id op, int *fd)
{
	const struct op_grant_api_args a = {.vmm = VMM_QEMU, .id = "vm1"}; // the three have the same arguments
	int out[FDPASS_MAX];
	enum op_status status = cells_call(&jail, op, &a, sizeof a, NULL, 0, &rep, out);

	*fd = out[0];
	return status;
}

// connect_to waits for the socket and connects through what the grant gave.
static int connect_to(enum op_id op)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = -1, sock = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	for (int i = 0; i < 1000 && grant(op, &fd) == OPS_PENDING; i++)
		usleep(10000);
	if (rep.status != OPS_OK)
		return -1;
	snprintf(address.sun_path, sizeof address.sun_path, "/proc/self/fd/%d", fd);
	int result = connect(sock, (const struct sockaddr *)&address, sizeof address);
	close(fd);
	return result == 0 ? sock : -1;
}

// make_tap gives a queue of a tap that goes with its descriptor.
static int make_tap(void)
{
	struct ifreq request = {.ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR};
	int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);

	snprintf(request.ifr_name, IFNAMSIZ, "ptt%d", getpid() % 100000);
	cells_must(fd >= 0 && ioctl(fd, TUNSETIFF, &request) == 0, "tap");
	return fd;
}

static enum op_status start(bool with_tap)
{
	const struct op_jail_spawn_args a = {.vmm = VMM_QEMU, .id = "vm1", .has_cpu_percent = true, .cpu_percent = 200, .has_memory_max_mib = true,
					     .memory_max_mib = 800, .has_pids_max = true, .pids_max = 64};
	spec.nnets = with_tap;
	memcpy(spec.nets[0].mac, "\x52\x54\x00\x00\x00\x01", 6);
	int fds[2] = {cells_memfd(&spec, sizeof spec), with_tap ? make_tap() : -1}, out[FDPASS_MAX];
	enum op_status status = CELLS_CALL(&spawn, jail_spawn, &a, fds, with_tap ? 2 : 1, &rep, out);

	close(fds[0]), close(fds[1]);
	keeper = out[0];
	return status;
}

static const char *file(const char *path)
{
	static char text[65536];
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t got = fd < 0 ? -1 : read(fd, text, sizeof text - 1);

	close(fd);
	text[got < 0 ? 0 : got] = '\0';
	return text;
}

static bool ends(int seconds)
{
	struct pollfd p = {.fd = keeper, .events = POLLIN};
	bool ended = poll(&p, 1, seconds * 1000) == 1;

	close(keeper);
	keeper = -1;
	return ended;
}

// hears asks the guest's port 1024 over the hybrid socket until it answers, and reads its first byte.
static bool hears(int seconds)
{
	for (int i = 0; i < seconds * 10; i++) {
		char line[32] = "";
		int sock = connect_to(OP_grant_vsock);
		struct pollfd p = {.fd = sock, .events = POLLIN};
		bool ok = sock >= 0 && write(sock, "CONNECT 1024\n", 13) == 13 && poll(&p, 1, 1000) == 1 && read(sock, line, 3) == 3 && !strcmp(line, "OK ");
		close(sock);
		if (ok)
			return true;
		usleep(100000);
	}
	return false;
}

static pid_t pid_of(const char *name)
{
	char path[512], comm[64];
	pid_t pid, found = -1;

	snprintf(path, sizeof path, "%s/qemu@vm1/cgroup.procs", policy.jail.cgroup_root);
	FILE *list = fopen(path, "re");
	while (list && fscanf(list, "%d", &pid) == 1) {
		snprintf(path, sizeof path, "/proc/%d/comm", pid);
		snprintf(comm, sizeof comm, "%.15s\n", name);
		if (!strcmp(file(path), comm))
			found = pid;
	}
	if (list)
		fclose(list);
	return found;
}

TEST("QEMU with a tap, two disks and vsock boots in its jail, and its agent answers on port 1024")
{
	CHECK_INT(start(true), OPS_OK);
	if (!hears(30))
		FAIL("no answer; vmm.log: %.300s", file(ROOT "/vmm.log"));
	if (*file(ROOT "/vmm.log"))
		FAIL("vmm.log: %.300s", file(ROOT "/vmm.log"));
}

TEST("no thread of the VM has a capability, all have no_new_privs and at least three filters")
{
	static const char *const names[] = {"postern-keeper", "postern-vsock", "qemu-system-x86_64"};
	char path[128];

	for (size_t i = 0; i < 3; i++) {
		pid_t pid = pid_of(names[i]);
		CHECK(pid > 0);
		snprintf(path, sizeof path, "/proc/%d/status", pid);
		const char *status = file(path);
		CHECK(strstr(status, "CapEff:\t0000000000000000\n") && strstr(status, "CapPrm:\t0000000000000000\n") && strstr(status, "CapBnd:\t0000000000000000\n"));
		CHECK(strstr(status, "NoNewPrivs:\t1\n") && strstr(status, "Seccomp:\t2\n") && strstr(status, "Seccomp_filters:\t3\n"));
		CHECK(strstr(status, "Uid:\t900000\t900000\t900000\t900000\n") && strstr(status, "Groups:\t \n"));
	}
}

TEST("the VM sees eight mounts: base, /dev, /run, /vm and its files, all nosuid, those that needn't be written read-only")
{
	char path[64], where[128], options[128], line[512];
	int count = 0, writable = 0;

	snprintf(path, sizeof path, "/proc/%d/mountinfo", pid_of("qemu-system-x86_64"));
	FILE *list = fopen(path, "re");
	while (list && fgets(line, sizeof line, list)) {
		CHECK(sscanf(line, "%*s %*s %*s %*s %127s %127s", where, options) == 2);
		CHECK(strstr(options, "nosuid") && (strstr(options, "nodev") || !strcmp(where, "/dev")) && (strstr(options, "noexec") || !strcmp(where, "/")));
		if (!strncmp(options, "rw", 2)) {
			CHECK(!strcmp(where, "/run") || !strcmp(where, "/vm/disk0"));
			writable++;
		}
		count++;
	}
	if (list)
		fclose(list);
	CHECK_INT(count, 8); // base, /dev, /run, /vm, kernel, initrd, disk0, disk3
	CHECK_INT(writable, 2);
}

// limit reads a limit of the VM's cgroup, wherever this host has the controller.
static long limit(const char *controller, const char *v2_file, const char *v1_file)
{
	char path[512];

	snprintf(path, sizeof path, "%s/qemu@vm1/%s", policy.jail.cgroup_root, v2_file);
	if (access(path, F_OK) != 0)
		snprintf(path, sizeof path, "/sys/fs/cgroup/%s/%s/qemu@vm1/%s", controller, strrchr(policy.jail.cgroup_root, '/') + 1, v1_file);
	return strtol(file(path), NULL, 10);
}

TEST("the VM is in its cgroups with the limits asked for")
{
	char path[64];

	CHECK_INT(limit("memory", "memory.max", "memory.limit_in_bytes"), 800l << 20);
	CHECK_INT(limit("pids", "pids.max", "pids.max"), 64);
	CHECK_INT(limit("cpu", "cpu.max", "cpu.cfs_quota_us"), 200000);
	snprintf(path, sizeof path, "/proc/%d/cgroup", pid_of("qemu-system-x86_64"));
	const char *in = file(path);
	CHECK(strstr(in, "/qemu@vm1\n"));
	CHECK(limit("memory", "memory.current", "memory.usage_in_bytes") > 64l << 20);
}

TEST("QMP answers through the granted socket, and quit ends the VM: vmm_exited 0")
{
	char bytes[4096] = "";
	int sock = connect_to(OP_grant_api);

	CHECK(sock >= 0 && read(sock, bytes, sizeof bytes - 1) > 0 && strstr(bytes, "\"QMP\""));
	CHECK(write(sock, "{\"execute\":\"qmp_capabilities\"}\n{\"execute\":\"quit\"}\n", 50) == 50);
	CHECK(ends(10));
	CHECK(strstr(file(ROOT "/exit.json"), "{\"reason\":\"vmm_exited\",\"exit_code\":0,\"signal\":0,"));
	close(sock);
}

TEST("the same jail starts again after its VM ended, without the last run's exit.json")
{
	CHECK_INT(start(false), OPS_OK);
	CHECK(hears(30)); // so the keeper has long begun
	CHECK(access(ROOT "/exit.json", F_OK) != 0);
}

TEST("a QEMU that is killed is reported, and a jail that is killed whole is empty and goes")
{
	const struct op_jail_kill_args k = {.vmm = VMM_QEMU, .id = "vm1"};

	CHECK(cells_kill(pid_of("qemu-system-x86_64")));
	CHECK(ends(5));
	CHECK(strstr(file(ROOT "/exit.json"), "{\"reason\":\"killed\",\"exit_code\":0,\"signal\":9,"));
	CHECK_INT(start(false), OPS_OK);
	CHECK_INT(CELLS_CALL(&jail, jail_kill, &k, NULL, 0, &rep, NULL), OPS_OK);
	CHECK(ends(5));
}

TEST("a memory limit that the guest doesn't fit into ends the VM, and nobody else")
{
	const struct op_jail_spawn_args a = {.vmm = VMM_QEMU, .id = "vm1", .has_memory_max_mib = true, .memory_max_mib = 48};
	int fd = cells_memfd(&spec, sizeof spec), out[FDPASS_MAX];

	usleep(200000);
	CHECK_INT(CELLS_CALL(&spawn, jail_spawn, &a, &fd, 1, &rep, out), OPS_OK);
	close(fd);
	keeper = out[0];
	CHECK(ends(30));
}

int main(void)
{
	const struct op_jail_create_args create = {.vmm = VMM_QEMU, .id = "vm1", .uid = CELLS_UID};
	const struct op_jail_kill_args k = {.vmm = VMM_QEMU, .id = "vm1"};
	const struct op_jail_remove_args r = {.vmm = VMM_QEMU, .id = "vm1"};
	char command[512];

	signal(SIGPIPE, SIG_IGN);
	spec = (struct vm_spec){.magic = VM_SPEC_MAGIC, .version = VM_SPEC_VERSION, .vmm = VM_SPEC_QEMU, .accel = VM_SPEC_TCG, .vcpus = 2, .memory_mib = 256,
				.cid = 9, .flags = VM_SPEC_VSOCK | VM_SPEC_INITRD, .ndisks = 2, .cmdline = "console=ttyS0 quiet panic=1 reboot=k"};
	spec.disks[0] = (struct vm_spec_disk){.slot = 0};
	spec.disks[1] = (struct vm_spec_disk){.slot = 3, .readonly = 1};
	cells_world(&policy, "vm");
	cells_base();
	snprintf(command, sizeof command,
		 "cp %s/guest/default/kernel %s/guest/default/initrd " CELLS_BASE "/img && cd " CELLS_BASE "/img && truncate -s 16M disk0 disk3 && chmod 644 * && chown 64990:64990 disk0",
		 cells_build(), cells_build());
	cells_must(system(command) == 0, "guest");
	cells_start(&jail, "postern-jail", &policy);
	cells_start(&spawn, "postern-spawn", &policy);
	cells_must(CELLS_CALL(&jail, jail_create, &create, NULL, 0, &rep, NULL) == OPS_OK, "jail_create");
	give(SLOT_KERNEL, "kernel", false), give(SLOT_INITRD, "initrd", false), give(SLOT_DISK0, "disk0", true), give(SLOT_DISK0 + 3, "disk3", false);
	int failed = test_main();
	for (int i = 0; i < 300; i++) {
		CELLS_CALL(&jail, jail_kill, &k, NULL, 0, &rep, NULL);
		if (rep.res.jail_kill.empty && CELLS_CALL(&jail, jail_remove, &r, NULL, 0, &rep, NULL) == OPS_OK)
			break;
		usleep(10000);
	}
	cells_stop(&jail);
	cells_stop(&spawn);
	cells_world_end(&policy);
	return failed;
}
