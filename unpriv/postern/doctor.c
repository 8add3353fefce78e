// postern doctor: every check, a line each; exit code 1 when one is bad.  See doctor.h.
#include "unpriv/postern/doctor.h"

#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>

#include "unpriv/postern/report.h"

static const struct doctor_check checks[] = {
    {"kernel", check_kernel}, {"calls", check_calls}, {"landlock", check_landlock}, {"seccomp", check_seccomp}, {"cgroups", check_cgroups},
    {"kvm", check_kvm},       {"tun", check_tun},     {"vsock", check_vsock},       {"helper", check_helper},   {"programs", check_programs},
    {"policy", check_policy}, {"vmm", check_vmm},     {"images", check_images},     {"tools", check_tools},     {"daemon", check_daemon},
};

static const char *const level_names[] = {[FOUND_OK] = "ok", [FOUND_WARN] = "warn", [FOUND_BAD] = "BAD"};
static const char *const level_colours[] = {[FOUND_OK] = "\033[32m", [FOUND_WARN] = "\033[33m", [FOUND_BAD] = "\033[31m"};

void found_ok(struct finding *f, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	f->level = FOUND_OK;
	vsnprintf(f->what, sizeof(f->what), fmt, ap);
	f->mend[0] = '\0';
	va_end(ap);
}

void found(struct finding *f, enum finding_level level, const char *what, const char *mend)
{
	f->level = level;
	snprintf(f->what, sizeof(f->what), "%s", what);
	snprintf(f->mend, sizeof(f->mend), "%s", mend);
}

static void print(const struct cli *cli, const char *name, const struct finding *f)
{
	printf("%s%-4s%s %-9s ", cli->colour ? level_colours[f->level] : "", level_names[f->level], cli->colour ? "\033[0m" : "", name);
	report_text(stdout, f->what, true);
	if (f->mend[0] != '\0') {
		fputs(": ", stdout);
		report_text(stdout, f->mend, true);
	}
	fputc('\n', stdout);
}

int verb_doctor(struct cli *cli, int argc, char **argv)
{
	json_t *all;
	int bad = 0;

	for (int i = 1; i < argc; i++)
		if (!cli_option(cli, argc, argv, &i))
			return cli_usage("\"%s\": doctor takes no arguments", argv[i]);
	if (cli->help)
		return CLI_OK;
	all = json_array();
	for (size_t i = 0; i < sizeof(checks) / sizeof(checks[0]); i++) {
		struct finding f = {0};

		checks[i].run(cli, &f);
		bad += f.level == FOUND_BAD;
		if (!cli->json_asked)
			print(cli, checks[i].name, &f);
		json_array_append_new(all, json_pack("{s:s, s:s, s:s, s:s}", "name", checks[i].name, "status",
		                                     f.level == FOUND_BAD ? "bad" : level_names[f.level], "message", f.what, "hint", f.mend));
	}
	if (cli->json_asked)
		report_json(stdout, all);
	json_decref(all);
	return bad > 0 ? CLI_FAILED : CLI_OK;
}
