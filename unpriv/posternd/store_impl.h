// Shared by the store's own files: what a change is made of, and the database as the thread sees it.
#ifndef POSTERN_POSTERND_STORE_IMPL_H
#define POSTERN_POSTERND_STORE_IMPL_H

#include <sqlite3.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "unpriv/posternd/store.h"

#define STORE_COLUMNS_MAX 16
#define STORE_HASH_SIZE   32 // SHA-256

enum column_type { COLUMN_text, COLUMN_num };

struct column {
	const char *name;
	enum column_type type;
	size_t off; // in struct row_<table>
};

struct table {
	const char *name;
	size_t row_size;
	const struct column *columns; // the first is the key
	size_t n;
};

extern const struct table store_tables[TABLE_COUNT];

struct value {
	char *text; // owned
	int64_t num;
};

enum write_kind { WRITE_PUT, WRITE_DEL, WRITE_AUDIT, WRITE_CONFIRM, WRITE_ROLLBACK };

// One row to write.  WRITE_DEL: v[0] is the key.  WRITE_AUDIT: v[0].num is the time, v[1] to v[5] the texts.  WRITE_CONFIRM, WRITE_ROLLBACK:
// v[0].num is the checkpoint.
struct write {
	struct write *next;
	enum write_kind kind;
	enum store_table table;
	struct value v[STORE_COLUMNS_MAX];
};

// A row as a rollback left it.
struct undone {
	struct undone *next;
	enum store_table table;
	char *key;
	void *row; // struct row_<table>, texts owned; NULL: there is no such row
};

struct change {
	struct change *next;
	struct write *first, **last;
	struct undone *undone; // by its WRITE_ROLLBACK
	undo_cb *each_undone;
	store_cb *done;
	void *arg;
	int err;
};

void change_free(struct change *c);

// The database and what the thread keeps beside it.
struct db {
	sqlite3 *sql;
	sqlite3_stmt *put[TABLE_COUNT], *del[TABLE_COUNT], *audit;
	sqlite3_stmt *note[TABLE_COUNT]; // of the tables that checkpoints put back
	uint8_t audit_tail[STORE_HASH_SIZE]; // hash of the last audit row; zero before the first
};

// store_schema.c: opens, upgrades, prepares.  False with a sentence in err, and everything closed again.
bool db_open(struct db *db, const char *path, char *err, size_t err_size);
void db_close(struct db *db);

// store_apply.c: applies and commits a list of changes, setting each one's err.  Returns false when the commit failed.
bool db_apply(struct db *db, struct change *list);

// store_audit.c: appends one row to the chain.  Returns an SQLite result code; *tail is moved on SQLITE_OK.
int db_audit(struct db *db, const struct write *w, uint8_t tail[STORE_HASH_SIZE]);

// SHA-256 over the hash before and the row's fields, each with its length before it, so that no two rows hash the same bytes.
void audit_hash(const uint8_t before[STORE_HASH_SIZE], int64_t at, const char *const text[5], uint8_t out[STORE_HASH_SIZE]);

// store_undo.c, all with an SQLite result code.  Notes what the row is that w is about to change; hands a checkpoint's notes on and forgets it;
// puts back everything that was changed since a checkpoint, adding to *list, and forgets it and the younger ones.
bool undo_prepare(struct db *db);
int undo_note(struct db *db, const struct write *w);
int undo_confirm(struct db *db, int64_t id);
int undo_rollback(struct db *db, int64_t id, struct undone **list);
void undone_free(struct undone *list);

// errno for an SQLite result code.
int store_errno(int rc);

#endif
