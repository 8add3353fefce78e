// One JSON-RPC message per line, both ways. Answers go out as they come.
#ifndef POSTERN_POSTERND_LINE_H
#define POSTERN_POSTERND_LINE_H

#include "unpriv/posternd/conn.h"

extern const struct framing line_framing;

#endif
