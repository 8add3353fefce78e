// The way from what the rows and the kernel have to what a document of net.apply asks for.
//
// Each kind of thing has a key, by which elements of the document and rows are matched.  A row that no element has goes; an element without a
// row comes, and so does one whose row has no link any more; where a row says something else, it goes and the element comes.  A tap that only
// changes its bridge is moved: its VM would lose it otherwise.  What goes, goes first, and in the order that is the reverse of how things come.
#ifndef POSTERN_POSTERND_APPLY_PLAN_H
#define POSTERN_POSTERND_APPLY_PLAN_H

#include <jansson.h>

#include "unpriv/posternd/net_view.h"
#include "unpriv/posternd/request.h"

// One call of a method.
struct apply_step {
	enum rpc_plan_action action;
	enum rpc_plan_kind kind;
	const char *id; // in the request's arena
	enum rpc_method_id method;
	const struct apply_many *many; // how several become one call; NULL: they don't
	json_t *params;
	bool shown; // the parameters are the step's fields
};

// Several calls of a method as one: the parameter that takes a list, and the member that its elements are; NULL: all that one call takes.
struct apply_many {
	const char *list, *member;
};

struct apply_plan {
	struct request *rq;
	const struct rpc_net_apply_params *p;
	const json_t *desired; // as the client wrote it
	struct net_view view;
	struct apply_step *v;
	size_t n, room;
	json_t *replaced; // names of bridges that go and come again
};

// Makes the plan.  False after it has answered that the document makes no sense, or that the kernel can't be read.
bool apply_plan_make(struct apply_plan *plan, struct request *rq, const struct rpc_net_apply_params *p);
void apply_plan_finish(struct apply_plan *plan);

// Adds a step; takes over params.
void apply_add(struct apply_plan *plan, enum rpc_plan_action action, enum rpc_plan_kind kind, const char *id, enum rpc_method_id method,
               const struct apply_many *many, json_t *params, bool shown);

// True when the bridge goes and comes again.
bool apply_replaced(const struct apply_plan *plan, const char *bridge);

// A kind of thing.
struct apply_kind {
	enum rpc_plan_kind kind;
	const char *list; // member of the document
	enum rpc_method_id add, del;
	struct apply_many add_many, del_many; // list NULL: the method takes one at a time
	size_t (*rows)(void);
	// Row i's key, in the arena; NULL: it isn't the caller's to change, or a VM's.
	const char *(*row_key)(const struct request *rq, size_t i);
	// The element's key; NULL after it has answered what is wrong with it.
	const char *(*want_key)(struct request *rq, const void *want, size_t i);
	// Does row i say just what the element asks for, and does the kernel have its link?
	bool (*same)(struct apply_plan *plan, const void *want, size_t i);
	// Where they differ in what can be changed in place: adds the steps for that and returns true.  NULL: nothing can.
	bool (*move)(struct apply_plan *plan, const void *want, size_t i);
	// What its deletion takes.
	json_t *(*victim)(struct apply_plan *plan, size_t i, bool replaced);
};

// In the order in which things come.
#define APPLY_KINDS 7
extern const struct apply_kind apply_kinds[APPLY_KINDS];

// Connections and added ports of bridges that are replaced come again, where the document says nothing about connections.
void apply_ports_back(struct apply_plan *plan);

#endif
