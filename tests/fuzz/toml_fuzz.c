// LINK: unpriv/posternd/toml.o unpriv/posternd/toml_value.o unpriv/posternd/mem.o unpriv/posternd/text.o unpriv/posternd/utf8.o unpriv/common/log.o
// A TOML document: every value of the tree has a place in the text and every member a key, and an error has its place too.
#include <stdlib.h>
#include <string.h>

#include "unpriv/posternd/toml.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void walk(const struct toml *t, int lines)
{
	if (t->line < 1 || t->line > lines || t->column < 1)
		abort();
	if (t->type != TOML_TABLE && t->type != TOML_ARRAY)
		return;
	for (const struct toml *m = t->first; m; m = m->next) {
		if ((m->key == NULL) != (t->type == TOML_ARRAY))
			abort();
		walk(m, lines);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena a = {0};
	const char *error = NULL;
	int lines = 1;
	char *copy = malloc(size ? size : 1);
	memcpy(copy, data, size);
	for (size_t i = 0; i < size; i++)
		lines += data[i] == '\n';
	const struct toml *t = toml_read("f", copy, size, &a, &error);
	if (t)
		walk(t, lines);
	else if (error == NULL || strncmp(error, "f:", 2) != 0)
		abort();
	arena_finish(&a);
	free(copy);
	return 0;
}
