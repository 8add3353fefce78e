// sys: every system call that the spawn cell and its children make. This is the audit point, and the seam where a test links its own.
//
// Paths come from policy, from layout.c or from the record, never from the daemon. All answer -1 with errno set when they fail.
#ifndef HELPER_SPAWN_SYS_H
#define HELPER_SPAWN_SYS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

// sys_prepare opens what the calls below need for life; before confinement.
int sys_prepare(void);

// In the cell. Opens are below `dir`, without symlinks, magic links or a way out; sys_open_policy takes an absolute path of the
// policy, all above which must be root's alone (rootpath.h).
int sys_open_dir(int dir, const char *path);
int sys_open_path(int dir, const char *path);
int sys_open_policy(const char *path);
void sys_close(int fd);
int sys_stat(int fd, struct stat *st);
int sys_create(int dir, const char *name, const void *bytes, size_t size); // mode 0600, new
int sys_unlink(int dir, const char *name);
int sys_rename(int dir, const char *name, const char *to_name);
ssize_t sys_read(int dir, const char *name, void *bytes, size_t size);
int sys_write(int dir, const char *name, const char *text);
int sys_open_write(int dir, const char *name);
int sys_start_time(pid_t pid, uint64_t *ticks); // field 22 of /proc/PID/stat

// sys_clone_tree copies the mount that holds `fd`, from `fd` downwards, as a detached mount with `attr` (MOUNT_ATTR_*) set.
int sys_clone_tree(int fd, uint64_t attr);

// sys_fork makes a child in new pid, mount, ipc, uts and net namespaces, born into the version 2 cgroup `cgroup`. In the parent *pidfd is the
// child's.
pid_t sys_fork(int cgroup, int *pidfd);
pid_t sys_fork_plain(void); // in the cell's own namespaces and cgroup
int sys_pipe(int ends[2]);
ssize_t sys_read_report(int fd, void *bytes, size_t size, int timeout_ms); // 0: the child executed; ETIME when it takes too long
void sys_reap(void);

// A stream socket that doesn't block, and connecting it to the socket that an O_PATH descriptor is of: in the child, whose credentials the other
// side sees.
int sys_unix_socket(void);
int sys_connect(int fd, int o_path);

// In the child, in this order.
int sys_join(int cgroup_procs);
int sys_new_session(void);
int sys_private_mounts(void);
int sys_new_tmpfs(unsigned attr, const char *size);
int sys_make_node(int dir, const char *name, mode_t mode, unsigned major, unsigned minor);
int sys_attach(int mount, int dir, const char *name);
int sys_attach_root(int mount);
int sys_seal_mount(int mount); // read-only
int sys_enter_root(int mount);
int sys_hostname(const char *name);
int sys_limit(int resource, uint64_t most);  // never above what the cell has
int sys_move_fd(int fd, int least);          // a close-on-exec copy numbered `least` or more
int sys_place_fd(int fd, int at, bool keep); // keep: survives exec
int sys_open_null(int at);
int sys_close_from(int first);
int sys_become(uint32_t uid, uint32_t gid); // and lose every capability
int sys_filter(const void *filter, size_t length);
int sys_exec(const char *program, const char *name);
_Noreturn void sys_report(int fd, const void *bytes, size_t size);

#endif
