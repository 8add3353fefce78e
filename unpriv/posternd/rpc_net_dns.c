// net.dns: what the host's programs resolve names with.
//
// Where /etc/resolv.conf leads to the stub of systemd-resolved, that file names 127.0.0.53 and no more; whom the stub asks stands in resolv.conf
// beside it (systemd-resolved(8)).
//
// Landlock's rules hang on inodes: of a file that took the other's place, as most tools that write resolv.conf do it, the worker knows nothing.
// The parent, which isn't in the sandbox, then opens this one file for it.
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <unistd.h>

#include "unpriv/posternd/daemon.h"
#include "unpriv/posternd/dns.h"
#include "unpriv/posternd/request.h"

#define RESOLV_CONF "/etc/resolv.conf"
#define STUB        "/stub-resolv.conf"

// Sets *beside and says true where `path` is the stub's and there is more to read.
static bool read_upstreams(const char *path, struct arena *a, struct resolv *beside)
{
	size_t len = strlen(path), end = sizeof(STUB) - 1;

	if (len < end || strcmp(path + len - end, STUB) != 0)
		return false;
	return resolv_read(arena_printf(a, "%.*s/resolv.conf", (int)(len - end), path), a, beside) == 0;
}

static void answer(struct request *rq, const char *path, const struct resolv *r)
{
	struct resolv up;
	bool stub = read_upstreams(path, rq->arena, &up);

	reply_net_dns(rq, &(struct rpc_net_dns_result){
	                      .nameservers = r->nameservers,
	                      .search = r->search,
	                      .options = r->options,
	                      .source = path,
	                      .has_upstreams = stub,
	                      .upstreams = stub ? up.nameservers : (struct list_str){0},
	                  });
}

static void answer_or_fail(void *arg, const char *path, const struct resolv *r, int err)
{
	struct request *rq = arg;

	if (err != 0)
		fail_errno(rq, FAIL_IO, err, "%s can't be read", path);
	else
		answer(rq, path, r);
}

// ---- a file that was put there after the sandbox was made: the parent opens it ----

struct waiting {
	struct arena *a;
	dns_done *done;
	void *arg;
	const char *path;
	STAILQ_ENTRY(waiting) link;
};
STAILQ_HEAD(waiting_list, waiting);
static struct waiting_list all_waiting = STAILQ_HEAD_INITIALIZER(all_waiting);

static void opened(int fd)
{
	struct waiting *w;
	struct resolv r;

	while ((w = STAILQ_FIRST(&all_waiting)) != NULL) {
		STAILQ_REMOVE_HEAD(&all_waiting, link);
		int err = fd >= 0 ? resolv_read_fd(fd, w->a, &r) : EACCES;
		w->done(w->arg, w->path, &r, err);
	}
	if (fd >= 0)
		close(fd);
}

static void wait_for_parent(struct arena *a, const char *path, dns_done *done, void *arg)
{
	struct waiting *w = arena_alloc(a, sizeof(*w));
	bool first = STAILQ_EMPTY(&all_waiting);

	*w = (struct waiting){.a = a, .done = done, .arg = arg, .path = path};
	STAILQ_INSERT_TAIL(&all_waiting, w, link);
	if (first && !daemon_open_resolv(opened))
		opened(-1);
}

// A missing file is none: the C library then asks a server on the host itself, and so nothing is configured.
void dns_read(struct arena *a, dns_done *done, void *arg)
{
	char target[PATH_MAX];
	const char *path = arena_strdup(a, realpath(RESOLV_CONF, target) != NULL ? target : RESOLV_CONF);
	struct resolv r;
	int err = resolv_read(path, a, &r);

	if (err == EACCES)
		wait_for_parent(a, path, done, arg);
	else
		done(arg, path, &r, err == ENOENT ? 0 : err);
}

void rpc_net_dns(struct request *rq, const struct rpc_net_dns_params *p)
{
	(void)p;
	dns_read(rq->arena, answer_or_fail, rq);
}
