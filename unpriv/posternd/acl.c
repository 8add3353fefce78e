// acl.toml into struct acl. See access.h for what it means.
#include "unpriv/posternd/acl.h"

#include <fnmatch.h>
#include <stdlib.h>

#include "unpriv/posternd/toml_rows.h"

enum { MEMBERS_MAX = 65536, ACES_MAX = 1024 };

struct group_row {
	const char *name;
	struct strings users, member_groups;
};

struct ace_row {
	const char *right, *tenant;
	struct strings groups, methods;
};

struct policy_row {
	const char *anonymous_local, *anonymous_remote;
};

// The file as it stands, before names are resolved: groups may be named before they are defined.
struct loading {
	struct policy_row policy; // at offset 0 for ROW_TABLE, which fills the same struct
	struct acl *acl;
	unsigned n_groups, n_aces;
	struct group_row groups[ACCESS_GROUPS_MAX];
	const struct toml *group_at[ACCESS_GROUPS_MAX];
	struct ace_row aces[ACES_MAX];
	const struct toml *ace_at[ACES_MAX];
};

static bool parse_right(const char *text, enum rpc_right *out)
{
	static const char *const names[] = {"none", "read", "write", "admin"};
	for (unsigned i = 0; i < sizeof names / sizeof *names; i++)
		if (strcmp(text, names[i]) == 0) {
			*out = (enum rpc_right)i;
			return true;
		}
	return false;
}

static bool element_group(struct toml_file *f, const struct toml *table, void *out)
{
	static const struct toml_row rows[] = {
	    {.key = "name", .type = ROW_STRING, .offset = offsetof(struct group_row, name), .required = true},
	    {.key = "users", .type = ROW_STRINGS, .offset = offsetof(struct group_row, users)},
	    {.key = "member_groups", .type = ROW_STRINGS, .offset = offsetof(struct group_row, member_groups)},
	    {.key = NULL},
	};
	struct loading *l = out;
	if (l->n_groups == ACCESS_GROUPS_MAX)
		return toml_complain(f, table, "over %d groups", ACCESS_GROUPS_MAX);
	struct group_row *g = &l->groups[l->n_groups];
	if (!toml_fill(f, table, rows, g))
		return false;
	for (unsigned i = 0; i < l->n_groups; i++)
		if (strcmp(l->groups[i].name, g->name) == 0)
			return toml_complain(f, toml_get(table, "name"), "there is already a group \"%s\" at line %d", g->name, l->group_at[i]->line);
	l->group_at[l->n_groups++] = table;
	return true;
}

static bool element_ace(struct toml_file *f, const struct toml *table, void *out)
{
	static const struct toml_row rows[] = {
	    {.key = "right", .type = ROW_STRING, .offset = offsetof(struct ace_row, right), .required = true},
	    {.key = "groups", .type = ROW_STRINGS, .offset = offsetof(struct ace_row, groups), .required = true},
	    {.key = "methods", .type = ROW_STRINGS, .offset = offsetof(struct ace_row, methods)},
	    {.key = "tenant", .type = ROW_STRING, .offset = offsetof(struct ace_row, tenant)},
	    {.key = NULL},
	};
	struct loading *l = out;
	if (l->n_aces == ACES_MAX)
		return toml_complain(f, table, "over %d entries", ACES_MAX);
	if (!toml_fill(f, table, rows, &l->aces[l->n_aces]))
		return false;
	l->ace_at[l->n_aces++] = table;
	return true;
}

static int find_group(const struct loading *l, const char *name)
{
	for (unsigned i = 0; i < l->n_groups; i++)
		if (strcmp(l->groups[i].name, name) == 0)
			return (int)i;
	return -1;
}

static bool parse_number(const char *text, uint32_t *out)
{
	char *end;
	if (*text < '0' || *text > '9')
		return false;
	unsigned long v = strtoul(text, &end, 10);
	*out = (uint32_t)v;
	return *end == '\0' && v < UINT32_MAX;
}

static bool parse_hash(const char *text, unsigned char out[32])
{
	if (strlen(text) != 64 || strspn(text, "0123456789abcdefABCDEF") != 64)
		return false;
	for (size_t i = 0; i < 32; i++)
		out[i] = (unsigned char)strtoul((char[]){text[2 * i], text[2 * i + 1], '\0'}, NULL, 16);
	return true;
}

static bool parse_member(const char *text, struct member *m)
{
	if (strncmp(text, "uid:", 4) == 0) {
		m->kind = MEMBER_UID;
		return parse_number(text + 4, &m->number);
	}
	if (strncmp(text, "gid:", 4) == 0) {
		m->kind = MEMBER_GID;
		return parse_number(text + 4, &m->number);
	}
	m->kind = MEMBER_TOKEN;
	return strncmp(text, "token:", 6) == 0 && parse_hash(text + 6, m->sha256);
}

// The i-th element of a list value, for an error's place.
static const struct toml *element_at(const struct toml *table, const char *key, size_t i)
{
	const struct toml *e = toml_get(table, key)->first;
	while (i--)
		e = e->next;
	return e;
}

static bool resolve_members(struct toml_file *f, struct loading *l)
{
	struct acl *acl = l->acl;
	size_t total = 0;
	for (unsigned g = 0; g < l->n_groups; g++)
		total += l->groups[g].users.n;
	if (total > MEMBERS_MAX)
		return toml_complain(f, l->group_at[0], "over %d users in all groups", MEMBERS_MAX);
	acl->members = arena_zalloc(&acl->arena, total * sizeof *acl->members + 1);
	for (unsigned g = 0; g < l->n_groups; g++)
		for (size_t i = 0; i < l->groups[g].users.n; i++) {
			struct member *m = &acl->members[acl->n_members++];
			m->group = g;
			if (!parse_member(l->groups[g].users.v[i], m))
				return toml_complain(f, element_at(l->group_at[g], "users", i),
				                     "\"%s\" is no user: uid:N, gid:N or token:<sha256 in hexadecimal>", l->groups[g].users.v[i]);
		}
	return true;
}

// Members of a group in `member_groups` are members of this one too: so being in m means being in g.
static bool resolve_nesting(struct toml_file *f, struct loading *l)
{
	struct acl *acl = l->acl;
	for (unsigned g = 0; g < l->n_groups; g++) {
		acl->inside[g][g / 64] |= 1ULL << (g % 64);
		for (size_t i = 0; i < l->groups[g].member_groups.n; i++) {
			int m = find_group(l, l->groups[g].member_groups.v[i]);
			if (m < 0)
				return toml_complain(f, element_at(l->group_at[g], "member_groups", i), "there is no group \"%s\"",
				                     l->groups[g].member_groups.v[i]);
			acl->inside[m][g / 64] |= 1ULL << (g % 64);
		}
	}
	// Transitive closure (Warshall); a cycle only makes its groups equal.
	for (unsigned k = 0; k < l->n_groups; k++)
		for (unsigned m = 0; m < l->n_groups; m++)
			if (acl->inside[m][k / 64] & (1ULL << (k % 64)))
				for (size_t w = 0; w < ACCESS_GROUPS_MAX / 64; w++)
					acl->inside[m][w] |= acl->inside[k][w];
	return true;
}

static bool resolve_methods(struct toml_file *f, const struct loading *l, unsigned e, struct ace *ace)
{
	const struct strings *globs = &l->aces[e].methods;
	if (toml_get(l->ace_at[e], "methods") == NULL)
		memset(ace->methods, true, sizeof ace->methods);
	for (size_t i = 0; i < globs->n; i++) {
		bool any = false;
		for (size_t m = 0; m < RPC_COUNT; m++)
			if (fnmatch(globs->v[i], rpc_methods[m].name, 0) == 0)
				ace->methods[m] = any = true;
		if (!any)
			return toml_complain(f, element_at(l->ace_at[e], "methods", i), "\"%s\" matches no method", globs->v[i]);
	}
	return true;
}

static bool resolve_aces(struct toml_file *f, struct loading *l)
{
	struct acl *acl = l->acl;
	acl->aces = arena_zalloc(&acl->arena, l->n_aces * sizeof *acl->aces + 1);
	for (unsigned e = 0; e < l->n_aces; e++) {
		struct ace *ace = &acl->aces[acl->n_aces++];
		const struct ace_row *row = &l->aces[e];
		if (!parse_right(row->right, &ace->right) || ace->right == RIGHT_NONE)
			return toml_complain(f, toml_get(l->ace_at[e], "right"), "\"%s\" is no right: read, write or admin", row->right);
		ace->tenant = row->tenant;
		if (row->tenant && !(*row->tenant && strlen(row->tenant) <= 64 &&
		                     strspn(row->tenant, "abcdefghijklmnopqrstuvwxyz0123456789-") == strlen(row->tenant)))
			return toml_complain(f, toml_get(l->ace_at[e], "tenant"), "a tenant is 1 to 64 of a-z, 0-9 and -");
		for (size_t i = 0; i < row->groups.n; i++) {
			int g = find_group(l, row->groups.v[i]);
			if (g < 0)
				return toml_complain(f, element_at(l->ace_at[e], "groups", i), "there is no group \"%s\"", row->groups.v[i]);
			ace->groups[g / 64] |= 1ULL << (g % 64);
		}
		if (!resolve_methods(f, l, e, ace))
			return false;
	}
	return true;
}

static bool resolve_policy(struct toml_file *f, const struct toml *root, const struct loading *l)
{
	struct acl *acl = l->acl;
	const struct policy_row *p = &l->policy;
	acl->anonymous_local = RIGHT_READ;
	acl->anonymous_remote = RIGHT_NONE;
	if (p->anonymous_local && !parse_right(p->anonymous_local, &acl->anonymous_local))
		return toml_complain(f, toml_get(toml_get(root, "policy"), "anonymous_local"), "\"%s\" is no right: none, read, write or admin",
		                     p->anonymous_local);
	if (p->anonymous_remote && !parse_right(p->anonymous_remote, &acl->anonymous_remote))
		return toml_complain(f, toml_get(toml_get(root, "policy"), "anonymous_remote"), "\"%s\" is no right: none, read, write or admin",
		                     p->anonymous_remote);
	return true;
}

static bool fill(struct toml_file *f, const struct toml *root, struct loading *l)
{
	static const struct toml_row policy_rows[] = {
	    {.key = "anonymous_local", .type = ROW_STRING, .offset = offsetof(struct loading, policy.anonymous_local)},
	    {.key = "anonymous_remote", .type = ROW_STRING, .offset = offsetof(struct loading, policy.anonymous_remote)},
	    {.key = NULL},
	};
	static const struct toml_row rows[] = {
	    {.key = "group", .type = ROW_TABLES, .element = element_group},
	    {.key = "ace", .type = ROW_TABLES, .element = element_ace},
	    {.key = "policy", .type = ROW_TABLE, .rows = policy_rows},
	    {.key = NULL},
	};
	struct acl *acl = l->acl;
	if (!toml_fill(f, root, rows, l))
		return false;
	acl->n_groups = l->n_groups;
	acl->group_names = arena_alloc(&acl->arena, l->n_groups * sizeof *acl->group_names + 1);
	acl->inside = arena_zalloc(&acl->arena, l->n_groups * sizeof *acl->inside + 1);
	for (unsigned g = 0; g < l->n_groups; g++)
		acl->group_names[g] = l->groups[g].name;
	return resolve_members(f, l) && resolve_nesting(f, l) && resolve_aces(f, l) && resolve_policy(f, root, l);
}

struct acl *acl_load(const char *path, bool optional, struct arena *a, const char **error)
{
	static uint64_t generations;
	struct acl *acl = xcalloc(1, sizeof *acl);
	struct loading *l = xcalloc(1, sizeof *l);
	l->acl = acl;
	acl->generation = ++generations;
	struct toml_file f = {.name = path, .a = &acl->arena};
	const struct toml *root = toml_load(&f, optional);
	bool fine = root && fill(&f, root, l);
	free(l);
	if (fine)
		return acl;
	*error = arena_strdup(a, f.error);
	acl_destroy(acl);
	return NULL;
}

void acl_destroy(struct acl *acl)
{
	if (acl == NULL)
		return;
	arena_finish(&acl->arena);
	free(acl);
}
