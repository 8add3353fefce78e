// postern: the command line.
//
// A synchronous client.  The first words choose what to do: one of the few verbs below, or a method of the rows, whose words they then
// are.  Nothing here knows a method by name, except for the verbs that put several calls together (run, exec, console, events, logs).
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "unpriv/postern/cli.h"
#include "unpriv/postern/help.h"
#include "unpriv/postern/method.h"
#include "unpriv/postern/verbs.h"

const struct cli_verb cli_verbs[] = {
	{"run", verb_run, "[--image I] [--kernel K] [--initramfs I] [--cpus N] [--memory MIB] [--net BRIDGE] [--keep] [-i] [-t] [-T] [-e N=V] [-w DIR] [-u USER] -- CMD …",
	 "Creates and starts a VM, runs a command in it, and removes it.\n\n"
	 "Without --image and --kernel the default bundle boots. The exit code is the command's. With --keep the VM stays\n"
	 "and its name is said on standard error. The other options are those of exec."},
	{"exec", verb_exec, "VM [-i] [-t] [-T] [-e NAME=VALUE] [-w DIR] [-u USER] -- CMD …",
	 "Runs a command in a VM, with its standard input, output and error here.\n\n"
	 "The command gets a pseudo-terminal when standard input and output are terminals (-t: always, -T: never).\n"
	 "-i reads standard input even if it is a terminal and the command has none. INT, TERM, HUP and QUIT go to the\n"
	 "command's process group; a third INT gives up. The exit code is the command's."},
	{"console", verb_console, "VM", "Connects to a VM's serial console; ^] ends it."},
	{"events", verb_events, "[VM] [-f]", "Shows the changes of state of all VMs or one; -f goes on showing new ones."},
	{"logs", verb_logs, "VM [-f] [--source serial|vmm] [--tail N]", "Shows a VM's log; -f goes on with what is added."},
	{"image", verb_image, "import NAME DIR|TAR | kernel DEB|DIR | default [DEB] | list | tag NAME NEW | remove NAME",
	 "Makes and manages images; `postern image --help` shows the options."},
	{"doctor", verb_doctor, "", "Checks this host, and says what is wrong and how to mend it."},
	{"call", verb_call, "METHOD [JSON]", "Calls a method with parameters as JSON, from the argument or from standard input."},
	{"help", verb_help, "[VERB | METHOD | methods [PREFIX]]", "Shows help."},
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

int main(int argc, char **argv)
{
	struct cli cli = {
		.json = !isatty(STDOUT_FILENO),
		.colour = wants_colour(STDOUT_FILENO),
		.err_colour = wants_colour(STDERR_FILENO),
	};
	int i = 1, rc;

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
