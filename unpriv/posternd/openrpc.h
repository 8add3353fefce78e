// The OpenRPC 1.3.2 document of every method, made from the rows.
#ifndef POSTERN_POSTERND_OPENRPC_H
#define POSTERN_POSTERND_OPENRPC_H

#include "unpriv/posternd/mem.h"

void openrpc_document(struct text *out);

#endif
