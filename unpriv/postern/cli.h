// What every verb of the command line shares: exit codes, the common options, how errors are said.
#ifndef POSTERN_UNPRIV_POSTERN_CLI_H
#define POSTERN_UNPRIV_POSTERN_CLI_H

#include <stdbool.h>

enum cli_exit {
	CLI_OK = 0,
	CLI_FAILED = 1,      // the method failed, or the work here did
	CLI_USAGE = 2,       // called wrongly, parameters refused
	CLI_NO_DAEMON = 3,   // no socket, nobody behind it, or it went away
	CLI_NOT_ALLOWED = 4, // no identity, right too low, denied by policy
};

struct cli {
	const char *socket; // of --socket, or NULL
	bool json;          // answers as JSON: asked for, or standard output is no terminal
	bool json_asked;    // errors as JSON too
	bool help;          // --help was among the options
	bool colour;        // standard output is a terminal that wants colour
	bool err_colour;    // the same of standard error
};

// Takes one of the options that every verb has (--json, --socket PATH, --help) at argv[*i]; *i then stands on its last word.
// Returns false when it is none of them.
bool cli_option(struct cli *cli, int argc, char *const *argv, int *i);

// Prints "postern: " and a message to standard error.
__attribute__((format(printf, 1, 2))) void cli_say(const char *fmt, ...);

// The same, and returns CLI_USAGE.
__attribute__((format(printf, 1, 2))) int cli_usage(const char *fmt, ...);

// The value of the option at argv[*i]: what follows "=" in the same word, else the next word, and *i moves to it.
// NULL, after a message, when there is none.
const char *cli_value(int argc, char *const *argv, int *i);

// True when the word is the option `name` ("--env"), alone or with "=value".
bool cli_is(const char *word, const char *name);

// The verbs that aren't methods.  argv[0] is the verb; each returns the exit code.  One that meets --help returns CLI_OK at once, and
// main() shows the help.
int verb_help(struct cli *cli, int argc, char **argv);
int verb_call(struct cli *cli, int argc, char **argv);
int verb_run(struct cli *cli, int argc, char **argv);
int verb_exec(struct cli *cli, int argc, char **argv);
int verb_console(struct cli *cli, int argc, char **argv);
int verb_events(struct cli *cli, int argc, char **argv);
int verb_logs(struct cli *cli, int argc, char **argv);
int verb_doctor(struct cli *cli, int argc, char **argv);
int verb_image(struct cli *cli, int argc, char **argv);

struct cli_verb {
	const char *name; // NULL ends the table
	int (*run)(struct cli *cli, int argc, char **argv);
	const char *synopsis;
	const char *doc;
};

extern const struct cli_verb cli_verbs[];

#endif
