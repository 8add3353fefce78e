// Ends every process, then every mount, then the machine.  Only process 1 may run this: kill(-1) spares it alone.
#include "guest-init/shutdown.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "guest-init/text.h"

#define KILL_WAIT_MS 2000u // a process in uninterruptible sleep doesn't hold up the end for ever
#define MOUNTS_MAX   256

// Reaps until no child is left or ms have passed; true when none is.
static bool reap_all(unsigned ms)
{
	uint64_t until = now_ms() + ms;

	for (;;) {
		struct timespec pause = {.tv_nsec = 5000000};
		pid_t pid = waitpid(-1, NULL, WNOHANG);

		if (pid < 0 && errno == ECHILD)
			return true;
		if (pid > 0)
			continue;
		if (now_ms() >= until)
			return false;
		nanosleep(&pause, NULL);
	}
}

// Undoes \040 and its like, by which mountinfo writes blanks and backslashes (proc(5)), in place.
static void unescape(char *s)
{
	char *to = s;

	while (*s != '\0') {
		if (s[0] == '\\' && s[1] >= '0' && s[1] <= '3' && s[2] >= '0' && s[2] <= '7' && s[3] >= '0' && s[3] <= '7') {
			*to++ = (char)((s[1] - '0') << 6 | (s[2] - '0') << 3 | (s[3] - '0'));
			s += 4;
		} else {
			*to++ = *s++;
		}
	}
	*to = '\0';
}

// Takes the mount point, the fifth word, out of a line of mountinfo; NULL at the end of the text.
static char *mount_point(char **p)
{
	char *at = *p;
	char *nl = strchr(at, '\n');
	char *end;

	if (nl == NULL)
		return NULL;
	*p = nl + 1;
	*nl = '\0';
	for (unsigned i = 0; i < 4 && at != NULL; i++) {
		at = strchr(at, ' ');
		at = at != NULL ? at + 1 : NULL;
	}
	end = at != NULL ? strchr(at, ' ') : NULL;
	if (end == NULL)
		return NULL;
	*end = '\0';
	unescape(at);
	return at;
}

// Last mounted first; what is busy is made read-only, which flushes it as well.
static void unmount_all(void)
{
	static char text[65536];
	static char *points[MOUNTS_MAX];
	char *p = text;
	size_t n = 0;

	if (file_read("/proc/self/mountinfo", text, sizeof(text)) < 0)
		say("read", "/proc/self/mountinfo", errno);
	while (n < MOUNTS_MAX && (points[n] = mount_point(&p)) != NULL)
		n++;
	while (n-- > 0) {
		if (strcmp(points[n], "/") != 0 && umount2(points[n], UMOUNT_NOFOLLOW) == 0)
			continue;
		(void)mount(NULL, points[n], NULL, MS_REMOUNT | MS_RDONLY, NULL);
	}
}

_Noreturn void shutdown_guest(bool reboot_it, unsigned grace_ms)
{
	say(reboot_it ? "rebooting" : "powering off", NULL, 0);
	sync();
	(void)kill(-1, SIGTERM);
	(void)kill(-1, SIGCONT); // a stopped process can't act on TERM
	if (!reap_all(grace_ms)) {
		say("killing what is left", NULL, 0);
		(void)kill(-1, SIGKILL);
		if (!reap_all(KILL_WAIT_MS))
			say("some processes can't be killed", NULL, 0);
	}
	unmount_all();
	sync();
	if (reboot(reboot_it ? RB_AUTOBOOT : RB_POWER_OFF) < 0)
		say("reboot", NULL, errno);
	for (;;)
		pause(); // process 1 never exits
}
