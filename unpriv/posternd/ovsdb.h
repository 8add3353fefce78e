// A client of Open vSwitch's database: OVSDB's JSON-RPC 1.0 (RFC 7047), of which it speaks transact, and answers echo.
//
// There is one connection. It is opened when somebody asks, serves one question after the other in the order they came, and is closed when it had
// nothing to do for a minute; one that was lost is opened anew.
#ifndef POSTERN_POSTERND_OVSDB_H
#define POSTERN_POSTERND_OVSDB_H

#include <jansson.h>

#include "unpriv/posternd/ovs_conn.h"

#define OVSDB_MARK    "postern" // key among the external_ids of a row that postern made
#define OVSDB_WAITING 64        // questions; one more is answered with FAIL_BUSY

struct ovsdb_ask {
	struct text ops; // operations on database Open_vSwitch, JSON objects with commas between; taken over by ovsdb_ask()
	bool write;      // asked at most once; a reading one that lost its connection before any answer is asked again
	// A row that operation `op` (from 0) selected; borrowed. May be NULL where nothing is selected.
	void (*row)(void *arg, unsigned op, const json_t *row);
	// Called once, later. results: what each operation answered, rows left out; NULL where there is none. Where an operation failed, nothing was
	// written, and the end is `refused` with its error and details.
	void (*done)(void *arg, const struct ovs_end *e, const json_t *results);
	void *arg;
};

void ovsdb_ask(const struct ovsdb_ask *ask);

// The helper that opened the connection is gone: it is used for what is under way, and no longer.
void ovsdb_helper_gone(void);

// Drops the connection and all questions; nobody is told.
void ovsdb_stop(void);

// The members of a row: "", 0 or false where there is none of that type. An OVSDB set of one is the one itself, of none is ["set", []].
const char *ovsdb_text(const json_t *row, const char *column);
int64_t ovsdb_int(const json_t *row, const char *column);
bool ovsdb_bool(const json_t *row, const char *column);

// The i'th element of a set, a lone value being a set of one; NULL where there are fewer.
const json_t *ovsdb_element(const json_t *row, const char *column, size_t i);

// The value under a key of a map; NULL where there is none.
const json_t *ovsdb_mapped(const json_t *row, const char *column, const char *key);

// The UUID in ["uuid", "…"]; "" where it is none.
const char *ovsdb_uuid(const json_t *value);

#endif
