// Running other programs; see files.h.
//
// A caller without privilege who makes a file system from files of its own would get an image in which they still belong to it.  In a
// user namespace that maps just the caller, to root, mke2fs sees what the guest shall see.
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "unpriv/postern/cli.h"
#include "unpriv/postern/files.h"

bool tool_find(const char *name, char out[FILES_PATH])
{
	const char *path = getenv("PATH");
	char dirs[FILES_PATH];
	char *rest = dirs, *dir;

	snprintf(dirs, sizeof(dirs), "%s:/usr/sbin:/sbin:/usr/bin:/bin", path != NULL ? path : "");
	while ((dir = strsep(&rest, ":")) != NULL)
		if (dir[0] == '/' && (size_t)snprintf(out, FILES_PATH, "%s/%s", dir, name) < FILES_PATH && access(out, X_OK) == 0)
			return true;
	return false;
}

static bool write_text(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	bool ok = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);

	if (fd >= 0)
		close(fd);
	return ok;
}

static bool become_root(void)
{
	char uids[64], gids[64];

	snprintf(uids, sizeof(uids), "0 %u 1", geteuid());
	snprintf(gids, sizeof(gids), "0 %u 1", getegid());
	if (geteuid() == 0)
		return true;
	return unshare(CLONE_NEWUSER) == 0 && write_text("/proc/self/setgroups", "deny") && write_text("/proc/self/uid_map", uids) &&
	       write_text("/proc/self/gid_map", gids);
}

static bool redirect(int fd, const char *path, int flags)
{
	int file = open(path, flags | O_CLOEXEC, 0600);

	return file >= 0 && dup2(file, fd) == fd;
}

_Noreturn static void child(const char *path, const char *const *argv, const struct tool_how *how)
{
	bool ok = redirect(0, how->in_file != NULL ? how->in_file : "/dev/null", O_RDONLY) &&
	          redirect(1, how->out_file != NULL ? how->out_file : "/dev/null", O_WRONLY | O_CREAT | O_TRUNC) &&
	          (!how->quiet || redirect(2, "/dev/null", O_WRONLY)) && (how->cwd == NULL || chdir(how->cwd) == 0) && (!how->root || become_root());

	if (ok)
		execv(path, (char *const *)argv);
	if (!how->quiet)
		cli_say("%s: %s", path, strerror(errno));
	_exit(127);
}

int tool_run(const char *const *argv, const char *package, const struct tool_how *how)
{
	char path[FILES_PATH];
	int status;
	pid_t pid;

	if (!tool_find(argv[0], path)) {
		cli_say("%s is missing: install the package %s", argv[0], package);
		return -1;
	}
	fflush(NULL);
	pid = fork();
	if (pid == 0)
		child(path, argv, how);
	if (pid < 0) {
		cli_say("fork: %s", strerror(errno));
		return -1;
	}
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -1;
	if (WIFEXITED(status))
		return WEXITSTATUS(status);
	cli_say("%s was killed by signal %d", argv[0], WTERMSIG(status));
	return -1;
}

bool tool_can_be_root(void)
{
	static const char *const argv[] = {"true", NULL};

	return tool_run(argv, "coreutils", &(struct tool_how){.root = true, .quiet = true}) == 0;
}
