// net.dns: what the host's programs resolve names with.
//
// Where /etc/resolv.conf leads to the stub of systemd-resolved, that file names 127.0.0.53 and no more; whom the stub asks stands in resolv.conf
// beside it (systemd-resolved(8)).
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "unpriv/posternd/request.h"
#include "unpriv/posternd/resolv.h"

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

// A missing file is none: the C library then asks a server on the host itself, and so nothing is configured.
static bool read_main(struct request *rq, const char *path, struct resolv *r)
{
	int err = resolv_read(path, rq->arena, r);

	if (err == EACCES)
		fail_hint(rq, FAIL_IO,
		          "It was replaced after posternd had locked itself in: restart posternd, or make it a link to a file below /run.",
		          "%s may not be read", path);
	else if (err != 0 && err != ENOENT)
		fail_errno(rq, FAIL_IO, err, "%s can't be read", path);
	return err == 0 || err == ENOENT;
}

void rpc_net_dns(struct request *rq, const struct rpc_net_dns_params *p)
{
	char target[PATH_MAX];
	const char *path = realpath(RESOLV_CONF, target) != NULL ? target : RESOLV_CONF;
	struct resolv r, up;
	bool stub;

	(void)p;
	if (!read_main(rq, path, &r))
		return;
	stub = read_upstreams(path, rq->arena, &up);
	reply_net_dns(rq, &(struct rpc_net_dns_result){
	                      .nameservers = r.nameservers,
	                      .search = r.search,
	                      .options = r.options,
	                      .source = path,
	                      .has_upstreams = stub,
	                      .upstreams = stub ? up.nameservers : (struct list_str){0},
	                  });
}
