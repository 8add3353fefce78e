// Words of the kernel command line; double quotes keep spaces together, as in the kernel's own next_arg().
#include "guest-init/cmdline.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "guest-init/text.h"

static char line[4096]; // COMMAND_LINE_SIZE is 2048 on x86 and arm64; words end with NUL here
static size_t line_len;

static void cut_words(void)
{
	bool quoted = false;
	size_t to = 0;

	for (size_t i = 0; line[i] != '\0'; i++) {
		if (line[i] == '"')
			quoted = !quoted;
		else
			line[to++] = !quoted && (line[i] == ' ' || line[i] == '\n' || line[i] == '\t') ? '\0' : line[i];
	}
	line[to] = '\0';
	line_len = to;
}

void cmdline_read(void)
{
	(void)file_read("/proc/cmdline", line, sizeof(line));
	cut_words();
}

void cmdline_set(const char *text)
{
	struct text t = text_over(line, sizeof(line));

	text_add(&t, text);
	cut_words();
}

const char *cmdline_get(const char *key, unsigned nth)
{
	size_t n = strlen(key);

	for (size_t at = 0; at < line_len; at += strlen(line + at) + 1) {
		const char *word = line + at;

		if (strncmp(word, key, n) != 0 || (word[n] != '=' && word[n] != '\0'))
			continue;
		if (nth-- == 0)
			return word[n] == '=' ? word + n + 1 : "";
	}
	return NULL;
}

const char *cmdline_last(const char *key)
{
	const char *value = NULL;
	const char *next;

	for (unsigned i = 0; (next = cmdline_get(key, i)) != NULL; i++)
		value = next;
	return value;
}
