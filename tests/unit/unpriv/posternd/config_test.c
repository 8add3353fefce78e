// LINK: proto/wire.o proto/wire_kinds.o proto/mp.o unpriv/posternd/config.o unpriv/posternd/toml.o unpriv/posternd/toml_value.o unpriv/posternd/toml_rows.o unpriv/posternd/mem.o
// LINK: unpriv/posternd/text.o unpriv/posternd/utf8.o unpriv/common/log.o proto/rpc.o
// postern.toml: defaults, every key, and errors that name file, line, column and key.
#include "tests/lib/test.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "unpriv/posternd/config.h"

static char path[] = "/tmp/config_test.XXXXXX"; // mkstemp's, once for all tests
static struct arena arena;
static struct config *config;
static const char *error;

static bool load_flags(const char *text, const struct flags *flags)
{
	int fd = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC);
	if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text))
		abort();
	close(fd);
	config_destroy(config);
	arena_reset(&arena);
	error = NULL;
	config = config_load(flags, &arena, &error);
	return config != NULL;
}

static bool load(const char *text)
{
	return load_flags(text, &(struct flags){.config = path});
}

// The file is refused, and the error is "<file>:<where>: … <what> …".
static bool refused(const char *text, const char *where, const char *what)
{
	char head[64];
	if (load(text))
		return false;
	snprintf(head, sizeof(head), "%s:%s", path, where);
	if (error && strncmp(error, head, strlen(head)) == 0 && strstr(error, what))
		return true;
	return false;
}

TEST("an empty file gives the defaults that postern.toml(5) names")
{
	CHECK(load(""));
	CHECK_INT(config->sockets.n, 1);
	CHECK_STR(config->sockets.v[0], "/run/postern/rpc.sock");
	CHECK(config->socket_group == NULL);
	CHECK_INT(config->max_body_bytes, 1048576);
	CHECK_INT(config->max_connections, 1024);
	CHECK_INT(config->max_connections_per_uid, 256);
	CHECK_INT(config->idle_timeout_secs, 60);
	CHECK_STR(config->state_dir, "/var/lib/postern");
	CHECK_INT(config->log_level, LEVEL_INFO);
	CHECK_STR(config->interface_prefix, "pt-");
	CHECK_STR(config->vmm, "qemu");
	CHECK_INT(config->boot_deadline_secs, 30);
	CHECK_INT(config->uid_first, 900000);
	CHECK_INT(config->uid_last, 999999);
	CHECK_INT(config->exec_output_bytes, 1048576);
}

TEST("every key is read into its place")
{
	static const char all[] =
	    "[rpc]\nsockets = [\"/a\", \"/b\"]\nsocket_group = \"g\"\nmax_body_bytes = 4096\nmax_connections = 8\n"
	    "max_connections_per_uid = 1\nidle_timeout_secs = 86400\n[state]\ndir = \"/s\"\n[log]\nlevel = \"warn\"\n"
	    "[net]\ninterface_prefix = \"q-\"\n[vol]\nmount_root = \"/m\"\n"
	    "[vm]\nimage_root = \"/i\"\njail_root = \"/j\"\nvmm = \"firecracker\"\nkernel = \"k\"\ninitramfs = \"r\"\nimage = \"d\"\n"
	    "boot_deadline_secs = 3600\nuid_range = \"1000-4294967294\"\nexec_output_bytes = 1024\n";
	CHECK(load(all));
	CHECK_INT(config->sockets.n, 2);
	CHECK_STR(config->sockets.v[1], "/b");
	CHECK_STR(config->socket_group, "g");
	CHECK_INT(config->max_body_bytes, 4096);
	CHECK_INT(config->max_connections, 8);
	CHECK_INT(config->max_connections_per_uid, 1);
	CHECK_INT(config->idle_timeout_secs, 86400);
	CHECK_STR(config->state_dir, "/s");
	CHECK_INT(config->log_level, LEVEL_WARN);
	CHECK_STR(config->interface_prefix, "q-");
	CHECK_STR(config->mount_root, "/m");
	CHECK_STR(config->image_root, "/i");
	CHECK_STR(config->jail_root, "/j");
	CHECK_STR(config->vmm, "firecracker");
	CHECK_STR(config->kernel, "k");
	CHECK_STR(config->initramfs, "r");
	CHECK_STR(config->image, "d");
	CHECK_INT(config->boot_deadline_secs, 3600);
	CHECK_INT(config->uid_first, 1000);
	CHECK_INT(config->uid_last, 4294967294);
	CHECK_INT(config->exec_output_bytes, 1024);
}

TEST("the command line stands over the file")
{
	const struct flags flags = {.config = path, .acl = "/acl", .state_dir = "/flag", .socket = "/flag.sock", .verbose = true};
	CHECK(load_flags("[rpc]\nsockets = [\"/a\", \"/b\"]\n[state]\ndir = \"/s\"\n[log]\nlevel = \"error\"\n", &flags));
	CHECK_INT(config->sockets.n, 1);
	CHECK_STR(config->sockets.v[0], "/flag.sock");
	CHECK(config->sockets.v[1] == NULL);
	CHECK_STR(config->state_dir, "/flag");
	CHECK_INT(config->log_level, LEVEL_DEBUG);
	CHECK_STR(config->acl_path, "/acl");
	CHECK(!config->acl_optional);
}

TEST("an access list that isn't named may be absent")
{
	CHECK(load(""));
	CHECK_STR(config->acl_path, "/etc/postern/acl.toml");
	CHECK(config->acl_optional);
}

TEST("an unknown section or key is an error at its line and column that names it")
{
	CHECK(refused("[rcp]\nsockets = []\n", "1:", "rcp"));
	CHECK(refused("[rpc]\n\n  max_bodybytes = 1\n", "3:19", "max_bodybytes"));
	CHECK(refused("max_body_bytes = 5000\n", "1:18", "max_body_bytes"));
	CHECK(refused("[vm]\nuid_range = \"1000-1001\"\nkernels = \"x\"\n", "3:11", "kernels"));
}

TEST("a value of another type is an error that names the key")
{
	CHECK(refused("[rpc]\nmax_body_bytes = \"5000\"\n", "2:", "max_body_bytes"));
	CHECK(refused("[rpc]\nmax_body_bytes = 5000.0\n", "2:", "max_body_bytes"));
	CHECK(refused("[rpc]\nsockets = \"/a\"\n", "2:", "sockets"));
	CHECK(refused("[rpc]\nsockets = [1]\n", "2:", "sockets"));
	CHECK(refused("[state]\ndir = 1\n", "2:", "dir"));
	CHECK(refused("rpc = 1\n", "1:", "rpc"));
	CHECK(refused("[[rpc]]\n", "1:", "rpc"));
}

TEST("a number out of its range is an error that says the range, and its ends are taken")
{
	static const struct {
		const char *section, *key;
		long long min, max;
	} numbers[] = {
	    {"rpc", "max_body_bytes", 4096, 67108864}, {"rpc", "max_connections", 8, 65536},  {"rpc", "max_connections_per_uid", 1, 65536},
	    {"rpc", "idle_timeout_secs", 1, 86400},    {"vm", "boot_deadline_secs", 1, 3600}, {"vm", "exec_output_bytes", 1024, 67108864},
	};
	char text[128], bound[32];
	for (size_t i = 0; i < sizeof(numbers) / sizeof(*numbers); i++)
		for (int end = 0; end < 2; end++) {
			long long value = end ? numbers[i].max : numbers[i].min;
			snprintf(text, sizeof(text), "[%s]\n%s = %lld\n", numbers[i].section, numbers[i].key, value);
			if (!load(text))
				FAIL("%s = %lld: %s", numbers[i].key, value, error);
			snprintf(text, sizeof(text), "[%s]\n%s = %lld\n", numbers[i].section, numbers[i].key, value + (end ? 1 : -1));
			snprintf(bound, sizeof(bound), "%lld", value);
			if (!refused(text, "2:", numbers[i].key) || strstr(error, bound) == NULL)
				FAIL("%s = %lld: %s", numbers[i].key, value + (end ? 1 : -1), error ? error : "taken");
		}
}

TEST("a level, a VMM and a range of uids are among those there are")
{
	CHECK(refused("[log]\nlevel = \"loud\"\n", "2:", "error, warn, info or debug"));
	CHECK(refused("[vm]\nvmm = \"xen\"\n", "2:", "\"xen\""));
	static const char *const ranges[] = {"",
	                                     "900000",
	                                     "900000-",
	                                     "-900000",
	                                     "999999-900000",
	                                     "999-2000",
	                                     "0-10",
	                                     " 1000-2000",
	                                     "1000 -2000",
	                                     "1000- 2000",
	                                     "1000-2000 ",
	                                     "1000--2000",
	                                     "+1000-2000",
	                                     "a-b",
	                                     "1000-2000x",
	                                     "1000-4294967295",
	                                     "1000-4294967296",
	                                     "1000-4294969296",
	                                     "4294968296-4294969296",
	                                     "1000-99999999999999999999"};
	char text[128];
	for (size_t i = 0; i < sizeof(ranges) / sizeof(*ranges); i++) {
		snprintf(text, sizeof(text), "[vm]\nuid_range = \"%s\"\n", ranges[i]);
		if (!refused(text, "2:13", "range of uids"))
			FAIL("\"%s\" was taken", ranges[i]);
	}
	CHECK(load("[vm]\nuid_range = \"1000-1000\"\n"));
}

TEST("paths are absolute, and there is at least one socket")
{
	CHECK(refused("[state]\ndir = \"var\"\n", "2:", "\"var\" must be an absolute path"));
	CHECK(refused("[vol]\nmount_root = \"\"\n", "2:", "absolute"));
	CHECK(refused("[vm]\nimage_root = \"./i\"\n", "2:", "\"./i\""));
	CHECK(refused("[vm]\njail_root = \"j\"\n", "2:", "\"j\""));
	CHECK(refused("[rpc]\nsockets = [\"/a\", \"b\"]\n", "2:", "\"b\""));
	CHECK(refused("[rpc]\nsockets = []\n", "2:", "sockets"));
}

TEST("broken TOML is an error at its place")
{
	CHECK(refused("[rpc\n", "1:", ""));
	CHECK(refused("[rpc]\nsockets = [\"/a\"\n[state]\n", "3:", ""));
	CHECK(refused("[rpc]\nmax_connections = 8\nmax_connections = 9\n", "3:", "max_connections"));
}

static char text_of[32768];

static char *read_file(const char *name)
{
	FILE *f = fopen(name, "re");
	if (f == NULL)
		return NULL;
	text_of[fread(text_of, 1, sizeof(text_of) - 1, f)] = '\0';
	fclose(f);
	return text_of;
}

TEST("the file that is installed is taken, and so are the keys that are commented out in it")
{
	char *text = read_file("unpriv/dist/postern.toml");
	int keys = 0;
	CHECK(text != NULL && load(text));
	for (char *p = text; *p; p++)
		if (p[0] == '\n' && p[1] == '#' && p[2] >= 'a' && p[2] <= 'z') {
			p[1] = ' ';
			keys++;
		}
	CHECK(keys > 0);
	if (!load(text))
		FAIL("%s", error);
}

TEST("the manual's example is taken")
{
	char *page = read_file("unpriv/posternd/postern.toml.5"), *example = page ? strstr(page, "\n.Bd -literal\n") : NULL;
	CHECK(example != NULL);
	example += strlen("\n.Bd -literal\n");
	char *end = strstr(example, "\n.Ed\n");
	CHECK(end != NULL);
	end[1] = '\0';
	CHECK(load(example));
	CHECK_STR(config->socket_group, "postern-users");
}

TEST("a file that is named must be there and be a file; the error says which")
{
	config_destroy(config);
	config = NULL;
	arena_reset(&arena);
	CHECK(config_load(&(struct flags){.config = "/nonexistent/postern.toml"}, &arena, &error) == NULL);
	CHECK(strstr(error, "/nonexistent/postern.toml") != NULL && strstr(error, "No such file") != NULL);
	CHECK(config_load(&(struct flags){.config = "/tmp"}, &arena, &error) == NULL);
	CHECK(strstr(error, "/tmp") != NULL);
}

int main(void)
{
	int fd = mkstemp(path);
	if (fd < 0)
		return 1;
	close(fd);
	int code = test_main();
	unlink(path);
	config_destroy(config);
	arena_finish(&arena);
	return code;
}
