// Parser of /etc/postern/policy.conf: `keyword value…` a line, '#' begins a comment, errors name their line.  See policy_file.h.
//
// One row a keyword: how many values it takes, whether it may come again, and the function that reads them.
#include "helper/launcher/policy_file.h"

#include <stddef.h>
#include <string.h>

#include "helper/launcher/policy_words.h"

#define WORDS_MAX 40
#define UID_MAX_  UINT64_C(4294967294) // (uid_t)-1 means "no change"

struct line {
	unsigned n;
	char word[WORDS_MAX][POLICY_PATH]; // word[0] is the keyword
};

// Reads the line's values into the member of struct policy that the keyword's row names.  Returns NULL, or what is wrong.
typedef const char *reader(void *at, const struct line *l);

static const char *read_id(void *at, const struct line *l)
{
	uint32_t *id = at;

	return word_number(l->word[1], 1, UID_MAX_, id) ? NULL : "a number from 1 to 4294967294 is wanted";
}

static const char *read_uids(void *at, const struct line *l)
{
	struct policy_range *uids = at;

	return word_range(l->word[1], UID_MAX_, uids) ? NULL : "a range of uids is wanted, as in 900000-999999";
}

static const char *read_prefix(void *at, const struct line *l)
{
	struct policy_prefixes *list = at;

	for (unsigned i = 1; i < l->n; i++) {
		if (!wire_ifname_ok(l->word[i]) || strlen(l->word[i]) > 12)
			return "a prefix of 1 to 12 letters, digits, '_', '.' and '-' is wanted";
		if (list->n == POLICY_PREFIXES)
			return "too many prefixes";
		word_copy(list->v[list->n++], 16, l->word[i]);
	}
	return NULL;
}

static const char *read_bridge(void *at, const struct line *l)
{
	struct policy_names *list = at;

	for (unsigned i = 1; i < l->n; i++) {
		char name[POLICY_PATH];
		size_t n = strlen(l->word[i]);

		word_copy(name, sizeof(name), l->word[i]);
		if (n > 1 && name[n - 1] == '*')
			name[n - 1] = '\0';
		if (n > 15 || !wire_ifname_ok(name))
			return "a bridge's name is wanted, or the beginning of one and '*'";
		if (list->n == POLICY_NAMES)
			return "too many bridges";
		word_copy(list->v[list->n++], 16, l->word[i]);
	}
	return NULL;
}

static const char *read_uplink(void *at, const struct line *l)
{
	struct policy_names *list = at;

	for (unsigned i = 1; i < l->n; i++) {
		if (!wire_ifname_ok(l->word[i]))
			return "an interface's name is wanted";
		if (list->n == POLICY_NAMES)
			return "too many uplinks";
		word_copy(list->v[list->n++], 16, l->word[i]);
	}
	return NULL;
}

static const char *read_lease(void *at, const struct line *l)
{
	const struct policy_names *list = at;

	if (list->n + l->n - 1 > POLICY_LEASES)
		return "at most 8 interfaces with leases";
	return read_uplink(at, l);
}

static const char *read_table(void *at, const struct line *l)
{
	struct policy_ranges *list = at;

	for (unsigned i = 1; i < l->n; i++) {
		if (list->n == POLICY_RANGES)
			return "too many ranges";
		if (!word_range(l->word[i], UINT32_MAX, &list->v[list->n++]))
			return "a table's number is wanted, or a range as in 1000-1999";
	}
	return NULL;
}

static const char *read_root(void *at, const struct line *l)
{
	if (!word_path_ok(l->word[1]))
		return "an absolute path is wanted, without '..', '.', '//' and '/' at its end";
	word_copy(at, POLICY_PATH, l->word[1]);
	return NULL;
}

static const char *read_devices(void *at, const struct line *l)
{
	struct policy_paths *list = at;

	for (unsigned i = 1; i < l->n; i++) {
		const char *star = strchr(l->word[i], '*');

		if (!word_path_ok(l->word[i]) || strncmp(l->word[i], "/dev/", 5) != 0 || (star != NULL && star[1] != '\0'))
			return "a path below /dev is wanted, '*' only at its end";
		if (list->n == POLICY_DEVICES)
			return "too many devices";
		word_copy(list->v[list->n++], POLICY_PATH, l->word[i]);
	}
	return NULL;
}

// Sets the bit of each value's place among n words; false where one isn't there.
static bool read_bits(uint32_t *bits, const struct line *l, const char *const *words, unsigned n)
{
	for (unsigned i = 1; i < l->n; i++) {
		unsigned at = word_place(l->word[i], words, n);

		if (at == n)
			return false;
		*bits |= 1u << at;
	}
	return true;
}

static const char *read_fstype(void *at, const struct line *l)
{
	static const char *const names[FSTYPE_MAX + 1] = {
	    [FSTYPE_EXT4] = "ext4", [FSTYPE_BTRFS] = "btrfs", [FSTYPE_VFAT] = "vfat", [FSTYPE_XFS] = "xfs"};

	return read_bits(at, l, names, FSTYPE_MAX + 1) ? NULL : "ext4, btrfs, vfat or xfs is wanted";
}

static const char *read_ovs(void *at, const struct line *l)
{
	static const char *const names[OVS_DOOR_MAX + 1] = {[OVS_DATABASE] = "database", [OVS_SWITCH] = "switch"};

	return read_bits(at, l, names, OVS_DOOR_MAX + 1) ? NULL : "database or switch is wanted";
}

static const char *read_vmm(void *at, const struct line *l)
{
	static const char *const names[VMM_MAX + 1] = {
	    [VMM_CLOUD_HYPERVISOR] = "cloud-hypervisor", [VMM_FIRECRACKER] = "firecracker", [VMM_QEMU] = "qemu"};
	struct policy_jail *jail = at;
	unsigned v = word_place(l->word[1], names, VMM_MAX + 1);

	if (v > VMM_MAX)
		return "qemu, firecracker or cloud-hypervisor is wanted";
	if (!word_path_ok(l->word[2]))
		return "an absolute path is wanted, without '..', '.', '//' and '/' at its end";
	if (jail->vmm[v][0] != '\0')
		return "this VMM is given twice";
	word_copy(jail->vmm[v], POLICY_PATH, l->word[2]);
	return NULL;
}

static const char *read_vm_device(void *at, const struct line *l)
{
	bool *kvm = at;

	*kvm = strcmp(l->word[1], "kvm") == 0;
	return *kvm ? NULL : "kvm is the only one there is";
}

static const char *read_tool(void *at, const struct line *l)
{
	struct policy_tools *list = at;
	struct policy_tool *t = &list->v[list->n];

	if (list->n == POLICY_TOOLS)
		return "too many tools";
	if (strlen(l->word[1]) >= sizeof(t->name) || !wire_relpath_ok(l->word[1]) || !word_path_ok(l->word[2]))
		return "a tool's name and its absolute path are wanted";
	word_copy(t->name, sizeof(t->name), l->word[1]);
	word_copy(t->path, sizeof(t->path), l->word[2]);
	list->n++;
	return NULL;
}

static const char *read_input(void *at, const struct line *l)
{
	bool *drop = at;

	*drop = strcmp(l->word[1], "drop") == 0;
	return *drop || strcmp(l->word[1], "accept") == 0 ? NULL : "an input policy is accept or drop";
}

static const char *read_limit(void *at, const struct line *l)
{
	struct policy_limits *all = at;
	const struct {
		const char *name;
		uint32_t *value;
		uint32_t min, max;
	} limits[] = {
	    {"taps", &all->taps, 0, 65536},
	    {"rules", &all->rules, 0, 20000},
	    {"jails", &all->jails, 0, 65536},
	    {"requests-per-second", &all->requests_per_second, 1, 1000000},
	};
	const size_t n = sizeof(limits) / sizeof(limits[0]);

	for (unsigned i = 1; i < l->n; i += 2) {
		size_t k = 0;

		while (k < n && strcmp(limits[k].name, l->word[i]) != 0)
			k++;
		if (k == n || i + 1 == l->n)
			return "pairs of a limit's name and a number are wanted";
		if (!word_number(l->word[i + 1], limits[k].min, limits[k].max, limits[k].value))
			return "this limit's number is out of its range, or none";
	}
	return NULL;
}

#define AT(member) offsetof(struct policy, member)

static const struct keyword {
	const char *name;
	unsigned min, max; // values
	bool again;        // may stand on more than one line
	reader *read;
	size_t at;
} keywords[] = {
    {"daemon-uid", 1, 1, false, read_id, AT(ids.daemon_uid)},
    {"daemon-gid", 1, 1, false, read_id, AT(ids.daemon_gid)},
    {"broker-uid", 1, 1, false, read_id, AT(ids.broker_uid)},
    {"net-uid", 1, 1, false, read_id, AT(ids.net_uid)},
    {"vol-uid", 1, 1, false, read_id, AT(ids.vol_uid)},
    {"uid-range", 1, 1, false, read_uids, AT(uids)},
    {"interface-prefix", 1, WORDS_MAX, true, read_prefix, AT(net.prefixes)},
    {"bridge", 1, WORDS_MAX, true, read_bridge, AT(net.bridges)},
    {"uplink", 1, WORDS_MAX, true, read_uplink, AT(net.uplinks)},
    {"lease-interface", 1, POLICY_LEASES, true, read_lease, AT(net.leases)},
    {"route-table", 1, WORDS_MAX, true, read_table, AT(net.tables)},
    {"route-default", 1, WORDS_MAX, true, read_table, AT(net.defaults)},
    {"input-policy", 1, 1, false, read_input, AT(net.input_drop)},
    {"mount-root", 1, 1, false, read_root, AT(vol.mount_root)},
    {"mount-source", 1, WORDS_MAX, true, read_devices, AT(vol.sources)},
    {"mount-fstype", 1, WORDS_MAX, true, read_fstype, AT(vol.fstypes)},
    {"device", 1, WORDS_MAX, true, read_devices, AT(vol.devices)},
    {"image-root", 1, 1, false, read_root, AT(jail.image_root)},
    {"jail-root", 1, 1, false, read_root, AT(jail.jail_root)},
    {"cgroup-root", 1, 1, false, read_root, AT(jail.cgroup_root)},
    {"vmm", 2, 2, true, read_vmm, AT(jail)},
    {"vm-device", 1, 1, false, read_vm_device, AT(jail.kvm)},
    {"tool", 2, 2, true, read_tool, AT(tools)},
    {"ovs", 1, OVS_DOOR_MAX + 1, true, read_ovs, AT(ovs)},
    {"limit", 2, 8, true, read_limit, AT(limits)},
};
#define KEYWORDS (sizeof(keywords) / sizeof(keywords[0]))

// One root inside another would let an operation on the one reach into the other.
static bool apart(const char *a, const char *b)
{
	size_t n = strlen(a) < strlen(b) ? strlen(a) : strlen(b);

	return n == 0 || strncmp(a, b, n) != 0 || (a[n] != '\0' && a[n] != '/') || (b[n] != '\0' && b[n] != '/');
}

static const char *whole(struct policy *p)
{
	const uint32_t ids[] = {p->ids.daemon_uid, p->ids.broker_uid, p->ids.net_uid, p->ids.vol_uid};
	const char *roots[] = {p->vol.mount_root, p->jail.image_root, p->jail.jail_root, p->jail.cgroup_root};

	for (unsigned i = 0; i < 4; i++) {
		if (policy_in_range(&p->uids, ids[i]))
			return "daemon-uid, broker-uid, net-uid and vol-uid must lie outside uid-range";
		for (unsigned k = 0; k < i; k++) {
			if (ids[i] == ids[k])
				return "daemon-uid, broker-uid, net-uid and vol-uid must differ";
			if (!apart(roots[i], roots[k]))
				return "mount-root, image-root, jail-root and cgroup-root must not overlap";
		}
	}
	return NULL;
}

// Splits text[0..len), one line without its newline, into words.  Returns NULL, or what is wrong.
static const char *split(struct line *l, const char *text, size_t len)
{
	size_t at = 0;

	l->n = 0;
	while (at < len && text[at] != '#') {
		size_t n = 0;

		if (text[at] == ' ' || text[at] == '\t') {
			at++;
			continue;
		}
		if (l->n == WORDS_MAX)
			return "too many values";
		for (; at < len && text[at] != ' ' && text[at] != '\t' && text[at] != '#'; at++) {
			if (text[at] < 0x21 || text[at] > 0x7e)
				return "a byte that isn't printable ASCII";
			if (n == POLICY_PATH - 1)
				return "a value of more than 255 bytes";
			l->word[l->n][n++] = text[at];
		}
		l->word[l->n++][n] = '\0';
	}
	return NULL;
}

// The first line with a list keyword replaces the default list; later ones add to it.
static void forget_default(struct policy *p, const struct keyword *k)
{
	if (k->read == read_prefix)
		memset(&p->net.prefixes, 0, sizeof(p->net.prefixes));
	else if (k->read == read_bridge)
		memset(&p->net.bridges, 0, sizeof(p->net.bridges));
}

static const char *line_read(struct policy *p, const struct line *l, bool *seen)
{
	size_t k = 0;

	while (k < KEYWORDS && strcmp(keywords[k].name, l->word[0]) != 0)
		k++;
	if (k == KEYWORDS)
		return "unknown keyword";
	if (l->n - 1 < keywords[k].min)
		return "a value is missing";
	if (l->n - 1 > keywords[k].max)
		return "too many values";
	if (seen[k] && !keywords[k].again)
		return "given twice";
	if (!seen[k])
		forget_default(p, &keywords[k]);
	seen[k] = true;
	return keywords[k].read((char *)p + keywords[k].at, l);
}

bool policy_parse(struct policy *p, const char *text, size_t len, struct policy_error *err)
{
	static struct line l;
	bool seen[KEYWORDS] = {false};

	policy_default(p);
	p->ids.daemon_gid = 0;
	err->line = 0;
	for (size_t at = 0; at < len;) {
		const char *nl = memchr(text + at, '\n', len - at);
		size_t n = nl == NULL ? len - at : (size_t)(nl - (text + at));

		err->line++;
		err->what = split(&l, text + at, n);
		if (err->what == NULL && l.n > 0)
			err->what = line_read(p, &l, seen);
		if (err->what != NULL)
			return false;
		at += n + 1;
	}
	if (p->ids.daemon_gid == 0)
		p->ids.daemon_gid = p->ids.daemon_uid;
	err->line = 0;
	err->what = whole(p);
	return err->what == NULL;
}
