// Users of the guest's root file system: /etc/passwd and /etc/group as text, no NSS.
#ifndef POSTERN_GUEST_INIT_USERS_H
#define POSTERN_GUEST_INIT_USERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define USER_GROUPS 32

struct user {
	uid_t uid;
	gid_t gid;
	gid_t groups[USER_GROUPS]; // supplementary, from /etc/group
	size_t ngroups;
	char name[65];  // "" where passwd doesn't know the number
	char home[256]; // "/" where passwd doesn't say
};

// Finds a user by name, or by number written in digits.  A number that passwd doesn't know is a user with the same number as its group
// and no others.  False: no such name.
bool user_find(const char *name, struct user *u);

// The same by number.
void user_by_uid(uid_t uid, struct user *u);

#endif
