// The signals that end or steer what postern does, read from a descriptor instead of interrupting it anywhere.
#ifndef POSTERN_UNPRIV_POSTERN_SIGNALS_H
#define POSTERN_UNPRIV_POSTERN_SIGNALS_H

// Blocks INT, TERM, HUP and QUIT, ignores PIPE, and returns a non-blocking signalfd of the blocked ones; -1 with errno.
// A signal that was ignored when postern began (nohup) stays so.
int signals_open(void);

// Makes the descriptor tell WINCH as well.
void signals_watch_size(int fd);

// The next signal that has come, 0 when there is none.
int signals_next(int fd);

#endif
