// LINK: unpriv/postern/value.o proto/rpc.o
// LIBS: -ljansson
// Words into JSON values.
#include "tests/lib/test.h"
#include "unpriv/postern/value.h"

static char why[256];

// The value as JSON text, in a buffer that the next call overwrites; "" with why when it was refused.
static const char *read_as(enum rpc_kind kind, const char *text)
{
	static char out[512];
	json_t *v;

	why[0] = '\0';
	v = value_read(kind, text, why, sizeof(why));
	out[0] = '\0';
	if (v != NULL)
		out[json_dumpb(v, out, sizeof(out) - 1, JSON_ENCODE_ANY | JSON_COMPACT | JSON_SORT_KEYS)] = '\0';
	json_decref(v);
	return out;
}

// What the texts (ended by NULL) make of one field, as JSON text.
static const char *put_all(const struct rpc_field *f, const char *const *texts)
{
	static char out[512];
	json_t *params = json_object();
	bool ok = true;

	why[0] = '\0';
	for (; ok && *texts != NULL; texts++)
		ok = value_put(params, f, *texts, why, sizeof(why));
	memset(out, 0, sizeof(out));
	if (ok)
		(void)json_dumpb(params, out, sizeof(out) - 1, JSON_COMPACT | JSON_SORT_KEYS);
	json_decref(params);
	return out;
}

TEST("numbers are whole, and within their kind's range")
{
	CHECK_STR(read_as(KIND_mtu, "1500"), "1500");
	for (const char *const *bad = (const char *const[]){"67", "65536", "", "1500x", "1e3", "0x100", "99999999999999999999", NULL}; *bad != NULL;
	     bad++) {
		CHECK_STR(read_as(KIND_mtu, *bad), "");
		CHECK(strstr(why, "68 to 65535") != NULL);
	}
	CHECK_STR(read_as(KIND_int, "-9223372036854775808"), "-9223372036854775808");
}

TEST("closed lists name what is allowed")
{
	CHECK_STR(read_as(KIND_vmm, "qemu"), "\"qemu\"");
	CHECK_STR(read_as(KIND_vmm, "QEMU"), "");
	CHECK(strstr(why, "cloud-hypervisor, firecracker, qemu") != NULL);
}

TEST("flags are true or false")
{
	CHECK_STR(read_as(KIND_flag, "true"), "true");
	CHECK_STR(read_as(KIND_flag, "false"), "false");
	CHECK_STR(read_as(KIND_flag, "1"), "");
}

TEST("texts are UTF-8")
{
	CHECK_STR(read_as(KIND_str, "a\"b"), "\"a\\\"b\"");
	CHECK_STR(read_as(KIND_str, "\xff"), "");
	CHECK_STR(why, "not UTF-8");
}

TEST("objects are read member by member, each by its own kind")
{
	CHECK_STR(read_as(KIND_vm_disk, "image=a,readonly=true"), "{\"image\":\"a\",\"readonly\":true}");
	CHECK_STR(read_as(KIND_vm_disk, "{\"image\": \"a\"}"), "{\"image\":\"a\"}");
	CHECK_STR(read_as(KIND_vm_disk, "image=a,readonly=maybe"), "");
	CHECK_STR(read_as(KIND_vm_disk, "image"), "");
	CHECK_STR(read_as(KIND_vm_disk, "=a"), "");
	CHECK_STR(read_as(KIND_vm_disk, "image=a,image=b"), "");
	CHECK_STR(why, "given twice");
	CHECK_STR(read_as(KIND_vm_disk, "{\"image\": \"a\", \"image\": \"b\"}"), "");
}

TEST("lists split at commas only where no element can hold one")
{
	const struct rpc_field names = {.name = "l", .kind = KIND_ifname, .list = true}, texts = {.name = "l", .kind = KIND_str, .list = true},
	                       paths = {.name = "l", .kind = KIND_relpath, .list = true};

	CHECK_STR(put_all(&names, (const char *const[]){"a,b", "c", NULL}), "{\"l\":[\"a\",\"b\",\"c\"]}");
	CHECK_STR(put_all(&texts, (const char *const[]){"a,b", "[c]", NULL}), "{\"l\":[\"a,b\",\"[c]\"]}");
	CHECK_STR(put_all(&paths, (const char *const[]){"a,b", NULL}), "{\"l\":[\"a,b\"]}");
	CHECK_STR(put_all(&names, (const char *const[]){"[\"a\"]", "b", NULL}), "{\"l\":[\"a\",\"b\"]}");
	CHECK_STR(put_all(&names, (const char *const[]){"[\"a\"", NULL}), "");
}

TEST("maps take pairs one by one, everything else is given once")
{
	const struct rpc_field map = {.name = "m", .kind = KIND_strmap}, one = {.name = "o", .kind = KIND_str};

	CHECK_STR(put_all(&map, (const char *const[]){"a=1,2=3", "b=", "a=4", NULL}), "{\"m\":{\"a\":\"4\",\"b\":\"\"}}");
	CHECK_STR(put_all(&map, (const char *const[]){"a", NULL}), "");
	CHECK_STR(put_all(&one, (const char *const[]){"a", "b", NULL}), "");
}

int main(void)
{
	return test_main();
}
