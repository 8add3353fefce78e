// The guest's memory table.
//
// The front end sends regions with their descriptors; each is mapped shared, readable and writable, never executable.
// Everything the guest and the front end say afterwards is an address that is only ever turned into a pointer here, with
// a length, in arithmetic that can't wrap: an offset is computed only after the address is known to lie at or above the
// region's start, and compared by subtraction from the region's size.
//
// A front end that truncates the file under the mapping ends this process by SIGBUS. It only ends its own VM by that.

#include "unpriv/vsock/memtable.h"

#include <errno.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <sys/stat.h>

#define PAGE 4096U

static bool wraps(uint64_t start, uint64_t size)
{
	return size > UINT64_MAX - start;
}

static bool wire_ok(const struct mem_wire *w, uint64_t file_size)
{
	if (w->size == 0 || w->size > SIZE_MAX || wraps(w->gpa, w->size) || wraps(w->uva, w->size))
		return false;
	if (w->offset % PAGE != 0)
		return false;
	return w->offset <= file_size && w->size <= file_size - w->offset;
}

int memtable_add(struct memtable *t, const struct mem_wire *w, int fd)
{
	struct stat st;

	if (t->count == MEM_REGIONS_MAX)
		return -ENOSPC;
	if (fstat(fd, &st) < 0)
		return -errno;
	if (st.st_size < 0 || !wire_ok(w, (uint64_t)st.st_size))
		return -EINVAL;
	void *p = mmap(NULL, (size_t)w->size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, (off_t)w->offset);
	if (p == MAP_FAILED)
		return -errno;
	t->region[t->count++] = (struct mem_region){.gpa = w->gpa, .uva = w->uva, .size = w->size, .host = p};
	return 0;
}

void memtable_clear(struct memtable *t)
{
	for (unsigned i = 0; i < t->count; i++)
		munmap(t->region[i].host, (size_t)t->region[i].size);
	t->count = 0;
}

void *memtable_gpa(const struct memtable *t, uint64_t gpa, size_t *len)
{
	for (unsigned i = 0; i < t->count; i++) {
		const struct mem_region *r = &t->region[i];
		if (gpa < r->gpa || gpa - r->gpa >= r->size)
			continue;
		uint64_t off = gpa - r->gpa;
		if (*len > r->size - off)
			*len = (size_t)(r->size - off);
		return r->host + off;
	}
	return NULL;
}

void *memtable_uva(const struct memtable *t, uint64_t uva, size_t len)
{
	for (unsigned i = 0; i < t->count; i++) {
		const struct mem_region *r = &t->region[i];
		if (uva < r->uva || uva - r->uva >= r->size)
			continue;
		if (len > r->size - (uva - r->uva))
			return NULL;
		return r->host + (uva - r->uva);
	}
	return NULL;
}
