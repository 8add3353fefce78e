// LINK: unpriv/vsock/memtable.o
// Every address a front end or a guest can name, against the table's bounds.
#include "unpriv/vsock/memtable.h"

#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tests/lib/test.h"

static int file_of(off_t size)
{
	int fd = memfd_create("region", MFD_CLOEXEC);

	return ftruncate(fd, size) == 0 ? fd : -1;
}

static int add(struct memtable *t, uint64_t gpa, uint64_t size, uint64_t uva, uint64_t offset)
{
	int fd = file_of(65536);
	int rc = memtable_add(t, &(struct mem_wire){gpa, size, uva, offset}, fd);

	close(fd);
	return rc;
}

TEST("regions that are empty, wrap around, aren't aligned or leave their file are refused")
{
	struct memtable t = {0};

	CHECK_INT(add(&t, 0, 0, 0, 0), -EINVAL);
	CHECK_INT(add(&t, UINT64_MAX - 4095, 8192, 0, 0), -EINVAL);
	CHECK_INT(add(&t, 0, 8192, UINT64_MAX - 4095, 0), -EINVAL);
	CHECK_INT(add(&t, 0, 4096, 0, 1), -EINVAL);
	CHECK_INT(add(&t, 0, 65537, 0, 0), -EINVAL);
	CHECK_INT(add(&t, 0, 4096, 0, 65536), -EINVAL);
	CHECK_INT(add(&t, 0, 65536, 0, 4096), -EINVAL);
	CHECK_INT(add(&t, 0, UINT64_MAX, 0, 4096), -EINVAL);
	CHECK_INT(add(&t, 0, 4096, 0, UINT64_MAX - 4095), -EINVAL);
	CHECK_INT(t.count, 0);
}

TEST("a descriptor that isn't a file can't be a region")
{
	struct memtable t = {0};
	int p[2];

	CHECK(pipe(p) == 0);
	CHECK(memtable_add(&t, &(struct mem_wire){0, 4096, 0, 0}, p[0]) < 0);
	CHECK(memtable_add(&t, &(struct mem_wire){0, 4096, 0, 0}, -1) == -EBADF);
	close(p[0]);
	close(p[1]);
}

TEST("a ninth region is refused")
{
	struct memtable t = {0};

	for (unsigned i = 0; i < MEM_REGIONS_MAX; i++)
		CHECK_INT(add(&t, i * 4096, 4096, i * 4096, 0), 0);
	CHECK_INT(add(&t, 1 << 20, 4096, 1 << 20, 0), -ENOSPC);
	memtable_clear(&t);
	CHECK_INT(t.count, 0);
}

TEST("a guest address is translated up to its region's end and not a byte further")
{
	struct memtable t = {0};
	size_t len = 4096;

	CHECK_INT(add(&t, 0x10000, 0x2000, 0x900000, 0x1000), 0);
	CHECK(memtable_gpa(&t, 0xffff, &len) == NULL);
	CHECK(memtable_gpa(&t, 0x12000, &len) == NULL);
	CHECK(memtable_gpa(&t, UINT64_MAX, &len) == NULL);
	CHECK(memtable_gpa(&t, 0x10000, &len) == t.region[0].host);
	CHECK_INT(len, 4096);
	CHECK(memtable_gpa(&t, 0x11fff, &len) == t.region[0].host + 0x1fff);
	CHECK_INT(len, 1);
	len = SIZE_MAX;
	CHECK(memtable_gpa(&t, 0x10001, &len) != NULL);
	CHECK_INT(len, 0x1fff);
	memtable_clear(&t);
}

TEST("a front-end address is translated only when one region holds all of it")
{
	struct memtable t = {0};

	CHECK_INT(add(&t, 0, 0x2000, 0x900000, 0), 0);
	CHECK_INT(add(&t, 0x2000, 0x2000, 0x902000, 0x2000), 0);
	CHECK(memtable_uva(&t, 0x900000, 0x2000) == t.region[0].host);
	CHECK(memtable_uva(&t, 0x901000, 0x1001) == NULL);
	CHECK(memtable_uva(&t, 0x8fffff, 1) == NULL);
	CHECK(memtable_uva(&t, 0x903fff, 1) != NULL);
	CHECK(memtable_uva(&t, 0x903fff, SIZE_MAX) == NULL);
	CHECK(memtable_uva(&t, 0x904000, 0) == NULL);
	memtable_clear(&t);
}

int main(void)
{
	return test_main();
}
