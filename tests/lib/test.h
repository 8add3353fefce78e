// The C test harness: a test is a function, its name a sentence, its line of output `ok - sentence` or `not ok - sentence: where and what`.
//
//	TEST("a bridge can't be deleted twice") { CHECK(f() == 0); CHECK_STR(s, "x"); }
//	int main(void) { return test_main(); }
//
// TEST_ONLY in the environment picks the tests whose sentence contains it.
#ifndef TESTS_LIB_TEST_H
#define TESTS_LIB_TEST_H

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct test_case {
	const char *name;
	void (*run)(void);
	struct test_case *next;
};

static struct test_case *test_first_, **test_last_ = &test_first_;
static bool test_failed_;
static const char *test_skip_;
static char test_why_[512];

static inline void test_add_(struct test_case *t)
{
	*test_last_ = t;
	test_last_ = &t->next;
}

#define TEST_CAT2_(a, b) a##b
#define TEST_CAT_(a, b) TEST_CAT2_(a, b)
#define TEST(sentence) TEST_N_(sentence, __COUNTER__)
#define TEST_N_(sentence, n) \
	static void TEST_CAT_(test_run_, n)(void); \
	static struct test_case TEST_CAT_(test_case_, n) = {sentence, TEST_CAT_(test_run_, n), NULL}; \
	__attribute__((constructor)) static void TEST_CAT_(test_reg_, n)(void) \
	{ \
		test_add_(&TEST_CAT_(test_case_, n)); \
	} \
	static void TEST_CAT_(test_run_, n)(void)

// Ends the running test as failed; the first reason stands.
#define FAIL(...) \
	do { \
		test_failed_ = true; \
		int at_ = snprintf(test_why_, sizeof(test_why_), "%s:%d: ", __FILE__, __LINE__); \
		snprintf(test_why_ + at_, sizeof(test_why_) - (size_t)at_, __VA_ARGS__); \
		return; \
	} while (0)
#define CHECK(cond) \
	do { \
		if (!(cond)) \
			FAIL("%s", #cond); \
	} while (0)
#define CHECK_STR(got, want) \
	do { \
		const char *g_ = (got), *w_ = (want); \
		if (g_ == NULL || strcmp(g_, w_) != 0) \
			FAIL("%s is \"%s\", not \"%s\"", #got, g_ == NULL ? "(null)" : g_, w_); \
	} while (0)
#define CHECK_INT(got, want) \
	do { \
		long long g_ = (long long)(got), w_ = (long long)(want); \
		if (g_ != w_) \
			FAIL("%s is %lld, not %lld", #got, g_, w_); \
	} while (0)
// Ends the running test as skipped: only for what the kernel or machine truly lacks.
#define SKIP(reason) \
	do { \
		test_skip_ = (reason); \
		return; \
	} while (0)

static inline int test_main(void)
{
	const char *only = getenv("TEST_ONLY");
	int failed = 0;

	for (struct test_case *t = test_first_; t != NULL; t = t->next) {
		if (only != NULL && strstr(t->name, only) == NULL)
			continue;
		test_failed_ = false;
		test_skip_ = NULL;
		t->run();
		if (test_failed_)
			printf("not ok - %s: %s\n", t->name, test_why_);
		else if (test_skip_ != NULL)
			printf("ok - %s # SKIP %s\n", t->name, test_skip_);
		else
			printf("ok - %s\n", t->name);
		fflush(stdout);
		failed += test_failed_ ? 1 : 0;
	}
	return failed == 0 ? 0 : 1;
}

#endif
