// What belongs to whom.  A tenant of NULL is the host: it may use everything, and what is the host's alone is nobody else's.
//
// Names outlive what they name: a bridge that a description mentions may since have gone, and come again as another tenant's.  So these are asked
// whenever a name is used, not only when it is taken down.
#ifndef POSTERN_POSTERND_TENANT_H
#define POSTERN_POSTERND_TENANT_H

#include <stdbool.h>

// True when tenant who may see and touch what is owner's.
bool tenant_may(const char *who, const char *owner);

// True when who may join the bridge of this name: it is who's, or none of ours, and then policy alone decides.
bool tenant_may_join(const char *who, const char *bridge);

// True when a VM of who may have the tap of this name: it is ready, who's, and no VM's own.
bool tenant_may_take(const char *who, const char *tap);

#endif
