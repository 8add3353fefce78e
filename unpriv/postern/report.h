// What came of a call, said to the caller: errors on standard error, and the exit code that goes with them.
#ifndef POSTERN_UNPRIV_POSTERN_REPORT_H
#define POSTERN_UNPRIV_POSTERN_REPORT_H

#include <stdio.h>

#include "unpriv/postern/cli.h"
#include "unpriv/postern/client.h"

// Says why a call failed (message, kind, detail, hint; with --json the error object) and returns the exit code.  CLI_OK, and silent,
// when it didn't fail.
int report_failure(const struct cli *cli, const char *method, const struct reply *r);

// Prints a value as JSON and a newline: indented on a terminal, on one line otherwise.
void report_json(FILE *out, const json_t *v);

// Prints text that others wrote with control characters, but for newline and tab, made visible as \xNN: what a guest put into a log
// must not drive the caller's terminal.  With `flat`, newline and tab too.
void report_text(FILE *out, const char *text, bool flat);

#endif
