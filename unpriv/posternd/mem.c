// Allocation that can't fail, and the arena. See mem.h.
#include "unpriv/posternd/mem.h"

#include <stdio.h>
#include <stdlib.h>

#include "unpriv/common/log.h"

enum { BLOCK_BYTES = 4096, ARENA_ALIGN = 16 };

struct arena_block {
	struct arena_block *older;
	size_t room;
	_Alignas(16) char bytes[];
};

static void *or_end(void *p, size_t n)
{
	if (p == NULL && n != 0) {
		log_error("out of memory", "bytes=%zu", n);
		abort();
	}
	return p;
}

void *xmalloc(size_t n)
{
	return or_end(malloc(n), n);
}

void *xcalloc(size_t count, size_t size)
{
	return or_end(calloc(count, size), size);
}

void *xrealloc(void *p, size_t n)
{
	return or_end(realloc(p, n), n);
}

char *xstrdup(const char *s)
{
	return or_end(strdup(s), 1);
}

static void add_block(struct arena *a, size_t n)
{
	size_t room = n > BLOCK_BYTES ? n : BLOCK_BYTES;
	struct arena_block *b = xmalloc(sizeof *b + room);
	b->older = a->blocks;
	b->room = room;
	a->blocks = b;
	a->used = 0;
}

void *arena_alloc(struct arena *a, size_t n)
{
	n = (n + ARENA_ALIGN - 1) & ~(size_t)(ARENA_ALIGN - 1);
	if (a->blocks == NULL || a->blocks->room - a->used < n)
		add_block(a, n);
	void *p = a->blocks->bytes + a->used;
	a->used += n;
	return p;
}

void *arena_zalloc(struct arena *a, size_t n)
{
	return memset(arena_alloc(a, n), 0, n);
}

char *arena_strndup(struct arena *a, const char *s, size_t n)
{
	char *copy = arena_alloc(a, n + 1);
	memcpy(copy, s, n);
	copy[n] = '\0';
	return copy;
}

char *arena_strdup(struct arena *a, const char *s)
{
	return arena_strndup(a, s, strlen(s));
}

char *arena_vprintf(struct arena *a, const char *fmt, va_list ap)
{
	va_list again;
	va_copy(again, ap);
	int n = vsnprintf(NULL, 0, fmt, again);
	va_end(again);
	size_t room = n < 0 ? 1 : (size_t)n + 1;
	char *s = arena_alloc(a, room);
	s[0] = '\0';
	vsnprintf(s, room, fmt, ap);
	return s;
}

char *arena_printf(struct arena *a, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	char *s = arena_vprintf(a, fmt, ap);
	va_end(ap);
	return s;
}

static void free_down_to(struct arena *a, const struct arena_block *keep)
{
	while (a->blocks != keep) {
		struct arena_block *older = a->blocks->older;
		free(a->blocks);
		a->blocks = older;
	}
}

void arena_reset(struct arena *a)
{
	struct arena_block *oldest = a->blocks;
	while (oldest && oldest->older)
		oldest = oldest->older;
	if (oldest && oldest->room > BLOCK_BYTES)
		oldest = NULL;
	free_down_to(a, oldest);
	a->used = 0;
}

void arena_finish(struct arena *a)
{
	free_down_to(a, NULL);
	a->used = 0;
}
