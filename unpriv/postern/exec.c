// postern exec; see exec.h.
#include "unpriv/postern/exec.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "unpriv/postern/report.h"
#include "unpriv/postern/session.h"
#include "unpriv/postern/signals.h"
#include "unpriv/postern/tty.h"

#define EXEC_ENDPOINT "compute.vm.exec.endpoint"

static int add_env(struct exec_options *o, const char *pair)
{
	if (pair == NULL)
		return -1;
	if (strchr(pair, '=') == NULL || pair[0] == '=') {
		cli_say("--env: \"%s\" was given, NAME=value is expected", pair);
		return -1;
	}
	if (o->nenv == EXEC_ENV_MAX) {
		cli_say("--env: more than %d variables", EXEC_ENV_MAX);
		return -1;
	}
	o->env[o->nenv++] = (char *)pair;
	return 1;
}

int exec_option(struct exec_options *o, int argc, char **argv, int *i)
{
	const char *w = argv[*i];

	if (strcmp(w, "-e") == 0 || cli_is(w, "--env"))
		return add_env(o, cli_value(argc, argv, i));
	if (strcmp(w, "-w") == 0 || cli_is(w, "--workdir"))
		return (o->cwd = cli_value(argc, argv, i)) != NULL ? 1 : -1;
	if (strcmp(w, "-u") == 0 || cli_is(w, "--user"))
		return (o->user = cli_value(argc, argv, i)) != NULL ? 1 : -1;
	if (strcmp(w, "-i") == 0)
		o->read_terminal = true;
	else if (strcmp(w, "-t") == 0)
		o->tty = true;
	else if (strcmp(w, "-T") == 0)
		o->no_tty = true;
	else if (strcmp(w, "-it") == 0 || strcmp(w, "-ti") == 0)
		o->read_terminal = o->tty = true;
	else
		return 0;
	return 1;
}

// Connects to the endpoint that the daemon hands out.  Returns the socket, or -1 with the exit code in *rc after a message.
static int open_endpoint(struct cli *cli, struct client *c, const char *vm, int *rc)
{
	struct reply r;
	const char *path;
	int sock;

	client_call(c, cli->socket, EXEC_ENDPOINT, json_pack("{s:s}", "id", vm), &r);
	*rc = report_failure(cli, EXEC_ENDPOINT, &r);
	if (*rc != CLI_OK)
		return -1;
	path = json_string_value(json_object_get(r.result, "path"));
	sock = path != NULL ? unix_connect(path) : -1;
	if (sock < 0) {
		cli_say("exec endpoint of %s: %s", vm, path != NULL ? strerror(errno) : "the answer has no path");
		*rc = errno == EACCES ? CLI_NOT_ALLOWED : CLI_FAILED;
	}
	reply_clear(&r);
	return sock;
}

// Standard input is read unless it is a terminal that the command doesn't get: somebody else may want what is typed there.
static int input_of(const struct exec_options *o, bool tty)
{
	return tty || o->read_terminal || !isatty(STDIN_FILENO) ? STDIN_FILENO : -1;
}

static int tell_end(const struct session_end *end)
{
	if (end->ended && end->truncated)
		cli_say("the command's output was cut off: something it started still held it open");
	if (end->ended)
		return end->code;
	fputs("postern: exec: ", stderr);
	report_text(stderr, end->why, true);
	fputc('\n', stderr);
	return CLI_FAILED;
}

int exec_in_vm(struct cli *cli, struct client *c, int signal_fd, const char *vm, const struct exec_options *o)
{
	bool tty = !o->no_tty && (o->tty || (isatty(STDIN_FILENO) && isatty(STDOUT_FILENO)));
	struct session_ask ask = {
	    .argv = o->argv,
	    .env = o->env,
	    .cwd = o->cwd,
	    .user = o->user,
	    .tty = tty,
	    .in_fd = input_of(o, tty),
	    .out_fd = STDOUT_FILENO,
	    .err_fd = STDERR_FILENO,
	};
	struct session_end end;
	int rc, sock = open_endpoint(cli, c, vm, &rc);

	if (sock < 0)
		return rc;
	if (tty)
		signals_watch_size(signal_fd);
	if (tty && isatty(STDIN_FILENO))
		(void)tty_raw(STDIN_FILENO);
	session_run(sock, signal_fd, &ask, &end);
	tty_restore();
	return tell_end(&end);
}

int verb_exec(struct cli *cli, int argc, char **argv)
{
	static struct exec_options o;
	const char *vm = NULL;
	struct client c;
	int i = 1, signal_fd, rc;

	for (; i < argc; i++) {
		int took = exec_option(&o, argc, argv, &i);

		if (took < 0)
			return CLI_USAGE;
		if (took == 1 || cli_option(cli, argc, argv, &i))
			continue;
		if (strcmp(argv[i], "--") == 0 && vm != NULL) {
			i++;
			break;
		}
		if (argv[i][0] == '-')
			return cli_usage("%s: no such option; `postern help exec` shows them", argv[i]);
		if (vm != NULL)
			break;
		vm = argv[i];
	}
	if (cli->help)
		return CLI_OK;
	if (vm == NULL || i >= argc)
		return cli_usage("exec needs a VM and a command: postern exec VM -- CMD …");
	o.argv = argv + i;
	signal_fd = signals_open();
	client_init(&c, signal_fd);
	rc = exec_in_vm(cli, &c, signal_fd, vm, &o);
	client_close(&c);
	return rc;
}
