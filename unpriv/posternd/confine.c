// Confinement of the worker. See confine.h.
//
// Libraries that look at files when first used are used once before: jansson's hash seed, OpenSSL's
// configuration and providers.
#include "unpriv/posternd/confine.h"

#include <cap-ng.h>
#include <errno.h>
#include <jansson.h>
#include <limits.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "filter_posternd.h"
#include "unpriv/posternd/landlock.h"

static bool fail_step(const char *step)
{
	log_error("can't confine the daemon", "step=%s error=%s", step, strerror(errno));
	return false;
}

static bool warm_libraries(void)
{
	unsigned char hash[EVP_MAX_MD_SIZE];
	json_object_seed(0);
	return EVP_Digest("", 0, hash, NULL, EVP_sha256(), NULL) == 1 || fail_step("sha256");
}

static bool drop_capabilities(void)
{
	capng_clear(CAPNG_SELECT_CAPS | CAPNG_SELECT_AMBIENT);
	if (capng_apply(CAPNG_SELECT_CAPS | CAPNG_SELECT_AMBIENT) != 0)
		return fail_step("capabilities");
	// Read back from the kernel.
	if (capng_get_caps_process() != 0 || capng_have_capabilities(CAPNG_SELECT_CAPS) != CAPNG_NONE)
		return fail_step("capabilities are still there");
	return true;
}

static bool set_limits(void)
{
	struct rlimit files;
	const struct rlimit none = {0, 0};
	if (setrlimit(RLIMIT_CORE, &none) < 0 || getrlimit(RLIMIT_NOFILE, &files) < 0)
		return fail_step("limits");
	files.rlim_cur = files.rlim_max;
	return setrlimit(RLIMIT_NOFILE, &files) == 0 || fail_step("limit of open files");
}

static bool set_flags(void)
{
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1)
		return fail_step("no_new_privs");
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0 || prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) != 0)
		return fail_step("dumpable");
	return true;
}

// The directory that holds a file, so that a file put in its place is found after a reload.
static bool allow_directory_of(int rules, const char *file, bool own)
{
	char dir[PATH_MAX];
	const char *slash = strrchr(file, '/');
	size_t n = slash ? (size_t)(slash - file) : 0;
	if (n >= sizeof dir)
		return false;
	memcpy(dir, file, n);
	dir[n] = '\0';
	const char *path = n ? dir : slash ? "/" : ".";
	return own ? landlock_own(rules, path) : landlock_read(rules, path);
}

static bool allow_resolv_conf(int rules)
{
	char target[PATH_MAX];
	if (!landlock_read(rules, "/etc/resolv.conf"))
		return false;
	if (realpath("/etc/resolv.conf", target) == NULL || strcmp(target, "/etc/resolv.conf") == 0)
		return true;
	return allow_directory_of(rules, target, false);
}

static bool allow_reads(int rules, const struct config *config)
{
	const char *const paths[] = {
	    "/proc",
	    "/sys",
	    "/run/udev",
	    config->jail_root,
	    // leases of the usual DHCP clients
	    "/run/systemd/netif",
	    "/run/NetworkManager",
	    "/var/lib/dhcp",
	    "/var/lib/NetworkManager",
	    "/var/lib/dhcpcd",
	};
	for (size_t i = 0; i < sizeof paths / sizeof *paths; i++)
		if (!landlock_read(rules, paths[i]))
			return false;
	return landlock_edit(rules, config->image_root) && allow_resolv_conf(rules);
}

static bool allow_own(int rules, const struct config *config)
{
	for (size_t i = 0; i < config->sockets.n; i++)
		if (!allow_directory_of(rules, config->sockets.v[i], true))
			return false;
	return landlock_own(rules, config->state_dir);
}

static bool enter_landlock(const struct config *config, const struct flags *flags)
{
	int rules = landlock_begin();
	if (rules < 0)
		return false;
	return allow_reads(rules, config) && allow_own(rules, config) && allow_directory_of(rules, config->acl_path, false) &&
	       allow_directory_of(rules, flags->config ? flags->config : config->acl_path, false) && landlock_enter(rules);
}

static bool enter_filter(void)
{
	const struct sock_fprog prog = {.len = filter_posternd_len, .filter = (struct sock_filter *)(uintptr_t)filter_posternd};
	// From here on prctl itself is refused: that the filter is there needs no further proof.
	return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &prog) == 0 || fail_step("seccomp");
}

bool confine(const struct config *config, const struct flags *flags)
{
	return warm_libraries() && set_limits() && drop_capabilities() && set_flags() && enter_landlock(config, flags) && enter_filter();
}
