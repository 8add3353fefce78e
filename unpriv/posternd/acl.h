// The access list in memory: filled by acl.c from the file, read by access.c for each request.
#ifndef POSTERN_POSTERND_ACL_H
#define POSTERN_POSTERND_ACL_H

#include "unpriv/posternd/access.h"

enum member_kind { MEMBER_UID, MEMBER_GID, MEMBER_TOKEN };

struct member {
	enum member_kind kind;
	uint32_t number;          // uid or gid
	unsigned char sha256[32]; // of a token
	unsigned group;           // the group it is in
};

typedef uint64_t group_set[ACCESS_GROUPS_MAX / 64];

struct ace {
	enum rpc_right right;
	group_set groups;
	const char *tenant;
	bool methods[RPC_COUNT];
};

struct acl {
	uint64_t generation;
	enum rpc_right anonymous_local, anonymous_remote;
	unsigned n_groups, n_members, n_aces;
	const char **group_names;
	group_set *inside; // of each group: the groups that its members are in too, itself included
	struct member *members;
	struct ace *aces;
	struct arena arena;
};

#endif
