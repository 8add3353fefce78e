// The signals that end or steer what postern does, read from a descriptor instead of interrupting it anywhere.
#ifndef POSTERN_UNPRIV_POSTERN_SIGNALS_H
#define POSTERN_UNPRIV_POSTERN_SIGNALS_H

// Blocks INT, TERM, HUP and QUIT, ignores PIPE, and returns a non-blocking signalfd of the blocked ones; -1 with errno.
// HUP stays ignored if it was (nohup).  INT and QUIT don't: a shell ignores them for what its scripts start in the background, and a VM
// that nobody ends any more is worse than a command that ends too soon.
int signals_open(void);

// Makes the descriptor tell WINCH as well.
void signals_watch_size(int fd);

// The next signal that has come, 0 when there is none.
int signals_next(int fd);

#endif
