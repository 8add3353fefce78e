// From parameters to a complete description.  See vm_desc.h; the JSON form is vm_desc_json.c's.
#include "unpriv/posternd/vm_desc.h"

#include <openssl/evp.h>
#include <string.h>

#include "proto/wire.h"
#include "unpriv/common/vmspec.h"
#include "unpriv/posternd/addr.h"

// What each word saves is measured: without them a stock kernel takes half a second longer to its init under TCG.  panic=1 and -no-reboot
// make a guest's panic the VM's end.
#define CMDLINE_BASE                                                                                                                                 \
	"console=ttyS0 reboot=k panic=1 quiet tsc=reliable no_timer_check cryptomgr.notests random.trust_cpu=on 8250.nr_uarts=1 i8042.noaux "        \
	"i8042.nopnp i8042.nokbd"

// Below the tenant's directory; a caller without one means "default", unless the path names a directory itself.
static const char *image_path(const char *path, const char *tenant, struct arena *a)
{
	if (tenant == NULL && strchr(path, '/') != NULL)
		return arena_strdup(a, path);
	return arena_printf(a, "%s/%s", tenant != NULL ? tenant : "default", path);
}

// The file of an image, given by its name or by the file's own.
static const char *image_file(const char *name, struct arena *a)
{
	size_t n = strlen(name);
	bool whole = strchr(name, '/') != NULL || (n > 5 && strcmp(name + n - 5, ".ext4") == 0);

	return whole ? name : arena_printf(a, "%s.ext4", name);
}

static const char *bad_path(const char *what, const char *path, struct arena *a)
{
	return wire_relpath_ok(path) ? NULL : arena_printf(a, "%s: \"%s\" is no plain path below the image directory", what, path);
}

static const char *read_boot(struct vm_desc *d, const struct rpc_vm_create_params *p, const char *tenant, const struct vm_defaults *def,
                             struct arena *a)
{
	const char *wrong = NULL;

	d->kernel = p->has_kernel ? image_path(p->kernel, tenant, a) : arena_strdup(a, def->kernel);
	if (p->has_initramfs)
		d->initramfs = image_path(p->initramfs, tenant, a);
	else if (!p->has_kernel && def->initramfs != NULL)
		d->initramfs = arena_strdup(a, def->initramfs);
	wrong = bad_path("kernel", d->kernel, a);
	if (wrong == NULL && d->initramfs != NULL)
		wrong = bad_path("initramfs", d->initramfs, a);
	return wrong;
}

static const char *read_disks(struct vm_desc *d, const struct rpc_vm_create_params *p, const char *tenant, const struct vm_defaults *def,
                              struct arena *a)
{
	if (!p->has_disks && !p->has_kernel && def->image != NULL)
		d->disks[d->ndisks++] = (struct vm_desc_disk){.path = arena_strdup(a, def->image), .readonly = true};
	for (size_t i = 0; p->has_disks && i < p->disks.n; i++) {
		const struct obj_vm_disk *k = &p->disks.v[i];
		if (k->has_image == k->has_path)
			return arena_printf(a, "disks[%zu]: give either image or path", i);
		const char *path = k->has_image ? image_file(k->image, a) : k->path;
		d->disks[d->ndisks++] =
		    (struct vm_desc_disk){.path = image_path(path, tenant, a), .readonly = k->has_readonly ? k->readonly : k->has_image};
		const char *wrong = bad_path("disks", d->disks[i].path, a);
		if (wrong != NULL)
			return wrong;
	}
	return NULL;
}

// A locally administered address that is the same for the same VM.
static const char *made_mac(const char *id, size_t i, struct arena *a)
{
	unsigned char hash[EVP_MAX_MD_SIZE];
	const char *seed = arena_printf(a, "%s/%zu", id, i);
	char *text = arena_alloc(a, MAC_TEXT);

	EVP_Digest(seed, strlen(seed), hash, NULL, EVP_sha256(), NULL);
	hash[0] = 0x02;
	mac_text(hash, text);
	return text;
}

static const char *read_nets(struct vm_desc *d, const struct rpc_vm_create_params *p, struct arena *a)
{
	for (size_t i = 0; p->has_nets && i < p->nets.n; i++) {
		const struct obj_vm_net *n = &p->nets.v[i];
		uint8_t mac[6];
		if (n->has_bridge && n->has_tap)
			return arena_printf(a, "nets[%zu]: give either bridge or tap", i);
		if (n->has_nat && n->nat && !n->has_bridge)
			return arena_printf(a, "nets[%zu]: nat needs a bridge", i);
		if (n->has_mac && !mac_parse(n->mac, mac))
			return arena_printf(a, "nets[%zu].mac: \"%s\" is no unicast MAC address", i, n->mac);
		d->nets[d->nnets++] = (struct vm_desc_net){
		    .bridge = n->has_bridge ? arena_strdup(a, n->bridge) : NULL,
		    .tap = n->has_tap ? arena_strdup(a, n->tap) : NULL,
		    .mac = n->has_mac ? arena_strdup(a, n->mac) : made_mac(p->name, i, a),
		    .nat = n->has_nat && n->nat,
		};
	}
	return NULL;
}

// The first disk is the root, unless the caller says otherwise or leaves it to its own kernel; the guest is named after the VM.
static const char *read_cmdline(struct vm_desc *d, const struct rpc_vm_create_params *p, struct arena *a)
{
	const char *own = p->has_cmdline ? p->cmdline : "";
	const char *root = d->ndisks == 0 || strstr(own, "root=") != NULL ? "" : d->disks[0].readonly ? " root=/dev/vda ro" : " root=/dev/vda rw";
	const char *name = strstr(own, "postern.hostname=") != NULL ? "" : arena_printf(a, " postern.hostname=%s", p->name);

	d->cmdline = arena_printf(a, CMDLINE_BASE "%s%s%s%s", root, name, own[0] != '\0' ? " " : "", own);
	for (const char *c = d->cmdline; *c != '\0'; c++)
		if ((unsigned char)*c < 0x20 || *c == 0x7f)
			return "cmdline: control characters can't be given; allowed is one printable line";
	if (strlen(d->cmdline) >= VM_SPEC_CMDLINE_SIZE)
		return arena_printf(a, "cmdline: %zu bytes with the default are too many; at most %u are allowed", strlen(d->cmdline),
		                    VM_SPEC_CMDLINE_SIZE - 1);
	return NULL;
}

static struct kv_map copy_labels(const struct kv_map *m, struct arena *a)
{
	struct kv_map out = {.n = m->n, .v = arena_alloc(a, m->n * sizeof(*out.v) + 1)};

	for (size_t i = 0; i < m->n; i++)
		out.v[i] = (struct kv){arena_strdup(a, m->v[i].key), arena_strdup(a, m->v[i].value)};
	return out;
}

const char *vm_desc_read(struct vm_desc *d, const struct rpc_vm_create_params *p, const char *tenant, const struct vm_defaults *def, struct arena *a)
{
	const char *wrong;

	*d = (struct vm_desc){
	    .vcpus = p->has_vcpus ? p->vcpus : 1,
	    .memory_mib = p->has_memory_mib ? p->memory_mib : 256,
	    .vsock = !p->has_vsock || p->vsock,
	    .console = !p->has_console || p->console,
	    .autostart = p->has_autostart && p->autostart,
	    .cpu_percent = p->has_limits && p->limits.has_cpu_percent ? p->limits.cpu_percent : 0,
	    .memory_max_mib = p->has_limits && p->limits.has_memory_max_mib ? p->limits.memory_max_mib : 0,
	    .pids_max = p->has_limits && p->limits.has_pids_max ? p->limits.pids_max : 0,
	};
	if (d->vcpus > VM_SPEC_MAX_VCPUS)
		return arena_printf(a, "vcpus: %lld were asked for; at most %u are allowed", (long long)d->vcpus, VM_SPEC_MAX_VCPUS);
	if (d->memory_mib < VM_SPEC_MIN_MEMORY_MIB || d->memory_mib > VM_SPEC_MAX_MEMORY_MIB)
		return arena_printf(a, "memory_mib: %lld were asked for; %u to %u are allowed", (long long)d->memory_mib, VM_SPEC_MIN_MEMORY_MIB,
		                    VM_SPEC_MAX_MEMORY_MIB);
	if (p->has_labels)
		d->labels = copy_labels(&p->labels, a);
	wrong = read_boot(d, p, tenant, def, a);
	wrong = wrong != NULL ? wrong : read_disks(d, p, tenant, def, a);
	wrong = wrong != NULL ? wrong : read_nets(d, p, a);
	return wrong != NULL ? wrong : read_cmdline(d, p, a);
}
