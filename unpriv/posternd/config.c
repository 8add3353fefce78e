// Rows of postern.toml. See config.h.
#include "unpriv/posternd/config.h"

#include <stdlib.h>

#include "proto/rpc.h"
#include "proto/wire.h"
#include "unpriv/posternd/tap.h"

#define DEFAULT_CONFIG "/etc/postern/postern.toml"
#define DEFAULT_ACL    "/etc/postern/acl.toml"
#define LEASE_PORTS    8 // as many as the policy takes

#define TEXT(name, member)                                                                                                                           \
	{                                                                                                                                            \
		.key = name, .type = ROW_STRING, .offset = offsetof(struct config, member)                                                           \
	}
#define LIST(name, member)                                                                                                                           \
	{                                                                                                                                            \
		.key = name, .type = ROW_STRINGS, .offset = offsetof(struct config, member)                                                          \
	}
#define NUMBER(name, member, least, most)                                                                                                            \
	{                                                                                                                                            \
		.key = name, .type = ROW_INTEGER, .offset = offsetof(struct config, member), .min = least, .max = most                               \
	}

#define FLAG(name, member)                                                                                                                           \
	{                                                                                                                                            \
		.key = name, .type = ROW_BOOLEAN, .offset = offsetof(struct config, member)                                                          \
	}

static const struct toml_row rpc_rows[] = {
    LIST("sockets", sockets),
    TEXT("socket_group", socket_group),
    NUMBER("max_body_bytes", max_body_bytes, 4096, 64 << 20),
    NUMBER("max_connections", max_connections, 8, 65536),
    NUMBER("max_connections_per_uid", max_connections_per_uid, 1, 65536),
    NUMBER("idle_timeout_secs", idle_timeout_secs, 1, 86400),
    {.key = NULL},
};

static const struct toml_row state_rows[] = {TEXT("dir", state_dir), {.key = NULL}};
static const struct toml_row log_rows[] = {TEXT("level", log_level_text), {.key = NULL}};

static const struct toml_row net_rows[] = {
    TEXT("interface_prefix", interface_prefix),
    NUMBER("tap_pool", tap_pool, 0, TAP_POOL_MAX),
    {.key = NULL},
};

static const struct toml_row lease_rows[] = {
    LIST("interface", lease_interfaces),
    FLAG("dhcp4", lease_dhcp4),
    FLAG("dhcp6", lease_dhcp6),
    FLAG("prefix_delegation", lease_prefix),
    FLAG("slaac", lease_slaac),
    {.key = NULL},
};

static const struct toml_row vol_rows[] = {
    TEXT("mount_root", mount_root),
    {.key = NULL},
};

static const struct toml_row vm_rows[] = {
    TEXT("image_root", image_root),
    TEXT("jail_root", jail_root),
    TEXT("vmm", vmm),
    TEXT("kernel", kernel),
    TEXT("initramfs", initramfs),
    TEXT("image", image),
    NUMBER("boot_deadline_secs", boot_deadline_secs, 1, 3600),
    TEXT("uid_range", uid_range_text),
    NUMBER("exec_output_bytes", exec_output_bytes, 1024, 64 << 20),
    {.key = NULL},
};

static const struct toml_row rows[] = {
    {.key = "rpc", .type = ROW_TABLE, .rows = rpc_rows},
    {.key = "state", .type = ROW_TABLE, .rows = state_rows},
    {.key = "log", .type = ROW_TABLE, .rows = log_rows},
    {.key = "net", .type = ROW_TABLE, .rows = net_rows},
    {.key = "lease", .type = ROW_TABLE, .rows = lease_rows},
    {.key = "vol", .type = ROW_TABLE, .rows = vol_rows},
    {.key = "vm", .type = ROW_TABLE, .rows = vm_rows},
    {.key = NULL},
};

static void set_defaults(struct config *c)
{
	static const char *default_sockets[] = {"/run/postern/rpc.sock", NULL};
	c->sockets = (struct strings){1, default_sockets};
	c->max_body_bytes = 1 << 20;
	c->max_connections = 1024;
	c->max_connections_per_uid = 256;
	c->idle_timeout_secs = 60;
	c->state_dir = "/var/lib/postern";
	c->log_level_text = "info";
	c->image_root = "/srv/postern/images";
	c->jail_root = "/srv/postern/jail";
	c->vmm = "qemu";
	c->kernel = "default/kernel";
	c->initramfs = "default/initrd";
	c->image = "default/root.ext4";
	c->boot_deadline_secs = 30;
	c->interface_prefix = "pt-";
	c->lease_dhcp4 = c->lease_dhcp6 = c->lease_slaac = true;
	c->mount_root = "/srv/postern/mnt";
	c->uid_range_text = "900000-999999";
	c->exec_output_bytes = 1 << 20;
}

static void apply_flags(struct config *c, const struct flags *flags)
{
	if (flags->state_dir)
		c->state_dir = arena_strdup(&c->arena, flags->state_dir);
	if (flags->socket) {
		const char **one = arena_alloc(&c->arena, 2 * sizeof *one);
		one[0] = arena_strdup(&c->arena, flags->socket);
		one[1] = NULL;
		c->sockets = (struct strings){1, one};
	}
	if (flags->verbose)
		c->log_level = LEVEL_DEBUG;
	c->acl_path = flags->acl ? flags->acl : DEFAULT_ACL;
	c->acl_optional = flags->acl == NULL;
}

// Where a key of a section stands, for an error.
static const struct toml *at(const struct toml *root, const char *section, const char *key)
{
	return toml_get(toml_get(root, section), key);
}

static bool check_level(struct toml_file *f, const struct toml *root, struct config *c)
{
	for (int level = LEVEL_ERROR; level <= LEVEL_DEBUG; level++)
		if (strcmp(log_level_name((enum log_level)level), c->log_level_text) == 0) {
			c->log_level = (enum log_level)level;
			return true;
		}
	return toml_complain(f, at(root, "log", "level"), "\"%s\" is no level: error, warn, info or debug", c->log_level_text);
}

static bool check_vmm(struct toml_file *f, const struct toml *root, const struct config *c)
{
	for (const char *const *v = rpc_kinds[KIND_vmm].values; *v; v++)
		if (strcmp(*v, c->vmm) == 0)
			return true;
	return toml_complain(f, at(root, "vm", "vmm"), "\"%s\" is no VMM: cloud-hypervisor, firecracker or qemu", c->vmm);
}

// Reads a uid that a user may have, without the last, which stands for none.
static bool take_uid(const char **text, uint32_t *uid)
{
	char *end;
	if (**text < '0' || **text > '9')
		return false;
	unsigned long long n = strtoull(*text, &end, 10); // more than fits is ULLONG_MAX
	*text = end;
	*uid = (uint32_t)n;
	return n >= 1000 && n < UINT32_MAX;
}

static bool check_uids(struct toml_file *f, const struct toml *root, struct config *c)
{
	const char *p = c->uid_range_text;
	if (take_uid(&p, &c->uid_first) && *p++ == '-' && take_uid(&p, &c->uid_last) && *p == '\0' && c->uid_first <= c->uid_last)
		return true;
	return toml_complain(f, at(root, "vm", "uid_range"), "\"%s\" is no range of uids such as 900000-999999", c->uid_range_text);
}

static bool is_absolute(const char *path)
{
	return path == NULL || *path == '/';
}

static bool check_paths(struct toml_file *f, const struct toml *root, const struct config *c)
{
	const struct {
		const char *section, *key, *path;
	} paths[] = {
	    {"state", "dir", c->state_dir},
	    {"vol", "mount_root", c->mount_root},
	    {"vm", "image_root", c->image_root},
	    {"vm", "jail_root", c->jail_root},
	};
	for (size_t i = 0; i < sizeof paths / sizeof *paths; i++)
		if (!is_absolute(paths[i].path))
			return toml_complain(f, at(root, paths[i].section, paths[i].key), "\"%s\" must be an absolute path", paths[i].path);
	for (size_t i = 0; i < c->sockets.n; i++)
		if (!is_absolute(c->sockets.v[i]))
			return toml_complain(f, at(root, "rpc", "sockets"), "\"%s\" must be an absolute path", c->sockets.v[i]);
	return c->sockets.n > 0 || toml_complain(f, at(root, "rpc", "sockets"), "\"sockets\" is empty");
}

static bool check_leases(struct toml_file *f, const struct toml *root, const struct config *c)
{
	for (size_t i = 0; i < c->lease_interfaces.n; i++)
		if (!wire_ifname_ok(c->lease_interfaces.v[i]))
			return toml_complain(f, at(root, "lease", "interface"), "\"%s\" is no interface's name", c->lease_interfaces.v[i]);
	return c->lease_interfaces.n <= LEASE_PORTS ||
	       toml_complain(f, at(root, "lease", "interface"), "at most %d interfaces can have leases", LEASE_PORTS);
}

struct config *config_load(const struct flags *flags, struct arena *a, const char **error)
{
	struct config *c = xcalloc(1, sizeof *c);
	struct toml_file f = {.name = flags->config ? flags->config : DEFAULT_CONFIG, .a = &c->arena};
	set_defaults(c);
	const struct toml *root = toml_load(&f, flags->config == NULL);
	bool fine = root && toml_fill(&f, root, rows, c) && check_level(&f, root, c) && check_vmm(&f, root, c) && check_uids(&f, root, c) &&
	            check_leases(&f, root, c) && check_paths(&f, root, c);
	if (fine) {
		apply_flags(c, flags);
		return c;
	}
	*error = arena_strdup(a, f.error);
	config_destroy(c);
	return NULL;
}

void config_destroy(struct config *c)
{
	if (c == NULL)
		return;
	arena_finish(&c->arena);
	free(c);
}
