// See policy_words.h.
#include "helper/launcher/policy_words.h"

#include <string.h>

bool word_number(const char *s, uint64_t min, uint64_t max, uint32_t *out)
{
	uint64_t v = 0;

	if (*s == '\0' || (s[0] == '0' && s[1] != '\0'))
		return false;
	for (; *s != '\0'; s++) {
		if (*s < '0' || *s > '9')
			return false;
		v = v * 10 + (uint64_t)(*s - '0');
		if (v > max)
			return false;
	}
	*out = (uint32_t)v;
	return v >= min;
}

bool word_range(const char *s, uint64_t max, struct policy_range *r)
{
	char lo[16];
	const char *dash = strchr(s, '-');
	size_t n = dash == NULL ? strlen(s) : (size_t)(dash - s);

	if (n >= sizeof(lo))
		return false;
	memcpy(lo, s, n);
	lo[n] = '\0';
	return word_number(lo, 1, max, &r->lo) && word_number(dash == NULL ? lo : dash + 1, 1, max, &r->hi) && r->lo <= r->hi;
}

bool word_path_ok(const char *s)
{
	return s[0] == '/' && wire_relpath_ok(s + 1);
}

void word_copy(char *to, size_t size, const char *from)
{
	memset(to, 0, size);
	memcpy(to, from, strnlen(from, size - 1));
}

unsigned word_place(const char *word, const char *const *words, unsigned n)
{
	unsigned i = 0;

	while (i < n && strcmp(words[i], word) != 0)
		i++;
	return i;
}
