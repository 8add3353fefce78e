// The kernel's command line, cut into words.
#ifndef POSTERN_GUEST_INIT_CMDLINE_H
#define POSTERN_GUEST_INIT_CMDLINE_H

// Reads /proc/cmdline; without it every question below has the answer NULL.
void cmdline_read(void);

// Takes the words from text instead (its first 4095 bytes).
void cmdline_set(const char *text);

// Value of the nth (from 0) word "key=value", or "" for a bare "key"; NULL when there is none.  Lives as long as the process.
const char *cmdline_get(const char *key, unsigned nth);

// The value of the last such word, as the kernel itself takes it.
const char *cmdline_last(const char *key);

#endif
