// The store's thread, its two queues, and reading the rows at start.  See store.h.
//
// `waiting` goes from the loop to the thread under a mutex and a condition; `finished` comes back the same way, with an eventfd to wake the
// loop.  The thread touches nothing but the database and changes that were handed over.
#include "unpriv/posternd/store.h"

#include <event2/event.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "unpriv/common/log.h"
#include "unpriv/posternd/mem.h"
#include "unpriv/posternd/store_impl.h"

struct queue {
	struct change *first, **last;
};

static struct {
	struct db db;
	pthread_t thread;
	bool running;
	pthread_mutex_t lock; // of all that follows
	pthread_cond_t wake;
	struct queue waiting, finished;
	bool closing;
	int done_fd; // eventfd: something is in `finished`
	struct event *done_event;
	atomic_bool failing;
} store = {.lock = PTHREAD_MUTEX_INITIALIZER, .wake = PTHREAD_COND_INITIALIZER, .done_fd = -1};

static void queue_init(struct queue *q)
{
	q->first = NULL;
	q->last = &q->first;
}

static void queue_add(struct queue *q, struct change *list)
{
	*q->last = list;
	while (list->next != NULL)
		list = list->next;
	q->last = &list->next;
}

static struct change *queue_take(struct queue *q)
{
	struct change *list = q->first;

	queue_init(q);
	return list;
}

bool store_open(const char *path, char *err, size_t err_size)
{
	queue_init(&store.waiting);
	queue_init(&store.finished);
	store.closing = false;
	atomic_store(&store.failing, false);
	return db_open(&store.db, path, err, err_size);
}

// Calls each(arg, row) with a row struct whose texts the statement owns.
static bool load(enum store_table id, void (*each)(void *arg, const void *row), void *arg)
{
	const struct table *t = &store_tables[id];
	char sql[128];
	sqlite3_stmt *s;
	char *row = xcalloc(1, t->row_size);
	int rc;

	snprintf(sql, sizeof(sql), "SELECT * FROM %s ORDER BY 1", t->name);
	rc = sqlite3_prepare_v2(store.db.sql, sql, -1, &s, NULL);
	while (rc == SQLITE_OK && (rc = sqlite3_step(s)) == SQLITE_ROW) {
		for (size_t i = 0; i < t->n; i++) {
			void *at = row + t->columns[i].off;
			if (t->columns[i].type == COLUMN_num)
				*(col_num *)at = sqlite3_column_int64(s, (int)i);
			else
				*(col_text *)at = (const char *)sqlite3_column_text(s, (int)i);
		}
		each(arg, row);
		rc = SQLITE_OK;
	}
	sqlite3_finalize(s);
	free(row);
	return rc == SQLITE_DONE;
}

// The typed callbacks, called through one of their own type.
#define TABLE(id)                                                                                                                                    \
	struct load_##id {                                                                                                                           \
		void (*each)(void *arg, const struct row_##id *row);                                                                                 \
		void *arg;                                                                                                                           \
	};                                                                                                                                           \
	static void each_##id(void *arg, const void *row)                                                                                            \
	{                                                                                                                                            \
		const struct load_##id *l = arg;                                                                                                     \
		l->each(l->arg, row);                                                                                                                \
	}                                                                                                                                            \
	bool store_load_##id(void (*each)(void *arg, const struct row_##id *row), void *arg)                                                         \
	{                                                                                                                                            \
		struct load_##id l = {each, arg};                                                                                                    \
		return load(TABLE_##id, each_##id, &l);                                                                                              \
	}
#include "unpriv/posternd/store.def"

static int oldest_checkpoint(int64_t *id)
{
	sqlite3_stmt *s;
	int rc = sqlite3_prepare_v2(store.db.sql, "SELECT min(id) FROM checkpoint", -1, &s, NULL);

	if (rc == SQLITE_OK)
		rc = sqlite3_step(s);
	*id = rc == SQLITE_ROW ? sqlite3_column_int64(s, 0) : 0;
	sqlite3_finalize(s);
	return rc == SQLITE_ROW ? SQLITE_OK : rc;
}

bool store_rollback_all(void)
{
	struct undone *list = NULL;
	int64_t id;
	int rc = oldest_checkpoint(&id);

	if (rc != SQLITE_OK || id == 0)
		return rc == SQLITE_OK;
	rc = sqlite3_exec(store.db.sql, "BEGIN IMMEDIATE", NULL, NULL, NULL);
	if (rc == SQLITE_OK)
		rc = undo_rollback(&store.db, id, &list);
	sqlite3_exec(store.db.sql, rc == SQLITE_OK ? "COMMIT" : "ROLLBACK", NULL, NULL, NULL);
	undone_free(list);
	return rc == SQLITE_OK && sqlite3_get_autocommit(store.db.sql) != 0;
}

static void *serve(void *arg)
{
	struct change *list;
	uint64_t one = 1;

	(void)arg;
	pthread_mutex_lock(&store.lock);
	for (;;) {
		while (store.waiting.first == NULL && !store.closing)
			pthread_cond_wait(&store.wake, &store.lock);
		list = queue_take(&store.waiting);
		if (list == NULL)
			break;
		pthread_mutex_unlock(&store.lock);
		atomic_store(&store.failing, !db_apply(&store.db, list));
		pthread_mutex_lock(&store.lock);
		queue_add(&store.finished, list);
		if (write(store.done_fd, &one, sizeof(one)) < 0)
			log_error("store can't wake the loop", NULL);
	}
	pthread_mutex_unlock(&store.lock);
	return NULL;
}

static void run_finished(void)
{
	struct change *list, *next;

	pthread_mutex_lock(&store.lock);
	list = queue_take(&store.finished);
	pthread_mutex_unlock(&store.lock);
	for (struct change *c = list; c != NULL; c = next) {
		next = c->next;
		if (c->err != 0)
			log_error("state was not stored", "error=%s", strerror(c->err));
		for (const struct undone *u = c->err == 0 ? c->undone : NULL; u != NULL; u = u->next)
			c->each_undone(u->table, u->key, u->row);
		if (c->done != NULL)
			c->done(c->arg, c->err);
		change_free(c);
	}
}

static void on_done(evutil_socket_t fd, short what, void *arg)
{
	uint64_t n;

	(void)what;
	(void)arg;
	if (read((int)fd, &n, sizeof(n)) == sizeof(n))
		run_finished();
}

bool store_start(struct event_base *base)
{
	store.done_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (store.done_fd < 0)
		return false;
	store.done_event = event_new(base, store.done_fd, EV_READ | EV_PERSIST, on_done, NULL);
	if (store.done_event == NULL || event_add(store.done_event, NULL) != 0)
		return false;
	store.running = pthread_create(&store.thread, NULL, serve, NULL) == 0;
	return store.running;
}

void store_close(void)
{
	pthread_mutex_lock(&store.lock);
	store.closing = true;
	pthread_cond_signal(&store.wake);
	pthread_mutex_unlock(&store.lock);
	if (store.running)
		pthread_join(store.thread, NULL);
	store.running = false;
	run_finished();
	for (struct change *c = queue_take(&store.waiting), *next; c != NULL; c = next) {
		next = c->next; // a callback of the last commits asked for more: too late, and nobody was told otherwise
		change_free(c);
	}
	if (store.done_event != NULL)
		event_free(store.done_event);
	store.done_event = NULL;
	if (store.done_fd >= 0)
		close(store.done_fd);
	store.done_fd = -1;
	db_close(&store.db);
}

void store_commit(struct change *c, store_cb *done, void *arg)
{
	c->done = done;
	c->arg = arg;
	c->next = NULL;
	pthread_mutex_lock(&store.lock);
	queue_add(&store.waiting, c);
	pthread_cond_signal(&store.wake);
	pthread_mutex_unlock(&store.lock);
}

bool store_failing(void)
{
	return atomic_load(&store.failing);
}
