// The journal of the rows that checkpoints put back.
//
// While a checkpoint pends, the first change of a row notes what the row was: in table undo, under the youngest checkpoint, in the transaction of
// the change itself.  Rolling back to a checkpoint gives each row what the oldest note not older than that checkpoint says.  Confirming one
// hands its notes to the next older checkpoint, where that has none of the same row.  What belongs to a VM is the VM's own matter: it is
// neither noted nor put back.
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "unpriv/posternd/mem.h"
#include "unpriv/posternd/store_impl.h"

// The tables that say what the network should be.
static const bool journaled[TABLE_COUNT] = {
    [TABLE_bridge] = true,
    [TABLE_port] = true,
    [TABLE_tap] = true,
    [TABLE_snat] = true,
    [TABLE_dnat] = true,
    [TABLE_allow] = true,
    [TABLE_route] = true,
    [TABLE_connection] = true,
};

// The rows that a rollback to ?1 puts back, each with its oldest note.
#define NOTES                                                                                                                                        \
	"undo u WHERE tbl='%s' AND checkpoint=(SELECT min(checkpoint) FROM undo WHERE tbl=u.tbl AND key=u.key AND checkpoint>=?1)"

static const struct column *vm_column(const struct table *t)
{
	for (size_t i = 0; i < t->n; i++)
		if (strcmp(t->columns[i].name, "vm") == 0)
			return &t->columns[i];
	return NULL;
}

// `format` for each column, with a comma between: %1$s is its name.
static void each_column(const struct table *t, const char *before, const char *after, bool twice, char *out, size_t size)
{
	size_t at = 0;

	out[0] = '\0';
	for (size_t i = 0; i < t->n && at < size; i++) {
		const char *name = t->columns[i].name;
		int n = twice ? snprintf(out + at, size - at, "%s%s%s%s\"%s\"", i > 0 ? "," : "", before, name, after, name)
		              : snprintf(out + at, size - at, "%s%s%s%s", i > 0 ? "," : "", before, name, after);
		at += n > 0 ? (size_t)n : 0;
	}
}

bool undo_prepare(struct db *db)
{
	for (enum store_table id = 0; id < TABLE_COUNT; id++) {
		const struct table *t = &store_tables[id];
		const char *key = t->columns[0].name;
		char pairs[1024], sql[2048], vm[160] = "";

		if (!journaled[id])
			continue;
		each_column(t, "'", "',", true, pairs, sizeof(pairs));
		if (vm_column(t) != NULL)
			snprintf(vm, sizeof(vm), " AND NOT EXISTS(SELECT 1 FROM %s WHERE \"%s\"=?1 AND vm IS NOT NULL)", t->name, key);
		snprintf(sql, sizeof(sql),
		         "INSERT OR IGNORE INTO undo(checkpoint,tbl,key,row) SELECT (SELECT max(id) FROM checkpoint),'%s',?1,"
		         "(SELECT json_object(%s) FROM %s WHERE \"%s\"=?1) WHERE EXISTS(SELECT 1 FROM checkpoint)%s",
		         t->name, pairs, t->name, key, vm);
		if (sqlite3_prepare_v3(db->sql, sql, -1, SQLITE_PREPARE_PERSISTENT, &db->note[id], NULL) != SQLITE_OK)
			return false;
	}
	return true;
}

int undo_note(struct db *db, const struct write *w)
{
	sqlite3_stmt *s = db->note[w->table];
	const struct column *vm = s != NULL ? vm_column(&store_tables[w->table]) : NULL;
	int rc;

	if (s == NULL || (vm != NULL && w->kind == WRITE_PUT && w->v[vm - store_tables[w->table].columns].text != NULL))
		return SQLITE_OK;
	rc = sqlite3_bind_text(s, 1, w->v[0].text, -1, SQLITE_STATIC);
	if (rc == SQLITE_OK)
		rc = sqlite3_step(s);
	sqlite3_reset(s);
	sqlite3_clear_bindings(s);
	return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

// Runs one statement whose only parameter, if any, is the checkpoint.
static int run(struct db *db, const char *sql, int64_t id)
{
	sqlite3_stmt *s;
	int rc = sqlite3_prepare_v2(db->sql, sql, -1, &s, NULL);

	if (rc != SQLITE_OK)
		return rc;
	rc = sqlite3_bind_int64(s, 1, id);
	if (rc == SQLITE_OK)
		rc = sqlite3_step(s);
	sqlite3_finalize(s);
	return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

int undo_confirm(struct db *db, int64_t id)
{
	int rc = run(db,
	             "UPDATE OR IGNORE undo SET checkpoint=(SELECT max(id) FROM checkpoint WHERE id<?1) WHERE checkpoint=?1 AND "
	             "EXISTS(SELECT 1 FROM checkpoint WHERE id<?1)",
	             id);

	if (rc == SQLITE_OK)
		rc = run(db, "DELETE FROM undo WHERE checkpoint=?1", id);
	return rc == SQLITE_OK ? run(db, "DELETE FROM checkpoint WHERE id=?1", id) : rc;
}

// ---- going back ----------------------------------------------------------------------------------------------------------------------------

static struct undone *read_undone(enum store_table id, sqlite3_stmt *s)
{
	const struct table *t = &store_tables[id];
	struct undone *u = xcalloc(1, sizeof(*u));

	u->table = id;
	u->key = xstrdup((const char *)sqlite3_column_text(s, 0));
	if (sqlite3_column_type(s, 1) == SQLITE_NULL)
		return u;
	u->row = xcalloc(1, t->row_size);
	for (size_t i = 0; i < t->n; i++) {
		void *at = (char *)u->row + t->columns[i].off;
		const unsigned char *text = sqlite3_column_text(s, (int)i + 1);

		if (t->columns[i].type == COLUMN_num)
			*(col_num *)at = sqlite3_column_int64(s, (int)i + 1);
		else if (text != NULL)
			*(col_text *)at = xstrdup((const char *)text);
	}
	return u;
}

void undone_free(struct undone *list)
{
	for (struct undone *next; list != NULL; list = next) {
		const struct table *t = &store_tables[list->table];

		next = list->next;
		for (size_t i = 0; list->row != NULL && i < t->n; i++)
			if (t->columns[i].type == COLUMN_text)
				free((void *)(uintptr_t) * (col_text *)(void *)((char *)list->row + t->columns[i].off));
		free(list->row);
		free(list->key);
		free(list);
	}
}

// What the notes say, one element a row, added to *list.
static int collect(struct db *db, enum store_table id, int64_t to, struct undone **list)
{
	const struct table *t = &store_tables[id];
	char values[1024], sql[2048];
	sqlite3_stmt *s;
	int rc;

	each_column(t, "json_extract(row,'$.", "')", false, values, sizeof(values));
	snprintf(sql, sizeof(sql), "SELECT key,%s FROM " NOTES, values, t->name);
	rc = sqlite3_prepare_v2(db->sql, sql, -1, &s, NULL);
	if (rc == SQLITE_OK)
		rc = sqlite3_bind_int64(s, 1, to);
	while (rc == SQLITE_OK && (rc = sqlite3_step(s)) == SQLITE_ROW) {
		struct undone *u = read_undone(id, s);

		u->next = *list;
		*list = u;
		rc = SQLITE_OK;
	}
	sqlite3_finalize(s);
	return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

static int put_back(struct db *db, enum store_table id, int64_t to)
{
	const struct table *t = &store_tables[id];
	char names[512], values[1024], sql[2600];
	int rc;

	each_column(t, "\"", "\"", false, names, sizeof(names));
	each_column(t, "json_extract(row,'$.", "')", false, values, sizeof(values));
	snprintf(sql, sizeof(sql), "DELETE FROM %s WHERE \"%s\" IN (SELECT key FROM undo WHERE tbl='%s' AND checkpoint>=?1)", t->name, t->columns[0].name,
	         t->name);
	rc = run(db, sql, to);
	snprintf(sql, sizeof(sql), "INSERT INTO %s(%s) SELECT %s FROM " NOTES " AND row IS NOT NULL", t->name, names, values, t->name);
	return rc == SQLITE_OK ? run(db, sql, to) : rc;
}

int undo_rollback(struct db *db, int64_t to, struct undone **list)
{
	int rc = SQLITE_OK;

	for (enum store_table id = 0; id < TABLE_COUNT && rc == SQLITE_OK; id++) {
		if (!journaled[id])
			continue;
		rc = collect(db, id, to, list);
		if (rc == SQLITE_OK)
			rc = put_back(db, id, to);
	}
	if (rc == SQLITE_OK)
		rc = run(db, "DELETE FROM undo WHERE checkpoint>=?1", to);
	return rc == SQLITE_OK ? run(db, "DELETE FROM checkpoint WHERE id>=?1", to) : rc;
}
