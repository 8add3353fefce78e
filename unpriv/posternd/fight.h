// How often each thing had to be put back lately, and so when it may be put back again.  Pure: no clock of its own.
#ifndef POSTERN_POSTERND_FIGHT_H
#define POSTERN_POSTERND_FIGHT_H

#include <stddef.h>
#include <stdint.h>

#define FIGHT_FREE    3   // times that cost no waiting
#define FIGHT_MOST_S  300 // longest wait
#define FIGHT_CALM_S  600 // then all is forgotten
#define FIGHT_ENTRIES 512 // things remembered; of more, the one that was longest quiet is forgotten

// The time from which the thing of that id may be put back; not later than now where nothing stands against it.
uint64_t fight_when(const char *id, uint64_t now_ns);

// It is being put back.
void fight_note(const char *id, uint64_t now_ns);

// Puts the ids of what has used up its free times into ids, most of them at most; returns how many there are.
size_t fight_list(uint64_t now_ns, const char **ids, size_t most);

#endif
