// The least a guest can run: a PID 1 that says so on the console and powers the machine off.
#include <fcntl.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <unistd.h>

int main(void)
{
	static const char up[] = "BARE-INIT-UP\n";

	if (write(1, up, sizeof(up) - 1) < 0)
		return 1;
	sync();
	return reboot(RB_POWER_OFF);
}
