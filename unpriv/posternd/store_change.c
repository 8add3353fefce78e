// Changes as the loop collects them: rows copied into lists of values, by the rows of store.def.
#include <stdlib.h>
#include <string.h>

#include "unpriv/posternd/mem.h"
#include "unpriv/posternd/store_impl.h"

#define TABLE(id)           static const struct column columns_##id[] = {
#define KEY(id, type, name) {#name, COLUMN_##type, offsetof(struct row_##id, name)},
#define COL(id, type, name) {#name, COLUMN_##type, offsetof(struct row_##id, name)},
#define END_TABLE(id)                                                                                                                                \
	}                                                                                                                                            \
	;
#include "unpriv/posternd/store.def"

const struct table store_tables[TABLE_COUNT] = {
#define TABLE(id) [TABLE_##id] = {#id, sizeof(struct row_##id), columns_##id, sizeof(columns_##id) / sizeof(*columns_##id)},
#include "unpriv/posternd/store.def"
};

#define TABLE(id) _Static_assert(sizeof(columns_##id) / sizeof(*columns_##id) <= STORE_COLUMNS_MAX, #id);
#include "unpriv/posternd/store.def"

struct change *change_new(void)
{
	struct change *c = xcalloc(1, sizeof(*c));

	c->last = &c->first;
	return c;
}

void change_free(struct change *c)
{
	struct write *next;

	for (struct write *w = c->first; w != NULL; w = next) {
		next = w->next;
		for (size_t i = 0; i < STORE_COLUMNS_MAX; i++)
			free(w->v[i].text);
		free(w);
	}
	undone_free(c->undone);
	free(c);
}

static struct write *append(struct change *c, enum write_kind kind, enum store_table table)
{
	struct write *w = xcalloc(1, sizeof(*w));

	w->kind = kind;
	w->table = table;
	*c->last = w;
	c->last = &w->next;
	return w;
}

static void put(struct change *c, enum store_table table, const void *row)
{
	const struct table *t = &store_tables[table];
	struct write *w = append(c, WRITE_PUT, table);

	for (size_t i = 0; i < t->n; i++) {
		const void *at = (const char *)row + t->columns[i].off;
		if (t->columns[i].type == COLUMN_num)
			w->v[i].num = *(const col_num *)at;
		else if (*(const col_text *)at != NULL)
			w->v[i].text = xstrdup(*(const col_text *)at);
	}
}

static void set_text(struct value *v, col_text text)
{
	v->text = xstrdup(text);
}

static void set_num(struct value *v, col_num num)
{
	v->num = num;
}

#define TABLE(id)                                                                                                                                    \
	void change_put_##id(struct change *c, const struct row_##id *row)                                                                           \
	{                                                                                                                                            \
		put(c, TABLE_##id, row);                                                                                                             \
	}
#define KEY(id, type, name)                                                                                                                          \
	void change_del_##id(struct change *c, col_##type name)                                                                                      \
	{                                                                                                                                            \
		set_##type(&append(c, WRITE_DEL, TABLE_##id)->v[0], name);                                                                           \
	}
#include "unpriv/posternd/store.def"

void change_confirm(struct change *c, int64_t id)
{
	append(c, WRITE_CONFIRM, TABLE_COUNT)->v[0].num = id;
}

void change_rollback(struct change *c, int64_t id, undo_cb *each)
{
	append(c, WRITE_ROLLBACK, TABLE_COUNT)->v[0].num = id;
	c->each_undone = each;
}

void change_audit(struct change *c, const struct audit_row *row)
{
	const char *const text[5] = {row->identity, row->method, row->params, row->result, row->request};
	struct write *w = append(c, WRITE_AUDIT, TABLE_COUNT);

	w->v[0].num = row->at_unix_ms;
	for (int i = 0; i < 5; i++)
		w->v[i + 1].text = xstrdup(text[i]);
}
