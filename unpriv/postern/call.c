// postern call METHOD [JSON]: any method, with its parameters as JSON.
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "unpriv/postern/report.h"

// Parameters: an argument, or what standard input holds when it is no terminal; nothing at all is no parameters.
static int read_params(const char *text, json_t **params)
{
	json_error_t err = {0};

	*params = NULL;
	if (text != NULL && strcmp(text, "-") != 0) {
		*params = json_loads(text, JSON_REJECT_DUPLICATES, &err);
	} else if (text != NULL || !isatty(STDIN_FILENO)) {
		int c = getchar();

		while (c == ' ' || c == '\n' || c == '\t' || c == '\r')
			c = getchar();
		if (c == EOF)
			return CLI_OK;
		ungetc(c, stdin);
		*params = json_loadf(stdin, JSON_REJECT_DUPLICATES, &err);
	} else {
		return CLI_OK;
	}
	if (*params != NULL)
		return CLI_OK;
	return cli_usage("parameters: line %d, column %d: %s", err.line, err.column, err.text);
}

int verb_call(struct cli *cli, int argc, char **argv)
{
	const char *method = NULL, *text = NULL;
	struct client c;
	struct reply r = {0};
	json_t *params;
	int rc;

	for (int i = 1; i < argc; i++) {
		if (cli_option(cli, argc, argv, &i))
			continue;
		if (method == NULL)
			method = argv[i];
		else if (text == NULL)
			text = argv[i];
		else
			return cli_usage("\"%s\": only a method and its parameters are expected", argv[i]);
	}
	if (cli->help)
		return CLI_OK;
	if (method == NULL)
		return cli_usage("call needs a method");
	rc = read_params(text, &params);
	if (rc != CLI_OK)
		return rc;
	client_init(&c, -1);
	client_call(&c, cli->socket, method, params, &r);
	rc = report_failure(cli, method, &r);
	if (rc == CLI_OK)
		report_json(stdout, r.result);
	reply_clear(&r);
	client_close(&c);
	return rc;
}
