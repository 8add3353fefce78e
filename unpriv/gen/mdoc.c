// See mdoc.h.
#include "unpriv/gen/mdoc.h"

#include <stdbool.h>
#include <string.h>

#define WIDTH 72 // characters of a line

// The code point at *p, which then stands on its last byte.  The rows are valid UTF-8: a unit test of proto/ reads them.
static unsigned code_point(const char **p)
{
	const unsigned char *s = (const unsigned char *)*p;
	unsigned n = *s >= 0xf0 ? 3 : *s >= 0xe0 ? 2 : 1;
	unsigned c = *s & (0x3fu >> n);

	for (unsigned i = 1; i <= n; i++)
		c = c << 6 | (s[i] & 0x3fu);
	*p += n;
	return c;
}

// At a blank: behind a sentence, and before a word that would make the line long.
static bool ends_line(const char *text, const char *p, unsigned column)
{
	if (*p != ' ' || p - text < 2 || p[1] == '\0')
		return false;
	return (p[-1] == '.' && p[-2] != ' ') || column + strcspn(p + 1, " ") > WIDTH;
}

void mdoc_text(FILE *out, const char *text)
{
	unsigned column = 0;

	for (const char *p = text; *p != '\0'; p++, column++) {
		if (column == 0 && (*p == '.' || *p == '\''))
			fputs("\\&", out);
		if (*p == '\\') {
			fputs("\\e", out);
		} else if ((unsigned char)*p >= 0x80) {
			fprintf(out, "\\[u%04X]", code_point(&p));
		} else if (ends_line(text, p, column)) {
			fputc('\n', out);
			column = (unsigned)-1; // the next character stands in column 0
		} else {
			fputc(*p, out);
		}
	}
}
