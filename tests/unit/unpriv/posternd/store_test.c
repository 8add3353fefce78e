// LINK: unpriv/posternd/store.o unpriv/posternd/store_schema.o unpriv/posternd/store_apply.o unpriv/posternd/store_audit.o unpriv/posternd/store_undo.o
// LINK: unpriv/posternd/store_change.o unpriv/posternd/mem.o unpriv/posternd/text.o unpriv/posternd/utf8.o unpriv/common/log.o
// LIBS: -levent_core -lsqlite3 -lcrypto
// The store against a real database in a scratch directory, and against a disk that fails: a VFS under SQLite whose writes can be refused.
#include <errno.h>
#include <event2/event.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/lib/test.h"
#include "unpriv/posternd/store_impl.h"

static char dir[64], path[96];
static struct event_base *base;
static char err[256];

// ---- a VFS that refuses writes when told to ----
static int write_fault = SQLITE_OK;
static sqlite3_vfs *real;
static sqlite3_vfs shim;
// The database, and its journal and WAL, come with method tables of their own.
static sqlite3_io_methods shim_io[2];
static const sqlite3_io_methods *real_io[2];

static int refuse_or_write(int which, sqlite3_file *f, const void *p, int n, sqlite3_int64 at)
{
	return write_fault != SQLITE_OK ? write_fault : real_io[which]->xWrite(f, p, n, at);
}

static int write_main(sqlite3_file *f, const void *p, int n, sqlite3_int64 at)
{
	return refuse_or_write(0, f, p, n, at);
}

static int write_wal(sqlite3_file *f, const void *p, int n, sqlite3_int64 at)
{
	return refuse_or_write(1, f, p, n, at);
}

static int shim_open(sqlite3_vfs *v, const char *name, sqlite3_file *f, int flags, int *out)
{
	int rc = real->xOpen(real, name, f, flags, out);
	int which = (flags & SQLITE_OPEN_MAIN_DB) == 0;

	(void)v;
	if (rc == SQLITE_OK && f->pMethods != NULL) {
		real_io[which] = f->pMethods;
		shim_io[which] = *f->pMethods;
		shim_io[which].xWrite = which ? write_wal : write_main;
		f->pMethods = &shim_io[which];
	}
	return rc;
}

static void use_shim(void)
{
	if (real != NULL)
		return;
	real = sqlite3_vfs_find(NULL);
	shim = *real;
	shim.zName = "shim";
	shim.xOpen = shim_open;
	sqlite3_vfs_register(&shim, 1);
}

// ---- set-up ----
static bool fresh(void)
{
	use_shim();
	write_fault = SQLITE_OK;
	snprintf(dir, sizeof(dir), "/tmp/postern-store-XXXXXX");
	if (mkdtemp(dir) == NULL)
		return false;
	snprintf(path, sizeof(path), "%s/state.db", dir);
	base = event_base_new();
	return store_open(path, err, sizeof(err));
}

static void done(void)
{
	char cmd[128];

	store_close();
	event_base_free(base);
	snprintf(cmd, sizeof(cmd), "rm -rf %s", dir);
	if (system(cmd) != 0)
		abort();
}

static int calls, last_err, order[64];

static void note(void *arg, int e)
{
	order[calls++ % 64] = (int)(intptr_t)arg;
	last_err = e;
}

static void wait_calls(int n)
{
	while (calls < n)
		event_base_loop(base, EVLOOP_ONCE);
}

static struct row_tap tap(const char *name)
{
	return (struct row_tap){.name = name, .phase = PHASE_DONE, .bridge = "pt-br0", .owner_uid = 900000, .created_unix = 17};
}

static int rows;
static char seen[256];

static void each_tap(void *arg, const struct row_tap *t)
{
	(void)arg;
	rows++;
	snprintf(seen + strlen(seen), sizeof(seen) - strlen(seen), "%s %s %lld;", t->name, t->mac != NULL ? t->mac : "-", (long long)t->owner_uid);
}

static void reload(void)
{
	rows = 0;
	seen[0] = '\0';
	store_close();
	if (store_open(path, err, sizeof(err)))
		store_load_tap(each_tap, NULL);
}

TEST("a row that was called back is there after a restart, with its NULLs")
{
	CHECK(fresh());
	CHECK(store_start(base));
	calls = 0;
	struct change *c = change_new();
	struct row_tap t = tap("pt-a");
	change_put_tap(c, &t);
	store_commit(c, note, NULL);
	wait_calls(1);
	CHECK_INT(last_err, 0);
	reload();
	CHECK_STR(seen, "pt-a - 900000;");
	done();
}

TEST("a put replaces, a delete removes, and callbacks come in order")
{
	CHECK(fresh());
	CHECK(store_start(base));
	calls = 0;
	for (int i = 0; i < 3; i++) {
		struct change *c = change_new();
		struct row_tap a = tap("pt-a"), b = tap("pt-b");
		a.owner_uid = i;
		if (i < 2) {
			change_put_tap(c, &a);
			change_put_tap(c, &b);
		} else
			change_del_tap(c, "pt-b");
		store_commit(c, note, (void *)(intptr_t)i);
	}
	wait_calls(3);
	CHECK(order[0] == 0 && order[1] == 1 && order[2] == 2);
	reload();
	CHECK_STR(seen, "pt-a - 1;");
	done();
}

TEST("a full disk fails the change, keeps nothing of it, and the next change succeeds")
{
	CHECK(fresh());
	CHECK(store_start(base));
	calls = 0;
	write_fault = SQLITE_FULL;
	struct change *c = change_new();
	struct row_tap t = tap("pt-full");
	change_put_tap(c, &t);
	store_commit(c, note, NULL);
	wait_calls(1);
	CHECK_INT(last_err, ENOSPC);
	CHECK(store_failing());
	write_fault = SQLITE_OK;
	c = change_new();
	t = tap("pt-after");
	change_put_tap(c, &t);
	store_commit(c, note, NULL);
	wait_calls(2);
	CHECK_INT(last_err, 0);
	CHECK(!store_failing());
	reload();
	CHECK_STR(seen, "pt-after - 900000;");
	done();
}

TEST("an input/output error is EIO for every change of the commit")
{
	CHECK(fresh());
	calls = 0;
	for (int i = 0; i < 2; i++) {
		struct change *c = change_new();
		struct row_tap t = tap(i != 0 ? "pt-a" : "pt-b");
		change_put_tap(c, &t);
		store_commit(c, note, NULL);
	}
	write_fault = SQLITE_IOERR_WRITE;
	CHECK(store_start(base));
	wait_calls(2);
	CHECK_INT(last_err, EIO);
	write_fault = SQLITE_OK;
	reload();
	CHECK_INT(rows, 0);
	done();
}

TEST("a change that breaks a rule of the schema takes no other with it")
{
	CHECK(fresh());
	calls = 0;
	struct change *c = change_new();
	struct row_tap good = tap("pt-good"), bad = tap(NULL);
	change_put_tap(c, &good);
	store_commit(c, note, NULL);
	c = change_new();
	struct row_tap half = tap("pt-half");
	change_put_tap(c, &half);
	change_put_tap(c, &bad);
	store_commit(c, note, NULL);
	CHECK(store_start(base));
	wait_calls(2);
	CHECK_INT(last_err, EIO);
	reload();
	CHECK_STR(seen, "pt-good - 900000;");
	done();
}

TEST("a database with a newer schema is refused and left as it is")
{
	sqlite3 *sql;

	CHECK(fresh());
	store_close();
	CHECK(sqlite3_open(path, &sql) == SQLITE_OK);
	sqlite3_exec(sql, "PRAGMA user_version=99", NULL, NULL, NULL);
	sqlite3_close(sql);
	CHECK(!store_open(path, err, sizeof(err)));
	CHECK(strstr(err, "newer") != NULL);
	done();
}

TEST("the tables of a new database have the columns of the rows, in their order")
{
	CHECK(fresh());
	store_close();
	sqlite3 *sql;
	CHECK(sqlite3_open(path, &sql) == SQLITE_OK);
	for (int t = 0; t < TABLE_COUNT; t++) {
		char q[96];
		sqlite3_stmt *s;
		size_t i = 0;
		snprintf(q, sizeof(q), "SELECT name, type FROM pragma_table_info('%s')", store_tables[t].name);
		CHECK(sqlite3_prepare_v2(sql, q, -1, &s, NULL) == SQLITE_OK);
		for (; sqlite3_step(s) == SQLITE_ROW; i++) {
			CHECK(i < store_tables[t].n);
			CHECK_STR((const char *)sqlite3_column_text(s, 0), store_tables[t].columns[i].name);
			CHECK_STR((const char *)sqlite3_column_text(s, 1), store_tables[t].columns[i].type == COLUMN_text ? "TEXT" : "INTEGER");
		}
		CHECK_INT(i, store_tables[t].n);
		sqlite3_finalize(s);
	}
	sqlite3_close(sql);
	done();
}

static void audit(const char *method)
{
	struct change *c = change_new();
	struct audit_row r = {1700000000000, "uid:1000", method, "{\"name\":\"a\"}", "ok", "7"};

	change_audit(c, &r);
	store_commit(c, note, NULL);
}

// Follows the chain in the file; the number of rows, or -1 where it is broken.
static int follow_chain(void)
{
	sqlite3 *sql;
	sqlite3_stmt *s;
	uint8_t tail[STORE_HASH_SIZE] = {0}, next[STORE_HASH_SIZE];
	int n = 0;

	sqlite3_open(path, &sql);
	sqlite3_prepare_v2(sql, "SELECT at_unix_ms,identity,method,params,result,request,hash FROM audit ORDER BY seq", -1, &s, NULL);
	while (n >= 0 && sqlite3_step(s) == SQLITE_ROW) {
		const char *text[5];
		for (int i = 0; i < 5; i++)
			text[i] = (const char *)sqlite3_column_text(s, i + 1);
		audit_hash(tail, sqlite3_column_int64(s, 0), text, next);
		n = memcmp(next, sqlite3_column_blob(s, 6), STORE_HASH_SIZE) == 0 ? n + 1 : -1;
		memcpy(tail, next, sizeof(tail));
	}
	sqlite3_finalize(s);
	sqlite3_close(sql);
	return n;
}

TEST("the audit chain goes on over a restart and over a commit that failed, and a changed row breaks it")
{
	CHECK(fresh());
	CHECK(store_start(base));
	calls = 0;
	audit("net.bridge.add");
	wait_calls(1);
	write_fault = SQLITE_FULL;
	audit("lost");
	wait_calls(2);
	write_fault = SQLITE_OK;
	audit("net.bridge.delete");
	wait_calls(3);
	store_close();
	CHECK(store_open(path, err, sizeof(err)) && store_start(base));
	audit("vol.mount");
	wait_calls(4);
	store_close();
	CHECK_INT(follow_chain(), 3);
	sqlite3 *sql;
	sqlite3_open(path, &sql);
	sqlite3_exec(sql, "UPDATE audit SET identity='uid:0' WHERE method='net.bridge.delete'", NULL, NULL, NULL);
	sqlite3_close(sql);
	CHECK_INT(follow_chain(), -1);
	done();
}

TEST("kill -9 of the process loses no row that was called back")
{
	int fds[2], status;
	char last = 0, b;

	CHECK(fresh());
	store_close();
	CHECK(pipe(fds) == 0);
	pid_t pid = fork();
	if (pid == 0) {
		struct event_base *own = event_base_new();
		if (!store_open(path, err, sizeof(err)) || !store_start(own))
			_exit(1);
		for (int i = 0;; i++) {
			char name[16];
			snprintf(name, sizeof(name), "pt-%d", i % 100);
			struct change *c = change_new();
			struct row_tap t = tap(name);
			t.owner_uid = i;
			change_put_tap(c, &t);
			calls = 0;
			store_commit(c, note, NULL);
			while (calls < 1)
				event_base_loop(own, EVLOOP_ONCE);
			b = (char)(i + 1);
			if (i >= 100 || write(fds[1], &b, 1) != 1)
				_exit(1);
		}
	}
	close(fds[1]);
	while (read(fds[0], &b, 1) == 1) {
		last = b;
		if (last == 40)
			kill(pid, SIGKILL);
	}
	close(fds[0]);
	waitpid(pid, &status, 0);
	CHECK(WIFSIGNALED(status) && last >= 40);
	rows = 0;
	seen[0] = '\0';
	CHECK(store_open(path, err, sizeof(err)));
	store_load_tap(each_tap, NULL);
	CHECK(rows >= last);
	done();
}

// ---- checkpoints ----

static char undone[256];

static void each_undone(enum store_table table, const char *key, const void *row)
{
	const struct row_tap *t = row;

	snprintf(undone + strlen(undone), sizeof(undone) - strlen(undone), "%d %s %lld;", table == TABLE_tap, key,
	         t != NULL ? (long long)t->owner_uid : -1);
}

static void commit_and_wait(struct change *c)
{
	int before = calls;

	store_commit(c, note, NULL);
	wait_calls(before + 1);
}

static void put_tap(const char *name, int64_t owner, const char *vm)
{
	struct change *c = change_new();
	struct row_tap t = tap(name);

	t.owner_uid = owner;
	t.vm = vm;
	change_put_tap(c, &t);
	commit_and_wait(c);
}

static void del_tap(const char *name)
{
	struct change *c = change_new();

	change_del_tap(c, name);
	commit_and_wait(c);
}

static void arm(int64_t id)
{
	struct change *c = change_new();

	change_put_checkpoint(c, &(struct row_checkpoint){.id = id, .identity = "uid:0", .method = "m"});
	commit_and_wait(c);
}

static void confirm(int64_t id)
{
	struct change *c = change_new();

	change_confirm(c, id);
	commit_and_wait(c);
}

static void roll_back(int64_t id)
{
	struct change *c = change_new();

	undone[0] = '\0';
	change_rollback(c, id, each_undone);
	commit_and_wait(c);
}

TEST("a rollback gives rows back that were changed or deleted, takes those that came, tells each, and leaves a VM's alone")
{
	CHECK(fresh() && store_start(base));
	put_tap("a", 1, NULL);
	put_tap("b", 2, NULL);
	arm(5);
	put_tap("a", 11, NULL);
	put_tap("a", 12, NULL);
	del_tap("b");
	put_tap("c", 3, NULL);
	put_tap("v", 4, "vm");
	roll_back(5);
	CHECK_INT(last_err, 0);
	CHECK(strstr(undone, "1 a 1;") != NULL && strstr(undone, "1 b 2;") != NULL && strstr(undone, "1 c -1;") != NULL && strchr(undone, 'v') == NULL);
	put_tap("d", 9, NULL); // none pends: nothing is noted
	roll_back(5);
	CHECK_STR(undone, "");
	reload();
	CHECK_STR(seen, "a - 1;b - 2;d - 9;v - 4;");
	done();
}

TEST("confirming a younger checkpoint hands what it noted to the older one, and an older one's end doesn't touch the younger")
{
	CHECK(fresh() && store_start(base));
	put_tap("a", 1, NULL);
	arm(5);
	put_tap("a", 2, NULL);
	arm(6);
	put_tap("a", 3, NULL);
	put_tap("b", 3, NULL);
	confirm(6);
	roll_back(5);
	reload();
	CHECK_STR(seen, "a - 1;");
	CHECK(store_start(base));
	arm(7);
	put_tap("a", 2, NULL);
	arm(8);
	put_tap("a", 3, NULL);
	confirm(7);
	roll_back(8);
	reload();
	CHECK_STR(seen, "a - 2;");
	done();
}

TEST("a store that is opened with pending checkpoints rolls back to the oldest, and has none then")
{
	CHECK(fresh() && store_start(base));
	put_tap("a", 1, NULL);
	arm(5);
	put_tap("a", 2, NULL);
	arm(6);
	del_tap("a");
	put_tap("b", 3, NULL);
	store_close();
	CHECK(store_open(path, err, sizeof(err)) && store_rollback_all());
	rows = 0;
	seen[0] = '\0';
	store_load_tap(each_tap, NULL);
	CHECK_STR(seen, "a - 1;");
	CHECK(store_rollback_all());
	done();
}

TEST("a rollback that the disk refuses changes nothing, and can be tried again")
{
	use_shim();
	CHECK(fresh() && store_start(base));
	put_tap("a", 1, NULL);
	arm(5);
	put_tap("a", 2, NULL);
	write_fault = SQLITE_IOERR_WRITE;
	roll_back(5);
	CHECK(last_err != 0);
	CHECK_STR(undone, "");
	write_fault = SQLITE_OK;
	roll_back(5);
	CHECK_INT(last_err, 0);
	CHECK_STR(undone, "1 a 1;");
	done();
}

int main(void)
{
	return test_main();
}
