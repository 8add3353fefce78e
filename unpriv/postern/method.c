// A method as a verb: options into parameters, one call, the answer as a table or as JSON.  See method.h.
#include "unpriv/postern/method.h"

#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "unpriv/postern/help.h"
#include "unpriv/postern/report.h"
#include "unpriv/postern/table.h"
#include "unpriv/postern/value.h"
#include "unpriv/postern/verbs.h"

static bool same_name(const char *name, const char *word, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (name[i] == '\0' || (word[i] == '-' ? '_' : word[i]) != name[i])
			return false;
	return name[len] == '\0';
}

static const struct rpc_field *find_field(const struct rpc_field *fields, size_t n, const char *word)
{
	size_t len = strcspn(word, "=");

	for (size_t i = 0; i < n; i++)
		if (same_name(fields[i].name, word, len))
			return &fields[i];
	return NULL;
}

// A flag may stand alone; everything else needs a value.
static int take_option(json_t *params, const struct rpc_field *f, int argc, char *const *argv, int *i)
{
	char why[256] = "";
	const char *word = argv[*i], *value = "true";

	if (rpc_kinds[f->kind].class != CLASS_FLAG || strchr(word, '=') != NULL)
		value = cli_value(argc, argv, i);
	if (value == NULL)
		return CLI_USAGE;
	if (value_put(params, f, value, why, sizeof(why)))
		return CLI_OK;
	return cli_usage("--%s: %s", f->name, why);
}

// A word without an option fills the first required parameter that has no value yet.
static int take_word(json_t *params, const struct rpc_field *fields, size_t n, const char *word)
{
	char why[256] = "";

	for (size_t i = 0; i < n; i++) {
		if (fields[i].need != RPC_REQ || json_object_get(params, fields[i].name) != NULL)
			continue;
		if (value_put(params, &fields[i], word, why, sizeof(why)))
			return CLI_OK;
		return cli_usage("%s: %s", fields[i].name, why);
	}
	return cli_usage("\"%s\": an option was expected; --help shows them", word);
}

// What follows "--" goes to the last list of texts, word by word.
static int take_rest(json_t *params, const struct rpc_field *fields, size_t n, int argc, char *const *argv)
{
	const struct rpc_field *list = NULL;
	char why[256] = "";

	for (size_t i = 0; i < n; i++)
		if (fields[i].list && fields[i].kind == KIND_str)
			list = &fields[i];
	if (list == NULL && argc > 0)
		return cli_usage("\"%s\": this method takes no command", argv[0]);
	for (int i = 0; i < argc; i++)
		if (!value_put(params, list, argv[i], why, sizeof(why)))
			return cli_usage("%s: %s", list->name, why);
	return CLI_OK;
}

int method_params(struct cli *cli, const struct rpc_method *m, int argc, char **argv, json_t *params)
{
	struct rpc_field fields[VERB_FIELDS_MAX];
	size_t n = verb_params(m, fields);
	int rc = CLI_OK;

	for (int i = 0; i < argc && rc == CLI_OK; i++) {
		const struct rpc_field *f;

		if (strcmp(argv[i], "--") == 0) {
			rc = take_rest(params, fields, n, argc - i - 1, argv + i + 1);
			break;
		}
		if (strncmp(argv[i], "--", 2) == 0 && (f = find_field(fields, n, argv[i] + 2)) != NULL)
			rc = take_option(params, f, argc, argv, &i);
		else if (!cli_option(cli, argc, argv, &i))
			rc = argv[i][0] == '-' ? cli_usage("%s: no such option; --help shows them", argv[i]) : take_word(params, fields, n, argv[i]);
	}
	for (size_t i = 0; i < n && rc == CLI_OK && !cli->help; i++)
		if (fields[i].need == RPC_REQ && json_object_get(params, fields[i].name) == NULL)
			rc = cli_usage("--%s is missing: %s; --help shows all", fields[i].name, fields[i].doc);
	return rc;
}

size_t method_width(void)
{
	struct winsize ws;

	return ioctl(STDOUT_FILENO, TIOCGWINSZ, &ws) == 0 && ws.ws_col > 0 ? ws.ws_col : 80;
}

int method_verb(struct cli *cli, const struct rpc_method *m, int argc, char **argv)
{
	json_t *params = json_object();
	struct client c;
	struct reply r = {0};
	int rc = method_params(cli, m, argc, argv, params);

	if (rc != CLI_OK || cli->help) {
		json_decref(params);
		if (rc == CLI_OK)
			help_method(stdout, m);
		return rc;
	}
	client_init(&c, -1);
	client_call(&c, cli->socket, m->name, params, &r);
	rc = report_failure(cli, m->name, &r);
	if (rc == CLI_OK && cli->json)
		report_json(stdout, r.result);
	else if (rc == CLI_OK)
		table_result(stdout, m, r.result, &(struct table_style){.width = method_width(), .colour = cli->colour});
	reply_clear(&r);
	client_close(&c);
	return rc;
}
