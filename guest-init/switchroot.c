// switch_root(8) for one known layout: /proc, /sys and /dev are mounted, the rest of the initramfs may go.
#include "guest-init/switchroot.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "guest-init/cmdline.h"
#include "guest-init/mounts.h"
#include "guest-init/text.h"

#define NEW            "/newroot"
#define DEVICE_WAIT_MS 10000
#define DEVICE_POLL_MS 5
#define TREE_DEPTH     16 // an initramfs of ours is three levels deep

static bool wait_for(const char *path)
{
	uint64_t until = now_ms() + DEVICE_WAIT_MS;

	while (access(path, F_OK) < 0) {
		struct timespec pause = {.tv_nsec = DEVICE_POLL_MS * 1000000L};

		if (now_ms() >= until) {
			say("root", path, ENODEV);
			return false;
		}
		nanosleep(&pause, NULL);
	}
	return true;
}

static bool mount_new_root(const char *device)
{
	static const char guesses[][9] = {"ext4", "btrfs", "xfs", "squashfs", "erofs"};
	const char *type = cmdline_last("rootfstype");
	unsigned long flags = cmdline_get("ro", 0) != NULL && cmdline_get("rw", 0) == NULL ? MS_RDONLY : 0;
	const char *data = cmdline_last("rootflags");
	size_t n = type != NULL ? 1 : sizeof(guesses) / sizeof(guesses[0]);

	if (mkdir(NEW, 0755) < 0 && errno != EEXIST) {
		say("mkdir", NEW, errno);
		return false;
	}
	for (size_t i = 0; i < n; i++) {
		const char *guess = type != NULL ? type : guesses[i];

		if (mount(device, NEW, guess, flags, data) == 0)
			return true;
		// A block device that refuses writes can still be read.
		if ((errno == EACCES || errno == EROFS) && mount(device, NEW, guess, flags | MS_RDONLY, data) == 0)
			return true;
	}
	say("mount", device, errno);
	return false;
}

struct emptying {
	dev_t dev;      // the initramfs's
	unsigned depth; // levels that may still follow
};

// Deletes one name and what is below it.  What it took in memory comes back, for an initramfs is never swapped out.
static void empty(void *ctx, int dir, const char *name)
{
	const struct emptying *e = ctx;
	struct emptying below = {.dev = e->dev, .depth = e->depth - 1};
	struct stat st;
	int sub;

	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0 || st.st_dev != e->dev)
		return;
	if (!S_ISDIR(st.st_mode)) {
		(void)unlinkat(dir, name, 0);
		return;
	}
	sub = e->depth == 0 ? -1 : openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (sub >= 0)
		dir_each(sub, empty, &below);
	(void)unlinkat(dir, name, AT_REMOVEDIR); // fails where something is mounted, which is right
}

static void move_mounts(void)
{
	static const char moved[][2][16] = {{"/proc", NEW "/proc"}, {"/sys", NEW "/sys"}, {"/dev", NEW "/dev"}};

	for (size_t i = 0; i < sizeof(moved) / sizeof(moved[0]); i++) {
		(void)mkdir(moved[i][1], 0755); // there already, or the root is read-only and the move says so
		if (mount(moved[i][0], moved[i][1], NULL, MS_MOVE, NULL) < 0)
			say("move", moved[i][0], errno);
	}
}

void switch_root(void)
{
	static char self[] = "/postern-init";
	char *const argv[] = {self, NULL};
	const char *device = cmdline_last("root");
	struct stat st;
	int old;

	if (device == NULL || device[0] != '/' || !on_initramfs() || !wait_for(device) || !mount_new_root(device))
		return;
	move_mounts();
	old = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (chdir(NEW) < 0 || mount(".", "/", NULL, MS_MOVE, NULL) < 0 || chroot(".") < 0 || chdir("/") < 0) {
		say("switch_root", device, errno);
		return;
	}
	if (old >= 0 && fstat(old, &st) == 0)
		dir_each(old, empty, &(struct emptying){.dev = st.st_dev, .depth = TREE_DEPTH});
	if (access(argv[0], X_OK) == 0) {
		execv(argv[0], argv);
		say("exec", argv[0], errno);
	}
}
