// Text for man pages in mdoc(7).
#ifndef POSTERN_UNPRIV_GEN_MDOC_H
#define POSTERN_UNPRIV_GEN_MDOC_H

#include <stdio.h>

// The date of generated pages: that of the hand-written ones, so that a build is the same every day.
#define MDOC_DATE "November 21, 2026"

// Writes text that can't be taken for macros or escapes; other than ASCII as \[uXXXX].  Sentences that follow each other start new lines.
void mdoc_text(FILE *out, const char *text);

#endif
