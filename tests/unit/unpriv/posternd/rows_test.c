// LINK: unpriv/posternd/rows_read.o unpriv/posternd/rows_kinds.o unpriv/posternd/rows_write.o unpriv/posternd/mem.o unpriv/posternd/text.o
// LINK: unpriv/posternd/utf8.o unpriv/common/log.o proto/rpc.o
// LIBS: -ljansson
// Parameters to structs and structs to JSON, driven by the rows.
#include "tests/lib/test.h"

#include <stdlib.h>

#include "unpriv/posternd/rows_read.h"
#include "unpriv/posternd/rows_write.h"

static struct arena arena;
static struct text out;
static json_t *tree;
static struct common_params common;

// Reads params of a method into a zeroed struct that lives until the next call; NULL = fine, else the message.
static const char *read_params(enum rpc_method_id id, const char *json, void **params)
{
	json_decref(tree);
	arena_reset(&arena);
	tree = json ? json_loads(json, JSON_REJECT_DUPLICATES, NULL) : NULL;
	*params = arena_zalloc(&arena, rpc_methods[id].params_size);
	return rows_read(&rpc_methods[id], tree, *params, &common, &arena);
}

static bool says(enum rpc_method_id id, const char *json, const char *want)
{
	void *p;
	const char *why = read_params(id, json, &p);
	if (why && strstr(why, want))
		return true;
	printf("# %s: \"%s\"\n", json ? json : "no params", why ? why : "(fine)");
	return false;
}

static bool fine(enum rpc_method_id id, const char *json)
{
	void *p;
	const char *why = read_params(id, json, &p);
	if (why)
		printf("# %s: \"%s\"\n", json, why);
	return why == NULL;
}

TEST("parameters by name land in their members, with their flags")
{
	struct rpc_net_bridge_add_params *p;
	CHECK(read_params(RPC_net_bridge_add, "{\"name\":\"pt-br0\",\"mtu\":1400,\"stp\":false,\"address\":\"10.0.0.1/24\"}", (void **)&p) == NULL);
	CHECK_STR(p->name, "pt-br0");
	CHECK(p->has_mtu && p->mtu == 1400 && p->has_stp && !p->stp && !p->has_mac && !p->has_vlan_filtering);
}

TEST("parameters by position are read in the rows' order where there are at most three")
{
	struct rpc_net_bridge_add_port_params *p;
	CHECK(read_params(RPC_net_bridge_add_port, "[\"pt-br0\",\"pt-t0\"]", (void **)&p) == NULL);
	CHECK_STR(p->bridge, "pt-br0");
	CHECK_STR(p->port, "pt-t0");
	CHECK(says(RPC_net_bridge_add_port, "[\"a\"]", "\"port\" is missing"));
	CHECK(says(RPC_net_bridge_add_port, "[\"a\",\"b\",\"c\"]", "3 parameters were given, net.bridge.add_port has 2"));
	CHECK(says(RPC_net_bridge_add, "[\"a\"]", "by name"));
}

TEST("required parameters of methods that go by position come first")
{
	for (size_t m = 0; m < RPC_COUNT; m++) {
		size_t n = 0;
		bool optional = false;
		while (rpc_methods[m].params[n].name)
			n++;
		for (size_t i = 0; n <= 3 && i < n; i++) {
			if (optional && rpc_methods[m].params[i].need == RPC_REQ)
				FAIL("%s: %s", rpc_methods[m].name, rpc_methods[m].params[i].name);
			optional = optional || rpc_methods[m].params[i].need == RPC_OPT;
		}
	}
}

TEST("an unknown name is named, and the known ones with it")
{
	CHECK(says(RPC_net_bridge_delete, "{\"name\":\"a\",\"colour\":1}", "unknown parameter \"colour\", allowed: name, force, dry_run"));
	CHECK(says(RPC_rpc_health, "{\"a\":1}", "unknown parameter \"a\", allowed: none"));
	CHECK(says(RPC_net_interfaces, "{\"a\":1}", "name, limit, cursor"));
	CHECK(says(RPC_net_interfaces, "{\"dry_run\":true}", "unknown parameter \"dry_run\""));
}

TEST("a message names the parameter, what was given and what is allowed")
{
	CHECK(says(RPC_net_bridge_add, "{\"name\":\"pt-br0\",\"mtu\":5}", "parameter \"mtu\": 5 was given, allowed is 68 to 65535 bytes"));
	CHECK(says(RPC_net_bridge_add, "{}", "parameter \"name\" is missing, allowed is an interface name"));
	CHECK(says(RPC_net_bridge_add, NULL, "\"name\" is missing"));
	CHECK(says(RPC_vm_create, "{\"name\":\"a\",\"disks\":[{\"image\":\"x\"},{\"image\":\"../x\"}]}", "\"disks[1].image\": \"../x\" was given"));
	CHECK(says(RPC_vm_create, "{\"name\":\"a\",\"disks\":[{\"imago\":\"x\"}]}", "unknown parameter \"disks[0].imago\""));
	CHECK(says(RPC_vm_create, "{\"name\":\"a\",\"vmm\":\"xen\"}", "one of \"cloud-hypervisor\", \"firecracker\", \"qemu\""));
	CHECK(says(RPC_vm_create, "{\"name\":\"a\",\"labels\":{\"k\":1}}", "\"labels.k\": 1 was given, allowed is a string"));
	CHECK(says(RPC_vm_create, "{\"name\":\"a\",\"nets\":[{},{},{},{}]}", "a list of at most 3"));
}

TEST("a given value is shortened in a message")
{
	char json[400] = "{\"name\":\"", *at = json + strlen(json);
	memset(at, 'x', 300);
	strcpy(at + 300, "\"}");
	CHECK(says(RPC_net_bridge_delete, json, "xxx\xe2\x80\xa6 was given"));
}

TEST("each type of JSON is refused where another belongs")
{
	CHECK(says(RPC_net_bridge_add, "{\"name\":1}", "1 was given"));
	CHECK(says(RPC_net_bridge_add, "{\"name\":\"a\",\"mtu\":\"1500\"}", "\"1500\" was given"));
	CHECK(says(RPC_net_bridge_add, "{\"name\":\"a\",\"mtu\":1500.0}", "1500.0 was given"));
	CHECK(says(RPC_net_bridge_add, "{\"name\":\"a\",\"stp\":1}", "true or false"));
	CHECK(says(RPC_net_bridge_add, "{\"name\":\"a\",\"dry_run\":1}", "\"dry_run\": 1 was given"));
	CHECK(says(RPC_vm_create, "{\"name\":\"a\",\"disks\":{}}", "a list of at most 8"));
	CHECK(says(RPC_vm_create, "{\"name\":\"a\",\"limits\":[]}", "an object"));
	CHECK(says(RPC_vm_create, "{\"name\":\"a\",\"vmm\":2}", "one of"));
}

TEST("null stands for absent where a value is optional, and nowhere else")
{
	struct rpc_net_bridge_add_params *p;
	CHECK(read_params(RPC_net_bridge_add, "{\"name\":\"a\",\"mtu\":null,\"dry_run\":null}", (void **)&p) == NULL);
	CHECK(!p->has_mtu && !common.dry_run);
	CHECK(says(RPC_net_bridge_add, "{\"name\":null}", "null was given"));
}

TEST("addresses, paths and hardware addresses are checked for what a pattern can't say")
{
	CHECK(fine(RPC_net_bridge_add, "{\"name\":\"a\",\"address\":\"fd00::1/64\"}"));
	CHECK(says(RPC_net_bridge_add, "{\"name\":\"a\",\"address\":\"10.0.0.256/24\"}", "address"));
	CHECK(says(RPC_net_bridge_add, "{\"name\":\"a\",\"address\":\"10.0.0.1/33\"}", "address"));
	CHECK(says(RPC_net_bridge_add, "{\"name\":\"a\",\"address\":\"10.0.0.1/08\"}", "address"));
	CHECK(says(RPC_net_bridge_add, "{\"name\":\"a\",\"address\":\"fd00::1/129\"}", "address"));
	CHECK(fine(RPC_net_bridge_add, "{\"name\":\"a\",\"mac\":\"02:00:00:00:00:01\"}"));
	CHECK(says(RPC_net_bridge_add, "{\"name\":\"a\",\"mac\":\"03:00:00:00:00:01\"}", "unicast"));
	CHECK(says(RPC_net_bridge_add, "{\"name\":\"a\",\"mac\":\"00:00:00:00:00:00\"}", "unicast"));
	CHECK(says(RPC_net_bridge_add, "{\"name\":\"..\"}", "interface name"));
	CHECK(says(RPC_net_bridge_add, "{\"name\":\"a/b\"}", "interface name"));
	CHECK(says(RPC_net_bridge_add, "{\"name\":\"1234567890123456\"}", "interface name"));
	CHECK(fine(RPC_vm_create, "{\"name\":\"a\",\"kernel\":\"a/b.c\"}"));
	static const char *const paths[] = {"/a", "a//b", "a/", "a/../b", "..", ".", "./a", ""};
	for (size_t i = 0; i < sizeof(paths) / sizeof(*paths); i++) {
		char json[64];
		snprintf(json, sizeof(json), "{\"name\":\"a\",\"kernel\":\"%s\"}", paths[i]);
		CHECK(says(RPC_vm_create, json, "\"kernel\""));
	}
}

TEST("lists, maps and nested objects are read whole")
{
	struct rpc_vm_create_params *p;
	CHECK(read_params(RPC_vm_create,
	                  "{\"name\":\"v\",\"vmm\":\"qemu\",\"disks\":[{\"image\":\"a\"},{\"path\":\"b\",\"readonly\":true}],\"labels\":{\"k\":\"v\"},"
	                  "\"limits\":{\"cpu_percent\":50}}",
	                  (void **)&p) == NULL);
	CHECK(p->disks.n == 2 && p->disks.v[1].has_path && p->disks.v[1].readonly && !p->disks.v[1].has_image);
	CHECK(p->vmm == vmm_qemu && p->labels.n == 1 && p->limits.cpu_percent == 50 && !p->limits.has_pids_max);
	CHECK_STR(p->labels.v[0].value, "v");
}

TEST("dry_run, limit and cursor are read for the methods that have them")
{
	CHECK(fine(RPC_net_bridge_delete, "{\"name\":\"a\",\"dry_run\":true}") && common.dry_run);
	CHECK(fine(RPC_net_interfaces, "{\"limit\":5,\"cursor\":\"lo\"}") && common.limit == 5);
	CHECK_STR(common.cursor, "lo");
	CHECK(says(RPC_net_interfaces, "{\"limit\":0}", "\"limit\": 0 was given, allowed is 1 to 10000"));
}

static const char *write_result(enum rpc_method_id id, const void *result, struct page page)
{
	out.len = 0;
	rows_write(&rpc_methods[id], result, &page, &out);
	text_char(&out, '\0');
	return out.at;
}

TEST("a write's answer begins with changed, and absent optional members are left out")
{
	struct rpc_net_nat_add_snat_result r = {.changed = true};
	CHECK_STR(write_result(RPC_net_nat_add_snat, &r, (struct page){0}), "{\"changed\":true}");
	r.has_id = true;
	r.id = "s1";
	CHECK_STR(write_result(RPC_net_nat_add_snat, &r, (struct page){0}), "{\"changed\":true,\"id\":\"s1\"}");
}

TEST("texts are escaped, and bytes that aren't UTF-8 replaced")
{
	struct rpc_rpc_health_result r = {.status = "a\"\\\n\x01\x7f\xc3\xa9\xff/"};
	CHECK_STR(write_result(RPC_rpc_health, &r, (struct page){0}), "{\"status\":\"a\\\"\\\\\\n\\u0001\\u007f\xc3\xa9\xef\xbf\xbd/\"}");
}

static struct obj_tap taps[5];
static struct rpc_net_vm_list_result many(void)
{
	static const char *const names[] = {"d", "a", "e", "c", "b"};
	for (size_t i = 0; i < 5; i++)
		taps[i] = (struct obj_tap){.name = names[i], .owner_uid = 7};
	return (struct rpc_net_vm_list_result){.taps = {5, taps}};
}

TEST("a paged list is sorted by its key, cut by the limit, and goes on behind the cursor")
{
	struct rpc_net_vm_list_result r = many();
	const char *cursor = NULL;
	char seen[8] = "", next[4];
	for (int pages = 0; pages < 3; pages++) {
		json_t *page = json_loads(write_result(RPC_net_vm_list, &r, (struct page){2, cursor}), 0, NULL);
		json_t *list = json_object_get(page, "taps"), *tap;
		size_t i;
		json_array_foreach(list, i, tap) strcat(seen, json_string_value(json_object_get(tap, "name")));
		const char *c = json_string_value(json_object_get(page, "next_cursor"));
		CHECK((c != NULL) == (pages < 2));
		snprintf(next, sizeof(next), "%s", c ? c : "");
		cursor = next;
		json_decref(page);
	}
	CHECK_STR(seen, "abcde");
}

TEST("without a limit a list is whole and has no next_cursor")
{
	struct rpc_net_vm_list_result r = many();
	CHECK(strstr(write_result(RPC_net_vm_list, &r, (struct page){0}), "next_cursor") == NULL);
	r.taps.n = 0;
	CHECK_STR(write_result(RPC_net_vm_list, &r, (struct page){10, NULL}), "{\"taps\":[]}");
}

int main(void)
{
	int code = rows_init() ? test_main() : 1;
	json_decref(tree);
	arena_finish(&arena);
	text_finish(&out);
	rows_finish();
	return code;
}
