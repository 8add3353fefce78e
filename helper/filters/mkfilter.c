// Turns one table of rules into a seccomp filter while building: FILTER_DEF names the .def, FILTER_NAME the process.
//
// Prints a header with `static const struct sock_filter filter_<process>[]` and `filter_<process>_len`.  Refuses rows whose meaning would
// differ from what they look like; see rule.h for the format.
#include "helper/filters/rule.h"

#include <linux/filter.h>
#include <seccomp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct filter_rule rules[] = {
#include FILTER_DEF
};

#define RULES (sizeof(rules) / sizeof(rules[0]))

static _Noreturn void refuse(const char *name, const char *what)
{
	fprintf(stderr, "mkfilter: %s: %s: %s\n", FILTER_DEF, name, what);
	exit(1);
}

static void check_test(const struct filter_rule *r, const struct filter_test *t)
{
	if (t->arg > 5)
		refuse(r->name, "a system call has arguments 0 to 5");
	if (t->mask == 0)
		refuse(r->name, "an empty mask allows everything: use ALLOW");
	if ((t->value & ~t->mask) != 0)
		refuse(r->name, "the value has bits outside the mask: the row never matches");
}

static bool same(const struct filter_rule *a, const struct filter_rule *b)
{
	if (a->ntests != b->ntests)
		return false;
	for (unsigned i = 0; i < a->ntests; i++)
		if (a->test[i].arg != b->test[i].arg || a->test[i].mask != b->test[i].mask || a->test[i].value != b->test[i].value)
			return false;
	return true;
}

static void check(size_t at)
{
	const struct filter_rule *r = &rules[at];

	if (r->reason[0] == '\0')
		refuse(r->name, "a call is allowed for a reason");
	for (unsigned i = 0; i < r->ntests; i++)
		check_test(r, &r->test[i]);
	if (r->ntests == 2 && r->test[0].arg == r->test[1].arg)
		refuse(r->name, "two tests of one argument");
	for (size_t i = 0; i < at; i++) {
		if (rules[i].nr != r->nr)
			continue;
		if (rules[i].ntests == 0 || r->ntests == 0)
			refuse(r->name, "one row allows it with any arguments, so another adds nothing");
		if (same(&rules[i], r))
			refuse(r->name, "the same row twice");
	}
}

static struct scmp_arg_cmp compare(const struct filter_test *t)
{
	if (t->mask == FULL)
		return SCMP_CMP64(t->arg, SCMP_CMP_EQ, t->value, 0);
	return SCMP_CMP64(t->arg, SCMP_CMP_MASKED_EQ, t->mask, t->value);
}

static void add(scmp_filter_ctx ctx, const struct filter_rule *r)
{
	struct scmp_arg_cmp cmp[2];

	for (unsigned i = 0; i < r->ntests; i++)
		cmp[i] = compare(&r->test[i]);
	uint32_t action = r->err == 0 ? SCMP_ACT_ALLOW : SCMP_ACT_ERRNO((uint32_t)r->err);

	if (seccomp_rule_add_exact_array(ctx, action, (int)r->nr, r->ntests, cmp) != 0)
		refuse(r->name, "libseccomp takes it not");
}

static void print(FILE *bpf)
{
	struct sock_filter f;
	unsigned n = 0;

	printf("// Made by mkfilter from %s.\n#include <linux/filter.h>\n\n", FILTER_DEF);
	printf("static const struct sock_filter filter_%s[] = {\n", FILTER_NAME);
	for (; fread(&f, sizeof(f), 1, bpf) == 1; n++)
		printf("\t{0x%02x, %u, %u, 0x%08x},\n", f.code, f.jt, f.jf, f.k);
	printf("};\nenum { filter_%s_len = %u };\n", FILTER_NAME, n);
	if (n == 0 || n > BPF_MAXINSNS)
		refuse("filter", "empty or too long");
}

int main(void)
{
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_KILL_PROCESS);
	FILE *bpf = tmpfile();

	if (ctx == NULL || bpf == NULL || seccomp_attr_set(ctx, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS) != 0)
		refuse("libseccomp", "no filter");
	for (size_t i = 0; i < RULES; i++) {
		check(i);
		add(ctx, &rules[i]);
	}
	if (seccomp_export_bpf(ctx, fileno(bpf)) != 0)
		refuse("libseccomp", "no BPF");
	rewind(bpf);
	print(bpf);
	seccomp_release(ctx);
	fclose(bpf);
	return fflush(stdout) == 0 ? 0 : 1;
}
