// postern: the command line.
//
// A synchronous client.  The first words choose what to do: one of the few verbs below, or a method of the rows, whose words they then
// are.  Nothing here knows a method by name, except for the verbs that put several calls together (run, exec, console, events, logs).
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "unpriv/postern/cli.h"
#include "unpriv/postern/help.h"
#include "unpriv/postern/method.h"
#include "unpriv/postern/verbs.h"

const struct cli_verb cli_verbs[] = {
#define VERB(name, synopsis, doc) {#name, verb_##name, synopsis, doc},
#include "unpriv/postern/cli.def"
    {NULL, NULL, NULL, NULL},
};

static bool wants_colour(int fd)
{
	const char *no = getenv("NO_COLOR"), *term = getenv("TERM");

	return isatty(fd) && (no == NULL || *no == '\0') && term != NULL && strcmp(term, "dumb") != 0;
}

// No method has this name: say what begins like it.
static int unknown(int argc, char **argv)
{
	char prefix[128];

	snprintf(prefix, sizeof(prefix), "%s", argv[0]);
	for (int i = 1; i < argc && argv[i][0] != '-' && strlen(prefix) + strlen(argv[i]) + 2 < sizeof(prefix); i++) {
		size_t n = strlen(prefix);

		snprintf(prefix + n, sizeof(prefix) - n, ".%s", argv[i]);
	}
	(void)cli_usage("no verb or method \"%s\"; `postern help` shows the verbs, `postern help methods` the methods", argv[0]);
	while (help_methods(stderr, prefix) == 0) {
		char *dot = strrchr(prefix, '.');

		if (dot == NULL)
			break;
		*dot = '\0';
	}
	return CLI_USAGE;
}

static int dispatch(struct cli *cli, int argc, char **argv)
{
	const struct rpc_method *m;
	int words, rc;

	for (const struct cli_verb *v = cli_verbs; v->name != NULL; v++) {
		if (strcmp(v->name, argv[0]) != 0)
			continue;
		rc = v->run(cli, argc, argv);
		if (rc == CLI_OK && cli->help)
			help_verb(stdout, v);
		return rc;
	}
	words = verb_find(argc, argv, &m);
	if (words > 0)
		return method_verb(cli, m, argc - words, argv + words);
	return unknown(argc, argv);
}

// A standard descriptor that the caller has closed would else become the first thing opened here.
static bool fill_standard_descriptors(void)
{
	int fd;

	do
		fd = open("/dev/null", O_RDWR);
	while (fd >= 0 && fd <= STDERR_FILENO);
	return fd >= 0 && close(fd) == 0;
}

int main(int argc, char **argv)
{
	struct cli cli = {
	    .json = !isatty(STDOUT_FILENO),
	    .colour = wants_colour(STDOUT_FILENO),
	    .err_colour = wants_colour(STDERR_FILENO),
	};
	int i = 1, rc;

	if (!fill_standard_descriptors())
		return CLI_FAILED;
	for (; i < argc && argv[i][0] == '-'; i++) {
		if (strcmp(argv[i], "--version") == 0) {
			puts("postern " POSTERN_VERSION);
			return CLI_OK;
		}
		if (!cli_option(&cli, argc, argv, &i))
			return cli_usage("%s: no such option; --help shows them", argv[i]);
	}
	if (i == argc && !cli.help) {
		help_overview(stderr);
		return CLI_USAGE;
	}
	if (i == argc) {
		help_overview(stdout);
		return CLI_OK;
	}
	rc = dispatch(&cli, argc - i, argv + i);
	if (fflush(stdout) != 0 || ferror(stdout)) {
		cli_say("standard output: write failed");
		return rc != CLI_OK ? rc : CLI_FAILED;
	}
	return rc;
}
