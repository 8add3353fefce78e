// Whether this machine's processor virtualizes.
#ifndef POSTERN_POSTERND_ACCEL_H
#define POSTERN_POSTERND_ACCEL_H

#include <stdbool.h>

// True where /proc/cpuinfo shows vmx or svm: a /dev/kvm can exist, create VMs, and still not boot a kernel.  Read once.
bool accel_have_kvm(void);

// The same judged from a text.
bool accel_in_cpuinfo(const char *cpuinfo);

#endif
