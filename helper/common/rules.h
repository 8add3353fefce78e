// What the policy says about each operation's arguments: one function, asked by the broker before it hands a request on, and by the cell
// with its own part of the policy before it runs the handler.  Ownership isn't decided here: only the kernel's own marks say that.
#ifndef HELPER_COMMON_RULES_H
#define HELPER_COMMON_RULES_H

#include "helper/common/policy.h"

// Returns NULL where the policy allows it, else the name of the rule that refuses: a keyword of policy.conf.
const char *rules_refuse(const struct policy *p, enum op_id op, const union op_args *a);

// Checks that fds[0..nfds) are what the operation's row asks for: number, type, seals, access mode, no O_PATH.
bool rules_fds(const struct op_row *row, const int *fds, unsigned nfds);

#endif
