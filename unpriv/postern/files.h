// Files and tools, for the verbs that work on this machine rather than through the daemon.  Everything here says what went wrong itself.
#ifndef POSTERN_UNPRIV_POSTERN_FILES_H
#define POSTERN_UNPRIV_POSTERN_FILES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define FILES_PATH 4096

// Joins two paths into out.  False, after a message, when that is too long.
bool file_join(char out[FILES_PATH], const char *dir, const char *name);

// Reads a whole file of at most max bytes.  Returns it (free it) with its length, or NULL after a message.
uint8_t *file_read(const char *path, size_t max, size_t *len);

// Writes a new file, on disk before it returns.
bool file_write(const char *path, const void *data, size_t len, mode_t mode);

// Copies a file to a new one, sharing its blocks where the file system can.
bool file_copy(const char *from, const char *to, mode_t mode);

// Puts a finished file in its place: mode, fsync, rename.  With replace false it refuses when something is there.
bool file_place(const char *from, const char *to, mode_t mode, bool replace);

// Makes a directory with those above it.
bool file_mkdirs(const char *path, mode_t mode);

struct tool_how {
	const char *cwd;      // or NULL
	const char *in_file;  // standard input, or NULL for /dev/null
	const char *out_file; // standard output into a new file, or NULL for /dev/null
	bool root;            // root of a user namespace in which only the caller is mapped, so that its files look like root's
	bool quiet;           // nothing of its standard error
};

// Runs a program, looked for in PATH and the sbin directories, and waits.  Returns its exit code; -1 after a message when it couldn't be
// started or was killed.  package: what to install when it is missing.
int tool_run(const char *const *argv, const char *package, const struct tool_how *how);

// Where a program is: into out.  False, silently, when it is nowhere.
bool tool_find(const char *name, char out[FILES_PATH]);

// True when a child of ours may make a user namespace and be root in it (always true for root, who needs none).
bool tool_can_be_root(void);

#endif
