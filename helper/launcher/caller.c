// Who called, and is descriptor 3 the daemon's socket?  See launcher.h.
//
// Two ways in.  Setuid: the real uid is the daemon's, and 3 is its end of a connected pair.  Init: the real uid is root's, and 3 listens.
#include <errno.h>
#include <sys/auxv.h>
#include <sys/socket.h>
#include <unistd.h>

#include "helper/common/cell.h"
#include "helper/common/confine.h"
#include "helper/launcher/launcher.h"

static int option(int fd, int name)
{
	int v = -1;
	socklen_t len = sizeof(v);

	return getsockopt(fd, SOL_SOCKET, name, &v, &len) == 0 && len == sizeof(v) ? v : -1;
}

static bool peer_is(int fd, uid_t uid)
{
	struct ucred c;
	socklen_t len = sizeof(c);

	return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &c, &len) == 0 && len == sizeof(c) && c.uid == uid && c.pid > 0;
}

// Strangers are turned away; the socket's mode should have kept them out already.
static void accept_daemon(uid_t uid)
{
	for (;;) {
		int fd = accept4(CELL_FD_PEER, NULL, NULL, SOCK_CLOEXEC);

		if (fd < 0 && errno != EINTR && errno != ECONNABORTED)
			confine_refuse(LAUNCHER, "accept", errno);
		if (fd >= 0 && peer_is(fd, uid)) {
			if (dup2(fd, CELL_FD_PEER) != CELL_FD_PEER)
				confine_refuse(LAUNCHER, "dup2", errno);
			close(fd);
			return;
		}
		if (fd >= 0)
			close(fd);
	}
}

void caller_check(uid_t uid, const struct policy *p)
{
	uid_t daemon = p->ids.daemon_uid;

	if (uid != 0 && uid != daemon)
		confine_refuse(LAUNCHER, "only the daemon may start me (daemon-uid in the policy)", 0);
	if (option(CELL_FD_PEER, SO_DOMAIN) != AF_UNIX || option(CELL_FD_PEER, SO_TYPE) != SOCK_SEQPACKET)
		confine_refuse(LAUNCHER, "descriptor 3 isn't a sequenced-packet Unix socket", 0);
	if (uid == 0) {
		if (option(CELL_FD_PEER, SO_ACCEPTCONN) != 1)
			confine_refuse(LAUNCHER, "started by root, but descriptor 3 doesn't listen", 0);
		accept_daemon(daemon);
		return;
	}
	if (getauxval(AT_SECURE) == 0)
		confine_refuse(LAUNCHER, "started by the daemon, but not as a setuid program", 0);
	if (option(CELL_FD_PEER, SO_ACCEPTCONN) != 0 || !peer_is(CELL_FD_PEER, daemon))
		confine_refuse(LAUNCHER, "descriptor 3 isn't connected to the daemon", 0);
}
