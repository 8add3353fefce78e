// See lease_seen.h.
//
// Each program's place is a directory, a pattern for its files' names, and the reader of their text.  Places and files have bounds, so that whoever
// can write there can't hold the daemon up: 64 files a directory, 64 KiB a file.
#include "unpriv/posternd/lease_seen.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define FILES_MAX  64
#define FILE_MAX   65536
#define LEASES_MAX 64

struct search {
	const struct net_view *view;
	struct arena *a;
	struct lease_list *out;
	const struct place *place;
	const char *source; // the file being read
	int64_t written;    // when it was
};

// Where a program keeps leases.  read gets the file's text (n bytes, and a NUL) and its name.
struct place {
	enum rpc_lease_manager manager;
	const char *directory;
	const char *suffix; // of the files' names
	void (*read)(struct search *s, const char *name, const uint8_t *text, size_t n);
};

// ---- what is believed ----

static bool has_address(const struct search *s, const struct rtnl_link *l, uint8_t family, const uint8_t *addr)
{
	for (size_t i = 0; l != NULL && i < s->view->addrs.n; i++) {
		const struct rtnl_addr *r = &s->view->addrs.v[i];
		if (r->index == l->index && r->family == family && memcmp(r->addr, addr, family == AF_INET ? 4 : 16) == 0)
			return true;
	}
	return false;
}

static bool believed(const struct search *s, const struct lease_seen *l)
{
	const struct rtnl_link *link = net_view_link(s->view, l->interface);
	uint32_t a = l->v4.address;
	const uint8_t four[4] = {(uint8_t)(a >> 24), (uint8_t)(a >> 16), (uint8_t)(a >> 8), (uint8_t)a};

	if (link == NULL || (l->expires_unix != 0 && l->expires_unix <= (int64_t)time(NULL)))
		return false;
	if (!l->six)
		return has_address(s, link, AF_INET, four);
	for (unsigned i = 0; i < l->v6.n_addresses; i++)
		if (has_address(s, link, AF_INET6, l->v6.addresses[i].addr))
			return true;
	return l->v6.n_prefixes > 0;
}

// The last one of a manager, interface and family holds.
static void take(const struct lease_seen *l, void *arg)
{
	struct search *s = arg;
	struct lease_list *out = s->out;
	size_t i = 0;

	while (i < out->n &&
	       (out->v[i].manager != s->place->manager || out->v[i].seen.six != l->six || strcmp(out->v[i].seen.interface, l->interface) != 0))
		i++;
	if (!believed(s, l) || i == LEASES_MAX)
		return;
	out->v[i] = (struct lease_found){.seen = *l, .manager = s->place->manager, .source = s->source};
	out->n += i == out->n;
}

// ---- readers of one file each ----

static void written_then(const struct search *s, struct lease_seen *l)
{
	uint32_t secs = l->six ? l->v6.secs : l->v4.secs;

	l->obtained_unix = s->written;
	if (secs != 0 && secs != UINT32_MAX)
		l->expires_unix = s->written + secs;
}

static void copy_interface(struct lease_seen *l, const char *name, size_t n)
{
	if (n > 0 && n < sizeof(l->interface)) {
		memcpy(l->interface, name, n);
		l->interface[n] = '\0';
	}
}

// The file's name is the link's index.  networkd rewrites it with each renewal, so its age says when the lease was given.
static void read_networkd(struct search *s, const char *name, const uint8_t *text, size_t n)
{
	const struct rtnl_link *link = net_view_index(s->view, atoi(name));
	struct lease_seen l;

	(void)n;
	if (link == NULL || !lease_text_pairs((const char *)text, &l))
		return;
	copy_interface(&l, link->name, strlen(link->name));
	written_then(s, &l);
	take(&l, s);
}

// "internal-<uuid>-<interface>.lease".
#define UUID 36
static void read_networkmanager(struct search *s, const char *name, const uint8_t *text, size_t n)
{
	const char *interface = strchr(name, '-');
	struct lease_seen l;

	(void)n;
	if (interface == NULL || strlen(interface) < UUID + 2 + sizeof(".lease") - 1 || !lease_text_pairs((const char *)text, &l))
		return;
	interface += 1 + UUID + 1;
	copy_interface(&l, interface, strlen(interface) - (sizeof(".lease") - 1));
	written_then(s, &l);
	take(&l, s);
}

static void read_dhclient(struct search *s, const char *name, const uint8_t *text, size_t n)
{
	(void)name;
	(void)n;
	lease_text_dhclient((const char *)text, take, s);
}

// The server's message as it came; "<interface>.lease", "<interface>-<wireless network>.lease".
static void read_dhcpcd4(struct search *s, const char *name, const uint8_t *text, size_t n)
{
	struct lease_seen l = {0};
	struct dhcp4_msg m;

	if (!dhcp4_parse(text, n, &m) || !m.whole)
		return;
	copy_interface(&l, name, strcspn(name, "-.")); // a name with a dot in it isn't found, and so not believed
	l.v4 = m.lease;
	written_then(s, &l);
	take(&l, s);
}

static void read_dhcpcd6(struct search *s, const char *name, const uint8_t *text, size_t n)
{
	struct lease_seen l = {.six = true};
	struct dhcp6_msg m;

	if (!dhcp6_parse(text, n, &m))
		return;
	copy_interface(&l, name, strcspn(name, "-."));
	l.v6 = m.lease;
	written_then(s, &l);
	take(&l, s);
}

static const struct place places[] = {
    {lease_manager_networkd, "/run/systemd/netif/leases", "", read_networkd},
    {lease_manager_networkmanager, "/var/lib/NetworkManager", ".lease", read_networkmanager},
    {lease_manager_dhclient, "/var/lib/dhcp", ".leases", read_dhclient},
    {lease_manager_dhcpcd, "/var/lib/dhcpcd", ".lease", read_dhcpcd4},
    {lease_manager_dhcpcd, "/var/lib/dhcpcd", ".lease6", read_dhcpcd6},
};

// ---- files ----

static void note_unreadable(struct search *s, const char *source, int err)
{
	struct list_unreadable *l = &s->out->unreadable;

	if (err == ENOENT || l->n == LEASES_MAX)
		return;
	for (size_t i = 0; i < l->n; i++)
		if (strcmp(l->v[i].source, source) == 0)
			return;
	l->v[l->n++] = (struct obj_unreadable){
	    .source = source,
	    .manager = (int)s->place->manager,
	    .hint = arena_printf(s->a, "%s: let posternd's user read it, and start posternd again where the directory is newer than that.",
	                         strerror(err)),
	};
}

static void read_file(struct search *s, int dir, const char *name)
{
	static uint8_t text[FILE_MAX + 1];
	int fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	size_t len = 0;
	ssize_t n = 0;
	struct stat st;

	s->source = arena_printf(s->a, "%s/%s", s->place->directory, name);
	if (fd < 0 || fstat(fd, &st) != 0) {
		note_unreadable(s, s->source, errno);
		if (fd >= 0)
			close(fd);
		return;
	}
	while (S_ISREG(st.st_mode) && len < FILE_MAX && (n = read(fd, text + len, FILE_MAX - len)) > 0)
		len += (size_t)n;
	close(fd);
	text[len] = '\0';
	s->written = st.st_mtim.tv_sec;
	if (len > 0 && len < FILE_MAX)
		s->place->read(s, name, text, len);
}

static bool has_suffix(const char *name, const char *suffix)
{
	size_t n = strlen(name), m = strlen(suffix);

	return name[0] != '.' && n > m && strcmp(name + n - m, suffix) == 0;
}

static void read_place(struct search *s)
{
	int fd = open(s->place->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *e;

	if (d == NULL) {
		note_unreadable(s, s->place->directory, errno);
		if (fd >= 0)
			close(fd);
		return;
	}
	for (unsigned i = 0; i < FILES_MAX && (e = readdir(d)) != NULL; i++)
		if (has_suffix(e->d_name, s->place->suffix))
			read_file(s, fd, e->d_name);
	closedir(d);
}

static int by_interface(const void *x, const void *y)
{
	const struct lease_found *a = x, *b = y;
	int order = strcmp(a->seen.interface, b->seen.interface);

	return order != 0 ? order : (int)a->manager - (int)b->manager;
}

void lease_seen_read(const struct net_view *view, struct arena *a, struct lease_list *out)
{
	struct search s = {.view = view, .a = a, .out = out};

	*out = (struct lease_list){.v = arena_alloc(a, LEASES_MAX * sizeof(*out->v))};
	out->unreadable.v = arena_alloc(a, LEASES_MAX * sizeof(*out->unreadable.v));
	for (size_t i = 0; i < sizeof(places) / sizeof(*places); i++) {
		s.place = &places[i];
		read_place(&s);
	}
	qsort(out->v, out->n, sizeof(*out->v), by_interface);
}
