// The common options and messages; see cli.h.
#include "unpriv/postern/cli.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

bool cli_is(const char *word, const char *name)
{
	size_t n = strlen(name);

	return strncmp(word, name, n) == 0 && (word[n] == '\0' || word[n] == '=');
}

const char *cli_value(int argc, char *const *argv, int *i)
{
	const char *eq = strncmp(argv[*i], "--", 2) == 0 ? strchr(argv[*i], '=') : NULL;

	if (eq != NULL)
		return eq + 1;
	if (*i + 1 < argc)
		return argv[++*i];
	cli_say("%s needs a value", argv[*i]);
	return NULL;
}

bool cli_option(struct cli *cli, int argc, char *const *argv, int *i)
{
	const char *word = argv[*i];

	if (strcmp(word, "--json") == 0)
		cli->json = cli->json_asked = true;
	else if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0)
		cli->help = true;
	else if (strncmp(word, "--socket=", 9) == 0)
		cli->socket = word + 9;
	else if (strcmp(word, "--socket") == 0 && *i + 1 < argc)
		cli->socket = argv[++*i];
	else
		return false;
	return true;
}

static void say(const char *fmt, va_list ap)
{
	fflush(stdout);
	fputs("postern: ", stderr);
	vfprintf(stderr, fmt, ap);
	fputc('\n', stderr);
}

void cli_say(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	say(fmt, ap);
	va_end(ap);
}

int cli_usage(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	say(fmt, ap);
	va_end(ap);
	return CLI_USAGE;
}
