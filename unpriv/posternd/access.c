// Identity and rights of a request. See access.h.
#include "unpriv/posternd/access.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <sys/socket.h>

#include "unpriv/posternd/acl.h"

uint64_t access_generation(const struct acl *acl)
{
	return acl->generation;
}

bool peer_read(int fd, struct peer *out)
{
	struct ucred cred;
	socklen_t len = sizeof cred;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) < 0)
		return false;
	out->uid = cred.uid;
	out->gids[0] = cred.gid;
	out->n_gids = 1;
	// More groups than fit: ERANGE, and only the primary one counts.
	len = PEER_GIDS_MAX * sizeof *out->gids;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, out->gids + 1, &len) == 0)
		out->n_gids += (unsigned)(len / sizeof *out->gids);
	return true;
}

static void join(const struct acl *acl, struct caller *c, unsigned group)
{
	for (size_t i = 0; i < ACCESS_GROUPS_MAX / 64; i++)
		c->groups[i] |= acl->inside[group][i];
	c->anonymous = false;
}

static bool has_gid(const struct peer *p, uint32_t gid)
{
	for (unsigned i = 0; i < p->n_gids; i++)
		if (p->gids[i] == gid)
			return true;
	return false;
}

void access_peer_caller(const struct acl *acl, const struct peer *peer, struct caller *out)
{
	*out = (struct caller){.generation = acl->generation, .anonymous = true};
	snprintf(out->name, sizeof out->name, "uid:%u", peer->uid);
	for (unsigned i = 0; i < acl->n_members; i++) {
		const struct member *m = &acl->members[i];
		if ((m->kind == MEMBER_UID && m->number == peer->uid) || (m->kind == MEMBER_GID && has_gid(peer, m->number)))
			join(acl, out, m->group);
	}
}

void access_add_token(const struct acl *acl, struct caller *c, const char *token, size_t len)
{
	unsigned char hash[EVP_MAX_MD_SIZE];
	if (EVP_Digest(token, len, hash, NULL, EVP_sha256(), NULL) != 1)
		return;
	for (unsigned i = 0; i < acl->n_members; i++) {
		const struct member *m = &acl->members[i];
		if (m->kind != MEMBER_TOKEN || memcmp(m->sha256, hash, sizeof m->sha256) != 0)
			continue;
		join(acl, c, m->group);
		snprintf(c->name, sizeof c->name, "token:%02x%02x%02x%02x", hash[0], hash[1], hash[2], hash[3]);
	}
}

static bool meet(const uint64_t *a, const uint64_t *b)
{
	for (size_t i = 0; i < ACCESS_GROUPS_MAX / 64; i++)
		if (a[i] & b[i])
			return true;
	return false;
}

// The highest right wins; between equal ones an entry without a tenant, for it reaches further, then the first.
struct grant access_grant(const struct acl *acl, const struct caller *c, enum rpc_method_id method)
{
	struct grant g = {.right = c->anonymous ? acl->anonymous_local : RIGHT_NONE};
	for (unsigned i = 0; i < acl->n_aces; i++) {
		const struct ace *e = &acl->aces[i];
		if (e->right < g.right || !e->methods[method] || !meet(e->groups, c->groups))
			continue;
		if (e->right > g.right || e->tenant == NULL)
			g = (struct grant){e->right, e->tenant};
	}
	return g;
}

const char **access_group_names(const struct acl *acl, const struct caller *c, struct arena *a)
{
	const char **names = arena_alloc(a, (acl->n_groups + 1) * sizeof *names);
	size_t n = 0;
	for (unsigned g = 0; g < acl->n_groups; g++)
		if (c->groups[g / 64] & (1ULL << (g % 64)))
			names[n++] = arena_strdup(a, acl->group_names[g]);
	names[n] = NULL;
	return names;
}
