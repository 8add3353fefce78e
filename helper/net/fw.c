// fw_commit: replaces table inet postern in one transaction, from records in a sealed memfd.  All of it, or nothing.
#include "helper/net/fw.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <stdlib.h>

#include "helper/common/cell.h"
#include "helper/net/sys.h"

#define CHUNK  128u // records read at a time
#define FENCES 6u   // messages of a batch beside its rules
#define SLACK  (FENCES * FW_RULE_MAX)

// Checks one record, counts its rules, and, with b, builds them.
static enum op_status one(struct cell *c, const struct fw_record *r, size_t *rules, struct fw_batch *b)
{
	bool denied;
	const char *wrong = fw_record_wrong(&c->policy.net, r, &denied);

	if (wrong != NULL)
		return cell_fail(c, denied ? OPS_DENIED : OPS_INVALID, wrong, 0);
	*rules += fw_rules(&c->policy.net, r);
	return b == NULL || fw_add(b, &c->policy.net, r) ? OPS_OK : cell_fail(c, OPS_IO, "building rules", ENOMEM);
}

// Does that with all records.  They can't change between two passes: the memfd is sealed.
static enum op_status pass(struct cell *c, int fd, uint32_t count, size_t *rules, struct fw_batch *b)
{
	static struct fw_record chunk[CHUNK];
	enum op_status s = OPS_OK;

	*rules = 0;
	for (uint32_t at = 0; s == OPS_OK && at < count; at++) {
		if (at % CHUNK == 0) {
			size_t n = count - at < CHUNK ? count - at : CHUNK;
			int err = sys_read(fd, chunk, n * sizeof(chunk[0]), (off_t)(at * sizeof(chunk[0])));

			if (err != 0)
				return cell_fail(c, err == -ENODATA ? OPS_INVALID : OPS_IO, "records in the memfd", -err);
		}
		s = one(c, &chunk[at % CHUNK], rules, b);
	}
	return s;
}

// Reads what the kernel said about the batch.  It has said everything when sendmsg() returned.
static int judge(unsigned last_seq)
{
	static union {
		struct nlmsghdr align;
		char bytes[16384];
	} in;
	bool committed = false;
	ssize_t n;

	while ((n = sys_receive(SYS_NFT, in.bytes, sizeof(in), false)) > 0) {
		int left = (int)n;

		for (const struct nlmsghdr *h = &in.align; mnl_nlmsg_ok(h, left); h = mnl_nlmsg_next(h, &left)) {
			const struct nlmsgerr *e = mnl_nlmsg_get_payload(h);

			if (h->nlmsg_type != NLMSG_ERROR || mnl_nlmsg_get_payload_len(h) < sizeof(int) || h->nlmsg_seq > last_seq)
				return -EPROTO;
			if (e->error != 0)
				return e->error;
			committed = true;
		}
	}
	if (n != -EAGAIN)
		return (int)n;
	return committed ? 0 : -EPROTO;
}

// What an earlier batch left unread would be taken for this one's answer.
static void drain(void)
{
	char byte[64];
	ssize_t n;

	do
		n = sys_receive(SYS_NFT, byte, sizeof(byte), false);
	while (n >= 0 || n == -EMSGSIZE || n == -ENOBUFS);
}

static enum op_status commit(struct cell *c, int fd, uint32_t count, struct fw_batch *b)
{
	enum op_status s = OPS_OK;
	size_t rules;
	int err;

	if (!fw_begin(b, count > 0))
		return cell_fail(c, OPS_IO, "building the table", ENOMEM);
	if (count > 0)
		s = pass(c, fd, count, &rules, b);
	if (s != OPS_OK)
		return s;
	if (!fw_end(b))
		return cell_fail(c, OPS_IO, "building the table", ENOMEM);
	drain();
	err = sys_send(SYS_NFT, b->buf, b->len);
	if (err == 0)
		err = judge(b->seq);
	return err == 0 ? OPS_OK : cell_fail_errno(c, "nftables", -err);
}

enum op_status op_fw_commit(struct cell *c, const struct op_fw_commit_args *a, const int *fds, struct op_fw_commit_res *r, int *out_fds)
{
	struct fw_batch b = {0};
	size_t rules;
	enum op_status s = pass(c, fds[FD_fw_commit_records], a->count, &rules, NULL);

	(void)r;
	(void)out_fds;
	if (s != OPS_OK)
		return s;
	if (rules > c->policy.limits.rules)
		return cell_fail(c, OPS_QUOTA, "limit rules", 0);
	b.cap = rules * FW_RULE_MAX + SLACK;
	b.buf = malloc(b.cap);
	if (b.buf == NULL)
		return cell_fail(c, OPS_IO, "memory", ENOMEM);
	s = commit(c, fds[FD_fw_commit_records], a->count, &b);
	free(b.buf);
	return s;
}
