#include "unpriv/posternd/accel.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

bool accel_in_cpuinfo(const char *cpuinfo)
{
	for (const char *line = cpuinfo; line != NULL && *line != '\0'; line = strchr(line, '\n'), line = line != NULL ? line + 1 : NULL) {
		size_t len = strcspn(line, "\n");
		if (strncmp(line, "flags", 5) != 0)
			continue;
		for (const char *w = line; w < line + len; w += strcspn(w, " \t\n"), w += strspn(w, " \t"))
			if (strcspn(w, " \t\n") == 3 && (memcmp(w, "vmx", 3) == 0 || memcmp(w, "svm", 3) == 0))
				return true;
	}
	return false;
}

bool accel_have_kvm(void)
{
	static int known = -1;
	char text[8192]; // the first processor's flags are within
	int fd;
	ssize_t n;

	if (known >= 0)
		return known == 1;
	fd = open("/proc/cpuinfo", O_RDONLY | O_CLOEXEC);
	n = fd >= 0 ? read(fd, text, sizeof(text) - 1) : -1;
	if (fd >= 0)
		close(fd);
	text[n > 0 ? n : 0] = '\0';
	known = accel_in_cpuinfo(text) && access("/dev/kvm", F_OK) == 0;
	return known == 1;
}
