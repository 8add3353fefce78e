// The caller's terminal: raw while a guest's terminal or console is shown on it.
#ifndef POSTERN_UNPRIV_POSTERN_TTY_H
#define POSTERN_UNPRIV_POSTERN_TTY_H

#include <stdbool.h>
#include <stdint.h>

// Makes the terminal on fd raw until tty_restore() or exit().  False, with errno, when it can't be.
bool tty_raw(int fd);

// Gives the terminal back as it was; does nothing when it isn't raw.
void tty_restore(void);

// Size of the terminal on fd, 24 by 80 where it doesn't say; each from 1 to 10000.
void tty_size(int fd, uint32_t *rows, uint32_t *cols);

#endif
