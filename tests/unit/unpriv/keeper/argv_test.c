// LINK: unpriv/keeper/argv.o
#include "tests/lib/test.h"
#include "unpriv/keeper/argv.h"

static struct argv argv;
static struct vm_spec spec;
static const struct vmm_fds fds = {.serial = 3, .vsock = 4, .taps = {5, 6, 7}};

static void reset(void)
{
	spec = (struct vm_spec){.accel = VM_SPEC_TCG, .vcpus = 2, .memory_mib = 512, .flags = VM_SPEC_VSOCK | VM_SPEC_INITRD, .cmdline = "a=1 b,c=2"};
}

// value answers the argument after `option`, the n-th time it stands there.
static const char *value(const char *option, int n)
{
	for (size_t i = 0; i + 1 < argv.count; i++)
		if (!strcmp(argv.v[i], option) && n-- == 0)
			return argv.v[i + 1];
	return NULL;
}

static bool has(const char *option)
{
	for (size_t i = 0; i < argv.count; i++)
		if (!strcmp(argv.v[i], option))
			return true;
	return false;
}

TEST("guest memory is a shared memfd, since vhost-user dies silently without")
{
	reset();
	CHECK(argv_qemu(&argv, &spec, &fds));
	CHECK_STR(value("-m", 0), "512M");
	CHECK_STR(value("-object", 0), "memory-backend-memfd,id=mem,size=512M,share=on");
	CHECK(strstr(value("-machine", 0), "memory-backend=mem"));
}

TEST("nothing that the spec doesn't name is there: no defaults, no user's config, no display, and QEMU's own sandbox is on")
{
	CHECK(has("-nodefaults") && has("-no-user-config") && has("-no-reboot"));
	CHECK_STR(value("-display", 0), "none");
	CHECK_STR(value("-sandbox", 0), "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny");
}

TEST("the kernel's command line is one argument as it is, commas and all")
{
	CHECK_STR(value("-append", 0), "a=1 b,c=2");
	CHECK_STR(value("-kernel", 0), "/vm/kernel");
	CHECK_STR(value("-initrd", 0), "/vm/initrd");
}

TEST("without an initrd there is no -initrd")
{
	reset();
	spec.flags = 0;
	CHECK(argv_qemu(&argv, &spec, &fds));
	CHECK(!has("-initrd"));
}

TEST("serial line and vsock are connected descriptors; without a backend there is no vsock device")
{
	struct vmm_fds without = fds;

	reset();
	CHECK(argv_qemu(&argv, &spec, &fds));
	CHECK_STR(value("-chardev", 0), "socket,id=serial,fd=3");
	CHECK_STR(value("-chardev", 1), "socket,id=vsock,fd=4");
	without.vsock = -1;
	CHECK(argv_qemu(&argv, &spec, &without));
	CHECK(value("-chardev", 1) == NULL);
}

TEST("disks keep the spec's order and their slots' files")
{
	reset();
	spec.ndisks = 2;
	spec.disks[0] = (struct vm_spec_disk){.slot = 5, .readonly = 1};
	spec.disks[1] = (struct vm_spec_disk){.slot = 0};
	CHECK(argv_qemu(&argv, &spec, &fds));
	CHECK_STR(value("-blockdev", 0), "driver=raw,node-name=disk0,read-only=on,file.driver=file,file.filename=/vm/disk5,file.locking=off");
	CHECK_STR(value("-blockdev", 1), "driver=raw,node-name=disk1,read-only=off,file.driver=file,file.filename=/vm/disk0,file.locking=off");
}

TEST("taps are descriptors in order, with their MAC addresses and without an option ROM")
{
	reset();
	spec.nnets = 2;
	memcpy(spec.nets[1].mac, "\x52\x54\x00\xab\xcd\xef", 6);
	CHECK(argv_qemu(&argv, &spec, &fds));
	CHECK_STR(value("-netdev", 1), "tap,id=net1,fd=6");
	CHECK(strstr(value("-device", 2), "net1,mac=52:54:00:ab:cd:ef,romfile="));
}

TEST("KVM takes the host's CPU, TCG the fullest that it can make")
{
	reset();
	CHECK(argv_qemu(&argv, &spec, &fds));
	CHECK_STR(value("-cpu", 0), "max");
	spec.accel = VM_SPEC_KVM;
	CHECK(argv_qemu(&argv, &spec, &fds));
	CHECK_STR(value("-cpu", 0), "host");
	CHECK_STR(value("-accel", 0), "kvm");
}

TEST("the fullest spec fits, and the list ends with NULL")
{
	reset();
	spec.ndisks = VM_SPEC_MAX_DISKS;
	spec.nnets = VM_SPEC_MAX_NETS;
	memset(spec.cmdline, 'x', sizeof spec.cmdline - 1);
	CHECK(argv_qemu(&argv, &spec, &fds));
	CHECK(argv.v[argv.count] == NULL && argv.count < ARGV_MAX);
}

int main(void)
{
	return test_main();
}
