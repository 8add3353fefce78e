// A bounded string builder and the few file reads and writes an init needs; stdio would be half of the program's size.
#ifndef POSTERN_GUEST_INIT_TEXT_H
#define POSTERN_GUEST_INIT_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

// A C string that grows inside an array of the caller's.  Once cut it stays cut: check at the end.
struct text {
	char *s;    // always NUL-terminated
	size_t cap; // bytes of the array
	size_t len; // without the NUL
	bool cut;   // something didn't fit
};

// Starts an empty string over array[0..cap), cap at least 1.
struct text text_over(char *array, size_t cap);

void text_add(struct text *t, const char *s);
void text_add_n(struct text *t, const char *s, size_t n);
void text_add_num(struct text *t, uint64_t n);

// Joins up to three strings (b and c may be NULL) in array; false when they don't fit.
bool text_join(char *array, size_t cap, const char *a, const char *b, const char *c);

// Reads digits alone, at most `most`; false otherwise.
bool text_number(const char *s, uint64_t most, uint64_t *n);

// Calls take with each name in the directory fd, but . and ..; closes fd.  The C library's readdir() allocates.
void dir_each(int fd, void (*take)(void *ctx, int dir, const char *name), void *ctx);

// Reads a file's first cap - 1 bytes and ends them with NUL.  Returns how many, or -1 with errno.
ssize_t file_read(const char *path, char *buf, size_t cap);

// Writes a string to a file that exists.  Returns 0, or -1 with errno.
int file_write(const char *path, const char *s);

// Writes all of buf to fd, which blocks.  Returns 0, or -1 with errno.
int write_all(int fd, const void *buf, size_t len);

// Says on the console what failed: "postern-init: <what> <which>: <strerror(err)>".  which may be NULL, err 0 leaves the reason out.
void say(const char *what, const char *which, int err);

// Milliseconds of CLOCK_MONOTONIC.
uint64_t now_ms(void);

#endif
