// Which links of ours there is a reason for.
#ifndef POSTERN_POSTERND_OWNED_H
#define POSTERN_POSTERND_OWNED_H

#include <stdbool.h>

#define OWNED_MARK "postern:" // how the alias of a link of ours begins

// True when a link with this alias is ours.
bool owned_marked(const char *alias);

// True when it has our mark and our prefix, is of a kind that we make, and no row explains it: nobody asked for it, or nobody was told.
bool owned_stray(const char *kind, const char *alias, const char *name);

#endif
