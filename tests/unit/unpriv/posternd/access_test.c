// LINK: unpriv/posternd/access.o unpriv/posternd/acl.o unpriv/posternd/toml.o unpriv/posternd/toml_value.o unpriv/posternd/toml_rows.o
// LINK: unpriv/posternd/mem.o unpriv/posternd/text.o unpriv/posternd/utf8.o unpriv/common/log.o proto/rpc.o
// LIBS: -lcrypto
// Who a caller is and what it may do, by an access list.
#include "tests/lib/test.h"

#include <stdlib.h>
#include <unistd.h>

#include "unpriv/posternd/access.h"

static struct arena arena;
static const char *error;
static struct acl *acl;

static bool load(const char *text)
{
	char path[] = "/tmp/acl-test-XXXXXX";
	int fd = mkstemp(path);
	bool written = write(fd, text, strlen(text)) == (ssize_t)strlen(text);
	close(fd);
	acl_destroy(acl);
	error = "";
	acl = written ? acl_load(path, false, &arena, &error) : NULL;
	unlink(path);
	return acl != NULL;
}

static struct caller of(uid_t uid, gid_t gid, gid_t further)
{
	struct caller c;
	struct peer p = {.uid = uid, .gids = {gid, further}, .n_gids = 2};
	access_peer_caller(acl, &p, &c);
	return c;
}

static enum rpc_right right_of(struct caller c, enum rpc_method_id m)
{
	return access_grant(acl, &c, m).right;
}

TEST("without a list everybody on the socket may read")
{
	acl_destroy(acl);
	acl = acl_load("/nonexistent/acl.toml", true, &arena, &error);
	CHECK(acl != NULL);
	struct caller c = of(1000, 1000, 1000);
	CHECK(c.anonymous);
	CHECK_INT(right_of(c, RPC_net_interfaces), RIGHT_READ);
	acl_destroy(acl);
	acl = acl_load("/nonexistent/acl.toml", false, &arena, &error);
	CHECK(acl == NULL);
}

// sha256 of "secret"
#define TOKEN "2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b"
static const char list[] = "[[group]]\nname = \"admins\"\nusers = [\"uid:1\"]\n"
			   "[[group]]\nname = \"ops\"\nusers = [\"uid:2\", \"gid:20\", \"token:" TOKEN "\"]\nmember_groups = [\"admins\"]\n"
			   "[[group]]\nname = \"vmers\"\nusers = [\"uid:3\"]\n"
			   "[[ace]]\nright = \"admin\"\ngroups = [\"admins\"]\n"
			   "[[ace]]\nright = \"write\"\ngroups = [\"ops\"]\n"
			   "[[ace]]\nright = \"write\"\ngroups = [\"vmers\"]\nmethods = [\"compute.vm.*\"]\ntenant = \"a\"\n"
			   "[policy]\nanonymous_local = \"none\"\n";

TEST("uid, primary gid and further gid put a caller into a group")
{
	CHECK(load(list));
	CHECK_INT(right_of(of(2, 9, 9), RPC_net_bridge_add), RIGHT_WRITE);
	CHECK_INT(right_of(of(9, 20, 9), RPC_net_bridge_add), RIGHT_WRITE);
	CHECK_INT(right_of(of(9, 9, 20), RPC_net_bridge_add), RIGHT_WRITE);
	CHECK_INT(right_of(of(9, 9, 9), RPC_net_bridge_add), RIGHT_NONE);
	CHECK(of(9, 9, 9).anonymous && !of(2, 9, 9).anonymous);
}

TEST("members of a group inside another are in both")
{
	CHECK(load(list));
	struct caller c = of(1, 9, 9);
	const char **names = access_group_names(acl, &c, &arena);
	CHECK_STR(names[0], "admins");
	CHECK_STR(names[1], "ops");
	CHECK(names[2] == NULL);
	CHECK_INT(right_of(c, RPC_net_bridge_add), RIGHT_ADMIN);
}

TEST("an entry with methods gives its right for those alone, and its tenant with it")
{
	CHECK(load(list));
	struct caller c = of(3, 9, 9);
	struct grant g = access_grant(acl, &c, RPC_vm_create);
	CHECK_INT(g.right, RIGHT_WRITE);
	CHECK_STR(g.tenant, "a");
	CHECK_INT(right_of(c, RPC_net_bridge_add), RIGHT_NONE);
}

TEST("a bearer token adds its groups, another adds nothing")
{
	CHECK(load(list));
	struct caller c = of(9, 9, 9);
	access_add_token(acl, &c, "secreT", 6);
	CHECK(c.anonymous);
	access_add_token(acl, &c, "secret", 6);
	CHECK(!c.anonymous);
	CHECK_STR(c.name, "token:2bb80d53");
	CHECK_INT(right_of(c, RPC_net_bridge_add), RIGHT_WRITE);
}

TEST("of several identities the highest right counts")
{
	CHECK(load(list));
	struct caller c = of(3, 9, 9);
	access_add_token(acl, &c, "secret", 6);
	CHECK_INT(right_of(c, RPC_net_bridge_add), RIGHT_WRITE);
	struct grant g = access_grant(acl, &c, RPC_vm_create);
	CHECK(g.right == RIGHT_WRITE && g.tenant == NULL);
}

TEST("groups may hold each other, and be named before they are defined")
{
	CHECK(load("[[group]]\nname = \"a\"\nmember_groups = [\"b\"]\n[[group]]\nname = \"b\"\nusers = [\"uid:1\"]\nmember_groups = [\"c\"]\n"
		   "[[group]]\nname = \"c\"\nusers = [\"uid:2\"]\nmember_groups = [\"a\"]\n[[ace]]\nright = \"write\"\ngroups = [\"a\"]\n"));
	CHECK_INT(right_of(of(2, 9, 9), RPC_net_bridge_add), RIGHT_WRITE);
}

static bool wrong(const char *text, const char *place, const char *what)
{
	if (load(text))
		return false;
	bool fine = strstr(error, place) && strstr(error, what);
	if (!fine)
		printf("# %s\n", error);
	return fine;
}

TEST("each mistake in the list is an error with its line, column and key")
{
	CHECK(wrong("[[group]]\nusers = []\n", ":1:1: ", "\"name\" is missing"));
	CHECK(wrong("[[group]]\nname = \"a\"\nuser = []\n", ":3:8: ", "unknown key \"user\", known here: name, users, member_groups"));
	CHECK(wrong("[[group]]\nname = 1\n", ":2:8: ", "\"name\" is an integer, it must be a string"));
	CHECK(wrong("[[group]]\nname = \"a\"\nusers = [\"uid:1\",\n \"bob\"]\n", ":4:2: ", "\"bob\" is no user"));
	CHECK(wrong("[[group]]\nname = \"a\"\nusers = [\"uid:-1\"]\n", ":3:", "is no user"));
	CHECK(wrong("[[group]]\nname = \"a\"\nusers = [\"uid:4294967295\"]\n", ":3:", "is no user"));
	CHECK(wrong("[[group]]\nname = \"a\"\nusers = [\"token:abc\"]\n", ":3:", "is no user"));
	CHECK(wrong("[[group]]\nname = \"a\"\nusers = [7]\n", ":3:10: ", "must be a string"));
	CHECK(wrong("[[group]]\nname = \"a\"\n[[group]]\nname = \"a\"\n", ":4:8: ", "already a group \"a\" at line 1"));
	CHECK(wrong("[[group]]\nname = \"a\"\nmember_groups = [\"b\"]\n", ":3:18: ", "no group \"b\""));
	CHECK(wrong("[[ace]]\nright = \"root\"\ngroups = []\n", ":2:9: ", "\"root\" is no right"));
	CHECK(wrong("[[ace]]\nright = \"read\"\ngroups = [\"x\"]\n", ":3:11: ", "no group \"x\""));
	CHECK(wrong("[[ace]]\nright = \"read\"\ngroups = []\nmethods = [\"nte.*\"]\n", ":4:12: ", "matches no method"));
	CHECK(wrong("[[ace]]\nright = \"read\"\ngroups = []\ntenant = \"A/..\"\n", ":4:10: ", "a tenant is"));
	CHECK(wrong("[policy]\nanonymous_local = \"all\"\n", ":2:19: ", "\"all\" is no right"));
	CHECK(wrong("[polcy]\n", ":1:1: ", "unknown key \"polcy\""));
	CHECK(wrong("group = 1\n", ":1:9: ", "array of tables"));
}

int main(void)
{
	int code = test_main();
	acl_destroy(acl);
	arena_finish(&arena);
	return code;
}
