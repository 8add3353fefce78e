// LINK: unpriv/postern/verbs.o proto/rpc.o
// Methods as words, and what is said about each.
#include <regex.h>
#include <stdlib.h>

#include "tests/lib/test.h"
#include "unpriv/postern/verbs.h"

static int find(const struct rpc_method **m, const char *a, const char *b, const char *c, const char *d)
{
	char *argv[] = {(char *)a, (char *)b, (char *)c, (char *)d, NULL};
	int argc = 0;

	while (argv[argc] != NULL)
		argc++;
	return verb_find(argc, argv, m);
}

TEST("every method is found by its words, and by its name")
{
	for (size_t i = 0; i < RPC_COUNT; i++) {
		char name[128], *argv[8] = {0}, *rest = name;
		const struct rpc_method *m = NULL;
		char *whole = (char *)rpc_methods[i].name;
		int n = 0;

		snprintf(name, sizeof(name), "%s", rpc_methods[i].name);
		while ((argv[n] = strsep(&rest, ".")) != NULL)
			n++;
		CHECK_INT(verb_find(n, argv, &m), n);
		CHECK(m == &rpc_methods[i]);
		CHECK_INT(verb_find(1, &whole, &m), 1);
		CHECK(m == &rpc_methods[i]);
	}
}

TEST("the longest method wins, and words behind it are left")
{
	const struct rpc_method *m = NULL;

	CHECK_INT(find(&m, "net", "bridge", "add", "x"), 3);
	CHECK_STR(m->name, "net.bridge.add");
	CHECK_INT(find(&m, "net", "bridge", "x", NULL), 2);
	CHECK_STR(m->name, "net.bridge");
}

TEST("an option, an empty word or a very long one ends the name")
{
	const struct rpc_method *m = NULL;
	char word[300];

	memset(word, 'a', sizeof(word) - 1);
	word[sizeof(word) - 1] = '\0';
	CHECK_INT(find(&m, "net", "bridge", "--name", "add"), 2);
	CHECK_INT(find(&m, "", "net", "status", NULL), 0);
	CHECK_INT(find(&m, word, NULL, NULL, NULL), 0);
	CHECK_INT(find(&m, "net", NULL, NULL, NULL), 0);
}

TEST("methods that write take dry_run and answer changed, those that page take limit and cursor")
{
	for (size_t i = 0; i < RPC_COUNT; i++) {
		struct rpc_field f[VERB_FIELDS_MAX];
		size_t n = verb_params(&rpc_methods[i], f), dry = 0, cursor = 0, changed = 0, next = 0;

		for (size_t k = 0; k < n; k++) {
			dry += strcmp(f[k].name, "dry_run") == 0;
			cursor += strcmp(f[k].name, "cursor") == 0;
		}
		n = verb_results(&rpc_methods[i], f);
		for (size_t k = 0; k < n; k++) {
			changed += strcmp(f[k].name, "changed") == 0;
			next += strcmp(f[k].name, "next_cursor") == 0;
		}
		CHECK_INT(dry, rpc_methods[i].right >= RIGHT_WRITE);
		CHECK_INT(changed, dry);
		CHECK_INT(cursor, next);
	}
}

TEST("no method has more fields than the tables of one method hold")
{
	for (size_t i = 0; i < RPC_COUNT; i++) {
		size_t params = 0, results = 0;

		while (rpc_methods[i].params[params].name != NULL)
			params++;
		while (rpc_methods[i].result[results].name != NULL)
			results++;
		CHECK(params + 3 <= VERB_FIELDS_MAX && results + 2 <= VERB_FIELDS_MAX);
	}
}

TEST("the example of each kind is allowed by that kind")
{
	for (int k = 0; k < KIND_COUNT; k++) {
		const struct kind_info *info = &rpc_kinds[k];
		const char *example = verb_example((enum rpc_kind)k);
		regex_t re;

		CHECK(example != NULL && *example != '\0');
		if (info->class == CLASS_INT) {
			CHECK(atoll(example) >= info->min && atoll(example) <= info->max);
		} else if (info->class == CLASS_TEXT) {
			CHECK((int64_t)strlen(example) >= info->min && (int64_t)strlen(example) <= info->max);
			if (info->pattern == NULL)
				continue;
			CHECK(regcomp(&re, info->pattern, REG_EXTENDED | REG_NOSUB) == 0);
			CHECK(regexec(&re, example, 0, NULL, 0) == 0);
			regfree(&re);
		}
	}
}

int main(void)
{
	return test_main();
}
