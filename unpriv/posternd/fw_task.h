// The forwards or the firewall rules of one request as one task: all of them are made or removed, or none.
#ifndef POSTERN_POSTERND_FW_TASK_H
#define POSTERN_POSTERND_FW_TASK_H

#include "unpriv/posternd/fw.h"
#include "unpriv/posternd/request.h"

// One forward, or one rule; texts in the request's arena.
struct fw_item {
	char id[FW_ID];
	bool rule;
	bool fresh; // no row had its id before
	struct row_dnat dnat;
	struct row_allow allow;
};

struct fw_task {
	struct task t;
	struct fw_item *v; // in the request's arena
	size_t n;
	struct fw_delta d;
	bool dry;            // a dry run that would change something: there are no ids yet
	unsigned families;   // bits 1 << 4 and 1 << 6 of forwarding that is still to be turned on
	const void *p;       // the request's parameters, for reply
	const char *warning; // in the request's arena, or NULL
	void (*reply)(struct fw_task *k, bool changed);
};

// A task with room for so many; reply answers the request.
struct fw_task *fw_task_new(struct request *rq, const char *what, size_t room, void (*reply)(struct fw_task *k, bool changed));

// Adds those of v[0..n) that are fresh; each has been looked at by fw_item_agrees().  list: the parameter that holds several, for messages.
void fw_task_add(struct fw_task *k, const char *list);

// Fills v with those of the ids that are there: how many, or -1 after it has answered why not.
int fw_task_find(struct fw_task *k, const struct list_id *ids, bool rule);

// Removes v[0..n), whose rows are there and PHASE_DONE.
void fw_task_remove(struct fw_task *k);

// The ids of v[0..n), in the request's arena; none after a dry run.
struct list_id fw_task_ids(const struct fw_task *k);

// The end of a task that was never started.
void fw_task_drop(struct fw_task *k);

// Fills id and fresh from the row: answers the failure and returns false where another is in its place, or is just being made or removed.
bool fw_item_agrees(struct request *rq, struct fw_item *i);

// Finds the row of that id which the caller may remove: 1, 0 where there is none, -1 after it has answered why not.
int fw_item_find(struct request *rq, const char *id, bool rule, struct fw_item *i);

// What a client says of a forward or a rule, as the row that it becomes, but for its id; texts in the request's arena.  `where` comes before the
// names of parameters in messages.  False after it has answered what is wrong.
bool fw_read_forward(struct request *rq, const struct obj_dnat_spec *s, const char *where, struct row_dnat *row);
bool fw_read_rule(struct request *rq, const struct obj_rule_spec *s, const char *where, struct row_allow *row);

#endif
