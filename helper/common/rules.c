// The policy's verdict on each operation.  See rules.h.
#include "helper/common/rules.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define SEALED (F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)

static const char *unless(bool ok, const char *rule)
{
	return ok ? NULL : rule;
}

static const char *link_add(const struct policy *p, const struct op_link_add_args *a)
{
	if (a->kind == LINK_BRIDGE)
		return unless(policy_bridge(&p->net, a->name), "bridge");
	return unless(policy_prefix(&p->net, a->name) && (!a->has_peer || policy_prefix(&p->net, a->peer)), "interface-prefix");
}

static const char *link_set(const struct policy *p, const struct op_link_set_args *a)
{
	if (!policy_link_ours(&p->net, a->name))
		return "interface-prefix";
	return unless(!a->has_master || policy_bridge(&p->net, a->master), "bridge");
}

static const char *links_del(const struct policy *p, const struct op_links_del_args *a)
{
	for (uint32_t i = 0; i < a->names.n; i++)
		if (!policy_link_ours(&p->net, a->names.v[i]))
			return "interface-prefix";
	return NULL;
}

static const char *tap_create(const struct policy *p, const struct op_tap_create_args *a)
{
	if (!policy_prefix(&p->net, a->name))
		return "interface-prefix";
	if (a->has_owner_uid && a->owner_uid != p->ids.daemon_uid && !policy_in_range(&p->uids, a->owner_uid))
		return "uid-range";
	return unless(!a->has_bridge || policy_bridge(&p->net, a->bridge), "bridge");
}

// Behind these prefixes a route takes what the default route would: two halves of the Internet win over it.  address_add has the same limits.
#define SHORTEST4 8
#define SHORTEST6 16

static const char *route_add(const struct policy *p, const struct op_route_add_args *a)
{
	if (!policy_in_ranges(&p->net.tables, a->table))
		return "route-table";
	if (a->destination.prefix < (a->destination.family == 4 ? SHORTEST4 : SHORTEST6) && !policy_in_ranges(&p->net.defaults, a->table))
		return "route-default";
	return unless(!a->has_device || policy_link_ours(&p->net, a->device) || policy_uplink(&p->net, a->device), "uplink");
}

static const char *lease(const struct policy *p, const char *device)
{
	return unless(policy_lease(&p->net, device) >= 0, "lease-interface");
}

static const char *mount(const struct policy *p, const struct op_mount_args *a)
{
	char path[POLICY_PATH + 8];

	if (p->vol.mount_root[0] == '\0')
		return "mount-root";
	if ((p->vol.fstypes >> a->fstype & 1) == 0)
		return "mount-fstype";
	snprintf(path, sizeof(path), "/dev/%s", a->source);
	return unless(policy_path_listed(&p->vol.sources, path), "mount-source");
}

static const char *jail(const struct policy *p, uint32_t vmm)
{
	if (p->jail.jail_root[0] == '\0')
		return "jail-root";
	return unless(p->jail.vmm[vmm][0] != '\0', "vmm");
}

static const char *jail_create(const struct policy *p, const struct op_jail_create_args *a)
{
	if (!policy_in_range(&p->uids, a->uid))
		return "uid-range";
	if (p->jail.cgroup_root[0] == '\0')
		return "cgroup-root";
	return jail(p, a->vmm);
}

const char *rules_refuse(const struct policy *p, enum op_id op, const union op_args *a)
{
	switch (op) {
	case OP_ping:
	case OP_next:
	case OP_close:
	case OP_conntrack_read:
	case OP_conntrack_flush:
	case OP_conntrack_stats:
	case OP_fw_read:
	case OP_route_del:
	case OP_fw_list:
	case OP_checkpoint_arm:
	case OP_checkpoint_confirm:
	case OP_checkpoint_revert:
	case OP_event_socket:
	case OP_uplinks:
	case OP_sysctl_set: return NULL;
	case OP_link_add: return link_add(p, &a->link_add);
	case OP_link_set: return link_set(p, &a->link_set);
	case OP_links_del: return links_del(p, &a->links_del);
	case OP_tap_create: return tap_create(p, &a->tap_create);
	case OP_address_add: return unless(policy_link_ours(&p->net, a->address_add.device), "interface-prefix");
	case OP_address_del: return unless(policy_link_ours(&p->net, a->address_del.device), "interface-prefix");
	case OP_route_add: return route_add(p, &a->route_add);
	case OP_fw_commit: return unless(a->fw_commit.count <= p->limits.rules, "limit rules");
	case OP_fw_change: return unless(a->fw_change.adds <= p->limits.rules, "limit rules");
	case OP_lease_open: return lease(p, a->lease_open.device);
	case OP_lease_apply: return lease(p, a->lease_apply.device);
	case OP_lease_drop: return lease(p, a->lease_drop.device);
	case OP_lease_route: return lease(p, a->lease_route.device);
	case OP_lease_ra: return lease(p, a->lease_ra.device);
	case OP_mount: return mount(p, &a->mount);
	case OP_unmount: return unless(p->vol.mount_root[0] != '\0', "mount-root");
	case OP_jail_create: return jail_create(p, &a->jail_create);
	case OP_jail_give: return p->jail.image_root[0] == '\0' ? "image-root" : jail(p, a->jail_give.vmm);
	case OP_jail_signal: return jail(p, a->jail_signal.vmm);
	case OP_jail_kill: return jail(p, a->jail_kill.vmm);
	case OP_jail_remove: return jail(p, a->jail_remove.vmm);
	case OP_grant_api: return jail(p, a->grant_api.vmm);
	case OP_grant_vsock: return jail(p, a->grant_vsock.vmm);
	case OP_grant_console: return jail(p, a->grant_console.vmm);
	case OP_jail_spawn: return jail(p, a->jail_spawn.vmm);
	case OP_ovs_socket: return unless((p->ovs >> a->ovs_socket.door & 1) != 0, "ovs");
	case OP_COUNT: break;
	}
	return "unknown operation";
}

// By number: glibc's fstat() is a newfstatat(), which takes a path.
static bool status(int fd, struct stat *st)
{
	return syscall(SYS_fstat, fd, st) == 0;
}

static bool fd_ok(enum fd_kind kind, int fd)
{
	struct stat st;
	int flags = fcntl(fd, F_GETFL), mode = flags & O_ACCMODE, seals;

	if (flags < 0 || (flags & O_PATH) != 0 || !status(fd, &st))
		return false;
	switch (kind) {
	case FD_SEALED_MEMFD:
		seals = fcntl(fd, F_GET_SEALS);
		return S_ISREG(st.st_mode) && mode != O_WRONLY && seals >= 0 && (seals & SEALED) == SEALED;
	case FD_REGULAR: return S_ISREG(st.st_mode) && mode != O_WRONLY;
	case FD_TAP: return S_ISCHR(st.st_mode) && st.st_rdev == makedev(10, 200) && mode == O_RDWR;
	}
	return false;
}

bool rules_fds(const struct op_row *row, const int *fds, unsigned nfds)
{
	unsigned need = 0;

	while (need < row->nfds && row->fds[need].need == REQ)
		need++;
	if (nfds < need || nfds > row->nfds)
		return false;
	for (unsigned i = 0; i < nfds; i++)
		if (!fd_ok(row->fds[i].kind, fds[i]))
			return false;
	return true;
}
