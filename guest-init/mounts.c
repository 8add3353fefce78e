// Mounting by a table.  A failure costs what that file system gives, never the boot: a guest whose agent answers can be repaired.
#include "guest-init/mounts.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "guest-init/text.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

// Arrays, not pointers: a position-independent program pays 24 bytes of relocation for each of those.
struct row {
	char target[16];
	char type[12];
	unsigned flags;
	char data[32];
};

static const struct row early[] = {
    {"/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, ""},
    {"/sys", "sysfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, ""},
    {"/dev", "devtmpfs", MS_NOSUID, "mode=755"},
};

static const struct row rest[] = {
    {"/dev/pts", "devpts", MS_NOSUID | MS_NOEXEC, "gid=5,mode=620,ptmxmode=666"},
    {"/dev/shm", "tmpfs", MS_NOSUID | MS_NODEV, "mode=1777"},
    {"/run", "tmpfs", MS_NOSUID | MS_NODEV, "mode=755"},
    {"/tmp", "tmpfs", MS_NOSUID | MS_NODEV, "mode=1777"},
    {CGROUP_ROOT, "cgroup2", MS_NOSUID | MS_NODEV | MS_NOEXEC, ""},
};

static const char links[][2][16] = {
    {"/proc/self/fd", "/dev/fd"},
    {"/proc/self/fd/0", "/dev/stdin"},
    {"/proc/self/fd/1", "/dev/stdout"},
    {"/proc/self/fd/2", "/dev/stderr"},
};

// True where something is mounted already, by the initramfs or the kernel: it lies on another device than its parent.
static bool mounted(const char *target)
{
	char parent[32];
	struct stat here;
	struct stat above;

	return text_join(parent, sizeof(parent), target, "/..", NULL) && stat(target, &here) == 0 && stat(parent, &above) == 0 &&
	       here.st_dev != above.st_dev;
}

static void mount_row(const struct row *r)
{
	if (mkdir(r->target, 0755) < 0 && errno != EEXIST)
		say("mkdir", r->target, errno);
	if (!mounted(r->target) && mount(r->type, r->target, r->type, r->flags, r->data) < 0)
		say("mount", r->target, errno);
}

// The kernel opens /dev/console for its init only where that node is on the root file system.
static void open_console(void)
{
	int fd;

	if (fcntl(STDERR_FILENO, F_GETFD) >= 0)
		return;
	fd = open("/dev/console", O_RDWR | O_NOCTTY);
	if (fd < 0)
		return;
	for (int to = 0; to <= 2; to++)
		if (fd != to)
			(void)dup2(fd, to);
	if (fd > 2)
		close(fd);
}

void mount_early(void)
{
	for (size_t i = 0; i < COUNT(early); i++)
		mount_row(&early[i]);
	open_console();
}

// A controller the kernel doesn't have is no news: that limit can't be set then, and an exec that asks for it says so.
static void enable_controllers(const char *control)
{
	static const char names[][8] = {"+cpu", "+memory", "+pids"};

	for (size_t i = 0; i < COUNT(names); i++)
		(void)file_write(control, names[i]);
}

void mount_rest(void)
{
	for (size_t i = 0; i < COUNT(rest); i++)
		mount_row(&rest[i]);
	for (size_t i = 0; i < COUNT(links); i++)
		if (symlink(links[i][0], links[i][1]) < 0 && errno != EEXIST)
			say("link", links[i][1], errno);
	enable_controllers(CGROUP_ROOT "/cgroup.subtree_control");
	if (mkdir(CGROUP_EXEC, 0755) < 0 && errno != EEXIST)
		say("mkdir", CGROUP_EXEC, errno);
	enable_controllers(CGROUP_EXEC "/cgroup.subtree_control");
}

bool on_initramfs(void)
{
	struct statfs fs;

	return statfs("/", &fs) == 0 && (fs.f_type == RAMFS_MAGIC || fs.f_type == TMPFS_MAGIC);
}
