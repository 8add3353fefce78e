// Memory of the daemon: allocation that can't fail, an arena that lives as long as a request, and
// `struct text`, the growing byte buffer that everything sent or received goes through.
//
// The daemon bounds what a client can make it hold (body, connections, batch, pipeline), so running
// out of memory is the machine's end, not a client's doing: it is logged and the process ends; its
// parent starts a new one.
#ifndef POSTERN_POSTERND_MEM_H
#define POSTERN_POSTERND_MEM_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

// malloc, calloc, realloc and strdup that end the process instead of failing.
void *xmalloc(size_t n);
void *xcalloc(size_t count, size_t size);
void *xrealloc(void *p, size_t n);
char *xstrdup(const char *s);

// Bump allocator. What it hands out is aligned to 16 bytes, not zeroed, and goes with arena_reset.
struct arena_block;
struct arena {
	struct arena_block *blocks; // newest first; the oldest stays over a reset
	size_t used;                // in the newest
};
void *arena_alloc(struct arena *a, size_t n);
void *arena_zalloc(struct arena *a, size_t n);
char *arena_strndup(struct arena *a, const char *s, size_t n);
char *arena_strdup(struct arena *a, const char *s);
__attribute__((format(printf, 2, 3))) char *arena_printf(struct arena *a, const char *fmt, ...);
char *arena_vprintf(struct arena *a, const char *fmt, va_list ap);
// Frees everything but one block of usual size, which the next user finds warm.
void arena_reset(struct arena *a);
void arena_finish(struct arena *a);

// A growing byte buffer, not NUL-terminated. Zeroed is empty.
struct text {
	char *at;
	size_t len, room;
};
void text_grow(struct text *t, size_t more);
void text_finish(struct text *t);
// Empties it, and gives memory back where it has grown beyond `keep` bytes.
void text_clear(struct text *t, size_t keep);
// Appends all of `from`, which is empty after it: a long text to an empty one by handing its buffer over.
void text_move(struct text *t, struct text *from);
// Drops the first n bytes.
void text_drop(struct text *t, size_t n);
__attribute__((format(printf, 2, 3))) void text_printf(struct text *t, const char *fmt, ...);
void text_u64(struct text *t, uint64_t v);
void text_i64(struct text *t, int64_t v);
// Appends a JSON string literal with its quotes. Bytes that aren't UTF-8 (a kernel's name may hold
// any) become U+FFFD, so the document stays valid.
void text_json(struct text *t, const char *s, size_t n);

static inline void text_add(struct text *t, const void *p, size_t n)
{
	if (n == 0)
		return; // nothing may come from nowhere, and memcpy won't have that
	if (t->room - t->len < n)
		text_grow(t, n);
	memcpy(t->at + t->len, p, n);
	t->len += n;
}

static inline void text_str(struct text *t, const char *s)
{
	text_add(t, s, strlen(s));
}

static inline void text_char(struct text *t, char c)
{
	if (t->room == t->len)
		text_grow(t, 1);
	t->at[t->len++] = c;
}

#define text_lit(t, literal) text_add(t, "" literal, sizeof(literal) - 1)

#endif
