// LINK: unpriv/postern/table.o unpriv/postern/report.o unpriv/postern/verbs.o unpriv/postern/cli.o proto/rpc.o
// LIBS: -ljansson
// Tables from rows.
#include <stdlib.h>

#include "tests/lib/test.h"
#include "unpriv/postern/report.h"
#include "unpriv/postern/table.h"

static char shown[8192];

static const char *show(enum rpc_kind object, const char *json, size_t width)
{
	json_t *list = json_loads(json, 0, NULL);
	FILE *out = fmemopen(shown, sizeof(shown), "w");

	table_list(out, rpc_kinds[object].fields, list, &(struct table_style){.width = width});
	fclose(out);
	json_decref(list);
	return shown;
}

static const char *show_result(enum rpc_method_id method, const char *json)
{
	json_t *result = json_loads(json, 0, NULL);
	FILE *out = fmemopen(shown, sizeof(shown), "w");

	table_result(out, &rpc_methods[method], result, &(struct table_style){.width = 100});
	fclose(out);
	json_decref(result);
	return shown;
}

TEST("columns are as wide as their widest cell, and empty optional ones aren't shown")
{
	CHECK_STR(show(KIND_bridge_port,
	               "[{\"name\":\"pt-1\",\"state\":\"forwarding\",\"kind\":\"tun\"},{\"name\":\"x\",\"state\":\"off\",\"kind\":\"veth\"}]", 80),
	          "NAME  STATE       KIND\npt-1  forwarding  tun\nx     off         veth\n");
	CHECK(strstr(show(KIND_vm_brief, "[{\"id\":\"a\",\"state\":\"Stopped\",\"vmm\":\"qemu\",\"vcpus\":1,\"memory_mib\":64}]", 80), "PID") ==
	      NULL);
}

TEST("an empty list is its heading alone")
{
	CHECK_STR(show(KIND_bridge_port, "[]", 80), "NAME  STATE  KIND\n");
}

TEST("characters are counted, not bytes")
{
	CHECK_INT(table_text_width("für"), 3);
	CHECK_STR(show(KIND_bridge_port, "[{\"name\":\"ü\",\"state\":\"a\",\"kind\":\"b\"}]", 80), "NAME  STATE  KIND\nü     a      b\n");
}

TEST("what doesn't fit is dropped from the right, but never the first column")
{
	const char *list = "[{\"name\":\"a-long-name-1\",\"state\":\"forwarding\",\"kind\":\"tun\"}]";

	CHECK_STR(show(KIND_bridge_port, list, 27), "NAME           STATE\na-long-name-1  forwarding\n");
	CHECK_STR(show(KIND_bridge_port, list, 5), "NAME\na-long-name-1\n");
}

TEST("control characters are shown, not sent")
{
	show(KIND_bridge_port, "[{\"name\":\"a\\u001b[2J\\n\\u009b\",\"state\":\"a\\tb\",\"kind\":\"\\u007f\"}]", 80);
	CHECK(strchr(shown, '\x1b') == NULL && strchr(shown, '\t') == NULL);
	CHECK(strstr(shown, "a\\x1b[2J\\x0a\\x9b") != NULL && strstr(shown, "a\\x09b") != NULL && strstr(shown, "\\x7f") != NULL);
}

TEST("a method that lists one thing shows its table and where to go on")
{
	CHECK_STR(show_result(RPC_vm_list, "{\"vms\":[],\"next_cursor\":\"web\"}"), "ID  STATE  VMM  VCPUS  MEMORY MIB\nmore: --cursor web\n");
}

TEST("plain results are lines, and text of several lines stands below its name")
{
	CHECK_STR(show_result(RPC_vm_remove, "{\"removed\":true,\"changed\":false}"), "removed  yes\nchanged  no\n");
	CHECK(strstr(show_result(RPC_vm_logs, "{\"data\":\"a\\nb\",\"next_offset\":3,\"size\":3}"), "data:\na\nb\n") != NULL);
	CHECK(strstr(show_result(RPC_rpc_whoami, "{\"identity\":\"uid:0\",\"groups\":[\"a\",\"b\"],\"rights\":{\"net\":\"read\"}}"),
	             "groups    a, b\nrights    net=read\n") != NULL);
}

TEST("numbers whose names say that they are times are shown as such")
{
	setenv("TZ", "UTC", 1);
	show_result(RPC_vm_status, "{\"vm\":{\"created_unix\":86400,\"nets\":[],\"transitions\":[{\"seq\":1,\"at_unix_ms\":1500}]}}");
	CHECK(strstr(shown, "created_unix  1970-01-02 00:00:00\n") != NULL);
	CHECK(strstr(shown, "1970-01-01 00:00:01") != NULL);
	CHECK(strstr(shown, "nets") == NULL);
}

TEST("an answer that isn't what the rows say is shown without harm")
{
	show_result(RPC_vm_list, "{\"vms\":7}");
	show_result(RPC_vm_status, "{\"vm\":[1,{}]}");
	show_result(RPC_vm_status, "{\"vm\":{\"id\":{},\"disks\":{},\"transitions\":[1,[],null]}}");
	show_result(RPC_rpc_whoami, "[]");
	CHECK(true);
}

int main(void)
{
	return test_main();
}
