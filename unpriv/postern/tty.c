// See tty.h.
#include "unpriv/postern/tty.h"

#include <stdlib.h>
#include <sys/ioctl.h>
#include <termios.h>

static struct termios before;
static int raw_fd = -1;

void tty_restore(void)
{
	if (raw_fd >= 0)
		(void)tcsetattr(raw_fd, TCSADRAIN, &before);
	raw_fd = -1;
}

bool tty_raw(int fd)
{
	static bool registered;
	struct termios raw;

	if (tcgetattr(fd, &before) < 0)
		return false;
	if (!registered && atexit(tty_restore) == 0)
		registered = true;
	raw = before;
	cfmakeraw(&raw);
	if (tcsetattr(fd, TCSADRAIN, &raw) < 0)
		return false;
	raw_fd = fd;
	return true;
}

static uint32_t within(uint32_t n, uint32_t otherwise)
{
	if (n == 0)
		return otherwise;
	return n > 10000 ? 10000 : n;
}

void tty_size(int fd, uint32_t *rows, uint32_t *cols)
{
	struct winsize ws = {0};

	(void)ioctl(fd, TIOCGWINSZ, &ws);
	*rows = within(ws.ws_row, 24);
	*cols = within(ws.ws_col, 80);
}
