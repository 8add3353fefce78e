// fw_list: the table, read back by fw_list.c, as records in a sealed memfd.
#include <errno.h>
#include <string.h>

#include "helper/net/fw.h"
#include "helper/net/sys.h"

#define CHUNK   128u // records written at a time
#define RETRIES 4    // of reading a table that somebody changed meanwhile

struct listing {
	int fd, err;
	uint32_t count;
	size_t held;
	struct fw_record chunk[CHUNK];
};

static void flush(struct listing *l)
{
	if (l->err == 0)
		l->err = sys_append(l->fd, l->chunk, l->held * sizeof(l->chunk[0]));
	l->held = 0;
}

static void keep(void *arg, const struct fw_record *r, uint64_t handle)
{
	struct listing *l = arg;

	(void)handle;
	l->chunk[l->held++] = *r;
	l->count++;
	if (l->held == CHUNK)
		flush(l);
}

static int list(const struct policy_net *net, struct fw_found *f, struct listing *l)
{
	int err;

	memset(l, 0, sizeof(*l));
	l->fd = sys_memfd();
	if (l->fd < 0)
		return l->fd;
	err = fw_read(net, f, keep, l);
	flush(l);
	if (err == 0)
		err = l->err != 0 ? l->err : sys_seal(l->fd);
	if (err != 0)
		sys_close(l->fd);
	return err;
}

enum op_status op_fw_list(struct cell *c, const struct op_fw_list_args *a, const int *fds, struct op_fw_list_res *r, int *out_fds)
{
	static struct listing l;
	struct fw_found f;
	int err = -EINTR;

	(void)a;
	(void)fds;
	for (int i = 0; err == -EINTR && i < RETRIES; i++)
		err = list(&c->policy.net, &f, &l);
	if (err != 0)
		return cell_fail_errno(c, "reading the table", -err);
	out_fds[RESFD_fw_list_records] = l.fd;
	*r = (struct op_fw_list_res){.count = l.count, .present = f.present, .foreign = f.foreign, .missing = f.missing};
	return OPS_OK;
}
