// layout: where a VM's things lie, and the record that the jail cell leaves for the spawn cell.
//
//	<jail-root>/<vmm>/<id>/         0750 root:daemon's group     nobody but the helper writes here
//	<jail-root>/<vmm>/<id>/record   0600 root                    struct jail_record
//	<jail-root>/<vmm>/<id>/keeper   0600 root                    struct jail_keeper, written by the spawn cell
//	<jail-root>/<vmm>/<id>/root/    2710 VM's uid:daemon's group  /run of the VM
//	<cgroup>/<vmm>@<id>/            no cgroup file has an @ in its name
#ifndef HELPER_JAIL_LAYOUT_H
#define HELPER_JAIL_LAYOUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/helper.h"

#define JAIL_SLOTS     (SLOT_MAX + 1)
#define JAIL_NAME_SIZE 96 // "<vmm>/<id>/root" or "<vmm>@<id>" with its NUL

#define JAIL_RECORD     "record"
#define JAIL_RECORD_NEW "record.new"
#define JAIL_KEEPER     "keeper"
#define JAIL_KEEPER_NEW "keeper.new"
#define JAIL_ROOT_DIR   "root"
#define JAIL_DIR_MODE   0750
#define JAIL_ROOT_MODE  02710 // set-group-id: logs made inside belong to the daemon's group

// A file that the VM gets, as it was found below the image root.
struct jail_given {
	uint32_t used;     // 0 or 1
	uint32_t writable; // 0 or 1
	uint64_t dev, ino;
	char path[sizeof(wire_relpath)];
};

struct jail_record {
	uint32_t magic;
	uint32_t uid;                        // VM's
	struct jail_given given[JAIL_SLOTS]; // by enum jail_slot
};

// Who to signal: meaningful only together with the cgroup's own list of processes.
struct jail_keeper {
	uint32_t magic;
	uint32_t pid;
	uint64_t start_time; // field 22 of /proc/PID/stat
};

#define JAIL_RECORD_MAGIC 0x314a5450u // "PTJ1", little-endian
#define JAIL_KEEPER_MAGIC 0x314b5450u // "PTK1"

// layout_vmm and layout_slot give the names: "qemu", "disk0". The values must be in range.
const char *layout_vmm(uint32_t vmm);
const char *layout_slot(uint32_t slot);

// layout_path and layout_cgroup write "<vmm>/<id>" and "<vmm>@<id>". VMM and id are checked by the loop (helper/common/recheck.h).
void layout_path(char path[static JAIL_NAME_SIZE], uint32_t vmm, const wire_vmid id);
void layout_cgroup(char name[static JAIL_NAME_SIZE], uint32_t vmm, const wire_vmid id);

// layout_record_ok judges `size` bytes read back from disk.
bool layout_record_ok(const struct jail_record *record, size_t size);

#endif
