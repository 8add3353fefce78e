// The policy's uplinks, as the helper names them.
#ifndef POSTERN_POSTERND_UPLINKS_H
#define POSTERN_POSTERND_UPLINKS_H

#include "proto/helper.h"

// A new helper has said hello, perhaps with another policy: asks it.
void uplinks_ask(void);

// NULL while no helper has said.
const wire_ifnames *uplinks(void);

#endif
