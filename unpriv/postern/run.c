// postern run: a VM for one command.
//
//   create --(ok)--> start --(ok)--> exec --> remove        the exit code is the command's
//
// Whatever goes wrong, and whichever signal comes, once create has been asked for remove is asked for too (but for --keep).  During exec
// signals go to the command; before it they end the wait, and during remove they wait.
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "unpriv/postern/exec.h"
#include "unpriv/postern/report.h"
#include "unpriv/postern/signals.h"

#define REMOVE_TRIES    100
#define REMOVE_PAUSE_MS 100

struct run {
	struct cli *cli;
	struct client c;
	int signal_fd;
	char vm[16];
	bool keep;
	json_t *params; // of create
	struct exec_options exec;
};

static void choose_name(char name[16])
{
	uint32_t n = 0;

	if (getrandom(&n, sizeof(n), 0) != (ssize_t)sizeof(n))
		n = (uint32_t)getpid() ^ (uint32_t)time(NULL);
	snprintf(name, 16, "run-%08x", n);
}

static int put_number(json_t *params, const char *name, const char *option, const char *text)
{
	char *end;
	long n;

	if (text == NULL)
		return -1;
	n = strtol(text, &end, 10);
	if (n <= 0 || *end != '\0') {
		cli_say("%s: \"%s\" was given, a number above 0 is expected", option, text);
		return -1;
	}
	json_object_set_new(params, name, json_integer(n));
	return 1;
}

// The options that describe the VM.
static int run_option(struct run *r, int argc, char **argv, int *i)
{
	const char *w = argv[*i], *value;

	if (strcmp(w, "--keep") == 0) {
		r->keep = true;
		return 1;
	}
	if (cli_is(w, "--cpus"))
		return put_number(r->params, "vcpus", "--cpus", cli_value(argc, argv, i));
	if (cli_is(w, "--memory"))
		return put_number(r->params, "memory_mib", "--memory", cli_value(argc, argv, i));
	if (!cli_is(w, "--image") && !cli_is(w, "--kernel") && !cli_is(w, "--initramfs") && !cli_is(w, "--net"))
		return 0;
	value = cli_value(argc, argv, i);
	if (value == NULL)
		return -1;
	if (cli_is(w, "--image"))
		json_object_set_new(r->params, "disks", json_pack("[{s:s}]", "image", value));
	else if (cli_is(w, "--net"))
		json_object_set_new(r->params, "nets", json_pack("[{s:s}]", "bridge", value));
	else
		json_object_set_new(r->params, cli_is(w, "--kernel") ? "kernel" : "initramfs", json_string(value));
	return 1;
}

static int parse(struct run *r, int argc, char **argv)
{
	int i = 1;

	for (; i < argc && argv[i][0] == '-'; i++) {
		int took = run_option(r, argc, argv, &i);

		if (took == 0)
			took = exec_option(&r->exec, argc, argv, &i);
		if (took < 0)
			return CLI_USAGE;
		if (took > 0 || cli_option(r->cli, argc, argv, &i))
			continue;
		if (strcmp(argv[i], "--") != 0)
			return cli_usage("%s: no such option; `postern help run` shows them", argv[i]);
		i++;
		break;
	}
	if (i >= argc && !r->cli->help)
		return cli_usage("run needs a command: postern run -- CMD …");
	r->exec.argv = argv + i;
	return CLI_OK;
}

// A call before the command runs.  A signal ends it with 128 + its number.  *asked: the daemon may have done it.
static int step(struct run *r, const char *method, json_t *params, bool *asked)
{
	struct reply reply;
	int rc;

	client_call(&r->c, r->cli->socket, method, params, &reply);
	rc = report_failure(r->cli, method, &reply);
	if (reply.status == CALL_WOKEN)
		rc = 128 + signals_next(r->signal_fd);
	*asked = reply.status == CALL_OK || reply.status == CALL_WOKEN || reply.status == CALL_CUT;
	reply_clear(&reply);
	return rc;
}

// What a cancelled start left half done ends in its own time, so this is asked for until it is done.
static int remove_vm(struct run *r)
{
	static const struct timespec pause = {.tv_nsec = REMOVE_PAUSE_MS * 1000000L};
	struct client c;
	struct reply reply;
	int rc = CLI_OK;

	client_init(&c, -1);
	for (int i = 0; i < REMOVE_TRIES; i++) {
		const char *kind;
		bool again;

		client_call(&c, r->cli->socket, "compute.vm.remove", json_pack("{s:s, s:b}", "id", r->vm, "force", 1), &reply);
		kind = json_string_value(json_object_get(json_object_get(reply.error, "data"), "kind"));
		again = kind != NULL && (strcmp(kind, "busy") == 0 || strcmp(kind, "invalid_state") == 0 || strcmp(kind, "interrupted") == 0);
		again = again || reply.status == CALL_NO_DAEMON || reply.status == CALL_CUT;
		if (!again || i == REMOVE_TRIES - 1)
			rc = report_failure(r->cli, "compute.vm.remove", &reply);
		reply_clear(&reply);
		if (!again)
			break;
		nanosleep(&pause, NULL);
	}
	client_close(&c);
	return rc;
}

// From create to remove.  Returns the exit code.
static int live(struct run *r)
{
	bool made, started;
	int rc = step(r, "compute.vm.create", r->params, &made);

	if (rc == CLI_OK)
		rc = step(r, "compute.vm.start", json_pack("{s:s}", "id", r->vm), &started);
	if (rc == CLI_OK)
		rc = exec_in_vm(r->cli, &r->c, r->signal_fd, r->vm, &r->exec);
	client_close(&r->c);
	if (!made)
		return rc;
	if (r->keep)
		cli_say("%s is kept; to remove it: postern compute vm remove --id %s --force", r->vm, r->vm);
	else if (remove_vm(r) != CLI_OK && rc == CLI_OK)
		rc = CLI_FAILED;
	return rc;
}

int verb_run(struct cli *cli, int argc, char **argv)
{
	static struct run r;
	int rc;

	r.cli = cli;
	r.params = json_object();
	rc = parse(&r, argc, argv);
	if (rc != CLI_OK || cli->help) {
		json_decref(r.params);
		return rc;
	}
	choose_name(r.vm);
	json_object_set_new(r.params, "name", json_string(r.vm));
	r.signal_fd = signals_open();
	client_init(&r.c, r.signal_fd);
	return live(&r);
}
