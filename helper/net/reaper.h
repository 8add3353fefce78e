// The net cell's second process, which deletes links.
//
// The kernel takes its time over a deletion, tens of milliseconds for one link and hundreds for a thousand, and holds whoever asked for it.  So the
// cell hands each links_del to the reaper over a socket pair and goes on serving; the answer is passed on when it comes.  The reaper looks the links
// up itself, and what has piled up while it was busy it deletes together.
//
// It has the cell's uid and NET_ADMIN, an rtnetlink socket of its own, and a filter under which it can do nothing but talk to the kernel's netlink
// and to the cell.  Either's death is the other's: the cell sees the end of the socket, the reaper gets a signal.
#ifndef HELPER_NET_REAPER_H
#define HELPER_NET_REAPER_H

#include "helper/common/cell.h"

struct reaper_req {
	uint32_t id; // of the broker's request
	struct op_links_del_args args;
};

struct reaper_rep {
	uint32_t id;
	uint32_t status; // enum op_status
	uint32_t err;
	uint32_t removed;
	char rule[CELL_RULE];
};

// Forks it.  The cell has opened nothing yet and has all its rights; in the child this never returns.  Afterwards c->side answers.
void reaper_start(struct cell *c);

// The child: gives up its rights, then serves until the cell closes.  In reaper_loop.c.
_Noreturn void reaper_main(struct cell *c, int cell_pid);

#endif
