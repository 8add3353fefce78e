// Who a caller is, and what that allows, by acl.toml.
//
// A caller is in every group that names its uid, one of its gids or its token; groups may hold the
// members of other groups. Its right for a method is the highest that an entry gives to one of its
// groups for that method; who is in no group is anonymous and has the policy's right.
#ifndef POSTERN_POSTERND_ACCESS_H
#define POSTERN_POSTERND_ACCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "proto/rpc.h"
#include "unpriv/posternd/mem.h"

enum {
	ACCESS_GROUPS_MAX = 256, // [[group]] tables
	PEER_GIDS_MAX = 64,      // a caller's further gids are not looked at, which can only cost it rights
};

// The other end of a Unix socket, as the kernel vouches for it.
struct peer {
	uid_t uid;
	gid_t gids[PEER_GIDS_MAX + 1]; // the primary one first
	unsigned n_gids;
};

struct caller {
	uint64_t generation;                     // of the list it was made by; 0 = none yet
	uint64_t groups[ACCESS_GROUPS_MAX / 64]; // set of group numbers
	bool anonymous;                          // in no group
	char name[32];                           // "uid:1000", "token:1f2e3d4c"
};

struct grant {
	enum rpc_right right;
	const char *tenant; // of the entry that gave the right, or NULL; lives as long as the list
};

struct acl;

// Reads the access list. A file that isn't there gives the default policy if `optional`. NULL = wrong,
// *error ("file:line:column: what") is in the arena.
struct acl *acl_load(const char *path, bool optional, struct arena *a, const char **error);
void acl_destroy(struct acl *acl);

// Never 0, and different for each list loaded.
uint64_t access_generation(const struct acl *acl);

// Reads SO_PEERCRED and SO_PEERGROUPS of a connected Unix socket.
bool peer_read(int fd, struct peer *out);

// Who the peer is by its uid and gids alone.
void access_peer_caller(const struct acl *acl, const struct peer *peer, struct caller *out);

// Adds the groups of a bearer token; an unknown token adds nothing.
void access_add_token(const struct acl *acl, struct caller *c, const char *token, size_t len);

// The caller's right for a method, and whom its work belongs to.
struct grant access_grant(const struct acl *acl, const struct caller *c, enum rpc_method_id method);

// The names of the caller's groups, in the order of the file; NULL-terminated, in the arena.
const char **access_group_names(const struct acl *acl, const struct caller *c, struct arena *a);

#endif
