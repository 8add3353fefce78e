// LINK: unpriv/posternd/vm_desc.o unpriv/posternd/vm_desc_json.o unpriv/posternd/addr.o unpriv/posternd/base64.o unpriv/posternd/mem.o
// LINK: unpriv/posternd/text.o unpriv/posternd/utf8.o unpriv/common/log.o proto/wire.o proto/wire_kinds.o proto/mp.o
// LIBS: -ljansson -lcrypto
#include "unpriv/posternd/vm_desc.h"

#include "tests/lib/test.h"
#include "unpriv/posternd/addr.h"
#include "unpriv/posternd/base64.h"

static struct arena a;
static const struct vm_defaults defaults = {"default/kernel", "default/initrd", "default/root.ext4"};

static const char *read_desc(struct vm_desc *d, const struct rpc_vm_create_params *p, const char *tenant)
{
	return vm_desc_read(d, p, tenant, &defaults, &a);
}

TEST("a name alone gives the default bundle, one CPU, vsock and console")
{
	struct rpc_vm_create_params p = {.name = "a"};
	struct vm_desc d;

	CHECK(read_desc(&d, &p, NULL) == NULL);
	CHECK_STR(d.kernel, "default/kernel");
	CHECK_STR(d.initramfs, "default/initrd");
	CHECK(d.ndisks == 1 && d.disks[0].readonly && d.vcpus == 1 && d.memory_mib == 256 && d.vsock && d.console);
	CHECK(strstr(d.cmdline, "console=ttyS0") != NULL && strstr(d.cmdline, " root=/dev/vda ro") != NULL);
}

TEST("an own kernel brings neither default initramfs nor default disk, and the caller's root= stands")
{
	struct rpc_vm_create_params p = {.name = "a", .has_kernel = true, .kernel = "k", .has_cmdline = true, .cmdline = "root=/dev/ram0"};
	struct vm_desc d;

	CHECK(read_desc(&d, &p, NULL) == NULL);
	CHECK(d.initramfs == NULL && d.ndisks == 0);
	CHECK(strstr(d.cmdline, "root=/dev/vda") == NULL);
}

TEST("what a tenant names lies below its own directory, the defaults don't")
{
	struct obj_vm_disk disk = {.has_image = true, .image = "d.ext4"};
	struct rpc_vm_create_params p = {.name = "a", .has_disks = true, .disks = {1, &disk}};
	struct vm_desc d;

	CHECK(read_desc(&d, &p, "acme") == NULL);
	CHECK_STR(d.disks[0].path, "acme/d.ext4");
	CHECK_STR(d.kernel, "default/kernel");
	CHECK(d.disks[0].readonly);
}

TEST("paths that climb, nets that contradict themselves and command lines with control characters are refused by name")
{
	struct obj_vm_disk disk = {.has_path = true, .path = "../x"}, both = {.has_path = true, .path = "x", .has_image = true, .image = "y"};
	struct obj_vm_net net = {.has_bridge = true, .bridge = "b", .has_tap = true, .tap = "t"},
	                  nat = {.has_tap = true, .tap = "t", .has_nat = true, .nat = true};
	struct vm_desc d;

	CHECK(strncmp(read_desc(&d, &(struct rpc_vm_create_params){.name = "a", .has_kernel = true, .kernel = "../k"}, NULL), "kernel:", 7) == 0);
	CHECK(read_desc(&d, &(struct rpc_vm_create_params){.name = "a", .has_disks = true, .disks = {1, &disk}}, NULL) != NULL);
	CHECK(read_desc(&d, &(struct rpc_vm_create_params){.name = "a", .has_disks = true, .disks = {1, &both}}, NULL) != NULL);
	CHECK(read_desc(&d, &(struct rpc_vm_create_params){.name = "a", .has_nets = true, .nets = {1, &net}}, NULL) != NULL);
	CHECK(read_desc(&d, &(struct rpc_vm_create_params){.name = "a", .has_nets = true, .nets = {1, &nat}}, NULL) != NULL);
	CHECK(read_desc(&d, &(struct rpc_vm_create_params){.name = "a", .has_cmdline = true, .cmdline = "a\nb"}, NULL) != NULL);
	CHECK(read_desc(&d, &(struct rpc_vm_create_params){.name = "a", .has_vcpus = true, .vcpus = 200}, NULL) != NULL);
}

TEST("a description survives its JSON form, and the text is the same for the same description")
{
	struct obj_vm_net net = {.has_bridge = true, .bridge = "pt-br0", .has_nat = true, .nat = true};
	struct kv label = {"role", "web \"1\""};
	struct rpc_vm_create_params p = {
	    .name = "a",
	    .has_nets = true,
	    .nets = {1, &net},
	    .has_labels = true,
	    .labels = {1, &label},
	    .has_limits = true,
	    .limits = {.has_cpu_percent = true, .cpu_percent = 50},
	};
	struct vm_desc d, back;

	CHECK(read_desc(&d, &p, NULL) == NULL);
	const char *text = vm_desc_text(&d, &a);
	CHECK(vm_desc_parse(&back, text, &a));
	CHECK_STR(vm_desc_text(&back, &a), text);
	CHECK(back.nnets == 1 && back.nets[0].nat && back.nets[0].tap == NULL && back.cpu_percent == 50);
	CHECK_STR(back.labels.v[0].value, "web \"1\"");
	CHECK(strncmp(back.nets[0].mac, "02:", 3) == 0);
	CHECK(!vm_desc_parse(&back, "nonsense", &a));
	CHECK(!vm_desc_parse(&back, NULL, &a));
}

TEST("addresses and networks are read and written the one way")
{
	struct wire_addr w;
	char text[CIDR_TEXT];

	CHECK(addr_parse("10.77.3.9/20", &w));
	addr_network(&w);
	addr_text(&w, true, text);
	CHECK_STR(text, "10.77.0.0/20");
	CHECK(addr_parse("fd00::abcd:1/112", &w));
	addr_network(&w);
	addr_text(&w, true, text);
	CHECK_STR(text, "fd00::abcd:0/112");
	CHECK(addr_parse("10.0.0.1", &w) && w.prefix == 32);
	CHECK(!addr_parse("10.0.0.1/33", &w) && !addr_parse("10.0.0/8", &w) && !addr_parse("10.0.0.1/", &w) && !addr_parse("10.0.0.1/ 8", &w));
}

TEST("only unicast hardware addresses pass")
{
	uint8_t mac[6];

	CHECK(mac_parse("02:00:00:00:00:01", mac) && mac[5] == 1);
	CHECK(!mac_parse("01:00:5e:00:00:01", mac) && !mac_parse("00:00:00:00:00:00", mac) && !mac_parse("02:00:00:00:00", mac));
}

TEST("base 64 is RFC 4648's own examples")
{
	static const char *const pairs[][2] = {{"", ""},        {"f", "Zg=="},        {"fo", "Zm8="},
	                                       {"foo", "Zm9v"}, {"foob", "Zm9vYg=="}, {"foobar", "Zm9vYmFy"}};
	char out[16];

	for (size_t i = 0; i < 6; i++) {
		base64_write(pairs[i][0], strlen(pairs[i][0]), out);
		CHECK_STR(out, pairs[i][1]);
		CHECK_INT(base64_length(strlen(pairs[i][0])), strlen(out));
	}
	arena_finish(&a);
}

int main(void)
{
	return test_main();
}
