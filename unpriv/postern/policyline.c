// See policyline.h.
#include "unpriv/postern/policyline.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

// The value in a line, in place; NULL when the line is about something else.
static char *value_of(char *line, const char *keyword)
{
	size_t n = strlen(keyword);
	char *value, *end;

	line += strspn(line, " \t");
	if (strncmp(line, keyword, n) != 0 || (line[n] != ' ' && line[n] != '\t'))
		return NULL;
	value = line + n + strspn(line + n, " \t");
	value[strcspn(value, "#\n")] = '\0';
	end = value + strlen(value);
	while (end > value && isspace((unsigned char)end[-1]))
		*--end = '\0';
	return *value != '\0' ? value : NULL;
}

bool policy_value_n(const char *keyword, unsigned n, char *out, size_t size)
{
	FILE *f = fopen(POLICY_FILE, "re");
	char line[1024];
	bool found = false;

	if (f == NULL)
		return false;
	errno = 0;
	while (!found && fgets(line, sizeof(line), f) != NULL) {
		const char *value = value_of(line, keyword);

		if (value != NULL && n-- == 0)
			found = (size_t)snprintf(out, size, "%s", value) < size;
	}
	fclose(f);
	return found;
}

bool policy_value(const char *keyword, char *out, size_t size)
{
	return policy_value_n(keyword, 0, out, size);
}
