// postern console: a VM's serial line on this terminal.
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "unpriv/postern/report.h"
#include "unpriv/postern/signals.h"
#include "unpriv/postern/tty.h"

#define CONSOLE_ENDPOINT "compute.vm.console.endpoint"
#define ESCAPE           0x1d // ^]

static bool write_all(int fd, const char *p, size_t n)
{
	while (n > 0) {
		ssize_t done = write(fd, p, n);

		if (done < 0 && errno == EINTR)
			continue;
		if (done <= 0)
			return false;
		p += done;
		n -= (size_t)done;
	}
	return true;
}

// Passes on what is typed, up to the escape.  False: the end.
static bool pass_typed(int sock, bool terminal, int *in_fd)
{
	char bytes[4096];
	ssize_t n = read(*in_fd, bytes, sizeof(bytes));
	char *escape = n > 0 && terminal ? memchr(bytes, ESCAPE, (size_t)n) : NULL;

	if (n <= 0) {
		*in_fd = -1;
		return !terminal;
	}
	return write_all(sock, bytes, escape != NULL ? (size_t)(escape - bytes) : (size_t)n) && escape == NULL;
}

static bool pass_shown(int sock)
{
	char bytes[16384];
	ssize_t n = read(sock, bytes, sizeof(bytes));

	return n > 0 && write_all(STDOUT_FILENO, bytes, (size_t)n);
}

static void relay(int sock, int signal_fd, bool terminal)
{
	int in_fd = STDIN_FILENO;
	bool more = true;

	while (more) {
		struct pollfd p[3] = {{.fd = sock, .events = POLLIN}, {.fd = in_fd, .events = POLLIN}, {.fd = signal_fd, .events = POLLIN}};

		if (poll(p, 3, -1) < 0)
			continue;
		if (p[0].revents != 0)
			more = pass_shown(sock);
		if (more && p[1].revents != 0)
			more = pass_typed(sock, terminal, &in_fd);
		if (p[2].revents != 0)
			more = false;
	}
}

static int open_console(struct cli *cli, const char *vm, int *rc)
{
	struct client c;
	struct reply r;
	const char *path;
	int sock = -1;

	client_init(&c, -1);
	client_call(&c, cli->socket, CONSOLE_ENDPOINT, json_pack("{s:s}", "id", vm), &r);
	*rc = report_failure(cli, CONSOLE_ENDPOINT, &r);
	path = json_string_value(json_object_get(r.result, "path"));
	if (*rc == CLI_OK) {
		sock = path != NULL ? unix_connect(path) : -1;
		if (sock < 0) {
			cli_say("console of %s: %s", vm, path != NULL ? strerror(errno) : "the answer has no path");
			*rc = CLI_FAILED;
		}
	}
	reply_clear(&r);
	client_close(&c);
	return sock;
}

int verb_console(struct cli *cli, int argc, char **argv)
{
	bool terminal = isatty(STDIN_FILENO);
	const char *vm = NULL;
	int rc, sock;

	for (int i = 1; i < argc; i++) {
		if (cli_option(cli, argc, argv, &i))
			continue;
		if (vm != NULL || argv[i][0] == '-')
			return cli_usage("\"%s\": only a VM is expected", argv[i]);
		vm = argv[i];
	}
	if (cli->help)
		return CLI_OK;
	if (vm == NULL)
		return cli_usage("console needs a VM");
	sock = open_console(cli, vm, &rc);
	if (sock < 0)
		return rc;
	if (terminal) {
		fprintf(stderr, "Connected to %s; ^] ends this.\n", vm);
		(void)tty_raw(STDIN_FILENO);
	}
	relay(sock, signals_open(), terminal);
	tty_restore();
	if (terminal)
		fputc('\n', stderr);
	close(sock);
	return CLI_OK;
}
