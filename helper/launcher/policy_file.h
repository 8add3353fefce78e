// Reading /etc/postern/policy.conf into a struct policy; the launcher alone does it.
//
// `keyword value…` a line, '#' begins a comment.  Every keyword is a row of the table in policy_parse.c.
#ifndef HELPER_LAUNCHER_POLICY_FILE_H
#define HELPER_LAUNCHER_POLICY_FILE_H

#include "helper/common/policy.h"

#define POLICY_FILE     "/etc/postern/policy.conf"
#define POLICY_FILE_MAX 65536u // bytes

struct policy_error {
	unsigned line;    // counted from 1; 0: the file as a whole
	const char *what; // constant text
};

// Parses text[0..len) into *p, starting from the default.  Returns false with the first error.
bool policy_parse(struct policy *p, const char *text, size_t len, struct policy_error *err);

// Opens and reads the policy file.  Each directory on the way and the file itself must belong to uid 0 and be writable by nobody else;
// no component may be a symlink.  Returns false with err; true with *p = default where the file isn't there.
bool policy_load(struct policy *p, const char *path, struct policy_error *err);

#endif
