// posternd: the daemon. Reads its flags; is the parent, or with --worker in front of them (which only
// the parent gives, together with its end of the control line) the worker.
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "unpriv/posternd/mem.h"
#include "unpriv/posternd/parent.h"
#include "unpriv/posternd/worker.h"

#define WORKER_FLAG "--worker"
enum { EXIT_USAGE = 2 };

static const char usage[] = "usage: posternd [--config FILE] [--acl FILE] [--state-dir DIR] [--socket PATH] [-v]\n"
                            "       posternd --version | --help\n"
                            "  --config FILE     configuration (/etc/postern/postern.toml)\n"
                            "  --acl FILE        access list (/etc/postern/acl.toml)\n"
                            "  --state-dir DIR   durable state (/var/lib/postern)\n"
                            "  --socket PATH     socket to listen on (/run/postern/rpc.sock)\n"
                            "  -v, --verbose     log at level debug\n";

// Returns -1 to go on, else the exit code.
static int read_flags(int argc, char **argv, struct flags *f)
{
	static const struct option options[] = {
	    {"config", required_argument, NULL, 'c'},
	    {"acl", required_argument, NULL, 'a'},
	    {"state-dir", required_argument, NULL, 's'},
	    {"socket", required_argument, NULL, 'l'},
	    {"verbose", no_argument, NULL, 'v'},
	    {"version", no_argument, NULL, 'V'},
	    {"help", no_argument, NULL, 'h'},
	    {NULL, 0, NULL, 0},
	};
	int c;
	while ((c = getopt_long(argc, argv, "vh", options, NULL)) != -1) {
		switch (c) {
		case 'c': f->config = optarg; break;
		case 'a': f->acl = optarg; break;
		case 's': f->state_dir = optarg; break;
		case 'l': f->socket = optarg; break;
		case 'v': f->verbose = true; break;
		case 'V': puts("posternd " POSTERN_VERSION); return 0;
		case 'h': fputs(usage, stdout); return 0;
		default: fputs(usage, stderr); return EXIT_USAGE;
		}
	}
	if (optind == argc)
		return -1;
	fputs(usage, stderr);
	return EXIT_USAGE;
}

// argv with WORKER_FLAG put in front of the arguments.
static char **worker_argv(int argc, char **argv)
{
	static char flag[] = WORKER_FLAG;
	char **v = xcalloc((size_t)argc + 2, sizeof *v);
	v[0] = argv[0];
	v[1] = flag;
	memcpy(v + 2, argv + 1, (size_t)argc * sizeof *v);
	return v;
}

int main(int argc, char **argv)
{
	struct flags flags = {0};
	bool is_worker = argc > 1 && strcmp(argv[1], WORKER_FLAG) == 0;
	log_init("posternd", LEVEL_INFO);
	if (is_worker) {
		argc--;
		argv++;
	}
	int code = read_flags(argc, argv, &flags);
	if (code >= 0)
		return code;
	if (geteuid() == 0 || getuid() == 0) {
		log_error("posternd runs as a user of its own, never as root", NULL);
		return EXIT_USAGE;
	}
	if (flags.verbose)
		log_set_level(LEVEL_DEBUG);
	return is_worker ? worker_run(&flags) : parent_run(worker_argv(argc, argv));
}
