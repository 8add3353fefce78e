// See vm_live.h.
#include "unpriv/posternd/vm_live.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "unpriv/posternd/addr.h"
#include "unpriv/posternd/config.h"
#include "unpriv/posternd/daemon.h"

// Reads a small file whole; false where it can't be read or is larger.
static bool read_small(int fd, char *out, size_t size)
{
	size_t n = 0;
	ssize_t got = 1;

	while (fd >= 0 && n < size - 1 && (got = read(fd, out + n, size - 1 - n)) > 0)
		n += (size_t)got;
	if (fd >= 0)
		close(fd);
	out[n] = '\0';
	return fd >= 0 && got == 0;
}

static bool read_proc(pid_t pid, const char *leaf, char *out, size_t size)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, leaf);
	return read_small(open(path, O_RDONLY | O_CLOEXEC), out, size);
}

const char *vm_live_boot_id(void)
{
	static char id[64];

	if (id[0] == '\0') {
		if (!read_small(open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC), id, sizeof(id)))
			COPY_TEXT(id, "unknown");
		id[strcspn(id, "\n")] = '\0';
	}
	return id;
}

// The name in field 2 may hold spaces and brackets: fields are counted behind its last bracket.
bool vm_live_start_time(const char *stat, uint64_t *out)
{
	const char *p = strrchr(stat, ')');
	char *end;

	for (int field = 2; p != NULL && field < 22; field++) {
		p = strchr(p, ' ');
		p = p != NULL ? p + 1 : NULL;
	}
	if (p == NULL || *p < '0' || *p > '9')
		return false;
	errno = 0;
	*out = strtoull(p, &end, 10);
	return errno == 0 && *end == ' ';
}

bool vm_live_in_cgroup(const char *cgroups, const char *id)
{
	char want[VM_ID + 16];
	size_t n = (size_t)snprintf(want, sizeof(want), "/qemu@%s", id);

	for (const char *line = cgroups; *line != '\0';) {
		size_t len = strcspn(line, "\n");
		if (strncmp(line, "0::", 3) == 0 && len >= 3 + n && memcmp(line + len - n, want, n) == 0)
			return true;
		line += len + (line[len] == '\n');
	}
	return false;
}

static bool is_keeper(pid_t pid, uint64_t start_time, const char *id)
{
	char text[4096];
	uint64_t began;

	return read_proc(pid, "stat", text, sizeof(text)) && vm_live_start_time(text, &began) && began == start_time &&
	       read_proc(pid, "cgroup", text, sizeof(text)) && vm_live_in_cgroup(text, id);
}

bool vm_live_keeper(pid_t pid, uint64_t start_time, const char *id, int *pidfd)
{
	if (pid <= 1)
		return false;
	*pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	if (*pidfd < 0)
		return false;
	// Looked at with the pidfd in hand: it can't become another process any more.
	if (is_keeper(pid, start_time, id))
		return true;
	close(*pidfd);
	*pidfd = -1;
	return false;
}

int vm_live_open(const char *id, const char *leaf)
{
	char path[512];
	struct stat st;
	int fd;

	snprintf(path, sizeof(path), "%s/qemu/%s/root/%s", daemon_config()->jail_root, id, leaf);
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
	if (fd >= 0 && (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode))) {
		close(fd);
		errno = EINVAL;
		return -1;
	}
	return fd;
}

static enum rpc_vm_reason reason_of(const char *word, int64_t code, int64_t sig)
{
	if (strcmp(word, "vsock_backend_died") == 0)
		return vm_reason_vsock_backend_died;
	if (strcmp(word, "killed") == 0)
		return vm_reason_killed;
	if (strcmp(word, "stopped") == 0)
		return vm_reason_requested;
	if (strcmp(word, "start_failed") == 0)
		return vm_reason_config_rejected;
	return code == 0 && sig == 0 ? vm_reason_guest_shutdown : vm_reason_vmm_exited;
}

void vm_live_exit(struct vm *vm, int64_t not_before_unix_ms, enum rpc_vm_reason fallback)
{
	char text[2048];
	json_t *j = read_small(vm_live_open(vm->id, "exit.json"), text, sizeof(text)) ? json_loads(text, 0, NULL) : NULL;
	const char *word = json_string_value(json_object_get(j, "reason"));
	const char *detail = json_string_value(json_object_get(j, "detail"));
	int64_t code = json_integer_value(json_object_get(j, "exit_code")), sig = json_integer_value(json_object_get(j, "signal"));

	vm->final_reason = fallback;
	vm->last_error[0] = '\0';
	vm->error_kind = FAIL_IO;
	if (word != NULL && json_integer_value(json_object_get(j, "at_unix_ms")) >= not_before_unix_ms) {
		vm->final_reason = reason_of(word, code, sig);
		vm->exit_code = sig > 0 && sig < 128 ? 128 + (int)sig : code >= 0 && code <= 255 ? (int)code : -1;
		if (vm->final_reason != vm_reason_guest_shutdown && vm->final_reason != vm_reason_requested)
			snprintf(vm->last_error, sizeof(vm->last_error), "%.32s: exit code %d, signal %d%s%.160s", word, (int)code, (int)sig,
			         detail != NULL && detail[0] != '\0' ? ": " : "", detail != NULL ? detail : "");
	} else if (fallback != vm_reason_requested)
		snprintf(vm->last_error, sizeof(vm->last_error), "the VM ended without a word: see its log");
	json_decref(j);
}
