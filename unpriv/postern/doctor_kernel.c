// What the kernel offers; see doctor.h.  Floor: Linux 6.1.
#include <errno.h>
#include <linux/landlock.h>
#include <linux/openat2.h>
#include <linux/seccomp.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "unpriv/postern/doctor.h"

#define LANDLOCK_FLOOR 2

void check_kernel(const struct cli *cli, struct finding *f)
{
	unsigned major = 0, minor = 0;
	struct utsname u;

	(void)cli;
	if (uname(&u) < 0 || sscanf(u.release, "%u.%u", &major, &minor) != 2)
		found(f, FOUND_BAD, "the kernel doesn't say its version", "Linux 6.1 or later is needed");
	else if (major < 6 || (major == 6 && minor < 1))
		found(f, FOUND_BAD, u.release, "too old: Linux 6.1 or later is needed");
	else
		found_ok(f, "%s, %s", u.release, u.machine);
}

// Each is called with arguments that can't succeed; only ENOSYS means that the call is missing.
void check_calls(const struct cli *cli, struct finding *f)
{
	static const struct {
		long number;
		const char *name;
	} calls[] = {{SYS_openat2, "openat2"},
	             {SYS_pidfd_open, "pidfd_open"},
	             {SYS_clone3, "clone3"},
	             {SYS_fsopen, "fsopen"},
	             {SYS_fsmount, "fsmount"},
	             {SYS_move_mount, "move_mount"},
	             {SYS_mount_setattr, "mount_setattr"},
	             {SYS_close_range, "close_range"}};
	char missing[256] = "";

	(void)cli;
	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
		if (calls[i].number == SYS_close_range ? syscall(SYS_close_range, 1, 0, 0) < 0 && errno == ENOSYS
		                                       : syscall(calls[i].number, -1, NULL, 0, 0, 0) < 0 && errno == ENOSYS) {
			strncat(missing, " ", sizeof(missing) - strlen(missing) - 1);
			strncat(missing, calls[i].name, sizeof(missing) - strlen(missing) - 1);
		}
	}
	if (missing[0] != '\0')
		found(f, FOUND_BAD, missing + 1, "not there: the kernel is too old, or a container's filter hides them");
	else
		found_ok(f, "openat2, pidfds and the mount API are there");
}

void check_landlock(const struct cli *cli, struct finding *f)
{
	long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);

	(void)cli;
	if (abi < 0)
		found(f, FOUND_BAD, "no Landlock", "boot with lsm=landlock,… (see /sys/kernel/security/lsm)");
	else if (abi < LANDLOCK_FLOOR)
		found(f, FOUND_BAD, "Landlock is older than ABI 2", "Linux 6.1 or later is needed");
	else
		found_ok(f, "ABI %ld%s%s", abi, abi >= 4 ? ", network rules" : "", abi >= 6 ? ", scopes" : "");
}

void check_seccomp(const struct cli *cli, struct finding *f)
{
	unsigned action = SECCOMP_RET_KILL_PROCESS;

	(void)cli;
	if (syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action) < 0)
		found(f, FOUND_BAD, "no seccomp filters", "a kernel with CONFIG_SECCOMP_FILTER is needed");
	else
		found_ok(f, "filters can kill the process");
}

// Adds to `have` which of cpu, memory and pids stand in a file of controllers.
static unsigned controllers_in(const char *path)
{
	static const char *const names[] = {"cpu", "memory", "pids"};
	char text[1024], *rest = text, *word;
	FILE *file = fopen(path, "re");
	unsigned have = 0;

	if (file == NULL)
		return 0;
	text[fread(text, 1, sizeof(text) - 1, file)] = '\0';
	fclose(file);
	while ((word = strsep(&rest, " \n")) != NULL)
		for (unsigned i = 0; i < 3; i++)
			if (strcmp(word, names[i]) == 0)
				have |= 1u << i;
	return have;
}

void check_cgroups(const struct cli *cli, struct finding *f)
{
	static const char *const v1[] = {"/sys/fs/cgroup/cpu", "/sys/fs/cgroup/memory", "/sys/fs/cgroup/pids"};
	char mounts[] = "/sys/fs/cgroup/cgroup.controllers", unified[] = "/sys/fs/cgroup/unified/cgroup.controllers";
	const char *top = access(mounts, R_OK) == 0 ? mounts : access(unified, R_OK) == 0 ? unified : NULL;
	unsigned have = top != NULL ? controllers_in(top) : 0, in_v2 = have;

	(void)cli;
	for (unsigned i = 0; i < 3; i++)
		if (access(v1[i], X_OK) == 0)
			have |= 1u << i;
	if (top == NULL)
		found(f, FOUND_BAD, "no version 2 cgroups",
		      "mount them at /sys/fs/cgroup, or beside version 1 at /sys/fs/cgroup/unified: VMs are killed through them");
	else if (have != 7)
		found(f, FOUND_WARN, "not all of the controllers cpu, memory and pids are there",
		      "limits of VMs without a controller don't hold; enable it in the kernel's command line");
	else
		found_ok(f, "%s", in_v2 == 7 ? "version 2 with cpu, memory and pids" : "version 2, and version 1 for some controllers");
}

static bool cpu_has_virtualization(void)
{
	char line[8192];
	FILE *file = fopen("/proc/cpuinfo", "re");
	bool has = false;

	while (file != NULL && !has && fgets(line, sizeof(line), file) != NULL)
		has = strncmp(line, "flags", 5) == 0 && (strstr(line, " vmx") != NULL || strstr(line, " svm") != NULL);
	if (file != NULL)
		fclose(file);
	return has;
}

void check_kvm(const struct cli *cli, struct finding *f)
{
	bool node = access("/dev/kvm", F_OK) == 0;

	(void)cli;
	if (!cpu_has_virtualization())
		found(f, FOUND_WARN, node ? "/dev/kvm is there, but the CPU shows neither vmx nor svm" : "the CPU shows neither vmx nor svm",
		      "VMs run under QEMU's emulation, slower; on bare metal turn virtualization on in the firmware, in a VM ask for nested "
		      "virtualization");
	else if (!node)
		found(f, FOUND_WARN, "no /dev/kvm", "VMs run under QEMU's emulation, slower; modprobe kvm_intel or kvm_amd");
	else
		found_ok(f, "the CPU has it and /dev/kvm is there");
}

void check_tun(const struct cli *cli, struct finding *f)
{
	struct stat st;

	(void)cli;
	if (stat("/dev/net/tun", &st) == 0 && S_ISCHR(st.st_mode))
		found_ok(f, "/dev/net/tun is there");
	else
		found(f, FOUND_BAD, "no /dev/net/tun", "modprobe tun: VMs get their network through taps");
}

void check_vsock(const struct cli *cli, struct finding *f)
{
	(void)cli;
	if (access("/dev/vhost-vsock", F_OK) == 0)
		found_ok(f, "served by postern-vsock; /dev/vhost-vsock is there too, and isn't needed");
	else
		found_ok(f, "served by postern-vsock; the kernel's vhost isn't needed");
}
