// Reads passwd(5) and group(5) line by line through a small buffer.  See users.h.
#include "guest-init/users.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "guest-init/text.h"

#define LINE_CAP 4096 // a longer line is passed over
#define FIELDS   7

// Calls take with the fields of each line until it returns false.
static void each_line(const char *path, bool (*take)(void *ctx, char **fields, size_t n), void *ctx)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	char buf[LINE_CAP];
	size_t len = 0;
	ssize_t n;
	bool skip = false;

	if (fd < 0)
		return;
	while ((n = read(fd, buf + len, sizeof(buf) - len)) > 0) {
		char *line = buf;
		char *nl;

		len += (size_t)n;
		while ((nl = memchr(line, '\n', (size_t)(buf + len - line))) != NULL) {
			char *fields[FIELDS];
			size_t count = 0;

			*nl = '\0';
			for (char *p = line; p != NULL && count < FIELDS; count++) {
				fields[count] = p;
				p = strchr(p, ':');
				if (p != NULL)
					*p++ = '\0';
			}
			if (!skip && !take(ctx, fields, count))
				goto out;
			skip = false;
			line = nl + 1;
		}
		len = (size_t)(buf + len - line);
		memmove(buf, line, len);
		if (len == sizeof(buf)) {
			len = 0;
			skip = true;
		}
	}
out:
	close(fd);
}

static bool id_of(const char *s, uint32_t *id)
{
	uint64_t n;

	if (!text_number(s, UINT32_MAX - 1, &n)) // -1 means "leave it" to setuid's family
		return false;
	*id = (uint32_t)n;
	return true;
}

struct search {
	const char *name; // or NULL: by u->uid
	struct user *u;
	bool found;
};

static bool take_passwd(void *ctx, char **f, size_t n)
{
	struct search *s = ctx;
	uint32_t uid;
	uint32_t gid;

	if (n < 6 || !id_of(f[2], &uid) || !id_of(f[3], &gid))
		return true;
	if (s->name != NULL ? strcmp(f[0], s->name) != 0 : uid != s->u->uid)
		return true;
	s->u->uid = uid;
	s->u->gid = gid;
	(void)text_join(s->u->name, sizeof(s->u->name), f[0], NULL, NULL);
	if (f[5][0] == '/')
		(void)text_join(s->u->home, sizeof(s->u->home), f[5], NULL, NULL);
	s->found = true;
	return false;
}

// True if name is one of the words of a comma-separated list.
static bool listed(const char *list, const char *name)
{
	size_t n = strlen(name);

	for (const char *p = list; p != NULL && *p != '\0';) {
		const char *comma = strchr(p, ',');
		size_t len = comma != NULL ? (size_t)(comma - p) : strlen(p);

		if (len == n && memcmp(p, name, n) == 0)
			return true;
		p = comma != NULL ? comma + 1 : NULL;
	}
	return false;
}

static bool take_group(void *ctx, char **f, size_t n)
{
	struct user *u = ctx;
	uint32_t gid;

	if (n >= 4 && id_of(f[2], &gid) && gid != u->gid && listed(f[3], u->name))
		u->groups[u->ngroups++] = gid;
	return u->ngroups < USER_GROUPS;
}

static bool lookup(const char *name, uid_t uid, struct user *u)
{
	struct search s = {.name = name, .u = u};

	*u = (struct user){.uid = uid, .gid = uid, .home = "/"};
	each_line("/etc/passwd", take_passwd, &s);
	if (s.found)
		each_line("/etc/group", take_group, u);
	return s.found;
}

bool user_find(const char *name, struct user *u)
{
	uint32_t uid;

	if (lookup(name, 0, u))
		return true;
	if (!id_of(name, &uid))
		return false;
	user_by_uid(uid, u);
	return true;
}

void user_by_uid(uid_t uid, struct user *u)
{
	(void)lookup(NULL, uid, u);
}
