// Durable state: one SQLite database, in a thread of its own.
//
// The loop keeps what it needs in memory and only ever writes: it collects a change (a few rows that belong together), hands it over, and
// is called back once the change is on disk.  The thread takes all changes that have piled up, applies each in a savepoint of its own, and
// commits them together: one fsync for many.  A change that fails takes no other with it; a commit that fails fails them all.  Callbacks
// come in the order the changes were handed over.  Rows are read once, at start, before the thread exists.
//
// WAL, synchronous=FULL: what has been called back survives a power cut.  user_version counts schema upgrades; a database that is newer than
// this program is refused, not guessed at.
#ifndef POSTERN_POSTERND_STORE_H
#define POSTERN_POSTERND_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct event_base;

typedef const char *col_text;
typedef int64_t col_num;

// struct row_<table>; texts are borrowed, in both directions.
#define TABLE(id)           struct row_##id {
#define KEY(id, type, name) col_##type name;
#define COL(id, type, name) col_##type name;
#define END_TABLE(id)                                                                                                                                \
	}                                                                                                                                            \
	;
#include "unpriv/posternd/store.def"

enum store_table {
#define TABLE(id) TABLE_##id,
#include "unpriv/posternd/store.def"
	TABLE_COUNT
};

// Where a row stands.  A row that isn't PHASE_DONE at start belongs to an operation that nobody was told the end of.
enum store_phase {
	PHASE_MAKING,   // the operation is about to run or running; left when it has ended
	PHASE_DONE,     // what the row says is so
	PHASE_REMOVING, // being undone; left by the row's deletion
};

// One line of the audit trail; texts are borrowed and none is NULL.
struct audit_row {
	int64_t at_unix_ms;
	const char *identity;
	const char *method;
	const char *params;  // JSON, secrets removed; "" in a row that closes another
	const char *result;  // "pending", "ok", a failure's kind, "refused"
	const char *request; // the same in the rows that belong together
};

// Opens or creates the database and brings its schema up to date.  False with a sentence in err.  One store a process.
bool store_open(const char *path, char *err, size_t err_size);

// Calls each row of a table, in the order of its key; before store_start only.  False when the database can't be read.
#define TABLE(id) bool store_load_##id(void (*each)(void *arg, const struct row_##id *row), void *arg);
#include "unpriv/posternd/store.def"

// Starts the thread; callbacks will run in base's loop.
bool store_start(struct event_base *base);

// Commits what has been handed over, runs the callbacks, ends the thread and closes the database.
void store_close(void);

// A change being collected: its rows are applied together or not at all.
struct change;
struct change *change_new(void);
void change_audit(struct change *c, const struct audit_row *row);
#define TABLE(id)           void change_put_##id(struct change *c, const struct row_##id *row); /* replaces the row of that key */
#define KEY(id, type, name) void change_del_##id(struct change *c, col_##type name);
#include "unpriv/posternd/store.def"

// Of checkpoints, whose rows themselves are put like any others.  While there is one, what the network's rows were is kept beside them.
// change_confirm: forgets a checkpoint and what was kept for it alone.  change_rollback: puts back what has changed since, forgets it and the
// younger ones, and calls each() in the loop, before the change's own callback, for each row put back; row NULL: there is none of that key now.
typedef void undo_cb(enum store_table table, const char *key, const void *row);
void change_confirm(struct change *c, int64_t id);
void change_rollback(struct change *c, int64_t id, undo_cb *each);

// Puts back what the oldest checkpoint kept; between store_open and the loading of rows.  False when the database can't do it.
bool store_rollback_all(void);

// Called in the loop.  err: 0 once it is on disk; else ENOSPC, EROFS or EIO, and nothing of it was kept.
typedef void store_cb(void *arg, int err);

// Hands a change over, and with it its memory.  done may be NULL; it never runs before this returns.
void store_commit(struct change *c, store_cb *done, void *arg);

// True after a commit failed for the disk, until one succeeds.
bool store_failing(void);

#endif
