// See help.h.
#include "unpriv/postern/help.h"

#include <string.h>

#include "unpriv/postern/cli.h"
#include "unpriv/postern/verbs.h"

static void print_fields(FILE *out, const char *title, const struct rpc_field *f, size_t n, const char *dashes)
{
	if (n == 0)
		return;
	fprintf(out, "\n%s:\n", title);
	for (size_t i = 0; i < n; i++) {
		fprintf(out, "  %s%-*s %s%s\n  %*s (", dashes, 18, f[i].name, *dashes != '\0' && f[i].need == RPC_REQ ? "required: " : "", f[i].doc,
		        18 + (int)strlen(dashes), "");
		verb_kind(out, &f[i]);
		fputs(")\n", out);
	}
}

void help_method(FILE *out, const struct rpc_method *m)
{
	struct rpc_field f[VERB_FIELDS_MAX];
	size_t n = verb_params(m, f);

	fprintf(out, "%s  %s\nRight: %s\n\nUsage: postern ", m->name, m->doc, verb_right(m->right));
	verb_words(out, m);
	fputs(n > 0 ? " [OPTIONS]\n" : "\n", out);
	print_fields(out, "Options", f, n, "--");
	n = verb_results(m, f);
	print_fields(out, "Answer", f, n, "");
	fputs("\nExample:\n  ", out);
	verb_example_line(out, m);
	fputc('\n', out);
}

size_t help_methods(FILE *out, const char *prefix)
{
	size_t n = 0;

	for (size_t i = 0; i < RPC_COUNT; i++) {
		const struct rpc_method *m = &rpc_methods[i];

		if (strncmp(m->name, prefix, strlen(prefix)) != 0)
			continue;
		fprintf(out, "  %-30s %-6s %s\n", m->name, verb_right(m->right), m->doc);
		n++;
	}
	return n;
}

void help_verb(FILE *out, const struct cli_verb *v)
{
	fprintf(out, "postern %s%s%s\n\n%s\n", v->name, *v->synopsis != '\0' ? " " : "", v->synopsis, v->doc);
}

void help_overview(FILE *out)
{
	fputs("postern: network, storage and microVMs behind an unprivileged daemon\n\n"
	      "Usage: postern [--socket PATH] [--json] VERB …\n\nVerbs:\n",
	      out);
	for (const struct cli_verb *v = cli_verbs; v->name != NULL; v++)
		fprintf(out, "  %-9s %.*s\n", v->name, (int)strcspn(v->doc, "\n"), v->doc);
	fputs("  METHOD    calls a method, in words: postern net bridge add --name pt-br0\n\n"
	      "Options:\n"
	      "  --socket PATH  the daemon's socket; else $POSTERN_SOCKET, /run/postern/rpc.sock, $XDG_RUNTIME_DIR/postern/rpc.sock\n"
	      "  --json         answers (and errors) as JSON; answers are JSON anyhow when standard output is no terminal\n"
	      "  --help         help on a verb or method\n"
	      "  --version      version\n\n"
	      "`postern help methods` lists the methods; `postern METHOD --help` explains one.\n"
	      "Exit codes: 0 ok, 1 failed, 2 usage, 3 no daemon, 4 not allowed.\n",
	      out);
}

static const struct cli_verb *find_verb(const char *name)
{
	for (const struct cli_verb *v = cli_verbs; v->name != NULL; v++)
		if (strcmp(v->name, name) == 0)
			return v;
	return NULL;
}

int verb_help(struct cli *cli, int argc, char **argv)
{
	const struct rpc_method *m;
	const struct cli_verb *v;
	int at = 1;

	if (argc == 2 && cli_option(cli, argc, argv, &at))
		return CLI_OK;
	if (argc < 2) {
		help_overview(stdout);
		return CLI_OK;
	}
	if (strcmp(argv[1], "methods") == 0) {
		(void)help_methods(stdout, argc > 2 ? argv[2] : "");
		return CLI_OK;
	}
	v = find_verb(argv[1]);
	if (v != NULL) {
		help_verb(stdout, v);
		return CLI_OK;
	}
	if (verb_find(argc - 1, argv + 1, &m) == argc - 1) {
		help_method(stdout, m);
		return CLI_OK;
	}
	return cli_usage("no help on \"%s\": it is neither a verb nor a method", argv[1]);
}
