// See resolv.h.  As in the C library: a keyword begins its line, `domain` is a search list of one, of several search lists the last holds,
// options add up, and a name server's address ends at white space or a comment.
#include "unpriv/posternd/resolv.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "unpriv/posternd/list.h"

#define BLANKS   " \t\r"
#define MOST     65536
#define MAX_WORD 1025 // a name's longest form, with its NUL

static void add_words(struct list_str *l, const char *line, size_t most, struct arena *a)
{
	while (most-- > 0) {
		line += strspn(line, BLANKS);
		size_t len = strcspn(line, BLANKS);
		if (len == 0)
			return;
		list_add(l, arena_strndup(a, line, len < MAX_WORD ? len : MAX_WORD - 1), a);
		line += len;
	}
}

static void parse_line(char *line, struct arena *a, struct resolv *out)
{
	size_t len = strcspn(line, BLANKS);
	const char *rest = line + len;

	if (*rest == '\0')
		return;
	if (len == 10 && strncmp(line, "nameserver", len) == 0) {
		line[strcspn(line, ";#")] = '\0';
		add_words(&out->nameservers, rest, 1, a);
	} else if (len == 6 && (strncmp(line, "search", len) == 0 || strncmp(line, "domain", len) == 0)) {
		out->search.n = 0;
		add_words(&out->search, rest, line[0] == 'd' ? 1 : SIZE_MAX, a);
	} else if (len == 7 && strncmp(line, "options", len) == 0) {
		add_words(&out->options, rest, SIZE_MAX, a);
	}
}

void resolv_parse(const char *text, size_t len, struct arena *a, struct resolv *out)
{
	char *line = arena_strndup(a, text, len);

	memset(out, 0, sizeof(*out));
	for (char *next; line != NULL; line = next) {
		next = strchr(line, '\n');
		if (next != NULL)
			*next++ = '\0';
		parse_line(line, a, out);
	}
}

int resolv_read_fd(int fd, struct arena *a, struct resolv *out)
{
	char *text = arena_alloc(a, MOST);
	size_t len = 0;
	ssize_t n;

	while ((n = pread(fd, text + len, MOST - len, (off_t)len)) > 0)
		len += (size_t)n;
	int err = n < 0 ? errno : 0;
	resolv_parse(text, len, a, out);
	return err;
}

int resolv_read(const char *path, struct arena *a, struct resolv *out)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	memset(out, 0, sizeof(*out));
	if (fd < 0)
		return errno;
	int err = resolv_read_fd(fd, a, out);
	close(fd);
	return err;
}
