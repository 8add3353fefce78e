// A difference between what the rows say and what the kernel has; and what would put it right.
#ifndef POSTERN_POSTERND_DRIFT_H
#define POSTERN_POSTERND_DRIFT_H

#include "proto/rpc.h"
#include "unpriv/posternd/mem.h"

// In the order in which they are put right: what stands on another comes after it.
enum drift_fix {
	FIX_BRIDGE,   // made again, with its address
	FIX_TAP,      // made again
	FIX_PAIR,     // a connection's pair of ports, made again
	FIX_LINK,     // MTU, MAC, up and bridge of a link that is there
	FIX_ADDRESS,  // given again
	FIX_ROUTE,    // added again
	FIX_SYSCTL,   // forwarding turned on again
	FIX_FIREWALL, // the table as a whole, committed again
	FIX_NONE,     // only reported
};

struct drift_item {
	enum rpc_drift_kind kind;
	enum drift_fix fix;
	char link[16]; // the link that is to be put right
	char id[96];   // of all drift at one time unique
	char expected[112], actual[112];
	const char *tenant; // in the list's arena; NULL: the host's
};

struct drift_list {
	struct arena arena;
	struct drift_item *v;
	size_t n, room;
	char fullest[16]; // the bridge with the most ports, and how many
	unsigned fullest_ports;
	bool firewall_unread; // the helper couldn't be asked: firewall and nat weren't looked at
};

// Room for one more, zeroed but for these.  tenant is copied.
struct drift_item *drift_add(struct drift_list *l, enum rpc_drift_kind kind, const char *tenant);

// Appends "a, b, c" to one of an item's texts; what doesn't fit is cut.
__attribute__((format(printf, 3, 4))) void drift_say(char *text, size_t size, const char *fmt, ...);
#define DRIFT_SAY(text, ...) drift_say(text, sizeof(text), __VA_ARGS__)

// The one of that kind and id, or NULL.
const struct drift_item *drift_find(const struct drift_list *l, const struct drift_item *like);

// True when both say the same of the same.
bool drift_same(const struct drift_item *a, const struct drift_item *b);

// Keeps of l what other has too.
void drift_intersect(struct drift_list *l, const struct drift_list *other);

void drift_clear(struct drift_list *l);

#endif
