// postern doctor's checks: each looks at one thing of this host and says what it found, and how to mend what is wrong.
#ifndef POSTERN_UNPRIV_POSTERN_DOCTOR_H
#define POSTERN_UNPRIV_POSTERN_DOCTOR_H

#include "unpriv/postern/cli.h"

enum finding_level {
	FOUND_OK,
	FOUND_WARN, // something works less well
	FOUND_BAD,  // something doesn't work
};

struct finding {
	enum finding_level level;
	char what[320];
	char mend[320]; // empty when nothing is to be mended
};

struct doctor_check {
	const char *name;
	void (*run)(const struct cli *cli, struct finding *f);
};

// Set a finding.
__attribute__((format(printf, 2, 3))) void found_ok(struct finding *f, const char *fmt, ...);
void found(struct finding *f, enum finding_level level, const char *what, const char *mend);

// doctor_kernel.c: what the kernel offers.
void check_kernel(const struct cli *cli, struct finding *f);
void check_calls(const struct cli *cli, struct finding *f);
void check_landlock(const struct cli *cli, struct finding *f);
void check_seccomp(const struct cli *cli, struct finding *f);
void check_cgroups(const struct cli *cli, struct finding *f);
void check_kvm(const struct cli *cli, struct finding *f);
void check_tun(const struct cli *cli, struct finding *f);
void check_vsock(const struct cli *cli, struct finding *f);

// doctor_install.c: what postern brings and needs.
void check_helper(const struct cli *cli, struct finding *f);
void check_programs(const struct cli *cli, struct finding *f);
void check_policy(const struct cli *cli, struct finding *f);
void check_vmm(const struct cli *cli, struct finding *f);
void check_images(const struct cli *cli, struct finding *f);
void check_tools(const struct cli *cli, struct finding *f);
void check_daemon(const struct cli *cli, struct finding *f);

#endif
