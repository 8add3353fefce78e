// The QEMU command line. Each choice was measured on QEMU 7.2 (Debian 12), the oldest that is supported:
//
// q35 with hpet, smm, vmport, smbus and sata off starts a stock kernel under TCG in 1.5 to 1.9 s, which the microvm machine does not beat. Guest
// memory is a shared memfd, since a vhost-user device without share=on boots without an error and is then silently dead. Everything that has an
// option ROM gets romfile= (the jail holds no ROM files). Disks are files bound at /vm, opened by QEMU itself; taps, serial line and vsock arrive as
// connected fds, so that no name can be raced. -no-reboot makes a guest's reboot end the VM: a state that posternd sees, not a silent second boot.
// QEMU's own sandbox comes on top of the filter that postern-spawn loaded.
#include "unpriv/keeper/argv.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>

#define TCG_CACHE_MIB 128 // translated code; QEMU's default is a multiple of what a small guest's memory limit leaves

// add appends one formatted argument.
__attribute__((format(printf, 2, 3))) static void add(struct argv *argv, const char *format, ...)
{
	size_t room = sizeof argv->bytes - argv->used;
	va_list args;

	va_start(args, format);
	int length = vsnprintf(argv->bytes + argv->used, room, format, args);
	va_end(args);
	if (length < 0 || (size_t)length >= room || argv->count >= ARGV_MAX) {
		argv->full = true;
		return;
	}
	argv->v[argv->count++] = argv->bytes + argv->used;
	argv->v[argv->count] = NULL;
	argv->used += (size_t)length + 1;
}

static void add_machine(struct argv *argv, const struct vm_spec *spec)
{
	add(argv, "-machine");
	add(argv, "q35,memory-backend=mem,hpet=off,smm=off,vmport=off,smbus=off,sata=off");
	add(argv, "-accel");
	if (spec->accel == VM_SPEC_KVM)
		add(argv, "kvm");
	else
		add(argv, "tcg,tb-size=%d", TCG_CACHE_MIB);
	add(argv, "-cpu");
	add(argv, spec->accel == VM_SPEC_KVM ? "host" : "max");
	add(argv, "-smp");
	add(argv, "%u", spec->vcpus);
	add(argv, "-m");
	add(argv, "%uM", spec->memory_mib);
	add(argv, "-object");
	add(argv, "memory-backend-memfd,id=mem,size=%uM,share=on", spec->memory_mib);
}

static void add_boot(struct argv *argv, const struct vm_spec *spec)
{
	add(argv, "-kernel");
	add(argv, "/vm/kernel");
	if (spec->flags & VM_SPEC_INITRD) {
		add(argv, "-initrd");
		add(argv, "/vm/initrd");
	}
	add(argv, "-append");
	add(argv, "%s", spec->cmdline);
}

static void add_disks(struct argv *argv, const struct vm_spec *spec)
{
	for (uint32_t i = 0; i < spec->ndisks; i++) {
		const struct vm_spec_disk *disk = &spec->disks[i];
		add(argv, "-blockdev");
		// locking=off: the file is bound for this VM alone, and OFD locks on a read-only mount fail
		add(argv, "driver=raw,node-name=disk%u,read-only=%s,file.driver=file,file.filename=/vm/disk%u,file.locking=off", i,
		    disk->readonly ? "on" : "off", disk->slot);
		add(argv, "-device");
		add(argv, "virtio-blk-pci,drive=disk%u,id=blk%u,romfile=", i, i);
	}
}

static void add_nets(struct argv *argv, const struct vm_spec *spec, const int taps[])
{
	for (uint32_t i = 0; i < spec->nnets; i++) {
		const uint8_t *mac = spec->nets[i].mac;
		add(argv, "-netdev");
		add(argv, "tap,id=net%u,fd=%d", i, taps[i]);
		add(argv, "-device");
		add(argv, "virtio-net-pci,netdev=net%u,mac=%02x:%02x:%02x:%02x:%02x:%02x,romfile=", i, mac[0], mac[1], mac[2], mac[3], mac[4],
		    mac[5]);
	}
}

static void add_channels(struct argv *argv, const struct vmm_fds *fds)
{
	add(argv, "-chardev");
	add(argv, "socket,id=serial,fd=%d", fds->serial);
	add(argv, "-serial");
	add(argv, "chardev:serial");
	add(argv, "-qmp");
	add(argv, "unix:/run/api.socket,server=on,wait=off");
	if (fds->vsock >= 0) {
		add(argv, "-chardev");
		add(argv, "socket,id=vsock,fd=%d", fds->vsock);
		add(argv, "-device");
		add(argv, "vhost-user-vsock-pci,chardev=vsock,romfile=");
	}
}

bool argv_qemu(struct argv *argv, const struct vm_spec *spec, const struct vmm_fds *fds)
{
	*argv = (struct argv){0};
	add(argv, "/usr/bin/qemu-system-x86_64");
	add(argv, "-L");
	add(argv, "/usr/share/qemu");
	add(argv, "-nodefaults");
	add(argv, "-no-user-config");
	add(argv, "-no-reboot");
	add(argv, "-display");
	add(argv, "none");
	add(argv, "-sandbox");
	add(argv, "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny");
	add_machine(argv, spec);
	add_boot(argv, spec);
	add_channels(argv, fds);
	add_disks(argv, spec);
	add_nets(argv, spec, fds->taps);
	add(argv, "-device");
	add(argv, "virtio-rng-pci,romfile=");
	return !argv->full;
}
