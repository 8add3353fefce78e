// The audit hooks in force; never NULL.
#ifndef POSTERN_POSTERND_RPC_AUDIT_H
#define POSTERN_POSTERND_RPC_AUDIT_H

#include "unpriv/posternd/request.h"

const struct audit_hooks *rpc_audit(void);

#endif
