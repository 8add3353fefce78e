// The parts of the worker that are started in order and stopped in reverse. They start after
// confinement, so that a thread made by one of them inherits the filter and the Landlock domain
// (which a process can't give to threads that it already has).
#ifndef POSTERN_POSTERND_MODULES_H
#define POSTERN_POSTERND_MODULES_H

#include <stdbool.h>

struct module {
	const char *name;
	bool (*start)(void);    // false ends the worker with exit 1; it has logged why
	void (*helper)(int fd); // a new helper is connected; takes the socket over (or NULL)
	void (*reloaded)(void); // configuration and access list have just been replaced (or NULL)
	void (*stop)(void);     // orderly end (or NULL)
};

// Start all; false if one failed.
bool modules_start(void);
// A socket to a new helper: the one module that has `helper` gets it, else it is closed.
void modules_helper(int fd);
void modules_reloaded(void);
void modules_stop(void);

#endif
