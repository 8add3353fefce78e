// What postern brings with it, and what it needs beside itself; see doctor.h.
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "unpriv/postern/client.h"
#include "unpriv/postern/doctor.h"
#include "unpriv/postern/files.h"
#include "unpriv/postern/policyline.h"

#define LIBEXEC       "/usr/libexec/postern/"
#define HELPER        LIBEXEC "postern-helper"
#define HELPER_SOCKET "/run/postern-helper/helper.sock"

void check_helper(const struct cli *cli, struct finding *f)
{
	struct statvfs fs;
	struct stat st;
	char mode[64];

	(void)cli;
	if (access(HELPER_SOCKET, F_OK) == 0) {
		found_ok(f, "started by init through " HELPER_SOCKET);
	} else if (stat(HELPER, &st) < 0) {
		found(f, FOUND_BAD, HELPER " isn't there", "make install, or install the package");
	} else if (st.st_uid != 0) {
		found(f, FOUND_BAD, HELPER " doesn't belong to root", "chown root:postern " HELPER " && chmod 4750 " HELPER);
	} else if ((st.st_mode & 07777) != 04750) {
		snprintf(mode, sizeof(mode), HELPER " has mode %04o", (unsigned)(st.st_mode & 07777));
		found(f, FOUND_BAD, mode, "chmod 4750 " HELPER);
	} else if (statvfs(HELPER, &fs) == 0 && (fs.f_flag & ST_NOSUID) != 0) {
		found(f, FOUND_BAD, "the file system of " HELPER " is mounted nosuid",
		      "start the helper by init: systemctl enable --now postern-helper.socket");
	} else {
		found_ok(f, HELPER ", mode 4750, of root and group %u", (unsigned)st.st_gid);
	}
}

void check_programs(const struct cli *cli, struct finding *f)
{
	static const char *const programs[] = {"postern-broker", "postern-net",    "postern-vol",   "postern-jail",
	                                       "postern-spawn",  "postern-keeper", "postern-vsock", "postern-init"};
	char path[FILES_PATH];

	(void)cli;
	for (size_t i = 0; i < sizeof(programs) / sizeof(programs[0]); i++) {
		struct stat st;

		snprintf(path, sizeof(path), LIBEXEC "%s", programs[i]);
		if (stat(path, &st) == 0 && st.st_uid == 0 && (st.st_mode & 022) == 0)
			continue;
		found(f, FOUND_BAD, path, "not there, or others than root may write it: make install, or install the package");
		return;
	}
	found_ok(f, "all in " LIBEXEC);
}

void check_policy(const struct cli *cli, struct finding *f)
{
	char uid[64];
	struct stat st;

	(void)cli;
	if (stat(POLICY_FILE, &st) < 0)
		found(f, FOUND_WARN, "no " POLICY_FILE, "without one the helper allows its own prefixes and nothing else; see policy.conf(5)");
	else if (st.st_uid != 0 || (st.st_mode & 022) != 0 || !S_ISREG(st.st_mode))
		found(f, FOUND_BAD, POLICY_FILE " isn't root's alone: the helper refuses it",
		      "chown root:root " POLICY_FILE " && chmod 644 " POLICY_FILE);
	else if (policy_value("daemon-uid", uid, sizeof(uid)))
		found_ok(f, POLICY_FILE ", daemon-uid %s", uid);
	else if (errno == EACCES)
		found(f, FOUND_WARN, POLICY_FILE " can't be read by you", "run postern doctor as root to check what it says");
	else
		found(f, FOUND_BAD, POLICY_FILE " has no daemon-uid", "add the line: daemon-uid N, with the uid of the user postern");
}

void check_vmm(const struct cli *cli, struct finding *f)
{
	char line[512], names[200] = "", what[300];
	unsigned n = 0;

	(void)cli;
	for (; policy_value_n("vmm", n, line, sizeof(line)); n++) {
		char name[64], path[400];
		struct stat st;

		if (sscanf(line, "%63s %399s", name, path) != 2 || stat(path, &st) < 0 || st.st_uid != 0 || (st.st_mode & 022) != 0) {
			snprintf(what, sizeof(what), "vmm %.200s", line);
			found(f, FOUND_BAD, what, "not there, or not root's alone; for QEMU prepare a base: " LIBEXEC "vmm-base");
			return;
		}
		if (strlen(names) + strlen(name) + 2 < sizeof(names))
			snprintf(names + strlen(names), sizeof(names) - strlen(names), "%s%s", n > 0 ? " " : "", name);
	}
	if (n == 0)
		found(f, FOUND_WARN, "the policy names no vmm",
		      "no VM can be started; add: vmm qemu " LIBEXEC "base/qemu, prepared by " LIBEXEC "vmm-base");
	else
		found_ok(f, "%s", names);
}

void check_images(const struct cli *cli, struct finding *f)
{
	static const char *const files[] = {"kernel", "initrd", "root.ext4"};
	char root[1024], path[FILES_PATH];

	(void)cli;
	if (!policy_value("image-root", root, sizeof(root))) {
		found(f, FOUND_WARN, "the policy names no image-root", "no VM can be started; add: image-root /srv/postern/images");
		return;
	}
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		snprintf(path, sizeof(path), "%s/default/%s", root, files[i]);
		if (access(path, R_OK) < 0) {
			found(f, FOUND_WARN, path, "not there, so `postern run` needs --image and --kernel: postern image default makes it");
			return;
		}
	}
	found_ok(f, "the default bundle is in %s/default", root);
}

void check_tools(const struct cli *cli, struct finding *f)
{
	static const char *const tools[][2] = {
	    {"mke2fs", "e2fsprogs"}, {"debugfs", "e2fsprogs"}, {"tar", "tar"}, {"dpkg-deb", "dpkg"}, {"lz4", "lz4"}};
	char path[FILES_PATH], what[64], mend[128];

	(void)cli;
	for (size_t i = 0; i < sizeof(tools) / sizeof(tools[0]); i++) {
		if (tool_find(tools[i][0], path))
			continue;
		snprintf(what, sizeof(what), "no %s", tools[i][0]);
		snprintf(mend, sizeof(mend), "`postern image` needs it: apt-get install %s", tools[i][1]);
		found(f, FOUND_WARN, what, mend);
		return;
	}
	if (tool_can_be_root())
		found_ok(f, "what `postern image` needs is there");
	else
		found(f, FOUND_WARN, "no user namespaces for you",
		      "files in imported images will belong to you, not to root: run postern image as root");
}

void check_daemon(const struct cli *cli, struct finding *f)
{
	struct client c;
	struct reply r;

	client_init(&c, -1);
	client_call(&c, cli->socket, "rpc.health", NULL, &r);
	switch (r.status) {
	case CALL_OK: found_ok(f, "posternd answers"); break;
	case CALL_CUT:
	case CALL_NO_DAEMON: found(f, FOUND_BAD, r.why, "systemctl start posternd"); break;
	case CALL_NOT_ALLOWED: found(f, FOUND_BAD, r.why, "usermod -aG postern YOU, and log in again"); break;
	case CALL_ERROR:
		found(f, FOUND_WARN, "posternd answers, but not you", "give yourself a right in /etc/postern/acl.toml; see posternd(8)");
		break;
	case CALL_WOKEN: break;
	}
	reply_clear(&r);
	client_close(&c);
}
