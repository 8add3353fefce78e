// The guest's memory as the front end shared it: at most eight mappings, and the two translations into them.
#ifndef UNPRIV_VSOCK_MEMTABLE_H
#define UNPRIV_VSOCK_MEMTABLE_H

#include <stddef.h>
#include <stdint.h>

#define MEM_REGIONS_MAX 8 // VHOST_MEMORY_BASELINE_NREGIONS of QEMU's docs/interop/vhost-user.rst

// One region as SET_MEM_TABLE carries it.
struct mem_wire {
	uint64_t gpa;    // guest-physical address of the first byte
	uint64_t size;   // bytes
	uint64_t uva;    // address of the first byte in the front end
	uint64_t offset; // of the first byte in the region's file
};

struct mem_region {
	uint64_t gpa, uva, size;
	uint8_t *host;
};

struct memtable {
	unsigned count;
	struct mem_region region[MEM_REGIONS_MAX];
};

// Maps *w out of fd, which stays the caller's, and appends it. 0, or -EINVAL for a region that is empty, wraps around,
// isn't page aligned or reaches past the end of its file, -ENOSPC for a ninth one, -errno of fstat or mmap.
int memtable_add(struct memtable *t, const struct mem_wire *w, int fd);

// Unmaps everything; every pointer got from this table is dead.
void memtable_clear(struct memtable *t);

// Translates guest-physical *len bytes at gpa. *len shrinks to what is contiguous in one region. NULL: gpa isn't memory.
void *memtable_gpa(const struct memtable *t, uint64_t gpa, size_t *len);

// Translates len bytes at a front-end virtual address. NULL unless one region holds them all.
void *memtable_uva(const struct memtable *t, uint64_t uva, size_t len);

#endif
