// jail_give: notes a file for a VM. The cell does not trust the daemon's path nor its descriptor alone: it finds the path itself below the image
// root, and takes the file only if the caller holds the very same file open. So the daemon can give away nothing that it could not open, and what is
// bound into a jail later is compared with what is noted here once more.
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

#include "helper/jail/jail.h"
#include "helper/jail/sys.h"

static bool same_file(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

// check_rights asks whether the caller's own authority covers the gift: it must have the file open for what the VM may do with it. That the descriptor is a
// regular file's, open for reading, was asked for both (helper/common/rules.c); this is about the file that the cell found.
static enum op_status check_rights(struct cell *c, const struct op_jail_give_args *a, int passed, const struct stat *st, uint32_t uid)
{
	if (!a->writable) // bound, not copied: the VM's uid must be able to read it where it lies
		return st->st_mode & S_IROTH || st->st_uid == uid ? OPS_OK : cell_fail(c, OPS_DENIED, "readable by others", 0);
	if (a->slot < SLOT_DISK0)
		return cell_fail(c, OPS_INVALID, "writable", 0);
	if (sys_access_mode(passed) != O_RDWR)
		return cell_fail(c, OPS_DENIED, "open for writing", 0);
	if (st->st_nlink != 1)
		return cell_fail(c, OPS_DENIED, "single link", 0);
	// the daemon's, or this VM's already: never root's, never another VM's
	return st->st_uid == c->policy.ids.daemon_uid || st->st_uid == uid ? OPS_OK : cell_fail(c, OPS_DENIED, "file owner", 0);
}

static enum op_status note(struct cell *c, const struct jail_vm *vm, struct jail_record *record, const struct op_jail_give_args *a,
                           const struct stat *st)
{
	struct jail_given *given = &record->given[a->slot];

	if (given->used && given->dev == st->st_dev && given->ino == st->st_ino && given->writable == a->writable)
		return OPS_OK;
	if (given->used)
		return cell_fail(c, OPS_EXISTS, "slot", 0);
	*given = (struct jail_given){.used = 1, .writable = a->writable, .dev = st->st_dev, .ino = st->st_ino};
	snprintf(given->path, sizeof given->path, "%s", a->path);
	return jail_write_record(vm, record) < 0 ? cell_fail_errno(c, "write record", errno) : OPS_OK;
}

// The record is written before the owner changes: a disk that a killed helper left behind is always in some record, and goes back on remove.
static enum op_status give(struct cell *c, const struct jail_vm *vm, const struct op_jail_give_args *a, int file, int passed)
{
	struct jail_record record;
	struct stat own, theirs;
	int found = jail_read_record(vm, &record);

	if (found <= 0)
		return found < 0 ? cell_fail_errno(c, "read record", errno) : cell_fail(c, OPS_NOT_FOUND, "record", 0);
	if (sys_stat(file, &own) < 0 || sys_stat(passed, &theirs) < 0)
		return cell_fail_errno(c, "stat file", errno);
	if (!same_file(&own, &theirs))
		return cell_fail(c, OPS_DENIED, "same file", 0);
	enum op_status status = check_rights(c, a, passed, &own, record.uid);
	if (status == OPS_OK)
		status = note(c, vm, &record, a, &own);
	if (status == OPS_OK && a->writable && sys_chown(file, record.uid, c->policy.ids.daemon_gid) < 0)
		return cell_fail_errno(c, "chown disk", errno);
	return status;
}

enum op_status op_jail_give(struct cell *c, const struct op_jail_give_args *a, const int *fds, struct op_jail_give_res *r, int *out_fds)
{
	struct jail_vm vm;

	(void)r, (void)out_fds;
	enum op_status status = jail_find(c, &vm, a->vmm, a->id);
	if (status == OPS_OK && vm.dir < 0)
		return cell_fail(c, OPS_NOT_FOUND, "jail", 0);
	if (status != OPS_OK)
		return status;
	int file = sys_open_image(jail_state.image_root, a->path);
	if (file < 0)
		status = errno == ELOOP || errno == EXDEV ? cell_fail(c, OPS_DENIED, "image-root", errno) : cell_fail_errno(c, "open image", errno);
	else
		status = give(c, &vm, a, file, fds[FD_jail_give_file]);
	sys_close(file);
	jail_done(&vm);
	return status;
}
