// A root of its own for the jail cell, which holds the few directories that its work is about and nothing else.
#ifndef HELPER_JAIL_ENCLOSE_H
#define HELPER_JAIL_ENCLOSE_H

// A mount namespace of its own, to be made before anything is opened.  What the host mounts later is seen in here, nothing the other way round.
// Returns 0, or -1 with errno.
int enclose_begin(void);

// Makes the new root, read-only and empty but for one directory for each name: the tree that *fd is open on, with all that is mounted in it.  Each
// *fd becomes a descriptor of the same directory in there, open for reading; one of -1 stays so.  Nothing of the old root can be reached after
// it: no path leads out of the new one, and ".." ends at it.  Returns 0, or -1 with errno.
struct enclose_tree {
	const char *name;
	int *fd;
};
int enclose(const struct enclose_tree *trees, unsigned n);

#endif
