// The child of one jail_spawn, from fork to exec: a list of steps, each of which takes something away or puts one thing in place. It is born with the
// cell's capabilities, in empty namespaces of its own and in the VM's cgroup; bounding set, securebits and no_new_privs are the cell's already, and
// are inherited. It looks up no name outside the mounts it was given. A step that fails is told to the cell by number, and nothing has been executed
// then.
#include <errno.h>
#include <fcntl.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "filter_vm.h"
#include "helper/spawn/spawn.h"
#include "helper/spawn/sys.h"

#define KEEPER  "/postern-keeper"
#define SPEC_FD 3  // taps follow
#define HIGH_FD 64 // above every number a child uses
#define DEVICES (MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC)
#define FILES   (MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC)

static int join_cgroups(struct spawn_plan *plan)
{
	for (int i = 0; i < CGROUP_CONTROLLERS; i++)
		if (plan->v1[i] >= 0 && sys_join(plan->v1[i]) < 0)
			return -1;
	return 0;
}

static int new_session(struct spawn_plan *plan)
{
	(void)plan;
	return sys_new_session();
}

// Nothing that is mounted from here on is seen outside, and nothing that is mounted outside from here on is seen here.
static int private_mounts(struct spawn_plan *plan)
{
	(void)plan;
	return sys_private_mounts();
}

static int attach_base(struct spawn_plan *plan)
{
	return sys_attach_root(plan->base);
}

static int attach_run(struct spawn_plan *plan)
{
	return sys_attach(plan->run, plan->base, "run");
}

// Device numbers: Documentation/admin-guide/devices.txt.
static int make_devices(struct spawn_plan *plan)
{
	const mode_t mode = S_IFCHR | 0666;
	int dev = sys_new_tmpfs(DEVICES, "16k");

	if (dev < 0 || sys_make_node(dev, "null", mode, 1, 3) < 0 || sys_make_node(dev, "zero", mode, 1, 5) < 0 ||
	    sys_make_node(dev, "urandom", mode, 1, 9) < 0)
		return -1;
	if (plan->kvm && sys_make_node(dev, "kvm", mode, 10, 232) < 0)
		return -1;
	return sys_attach(dev, plan->base, "dev") < 0 ? -1 : sys_seal_mount(dev);
}

// Each file of the record is bound over an empty one of its slot's name.
static int attach_files(struct spawn_plan *plan)
{
	int vm = sys_new_tmpfs(FILES, "16k");

	if (vm < 0 || sys_attach(vm, plan->base, "vm") < 0)
		return -1;
	for (uint32_t slot = 0; slot < JAIL_SLOTS; slot++) {
		if (plan->given[slot] < 0)
			continue;
		if (sys_make_node(vm, layout_slot(slot), S_IFREG | 0444, 0, 0) < 0 || sys_attach(plan->given[slot], vm, layout_slot(slot)) < 0)
			return -1;
	}
	return sys_seal_mount(vm);
}

static int enter_root(struct spawn_plan *plan)
{
	return sys_enter_root(plan->base);
}

static int set_hostname(struct spawn_plan *plan)
{
	return sys_hostname(plan->id);
}

// Memory is the cgroup's to bound, and the size of a disk image is not to be cut off by FSIZE; NPROC counts the uid's threads, which are this VM's
// alone.
static int set_limits(struct spawn_plan *plan)
{
	const struct {
		int resource;
		uint64_t most;
	} limits[] = {
	    {RLIMIT_CORE, 0},
	    {RLIMIT_CPU, RLIM_INFINITY},
	    {RLIMIT_DATA, RLIM_INFINITY},
	    {RLIMIT_FSIZE, RLIM_INFINITY},
	    {RLIMIT_LOCKS, 64},
	    {RLIMIT_MEMLOCK, 0},
	    {RLIMIT_MSGQUEUE, 0},
	    {RLIMIT_NICE, 0},
	    {RLIMIT_NOFILE, 4096},
	    {RLIMIT_NPROC, plan->pids_max},
	    {RLIMIT_RSS, RLIM_INFINITY},
	    {RLIMIT_RTPRIO, 0},
	    {RLIMIT_RTTIME, 0},
	    {RLIMIT_SIGPENDING, 4096},
	    {RLIMIT_STACK, 8ull * 1024 * 1024},
	    {RLIMIT_AS, RLIM_INFINITY},
	};

	for (size_t i = 0; i < sizeof limits / sizeof *limits; i++)
		if (sys_limit(limits[i].resource, limits[i].most) < 0)
			return -1;
	return 0;
}

// First everything that stays goes above every target, then down to its place: 0 to 2 the jail's own null, the spec, the taps, and the report until
// exec closes it. After pivot_root, so that nothing refers to a mount of the host.
static int place_descriptors(struct spawn_plan *plan)
{
	int at = SPEC_FD, taps[SPAWN_TAPS];
	int spec = sys_move_fd(plan->spec, HIGH_FD), report = sys_move_fd(plan->report, HIGH_FD);

	if (spec < 0 || report < 0)
		return -1;
	for (int i = 0; i < SPAWN_TAPS; i++)
		if (plan->taps[i] >= 0 && (taps[i] = sys_move_fd(plan->taps[i], HIGH_FD)) < 0)
			return -1;
	plan->report = report;
	if (sys_open_null(0) < 0 || sys_open_null(1) < 0 || sys_open_null(2) < 0 || sys_place_fd(spec, at++, true) < 0)
		return -1;
	for (int i = 0; i < SPAWN_TAPS; i++)
		if (plan->taps[i] >= 0 && sys_place_fd(taps[i], at++, true) < 0)
			return -1;
	if (sys_place_fd(report, at, false) < 0)
		return -1;
	plan->report = at;
	return sys_close_from(at + 1);
}

// The VM's gid has the number of its uid: the range is nobody's in the group file either.
static int become_vm(struct spawn_plan *plan)
{
	return sys_become(plan->uid, plan->uid);
}

// Sockets of the VM's last run go before the cell answers: a grant that comes at once must not find one that nobody listens on any more. As the VM,
// whose directory it is.
static int forget_sockets(struct spawn_plan *plan)
{
	static const char *const sockets[] = {"/run/api.socket", "/run/vsock.sock", "/run/console.sock"};

	(void)plan;
	for (size_t i = 0; i < sizeof sockets / sizeof *sockets; i++)
		if (sys_unlink(AT_FDCWD, sockets[i]) < 0 && errno != ENOENT)
			return -1;
	return 0;
}

static int load_filter(struct spawn_plan *plan)
{
	(void)plan;
	return sys_filter(filter_vm, filter_vm_len);
}

static int execute(struct spawn_plan *plan)
{
	(void)plan;
	return sys_exec(KEEPER, "postern-keeper");
}

static const struct {
	const char *name;
	int (*run)(struct spawn_plan *plan);
} steps[] = {
    {"join cgroups", join_cgroups},    {"new session", new_session},   {"private mounts", private_mounts},
    {"attach base", attach_base},      {"make devices", make_devices}, {"attach files", attach_files},
    {"attach run", attach_run},        {"pivot_root", enter_root},     {"descriptors", place_descriptors},
    {"hostname", set_hostname},        {"limits", set_limits},         {"uid", become_vm},
    {"stale sockets", forget_sockets}, {"filter", load_filter},        {"exec keeper", execute},
};

#define STEPS (sizeof steps / sizeof *steps)

const char *child_step_name(uint32_t step)
{
	return step < STEPS ? steps[step].name : "child";
}

void child_run(struct spawn_plan *plan)
{
	struct spawn_failure failure = {0};

	for (failure.step = 0; failure.step < STEPS; failure.step++) {
		errno = 0;
		if (steps[failure.step].run(plan) < 0)
			break;
	}
	failure.err = errno;
	sys_report(plan->report, &failure, sizeof failure);
}
