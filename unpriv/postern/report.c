// See report.h.
#include "unpriv/postern/report.h"

#include <string.h>
#include <unistd.h>

#include "proto/rpc.h"

void report_json(FILE *out, const json_t *v)
{
	json_dumpf(v, out, JSON_ENCODE_ANY | (isatty(fileno(out)) ? JSON_INDENT(2) : JSON_COMPACT));
	fputc('\n', out);
}

void report_text(FILE *out, const char *text, bool flat)
{
	for (const unsigned char *p = (const unsigned char *)text; *p != '\0'; p++) {
		bool c1 = p[0] == 0xc2 && p[1] >= 0x80 && p[1] < 0xa0; // U+0080 to U+009F drive terminals as well

		if (*p >= 0x20 && *p != 0x7f && !c1)
			fputc(*p, out);
		else if (!flat && (*p == '\n' || *p == '\t'))
			fputc(*p, out);
		else
			fprintf(out, "\\x%02x", c1 ? *++p : *p);
	}
}

static int exit_of(json_int_t code, const char *kind)
{
	if (code == RPC_NO_IDENTITY || code == RPC_RIGHT_TOO_LOW || strcmp(kind, rpc_fail_names[FAIL_DENIED_BY_POLICY]) == 0)
		return CLI_NOT_ALLOWED;
	return code == RPC_FAILED || code == RPC_INTERNAL_ERROR ? CLI_FAILED : CLI_USAGE;
}

static const char *text_of(const json_t *object, const char *name)
{
	const char *s = json_string_value(json_object_get(object, name));

	return s != NULL ? s : "";
}

static void say_error(const struct cli *cli, const char *method, const json_t *error)
{
	const json_t *data = json_object_get(error, "data");
	const char *kind = text_of(data, "kind"), *detail = text_of(data, "detail"), *hint = text_of(data, "hint");
	const char *message = text_of(error, "message");

	fprintf(stderr, "postern: %s%s: ", cli->err_colour ? "\033[31m" : "", method);
	if (*kind != '\0')
		fprintf(stderr, "%s: ", kind);
	report_text(stderr, *detail != '\0' ? detail : message, true);
	fprintf(stderr, "%s\n", cli->err_colour ? "\033[0m" : "");
	if (json_is_string(json_object_get(data, "needed")))
		fprintf(stderr, "needed: %s, held: %s\n", text_of(data, "needed"), text_of(data, "held"));
	if (*hint == '\0')
		return;
	fputs("hint: ", stderr);
	report_text(stderr, hint, true);
	fputc('\n', stderr);
}

int report_failure(const struct cli *cli, const char *method, const struct reply *r)
{
	json_int_t code = json_integer_value(json_object_get(r->error, "code"));

	fflush(stdout);
	switch (r->status) {
	case CALL_OK: return CLI_OK;
	case CALL_WOKEN: return CLI_FAILED;
	case CALL_CUT:
	case CALL_NO_DAEMON: cli_say("%s", r->why); return CLI_NO_DAEMON;
	case CALL_NOT_ALLOWED: cli_say("%s", r->why); return CLI_NOT_ALLOWED;
	case CALL_ERROR: break;
	}
	if (!json_is_object(r->error)) {
		cli_say("%s: the answer is no JSON-RPC answer", method);
		return CLI_FAILED;
	}
	if (cli->json_asked)
		report_json(stderr, r->error);
	else
		say_error(cli, method, r->error);
	return exit_of(code, text_of(json_object_get(r->error, "data"), "kind"));
}
