// Group commit: many changes, one transaction, one fsync.
//
// Each change has a savepoint: one that fails is rolled back to it and the others go on.  The audit chain's tail moves with the commit, so a
// row that was rolled back leaves no gap in it.
#include <errno.h>
#include <string.h>

#include "unpriv/posternd/store_impl.h"

int store_errno(int rc)
{
	switch (rc & 0xff) {
	case SQLITE_OK: return 0;
	case SQLITE_FULL: return ENOSPC;
	case SQLITE_READONLY: return EROFS;
	case SQLITE_NOMEM: return ENOMEM;
	default: return EIO;
	}
}

static int run(struct db *db, const char *sql)
{
	return sqlite3_exec(db->sql, sql, NULL, NULL, NULL);
}

static int bind(sqlite3_stmt *s, int at, enum column_type type, const struct value *v)
{
	if (type == COLUMN_num)
		return sqlite3_bind_int64(s, at, v->num);
	return v->text == NULL ? sqlite3_bind_null(s, at) : sqlite3_bind_text(s, at, v->text, -1, SQLITE_STATIC);
}

static int finish_step(sqlite3_stmt *s)
{
	int rc = sqlite3_step(s);

	sqlite3_reset(s);
	sqlite3_clear_bindings(s);
	return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

static int write_row(struct db *db, const struct write *w)
{
	const struct table *t = &store_tables[w->table];
	sqlite3_stmt *s = w->kind == WRITE_PUT ? db->put[w->table] : db->del[w->table];
	size_t n = w->kind == WRITE_PUT ? t->n : 1;

	for (size_t i = 0; i < n; i++) {
		int rc = bind(s, (int)i + 1, t->columns[i].type, &w->v[i]);
		if (rc != SQLITE_OK)
			return rc;
	}
	return finish_step(s);
}

static int apply_write(struct db *db, struct change *c, const struct write *w, uint8_t tail[STORE_HASH_SIZE])
{
	int rc;

	switch (w->kind) {
	case WRITE_AUDIT: return db_audit(db, w, tail);
	case WRITE_CONFIRM: return undo_confirm(db, w->v[0].num);
	case WRITE_ROLLBACK: return undo_rollback(db, w->v[0].num, &c->undone);
	case WRITE_PUT:
	case WRITE_DEL: break;
	}
	rc = undo_note(db, w);
	return rc == SQLITE_OK ? write_row(db, w) : rc;
}

static int apply_one(struct db *db, struct change *c, uint8_t tail[STORE_HASH_SIZE])
{
	uint8_t moved[STORE_HASH_SIZE];
	int rc = run(db, "SAVEPOINT one");

	memcpy(moved, tail, sizeof(moved));
	for (const struct write *w = c->first; w != NULL && rc == SQLITE_OK; w = w->next)
		rc = apply_write(db, c, w, moved);
	if (rc == SQLITE_OK)
		rc = run(db, "RELEASE one");
	if (rc == SQLITE_OK)
		memcpy(tail, moved, sizeof(moved));
	else if (!sqlite3_get_autocommit(db->sql)) // a full disk may have ended the whole transaction already
		run(db, "ROLLBACK TO one; RELEASE one");
	return rc;
}

static void fail_all(struct change *list, int err)
{
	for (struct change *c = list; c != NULL; c = c->next)
		c->err = err;
}

bool db_apply(struct db *db, struct change *list)
{
	uint8_t tail[STORE_HASH_SIZE];
	int rc = run(db, "BEGIN IMMEDIATE");
	int worst = rc;

	memcpy(tail, db->audit_tail, sizeof(tail));
	for (struct change *c = list; c != NULL && rc == SQLITE_OK; c = c->next) {
		int one = apply_one(db, c, tail);
		c->err = store_errno(one);
		worst = one != SQLITE_OK ? one : worst;
		if (sqlite3_get_autocommit(db->sql))
			rc = one;
	}
	if (rc == SQLITE_OK)
		rc = run(db, "COMMIT");
	if (rc == SQLITE_OK) {
		memcpy(db->audit_tail, tail, sizeof(tail));
		return store_errno(worst) == 0;
	}
	if (!sqlite3_get_autocommit(db->sql))
		run(db, "ROLLBACK");
	fail_all(list, store_errno(rc));
	return false;
}
