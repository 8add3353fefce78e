// Structured log lines on standard error: time, level, program, event, then key=value pairs.
//
//   time=2026-01-31T10:00:00.123Z level=info prog=posternd event=listening socket=/run/postern/rpc.sock
//
// The caller writes the pairs as one printf format, so the compiler checks them; every value is
// expanded on its own and quoted where it holds anything but plain printable text, so that no value
// can forge a second pair or a second line.
#ifndef POSTERN_UNPRIV_COMMON_LOG_H
#define POSTERN_UNPRIV_COMMON_LOG_H

#include <stdbool.h>

enum log_level { LEVEL_ERROR, LEVEL_WARN, LEVEL_INFO, LEVEL_DEBUG };

// Sets the program's name (borrowed, lives as long as the process) and the least severe level shown.
void log_init(const char *prog, enum log_level level);

// Changes the level alone, for a reload.
void log_set_level(enum log_level level);

// True where a line of this level would be shown: guards work done for the log alone.
bool log_shows(enum log_level level);

// "error", "warn", "info", "debug".
const char *log_level_name(enum log_level level);

// Writes one line with one write(2). `event` is a constant in plain words; `pairs` may be NULL and
// knows %s, %d, %u, %x with l, ll and z, and %%. A line is cut at 2000 bytes. Keeps errno.
__attribute__((format(printf, 3, 4))) void log_line(enum log_level level, const char *event, const char *pairs, ...);

#define log_error(...) log_line(LEVEL_ERROR, __VA_ARGS__)
#define log_warn(...)  log_line(LEVEL_WARN, __VA_ARGS__)
#define log_info(...)  log_line(LEVEL_INFO, __VA_ARGS__)
#define log_debug(...) log_line(LEVEL_DEBUG, __VA_ARGS__)

#endif
