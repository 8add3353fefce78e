// Fields are parted by single spaces; space, tab, newline and backslash inside one are written \040, \011, \012, \134 (fs/proc_namespace.c).
#include "unpriv/posternd/mountinfo.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool octal(const char *p)
{
	return p[0] == '\\' && p[1] >= '0' && p[1] <= '3' && p[2] >= '0' && p[2] <= '7' && p[3] >= '0' && p[3] <= '7';
}

static const char *unescape(char *s)
{
	char *out = s;

	for (const char *p = s; *p != '\0'; out++) {
		if (octal(p)) {
			*out = (char)((p[1] - '0') * 64 + (p[2] - '0') * 8 + (p[3] - '0'));
			p += 4;
		} else
			*out = *p++;
	}
	*out = '\0';
	return s;
}

// The next field, or NULL at the line's end.
static char *field(char **at)
{
	char *start = *at;
	char *end;

	if (start == NULL || *start == '\0')
		return NULL;
	end = strchr(start, ' ');
	if (end != NULL)
		*end++ = '\0';
	*at = end;
	return start;
}

static struct words split(char *list, struct arena *a)
{
	struct words w = {0};
	size_t most = 1;

	for (const char *p = list; *p != '\0'; p++)
		most += *p == ',';
	w.v = arena_alloc(a, most * sizeof(*w.v));
	while (list != NULL) {
		char *next = strchr(list, ',');
		if (next != NULL)
			*next++ = '\0';
		w.v[w.n++] = unescape(list);
		list = next;
	}
	return w;
}

// The optional fields up to the lone "-".  False where that is missing.
static bool tags(char **at, struct arena *a, struct words *w)
{
	const char *v[16] = {0};
	char *f;

	w->n = 0;
	while ((f = field(at)) != NULL && strcmp(f, "-") != 0)
		if (w->n < sizeof(v) / sizeof(*v))
			v[w->n++] = f;
	w->v = arena_alloc(a, w->n * sizeof(*v) + 1);
	memcpy(w->v, v, w->n * sizeof(*v));
	return f != NULL;
}

static bool parse_line(char *line, struct arena *a, struct mountinfo *m)
{
	char *id = field(&line), *parent = field(&line), *device = field(&line), *root = field(&line), *target = field(&line);
	char *options = field(&line);

	if (options == NULL || !tags(&line, a, &m->tags))
		return false;
	char *fstype = field(&line), *source = field(&line), *super = field(&line);
	if (fstype == NULL || source == NULL)
		return false;
	m->id = strtol(id, NULL, 10);
	m->parent = strtol(parent, NULL, 10);
	m->device = device;
	m->root = unescape(root);
	m->target = unescape(target);
	m->options = split(options, a);
	m->fstype = unescape(fstype);
	m->source = unescape(source);
	m->super = super != NULL ? split(super, a) : (struct words){0};
	return true;
}

void mountinfo_parse(const char *text, size_t len, struct arena *a, struct mountinfos *out)
{
	char *copy = arena_strndup(a, text, len);
	size_t lines = 1;

	for (const char *p = copy; *p != '\0'; p++)
		lines += *p == '\n';
	out->n = 0;
	out->v = arena_alloc(a, lines * sizeof(*out->v));
	for (char *line = copy, *next; line != NULL && *line != '\0'; line = next) {
		next = strchr(line, '\n');
		if (next != NULL)
			*next++ = '\0';
		if (parse_line(line, a, &out->v[out->n]))
			out->n++;
	}
}

int mountinfo_read(struct arena *a, struct mountinfos *out)
{
	struct text t = {0};
	ssize_t n;
	int fd = open("/proc/self/mountinfo", O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return errno;
	do {
		text_grow(&t, 16384);
		n = read(fd, t.at + t.len, 16384);
		if (n > 0)
			t.len += (size_t)n;
	} while (n > 0);
	int err = n < 0 ? errno : 0;
	close(fd);
	mountinfo_parse(t.at, t.len, a, out);
	text_finish(&t);
	return err;
}

const struct mountinfo *mountinfo_at(const struct mountinfos *m, const char *target)
{
	// A later line lies on top of an earlier one.
	for (size_t i = m->n; i-- > 0;)
		if (strcmp(m->v[i].target, target) == 0)
			return &m->v[i];
	return NULL;
}
