// /proc/self/mountinfo, for the one question whether exactly this is mounted already. Fields: proc(5). Names are compared as the kernel escapes them;
// the sources that policy lists have nothing to escape.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "helper/vol/sys.h"
#include "helper/vol/vol.h"

static bool copy(char *to, size_t size, const char *from)
{
	return from && (size_t)snprintf(to, size, "%s", from) < size;
}

bool mountinfo_line(char *line, uint64_t id, struct vol_mount *found)
{
	char *rest = line, *field, *options = NULL;

	if (strtoull(line, NULL, 10) != id)
		return false;
	for (int i = 0; (field = strsep(&rest, " ")) && strcmp(field, "-") != 0; i++)
		if (i == 5)
			options = field;
	char *fstype = strsep(&rest, " ");
	return copy(found->fstype, sizeof found->fstype, fstype) && copy(found->source, sizeof found->source, strsep(&rest, " ")) &&
	       copy(found->options, sizeof found->options, options);
}

int mountinfo_find(int fd, uint64_t id, struct vol_mount *found)
{
	static char text[8192]; // longer than any line: two paths of at most 4,096 bytes don't occur below the mount root
	size_t used = 0;
	ssize_t got;

	while ((got = sys_read(fd, text + used, sizeof text - 1 - used)) > 0) {
		char *line = text, *end;
		used += (size_t)got;
		text[used] = '\0';
		for (; (end = strchr(line, '\n')); line = end + 1) {
			*end = '\0';
			if (mountinfo_line(line, id, found))
				return 1;
		}
		used = strlen(line);
		memmove(text, line, used);
		if (used == sizeof text - 1)
			used = 0;
	}
	return (int)got;
}
