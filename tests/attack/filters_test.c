// I1 to I4: every generated seccomp filter, judged against its table of rules.
//
// Three views of one filter must agree: the rows of its .def; the BPF, interpreted here; and the kernel, asked by a probe child that loads
// the filter and makes the call.  A probe runs with a uid of its own and arguments of all ones, so that an allowed call does nothing.
#include <errno.h>
#include <grp.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "filters_all.h"
#include "tests/lib/test.h"

#define CALLS 600u
#define X32_BIT 0x40000000u
#define ONES (~UINT64_C(0))

struct filter {
	const char *name;
	const struct sock_filter *bpf;
	size_t len;
	const struct filter_rule *rules;
	size_t nrules;
};

static const struct filter filters[] = {
#define FILTER(n) {#n, filter_##n, filter_##n##_len, rules_##n, sizeof(rules_##n) / sizeof(rules_##n[0])},
#include "filters_list.h"
};
#define FILTERS (sizeof(filters) / sizeof(filters[0]))

// ---- the two readings -------------------------------------------------------------------------------------------------------------------

static bool test_holds(const struct filter_test *t, const uint64_t *args)
{
	return (args[t->arg] & t->mask) == t->value;
}

// What the rows say of a call, as a seccomp action.
static uint32_t ruled(const struct filter *f, const struct seccomp_data *d)
{
	if (d->arch != AUDIT_ARCH_X86_64)
		return SECCOMP_RET_KILL_PROCESS;
	for (size_t i = 0; i < f->nrules; i++) {
		const struct filter_rule *r = &f->rules[i];
		bool all = (uint32_t)r->nr == (uint32_t)d->nr;

		for (unsigned t = 0; all && t < r->ntests; t++) {
			uint64_t args[6];

			for (int a = 0; a < 6; a++)
				args[a] = d->args[a];
			all = test_holds(&r->test[t], args);
		}
		if (all)
			return r->err == 0 ? SECCOMP_RET_ALLOW : SECCOMP_RET_ERRNO | (uint32_t)r->err;
	}
	return SECCOMP_RET_KILL_PROCESS;
}

static bool rules_kill(const struct filter *f, const struct seccomp_data *d)
{
	return ruled(f, d) == SECCOMP_RET_KILL_PROCESS;
}

// What the BPF says: the part of classic BPF that a seccomp filter may use (linux/filter.h, kernel/seccomp.c).
static uint32_t interpret(const struct filter *f, const struct seccomp_data *d)
{
	uint32_t a = 0, x = 0, mem[16] = {0};

	for (size_t pc = 0; pc < f->len; pc++) {
		const struct sock_filter *i = &f->bpf[pc];
		uint32_t k = (i->code & 0x08) != 0 ? x : i->k;
		bool jump = false;

		switch (i->code & 0x07) {
		case BPF_LD:
			if ((i->code & 0xe0) == BPF_ABS && i->k + 4 <= sizeof(*d))
				memcpy(&a, (const char *)d + i->k, 4);
			else
				a = (i->code & 0xe0) == BPF_MEM ? mem[i->k & 15] : i->k;
			break;
		case BPF_LDX: x = (i->code & 0xe0) == BPF_MEM ? mem[i->k & 15] : i->k; break;
		case BPF_ST: mem[i->k & 15] = a; break;
		case BPF_STX: mem[i->k & 15] = x; break;
		case BPF_ALU:
			if ((i->code & 0xf0) == BPF_AND)
				a &= k;
			else
				abort();
			break;
		case BPF_JMP:
			if ((i->code & 0xf0) == BPF_JA) {
				pc += i->k;
				break;
			}
			if ((i->code & 0xf0) == BPF_JEQ)
				jump = a == k;
			else if ((i->code & 0xf0) == BPF_JGT)
				jump = a > k;
			else if ((i->code & 0xf0) == BPF_JGE)
				jump = a >= k;
			else
				jump = (a & k) != 0;
			pc += jump ? i->jt : i->jf;
			break;
		case BPF_RET: return (i->code & 0x18) == BPF_A ? a : i->k;
		default: x = a; break;
		}
	}
	abort();
}

static bool agree(const struct filter *f, const struct seccomp_data *d)
{
	return interpret(f, d) == ruled(f, d);
}

// ---- the kernel's reading ---------------------------------------------------------------------------------------------------------------

static long call_native(uint32_t nr, const uint64_t *a)
{
	register uint64_t r10 __asm__("r10") = a[3];
	register uint64_t r8 __asm__("r8") = a[4];
	register uint64_t r9 __asm__("r9") = a[5];
	long result;

	__asm__ volatile("syscall"
			 : "=a"(result)
			 : "a"((uint64_t)nr), "D"(a[0]), "S"(a[1]), "d"(a[2]), "r"(r10), "r"(r8), "r"(r9)
			 : "rcx", "r11", "memory");
	return result;
}

static void call_i386(uint32_t nr)
{
	uint64_t result;

	__asm__ volatile("int $0x80" : "=a"(result) : "a"((uint64_t)nr), "b"(ONES), "c"(ONES), "d"(ONES), "S"(ONES), "D"(ONES) : "memory", "r8", "r9", "r10", "r11");
}

static _Noreturn void probe(const struct filter *f, uint32_t nr, const uint64_t *args, bool i386)
{
	struct sock_fprog prog = {.len = f == NULL ? 0 : (unsigned short)f->len, .filter = f == NULL ? NULL : (struct sock_filter *)(uintptr_t)f->bpf};
	uid_t own = 200000 + (uid_t)getpid();

	alarm(2);
	if (setgroups(0, NULL) != 0 || setresgid(own, own, own) != 0 || setresuid(own, own, own) != 0 || prctl(PR_SET_NO_NEW_PRIVS, 1ul, 0ul, 0ul, 0ul) != 0)
		_exit(99);
	if (f != NULL && prctl(PR_SET_SECCOMP, (unsigned long)SECCOMP_MODE_FILTER, &prog, 0ul, 0ul) != 0)
		_exit(99);
	if (i386)
		call_i386(nr);
	else
		(void)call_native(nr, args);
	// exit_group need not be allowed: an illegal instruction ends the probe without a call.
	for (;;)
		__builtin_trap();
}

// Returns the wait status of a probe, or -1.
static int probed(const struct filter *f, uint32_t nr, const uint64_t *args, bool i386)
{
	int status;
	pid_t pid = fork();

	if (pid == 0)
		probe(f, nr, args, i386);
	return pid > 0 && waitpid(pid, &status, 0) == pid ? status : -1;
}

// uretprobe and uprobe: the kernel exempts them from every filter (kernel/seccomp.c, since 6.14 and 6.18).  Called from anywhere but the
// kernel's own trampoline they end in SIGILL.
static bool exempt(uint32_t nr)
{
	return nr == 335 || nr == 336;
}

static bool killed_by_filter(int status)
{
	return WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS;
}

static const uint64_t ones[6] = {ONES, ONES, ONES, ONES, ONES, ONES};

#define EACH_FILTER(f) for (const struct filter *f = filters; f < filters + FILTERS; f++)
#define NEED_ROOT() \
	if (geteuid() != 0) \
	SKIP("probes change their uid: needs root")

// ---- tests ------------------------------------------------------------------------------------------------------------------------------

TEST("I1: the kernel kills or allows every native call, 0 to 600, exactly as each filter's rows say")
{
	NEED_ROOT();
	EACH_FILTER(f)
	for (uint32_t nr = 0; nr <= CALLS; nr++) {
		struct seccomp_data d = {.nr = (int)nr, .arch = AUDIT_ARCH_X86_64, .args = {ONES, ONES, ONES, ONES, ONES, ONES}};
		int status = probed(f, nr, ones, false);

		if (status == -1 || (WIFEXITED(status) && WEXITSTATUS(status) == 99))
			FAIL("no probe for call %u of %s", nr, f->name);
		if (exempt(nr) && WIFSIGNALED(status) && WTERMSIG(status) == SIGILL)
			continue;
		if (killed_by_filter(status) != rules_kill(f, &d))
			FAIL("call %u of %s: %s", nr, f->name, killed_by_filter(status) ? "killed though a row allows it" : "went through though no row allows it");
	}
}

TEST("I1: the kernel allows each row's call with the arguments the row names")
{
	NEED_ROOT();
	EACH_FILTER(f)
	for (size_t i = 0; i < f->nrules; i++) {
		const struct filter_rule *r = &f->rules[i];
		uint64_t args[6] = {ONES, ONES, ONES, ONES, ONES, ONES};

		for (unsigned t = 0; t < r->ntests; t++)
			args[r->test[t].arg] = r->test[t].value;
		if (killed_by_filter(probed(f, (uint32_t)r->nr, args, false)))
			FAIL("%s of %s (row %zu) is killed", r->name, f->name, i);
	}
}

TEST("I1: the kernel kills every x32 call, 0 to 600, under each filter")
{
	NEED_ROOT();
	EACH_FILTER(f)
	for (uint32_t nr = 0; nr <= CALLS; nr++)
		if (!killed_by_filter(probed(f, nr | X32_BIT, ones, false)))
			FAIL("x32 call %u of %s went through", nr, f->name);
}

TEST("I1: the kernel kills every i386 call by int 0x80, 0 to 600, under each filter")
{
	NEED_ROOT();
	int bare = probed(NULL, 20, ones, true);  // getpid without a filter: is there an i386 at all?

	if (WIFSIGNALED(bare) && WTERMSIG(bare) == SIGSEGV)
		SKIP("this kernel has no i386 emulation");
	EACH_FILTER(f)
	for (uint32_t nr = 0; nr <= CALLS; nr++)
		if (!killed_by_filter(probed(f, nr, ones, true)))
			FAIL("i386 call %u of %s went through", nr, f->name);
}

// All values near those that a row's test distinguishes, and with garbage above them.
static size_t boundary(uint64_t v, uint64_t *out)
{
	size_t n = 0;
	const uint64_t fixed[] = {v, v + 1, v - 1, ~v, 0, 1, ONES, INT32_MAX, UINT64_C(1) << 31, UINT64_C(1) << 32, v | UINT64_C(1) << 32, v | UINT64_C(1) << 63, v & 0xffffffffu};

	for (size_t i = 0; i < sizeof(fixed) / sizeof(fixed[0]); i++)
		out[n++] = fixed[i];
	for (unsigned bit = 0; bit < 64; bit++)
		out[n++] = v ^ UINT64_C(1) << bit;
	return n;
}

TEST("I2: boundary values of every filtered argument, with garbage in the upper 32 bits too, are judged as the rows say")
{
	uint64_t first[80], second[80];

	EACH_FILTER(f)
	for (size_t i = 0; i < f->nrules; i++) {
		const struct filter_rule *r = &f->rules[i];
		size_t n1 = r->ntests > 0 ? boundary(r->test[0].value, first) : 0, n2 = r->ntests > 1 ? boundary(r->test[1].value, second) : 1;

		for (size_t a = 0; a < n1; a++)
			for (size_t b = 0; b < n2; b++) {
				struct seccomp_data d = {.nr = (int)r->nr, .arch = AUDIT_ARCH_X86_64};

				d.args[r->test[0].arg] = first[a];
				if (r->ntests > 1)
					d.args[r->test[1].arg] = second[b];
				if (!agree(f, &d))
					FAIL("%s of %s with argument %u = %#llx", r->name, f->name, r->test[0].arg, (unsigned long long)first[a]);
			}
	}
}

static uint64_t random64(uint64_t *s)
{
	*s ^= *s << 13;
	*s ^= *s >> 7;
	*s ^= *s << 17;
	return *s;
}

// A call that is likely to be near a row: half of them a row's own number, half of the arguments a row's own value, sometimes a bit off.
static void random_call(const struct filter *f, uint64_t *s, struct seccomp_data *d)
{
	const struct filter_rule *r = &f->rules[random64(s) % f->nrules];

	*d = (struct seccomp_data){.nr = (int)r->nr, .arch = AUDIT_ARCH_X86_64};
	if (random64(s) % 4 == 0)
		d->nr = (int)(random64(s) % (CALLS + 1));
	if (random64(s) % 16 == 0)
		d->nr = (int)((uint32_t)d->nr | X32_BIT);
	if (random64(s) % 16 == 0)
		d->arch = random64(s) % 2 != 0 ? AUDIT_ARCH_I386 : (uint32_t)random64(s);
	for (int a = 0; a < 6; a++)
		d->args[a] = random64(s) % 3 == 0 ? random64(s) : random64(s) % 32;
	for (unsigned t = 0; t < r->ntests; t++)
		if (random64(s) % 4 != 0)
			d->args[r->test[t].arg] = r->test[t].value ^ (random64(s) % 2 != 0 ? UINT64_C(1) << (random64(s) % 64) : 0);
}

TEST("I3: a million random calls under each filter are judged by the BPF as by its rows")
{
	uint64_t s = UINT64_C(0x9e3779b97f4a7c15);

	EACH_FILTER(f)
	for (int i = 0; i < 1000000; i++) {
		struct seccomp_data d;

		random_call(f, &s, &d);
		if (!agree(f, &d))
			FAIL("%s, call %d arch %#x args %#llx %#llx %#llx", f->name, d.nr, d.arch, (unsigned long long)d.args[0], (unsigned long long)d.args[1],
				(unsigned long long)d.args[2]);
	}
}

// Calls that bring a way round the filters or to other processes, and the old forms of those that take paths.
static const struct {
	const char *name;
	int nr;
} never[] = {
#define NEVER(name) {#name, __NR_##name}
	NEVER(io_uring_setup), NEVER(io_uring_enter), NEVER(io_uring_register), NEVER(userfaultfd), NEVER(bpf), NEVER(perf_event_open), NEVER(add_key),
	NEVER(request_key), NEVER(keyctl), NEVER(ptrace), NEVER(process_vm_readv), NEVER(process_vm_writev), NEVER(kexec_load), NEVER(kexec_file_load), NEVER(open),
	NEVER(creat), NEVER(init_module), NEVER(finit_module), NEVER(delete_module), NEVER(pidfd_getfd), NEVER(personality), NEVER(modify_ldt), NEVER(iopl),
	NEVER(ioperm), NEVER(reboot), NEVER(swapon), NEVER(swapoff), NEVER(quotactl), NEVER(acct), NEVER(settimeofday), NEVER(clock_settime), NEVER(adjtimex),
	NEVER(open_by_handle_at), NEVER(lookup_dcookie), NEVER(vmsplice), NEVER(name_to_handle_at),
};

TEST("I4: no filter allows io_uring, userfaultfd, bpf, perf, keys, ptrace, kexec, modules or the old open")
{
	EACH_FILTER(f)
	for (size_t n = 0; n < sizeof(never) / sizeof(never[0]); n++)
		for (size_t i = 0; i < f->nrules; i++)
			if (f->rules[i].nr == never[n].nr && f->rules[i].err == 0)
				FAIL("%s allows %s", f->name, never[n].name);
}

// clone(2)'s first argument: its flags, with the signal of the child's end in the low byte.
TEST("G4: in a VM clone makes a thread or a plain fork, with no flag more or less, and clone3 is not there")
{
	static const uint64_t flags[] = {CLONE_NEWNS, CLONE_NEWPID, CLONE_NEWNET, CLONE_NEWUSER, CLONE_NEWIPC, CLONE_NEWUTS, CLONE_NEWCGROUP, CLONE_NEWTIME,
					 CLONE_PARENT, CLONE_VM, CLONE_FS, CLONE_FILES, CLONE_SIGHAND, CLONE_PTRACE, CLONE_UNTRACED, CLONE_VFORK,
					 CLONE_PIDFD, CLONE_PARENT_SETTID, CLONE_IO, UINT64_C(1) << 32, UINT64_C(1) << 33};
	static const uint64_t thread = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM | CLONE_SETTLS | CLONE_PARENT_SETTID |
				       CLONE_CHILD_CLEARTID,
			      plain = CLONE_CHILD_SETTID | CLONE_CHILD_CLEARTID | SIGCHLD;
	const struct filter *vm = filters;
	struct seccomp_data d = {.nr = __NR_clone, .arch = AUDIT_ARCH_X86_64};

	while (strcmp(vm->name, "vm") != 0)
		vm++;
	d.args[0] = thread;
	CHECK_INT(interpret(vm, &d), SECCOMP_RET_ALLOW);
	d.args[0] = plain;
	CHECK_INT(interpret(vm, &d), SECCOMP_RET_ALLOW);
	for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
		const uint64_t tries[] = {flags[i], flags[i] | SIGCHLD, thread ^ flags[i], plain ^ flags[i]};

		for (size_t k = 0; k < sizeof(tries) / sizeof(tries[0]); k++) {
			d.args[0] = tries[k];
			CHECK_INT(interpret(vm, &d), SECCOMP_RET_KILL_PROCESS);
		}
	}
	for (uint64_t signal = 0; signal < 256; signal++) {
		d.args[0] = (plain & ~UINT64_C(0xff)) | signal;
		CHECK_INT(interpret(vm, &d), signal == SIGCHLD ? SECCOMP_RET_ALLOW : SECCOMP_RET_KILL_PROCESS);
	}
	d.nr = __NR_clone3;
	CHECK_INT(interpret(vm, &d), SECCOMP_RET_ERRNO | ENOSYS);
}

int main(void)
{
	return test_main();
}
