// The parent: starts the worker and the helper, and starts them again when they end.
#ifndef POSTERN_POSTERND_PARENT_H
#define POSTERN_POSTERND_PARENT_H

// argv is the program's own; the worker gets the same arguments. Returns the exit code: that of a worker
// that never became ready, else 0 once told to stop.
int parent_run(char **argv);

#endif
