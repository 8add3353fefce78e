// net.config: the command line that the kernel was started with, and the durable state.
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "unpriv/posternd/bootline.h"
#include "unpriv/posternd/cache.h"
#include "unpriv/posternd/config.h"
#include "unpriv/posternd/daemon.h"
#include "unpriv/posternd/rpc_net.h"
#include "unpriv/posternd/task.h"

#define CMDLINE "/proc/cmdline"
#define MOST    65536 // the kernel's own limit is lower on every architecture (COMMAND_LINE_SIZE)

// Without the newline at its end; NULL with errno.
static char *read_cmdline(struct arena *a)
{
	char *text = arena_alloc(a, MOST);
	int fd = open(CMDLINE, O_RDONLY | O_CLOEXEC);
	ssize_t n = 0;
	size_t len = 0;

	if (fd < 0)
		return NULL;
	while (len < MOST - 1 && (n = read(fd, text + len, MOST - 1 - len)) > 0)
		len += (size_t)n;
	int err = errno;
	close(fd);
	errno = err;
	text[len] = '\0';
	text[strcspn(text, "\n")] = '\0';
	return n < 0 ? NULL : text;
}

static struct obj_boot_ip ip_of(const struct boot_ip *b)
{
	return (struct obj_boot_ip){
	    .address = b->address,
	    .prefix = b->prefix,
	    .has_gateway = b->gateway != NULL,
	    .gateway = b->gateway,
	    .has_device = b->device != NULL,
	    .device = b->device,
	};
}

static struct list_ifname bridges(const struct request *rq)
{
	struct list_ifname l = {.v = arena_alloc(rq->arena, (cache_n_bridge() + 1) * sizeof(*l.v))};

	for (size_t i = 0; i < cache_n_bridge(); i++) {
		const struct row_bridge *row = cache_at_bridge(i);
		if (row->phase == PHASE_DONE && tenant_sees(rq, row->tenant))
			l.v[l.n++] = row->name;
	}
	return l;
}

void rpc_net_config(struct request *rq, const struct rpc_net_config_params *p)
{
	const char *cmdline = read_cmdline(rq->arena);
	struct bootline b;

	(void)p;
	if (cmdline == NULL) {
		fail_errno(rq, FAIL_IO, errno, CMDLINE " can't be read");
		return;
	}
	bootline_parse(cmdline, strlen(cmdline), rq->arena, &b);
	reply_net_config(rq, &(struct rpc_net_config_result){
	                         .cmdline = cmdline,
	                         .mode = (int)b.mode,
	                         .has_ip4 = b.ip4.given,
	                         .ip4 = ip_of(&b.ip4),
	                         .has_ip6 = b.ip6.given,
	                         .ip6 = ip_of(&b.ip6),
	                         .has_vlan = b.vlans.n > 0,
	                         .vlan = b.vlans,
	                         .dns = b.dns,
	                         .bridge = "linux",
	                         .bridges = bridges(rq),
	                         .nat = nat_list(rq),
	                         .firewall = "inet postern",
	                         .interface_prefix = daemon_config()->interface_prefix,
	                     });
}
