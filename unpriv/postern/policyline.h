// What the command line wants to know of policy.conf(5): the helper reads the file for itself and never takes our word.
#ifndef POSTERN_UNPRIV_POSTERN_POLICYLINE_H
#define POSTERN_UNPRIV_POSTERN_POLICYLINE_H

#include <stdbool.h>
#include <stddef.h>

#define POLICY_FILE "/etc/postern/policy.conf"

// The value of the n-th line (from 0) that begins with keyword, without comment and surrounding blanks.  False when there is none, or the
// file can't be read (errno says).
bool policy_value_n(const char *keyword, unsigned n, char *out, size_t size);

// The first.
bool policy_value(const char *keyword, char *out, size_t size);

#endif
