// The database file: opening it, upgrading its schema step by step, preparing the statements.
//
// locking_mode=EXCLUSIVE keeps the WAL index in memory instead of a shared file, and a second daemon out of the database.  Each step of
// `upgrades` is literal SQL and never changes once released: user_version says how many have been applied.
#include <stdio.h>
#include <string.h>

#include "unpriv/posternd/store_impl.h"

static const char *const upgrades[] = {
    // 1
    "CREATE TABLE bridge(name TEXT PRIMARY KEY NOT NULL, phase INTEGER NOT NULL, mac TEXT, address TEXT, mtu INTEGER NOT NULL, "
    "stp INTEGER NOT NULL, vlan_filtering INTEGER NOT NULL, tenant TEXT) STRICT;"
    "CREATE TABLE port(name TEXT PRIMARY KEY NOT NULL, phase INTEGER NOT NULL, bridge TEXT, tenant TEXT) STRICT;"
    "CREATE TABLE tap(name TEXT PRIMARY KEY NOT NULL, phase INTEGER NOT NULL, bridge TEXT, mac TEXT, mtu INTEGER NOT NULL, "
    "owner_uid INTEGER NOT NULL, vnet_hdr INTEGER NOT NULL, multi_queue INTEGER NOT NULL, created_unix INTEGER NOT NULL, vm TEXT, "
    "tenant TEXT) STRICT;"
    "CREATE TABLE snat(id TEXT PRIMARY KEY NOT NULL, phase INTEGER NOT NULL, source TEXT, out_interface TEXT, \"to\" TEXT, vm TEXT, "
    "tenant TEXT) STRICT;"
    "CREATE TABLE mount(target TEXT PRIMARY KEY NOT NULL, phase INTEGER NOT NULL, source TEXT, fstype INTEGER NOT NULL, "
    "readonly INTEGER NOT NULL, exec INTEGER NOT NULL, options INTEGER NOT NULL, tenant TEXT) STRICT;"
    "CREATE TABLE vm(id TEXT PRIMARY KEY NOT NULL, state INTEGER NOT NULL, reason INTEGER NOT NULL, vmm INTEGER NOT NULL, "
    "uid INTEGER NOT NULL, cid INTEGER NOT NULL, description TEXT, tenant TEXT, created_unix INTEGER NOT NULL, "
    "running_since_unix INTEGER NOT NULL, pid INTEGER NOT NULL, start_time INTEGER NOT NULL, boot_id TEXT, last_error TEXT, "
    "exit_code INTEGER NOT NULL) STRICT;"
    "CREATE TABLE transition(seq INTEGER PRIMARY KEY NOT NULL, vm TEXT, from_state INTEGER NOT NULL, to_state INTEGER NOT NULL, "
    "reason INTEGER NOT NULL, at_unix_ms INTEGER NOT NULL) STRICT;"
    "CREATE TABLE audit(seq INTEGER PRIMARY KEY AUTOINCREMENT, at_unix_ms INTEGER NOT NULL, identity TEXT NOT NULL, "
    "method TEXT NOT NULL, params TEXT NOT NULL, result TEXT NOT NULL, request TEXT NOT NULL, hash BLOB NOT NULL) STRICT;",
    // 2
    "ALTER TABLE transition RENAME TO event; ALTER TABLE event ADD COLUMN topic TEXT; ALTER TABLE event ADD COLUMN tenant TEXT; "
    "ALTER TABLE event ADD COLUMN object TEXT;",
    // 3
    "CREATE TABLE route(id TEXT PRIMARY KEY NOT NULL, phase INTEGER NOT NULL, destination TEXT, gateway TEXT, device TEXT, "
    "metric INTEGER NOT NULL, \"table\" INTEGER NOT NULL, source TEXT, tenant TEXT) STRICT;"
    "CREATE TABLE connection(name TEXT PRIMARY KEY NOT NULL, phase INTEGER NOT NULL, kind INTEGER NOT NULL, peer TEXT, a TEXT, b TEXT, "
    "tenant TEXT) STRICT;"
    "CREATE TABLE counter(name TEXT PRIMARY KEY NOT NULL, value INTEGER NOT NULL) STRICT;",
    // checkpoints
    "CREATE TABLE checkpoint(id INTEGER PRIMARY KEY NOT NULL, timeout_secs INTEGER NOT NULL, created_unix INTEGER NOT NULL, "
    "deadline_unix INTEGER NOT NULL, identity TEXT, method TEXT) STRICT;"
    "CREATE TABLE undo(checkpoint INTEGER NOT NULL, tbl TEXT NOT NULL, key TEXT NOT NULL, row TEXT, PRIMARY KEY(checkpoint, tbl, key)) STRICT;"
    "CREATE INDEX undo_of_row ON undo(tbl, key, checkpoint);",
    // leases
    "CREATE TABLE lease(id TEXT PRIMARY KEY NOT NULL, obtained_unix_ms INTEGER NOT NULL, message TEXT) STRICT;",
    // forwards and firewall rules
    "CREATE TABLE dnat(id TEXT PRIMARY KEY NOT NULL, phase INTEGER NOT NULL, proto INTEGER NOT NULL, host_port INTEGER NOT NULL, dest_ip TEXT, "
    "dest_port INTEGER NOT NULL, interface TEXT, host_ip TEXT, source TEXT, tenant TEXT) STRICT;"
    "CREATE TABLE allow(id TEXT PRIMARY KEY NOT NULL, phase INTEGER NOT NULL, proto INTEGER NOT NULL, port_lo INTEGER NOT NULL, "
    "port_hi INTEGER NOT NULL, source TEXT, interface TEXT, comment TEXT, tenant TEXT) STRICT;",
};

#define VERSION ((int)(sizeof(upgrades) / sizeof(*upgrades)))

static bool run(struct db *db, const char *sql)
{
	return sqlite3_exec(db->sql, sql, NULL, NULL, NULL) == SQLITE_OK;
}

static bool first_number(struct db *db, const char *sql, int *out)
{
	sqlite3_stmt *s;

	if (sqlite3_prepare_v2(db->sql, sql, -1, &s, NULL) != SQLITE_OK)
		return false;
	bool found = sqlite3_step(s) == SQLITE_ROW;
	*out = found ? sqlite3_column_int(s, 0) : 0;
	sqlite3_finalize(s);
	return found;
}

static bool upgrade(struct db *db, int from)
{
	char done[64];

	for (int v = from; v < VERSION; v++) {
		snprintf(done, sizeof(done), "PRAGMA user_version=%d; COMMIT", v + 1);
		if (!run(db, "BEGIN IMMEDIATE") || !run(db, upgrades[v]) || !run(db, done))
			return false;
	}
	return true;
}

static bool prepare_table(struct db *db, enum store_table id)
{
	const struct table *t = &store_tables[id];
	char names[512] = "", marks[64] = "", sql[700];

	for (size_t i = 0; i < t->n; i++) {
		size_t at = strlen(names);
		snprintf(names + at, sizeof(names) - at, "%s\"%s\"", i > 0 ? "," : "", t->columns[i].name);
		at = strlen(marks);
		snprintf(marks + at, sizeof(marks) - at, "%s?", i > 0 ? "," : "");
	}
	snprintf(sql, sizeof(sql), "INSERT OR REPLACE INTO %s(%s) VALUES(%s)", t->name, names, marks);
	if (sqlite3_prepare_v3(db->sql, sql, -1, SQLITE_PREPARE_PERSISTENT, &db->put[id], NULL) != SQLITE_OK)
		return false;
	snprintf(sql, sizeof(sql), "DELETE FROM %s WHERE \"%s\"=?", t->name, t->columns[0].name);
	return sqlite3_prepare_v3(db->sql, sql, -1, SQLITE_PREPARE_PERSISTENT, &db->del[id], NULL) == SQLITE_OK;
}

static bool prepare(struct db *db)
{
	for (enum store_table id = 0; id < TABLE_COUNT; id++)
		if (!prepare_table(db, id))
			return false;
	if (!undo_prepare(db))
		return false;
	return sqlite3_prepare_v3(db->sql, "INSERT INTO audit(at_unix_ms,identity,method,params,result,request,hash) VALUES(?,?,?,?,?,?,?)", -1,
	                          SQLITE_PREPARE_PERSISTENT, &db->audit, NULL) == SQLITE_OK;
}

static bool read_tail(struct db *db)
{
	sqlite3_stmt *s;

	memset(db->audit_tail, 0, sizeof(db->audit_tail));
	if (sqlite3_prepare_v2(db->sql, "SELECT hash FROM audit ORDER BY seq DESC LIMIT 1", -1, &s, NULL) != SQLITE_OK)
		return false;
	if (sqlite3_step(s) == SQLITE_ROW && sqlite3_column_bytes(s, 0) == STORE_HASH_SIZE)
		memcpy(db->audit_tail, sqlite3_column_blob(s, 0), STORE_HASH_SIZE);
	return sqlite3_finalize(s) == SQLITE_OK;
}

static bool open_file(struct db *db, const char *path)
{
	int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_NOFOLLOW;

	return sqlite3_open_v2(path, &db->sql, flags, NULL) == SQLITE_OK &&
	       run(db, "PRAGMA locking_mode=EXCLUSIVE; PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA temp_store=MEMORY;"
	               "PRAGMA trusted_schema=OFF; PRAGMA cell_size_check=ON");
}

bool db_open(struct db *db, const char *path, char *err, size_t err_size)
{
	int version;

	memset(db, 0, sizeof(*db));
	if (!open_file(db, path) || !first_number(db, "PRAGMA user_version", &version))
		snprintf(err, err_size, "%s: %s", path, sqlite3_errmsg(db->sql));
	else if (version > VERSION)
		snprintf(err, err_size, "%s: schema %d is newer than the %d that this program knows", path, version, VERSION);
	else if (!upgrade(db, version) || !prepare(db) || !read_tail(db))
		snprintf(err, err_size, "%s: schema %d: %s", path, version, sqlite3_errmsg(db->sql));
	else
		return true;
	db_close(db);
	return false;
}

void db_close(struct db *db)
{
	for (enum store_table id = 0; id < TABLE_COUNT; id++) {
		sqlite3_finalize(db->put[id]);
		sqlite3_finalize(db->del[id]);
		sqlite3_finalize(db->note[id]);
	}
	sqlite3_finalize(db->audit);
	sqlite3_close(db->sql);
	memset(db, 0, sizeof(*db));
}
