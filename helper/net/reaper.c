// The cell's side of the reaper: starts it, hands requests over, passes answers on.  See reaper.h.
#include "helper/net/reaper.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "helper/common/confine.h"
#include "helper/net/fds.h"

#define ROOM (1 << 20) // bytes: more than the broker has requests in flight

static void on_answer(struct cell *c)
{
	struct reaper_rep r;
	int fds[FDPASS_MAX];
	unsigned nfds;

	if (fdpass_recv(NET_FD_REAPER, &r, sizeof(r), fds, &nfds, 0) != (ssize_t)sizeof(r) || nfds != 0 || r.status >= OPS_COUNT)
		_exit(HELPER_EXIT_DIED);
	memset(&c->rep, 0, sizeof(c->rep));
	c->rep.id = r.id;
	c->rep.status = r.status;
	if (r.status == OPS_OK) {
		c->rep.res.links_del.removed = r.removed;
	} else {
		c->rep.err = r.err;
		memcpy(c->rep.rule, r.rule, sizeof(c->rep.rule));
		c->rep.rule[sizeof(c->rep.rule) - 1] = '\0';
	}
	cell_answer(c);
}

void reaper_start(struct cell *c)
{
	const int size = ROOM, self = getpid();
	int s[2];
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, s) != 0 || setsockopt(s[0], SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size)) != 0 ||
	    setsockopt(s[1], SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size)) != 0)
		confine_refuse(c->name, "socket pair", errno);
	pid = fork();
	if (pid < 0 || dup3(s[pid == 0 ? 1 : 0], NET_FD_REAPER, O_CLOEXEC) != NET_FD_REAPER)
		confine_refuse(c->name, "fork", errno);
	close(s[0]);
	close(s[1]);
	if (pid == 0)
		reaper_main(c, self);
	c->side = NET_FD_REAPER;
	c->on_side = on_answer;
}

enum op_status op_links_del(struct cell *c, const struct op_links_del_args *a, const int *fds, struct op_links_del_res *r, int *out_fds)
{
	static struct reaper_req q;

	(void)fds;
	(void)r;
	(void)out_fds;
	q.id = c->rep.id;
	q.args = *a;
	if (fdpass_send(NET_FD_REAPER, &q, sizeof(q), NULL, 0, MSG_DONTWAIT) != 0)
		return cell_fail(c, OPS_BUSY, "deletion of other links", errno);
	c->later = true;
	return OPS_OK;
}
