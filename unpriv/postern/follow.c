// postern events and postern logs: one call, or with -f one after the other, each going on where the last one ended.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "proto/rpc.h"
#include "unpriv/postern/report.h"

#define EVENTS_WAIT_MS 30000
#define LOGS_PAUSE_MS  300

struct follow {
	struct cli *cli;
	struct client c;
	const char *vm;
	bool follow;
	json_int_t tail; // lines of the log to begin with; 0: all of it
};

static const char *text_of(const json_t *object, const char *name)
{
	const char *s = json_string_value(json_object_get(object, name));

	return s != NULL ? s : "-";
}

// What an event that isn't a VM's says: its object's members.
static void print_object(const json_t *object)
{
	const char *key;
	json_t *value;

	json_object_foreach((json_t *)(uintptr_t)object, key, value)
	{
		char *text = json_is_string(value) ? NULL : json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);

		printf(" %s=", key);
		report_text(stdout, text != NULL ? text : json_string_value(value), true);
		free(text);
	}
	putchar('\n');
}

// An event of event.tail, or of compute.vm.events.tail, which is the object of one.
static void print_event(const struct cli *cli, const json_t *e)
{
	const char *topic = json_string_value(json_object_get(e, "topic"));
	const json_t *object = topic != NULL ? json_object_get(e, "object") : e;
	json_int_t ms = json_integer_value(json_object_get(e, "at_unix_ms"));
	time_t secs = (time_t)(ms / 1000);
	struct tm tm;
	char when[32] = "";

	if (cli->json) {
		report_json(stdout, e);
		return;
	}
	if (localtime_r(&secs, &tm) != NULL)
		strftime(when, sizeof(when), "%Y-%m-%d %H:%M:%S", &tm);
	printf("%s.%03d  ", when, (int)(ms % 1000));
	if (topic == NULL || strcmp(topic, "vm.state") == 0) {
		printf("%-20s %s -> %s  %s\n", text_of(object, "id"), text_of(object, "from"), text_of(object, "to"), text_of(object, "reason"));
		return;
	}
	printf("%-20s", topic);
	print_object(object);
}

// Calls once and leaves in *at where to go on, in *n how many there were.  Returns the exit code.
static int events_once(struct follow *f, json_int_t *at, bool wait, size_t *n)
{
	const char *method = f->vm != NULL ? "compute.vm.events.tail" : "event.tail";
	json_t *params = json_pack("{s:I}", "since_seq", *at), *e;
	struct reply r;
	size_t i;
	int rc;

	if (f->vm != NULL)
		json_object_set_new(params, "id", json_string(f->vm));
	if (wait)
		json_object_set_new(params, "wait_ms", json_integer(EVENTS_WAIT_MS));
	client_call(&f->c, f->cli->socket, method, params, &r);
	rc = report_failure(f->cli, method, &r);
	json_array_foreach(json_object_get(r.result, "events"), i, e) print_event(f->cli, e);
	if (json_integer_value(json_object_get(r.result, "dropped")) > 0)
		cli_say("%lld older events are no longer kept", (long long)json_integer_value(json_object_get(r.result, "dropped")));
	*at = json_integer_value(json_object_get(r.result, "next_seq"));
	*n = json_array_size(json_object_get(r.result, "events"));
	reply_clear(&r);
	fflush(stdout);
	return rc;
}

int verb_events(struct cli *cli, int argc, char **argv)
{
	struct follow f = {.cli = cli};
	json_int_t at = 0;
	size_t n = 1;
	int rc;

	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "-f") == 0)
			f.follow = true;
		else if (cli_option(cli, argc, argv, &i))
			continue;
		else if (f.vm != NULL || argv[i][0] == '-')
			return cli_usage("\"%s\": a VM or -f is expected", argv[i]);
		else
			f.vm = argv[i];
	}
	if (cli->help)
		return CLI_OK;
	client_init(&f.c, -1);
	// First all that is kept, however many calls that takes; then each new one.
	do
		rc = events_once(&f, &at, f.follow && n == 0, &n);
	while (rc == CLI_OK && (n > 0 || f.follow) && !ferror(stdout));
	client_close(&f.c);
	return rc;
}

static int logs_once(struct follow *f, json_t *params, json_int_t *at, json_int_t *size)
{
	struct reply r;
	const char *data;
	int rc;

	json_object_set_new(params, "id", json_string(f->vm));
	client_call(&f->c, f->cli->socket, "compute.vm.logs", params, &r);
	rc = report_failure(f->cli, "compute.vm.logs", &r);
	data = json_string_value(json_object_get(r.result, "data"));
	if (data != NULL && isatty(STDOUT_FILENO))
		report_text(stdout, data, false);
	else if (data != NULL)
		fputs(data, stdout);
	*at = json_integer_value(json_object_get(r.result, "next_offset"));
	*size = json_integer_value(json_object_get(r.result, "size"));
	reply_clear(&r);
	fflush(stdout);
	return rc;
}

static int show_logs(struct follow *f, const char *source)
{
	static const struct timespec pause = {.tv_nsec = LOGS_PAUSE_MS * 1000000L};
	json_int_t at = 0, size = 0, before = -1;
	json_t *params = json_object();
	int rc;

	if (f->tail > 0)
		json_object_set_new(params, "tail_lines", json_integer(f->tail));
	for (;;) {
		if (source != NULL)
			json_object_set_new(params, "source", json_string(source));
		rc = logs_once(f, params, &at, &size);
		if (rc != CLI_OK || ferror(stdout))
			return rc;
		// All of it, however many calls that takes; then what is added, if wanted.  A log that has become shorter was rotated.
		if (at >= size || at == before) {
			if (!f->follow)
				return rc;
			nanosleep(&pause, NULL);
		}
		before = at;
		params = json_pack("{s:I}", "offset", at > size ? size : at);
	}
}

int verb_logs(struct cli *cli, int argc, char **argv)
{
	struct follow f = {.cli = cli};
	const char *source = NULL;
	int rc;

	for (int i = 1; i < argc; i++) {
		const char *tail;

		if (strcmp(argv[i], "-f") == 0) {
			f.follow = true;
		} else if (cli_is(argv[i], "--source")) {
			source = cli_value(argc, argv, &i);
			if (source == NULL)
				return CLI_USAGE;
		} else if (cli_is(argv[i], "--tail")) {
			tail = cli_value(argc, argv, &i);
			if (tail == NULL || strspn(tail, "0123456789") != strlen(tail) || *tail == '\0')
				return cli_usage("--tail needs a number of lines");
			f.tail = atoll(tail);
		} else if (cli_option(cli, argc, argv, &i)) {
			continue;
		} else if (f.vm != NULL || argv[i][0] == '-') {
			return cli_usage("\"%s\": no such option; `postern help logs` shows them", argv[i]);
		} else {
			f.vm = argv[i];
		}
	}
	if (cli->help)
		return CLI_OK;
	if (f.vm == NULL)
		return cli_usage("logs needs a VM");
	client_init(&f.c, -1);
	rc = show_logs(&f, source);
	client_close(&f.c);
	return rc;
}
