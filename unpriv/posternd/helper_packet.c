// Packing and judging the helper's packets.  See helper_packet.h.
#include "unpriv/posternd/helper_packet.h"

#include <errno.h>
#include <fcntl.h>
#include <msgpack/pack.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "unpriv/posternd/mem.h"

static bool pack_triple(struct mp_out *o, uint32_t first, uint32_t second, const struct wire_field *fields, size_t n, const void *in)
{
	msgpack_packer pk;

	msgpack_packer_init(&pk, o, mp_out_write);
	msgpack_pack_array(&pk, 3);
	msgpack_pack_uint32(&pk, first);
	msgpack_pack_uint32(&pk, second);
	return wire_encode(fields, n, in, o) && !o->full;
}

static int copy_fds(struct helper_packet *p, enum op_id op, const int *fds)
{
	for (size_t i = 0; i < op_rows[op].nfds; i++) {
		if (fds == NULL || fds[i] < 0) {
			if (op_rows[op].fds[i].need == REQ)
				return EINVAL;
			break;
		}
		p->fds[p->nfds] = fcntl(fds[i], F_DUPFD_CLOEXEC, 3);
		if (p->fds[p->nfds] < 0)
			return errno;
		p->nfds++;
	}
	return 0;
}

int helper_packet_pack(struct helper_packet *p, uint32_t id, enum op_id op, const void *args, const int *fds)
{
	static uint8_t scratch[HELPER_MAX_PACKET];
	struct mp_out o = {.buf = scratch, .cap = sizeof(scratch)};
	int err;

	memset(p, 0, sizeof(*p));
	if (!pack_triple(&o, id, op, op_rows[op].args, op_rows[op].nargs, args))
		return EINVAL;
	err = copy_fds(p, op, fds);
	if (err != 0) {
		helper_packet_finish(p);
		return err;
	}
	p->buf = xmalloc(o.len);
	memcpy(p->buf, scratch, o.len);
	p->len = o.len;
	return 0;
}

void helper_packet_finish(struct helper_packet *p)
{
	for (unsigned i = 0; i < p->nfds; i++)
		close(p->fds[i]);
	free(p->buf);
	memset(p, 0, sizeof(*p));
}

static bool send_packet(int fd, const uint8_t *buf, size_t len, const int *fds, unsigned nfds)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int) * HELPER_MAX_FDS)];
	} control;
	struct iovec iov = {.iov_base = (void *)(uintptr_t)buf, .iov_len = len};
	struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1};
	ssize_t n;

	if (nfds > 0) {
		memset(&control, 0, sizeof(control));
		m.msg_control = control.bytes;
		m.msg_controllen = CMSG_SPACE(sizeof(int) * nfds);
		struct cmsghdr *c = CMSG_FIRSTHDR(&m);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int) * nfds);
		memcpy(CMSG_DATA(c), fds, sizeof(int) * nfds);
	}
	do
		n = sendmsg(fd, &m, MSG_NOSIGNAL | MSG_DONTWAIT);
	while (n < 0 && errno == EINTR);
	return n == (ssize_t)len;
}

bool helper_packet_send(int fd, const struct helper_packet *p)
{
	return send_packet(fd, p->buf, p->len, p->fds, p->nfds);
}

bool helper_packet_send_hello(int fd)
{
	uint8_t buf[128];
	struct mp_out o = {.buf = buf, .cap = sizeof(buf)};
	struct helper_hello h = {.has_rows = true};

	memcpy(h.rows, rows_sha256, sizeof(h.rows));
	return pack_triple(&o, 0, HELPER_PROTOCOL, helper_hello_fields, 1, &h) && send_packet(fd, buf, o.len, NULL, 0);
}

// Takes the descriptors out of a received message.  Returns false where there were more than we have places for.
static bool take_fds(struct msghdr *m, int fds[HELPER_MAX_FDS], unsigned *nfds)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c != NULL; c = CMSG_NXTHDR(m, c)) {
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		size_t n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (size_t i = 0; i < n; i++) {
			int one;
			memcpy(&one, CMSG_DATA(c) + i * sizeof(int), sizeof(int));
			if (*nfds < HELPER_MAX_FDS)
				fds[(*nfds)++] = one;
			else
				close(one);
		}
	}
	return (m->msg_flags & (MSG_TRUNC | MSG_CTRUNC)) == 0;
}

ssize_t helper_packet_receive(int fd, uint8_t *buf, size_t size, int fds[HELPER_MAX_FDS], unsigned *nfds)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int) * HELPER_MAX_FDS)];
	} control;
	struct iovec iov = {.iov_base = buf, .iov_len = size};
	struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control.bytes, .msg_controllen = sizeof(control.bytes)};
	ssize_t n;

	*nfds = 0;
	for (unsigned i = 0; i < HELPER_MAX_FDS; i++)
		fds[i] = -1;
	do
		n = recvmsg(fd, &m, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
	while (n < 0 && errno == EINTR);
	if (n >= 0 && !take_fds(&m, fds, nfds)) {
		errno = EMSGSIZE;
		return -1;
	}
	return n;
}

// Reads the array's head and its two numbers.
static bool read_head(struct mp *m, uint64_t *first, uint64_t *second)
{
	struct mp_value v;

	if (mp_next(m, &v) != MP_OK || v.type != MP_ARRAY || v.n != 3)
		return false;
	if (mp_next(m, &v) != MP_OK || v.type != MP_UINT)
		return false;
	*first = v.u;
	if (mp_next(m, &v) != MP_OK || v.type != MP_UINT)
		return false;
	*second = v.u;
	return true;
}

const char *helper_packet_check_hello(const uint8_t *buf, size_t len)
{
	struct mp m = mp_over(buf, len);
	struct helper_hello h;
	struct wire_error err;
	uint64_t zero, version;

	if (!read_head(&m, &zero, &version) || zero != 0)
		return "no hello first";
	if (version != HELPER_PROTOCOL)
		return "helper speaks another version";
	if (!wire_decode(helper_hello_fields, 1, &m, &h, sizeof(h), &err) || m.p != m.end)
		return "hello is malformed";
	return memcmp(h.rows, rows_sha256, sizeof(h.rows)) == 0 ? NULL : "helper was built from other rows";
}

bool helper_packet_answer_id(const uint8_t *buf, size_t len, uint32_t *id)
{
	struct mp m = mp_over(buf, len);
	uint64_t first, second;

	if (!read_head(&m, &first, &second) || first > UINT32_MAX)
		return false;
	*id = (uint32_t)first;
	return true;
}

const char *helper_packet_read(const uint8_t *buf, size_t len, enum op_id op, unsigned nfds, struct helper_answer *a)
{
	const struct op_row *row = &op_rows[op];
	struct mp m = mp_over(buf, len);
	struct wire_error err;
	uint64_t id, status;

	memset(a, 0, sizeof(*a));
	if (!read_head(&m, &id, &status) || status >= OPS_COUNT)
		return "answer is malformed";
	a->status = (enum op_status)status;
	bool read = a->status == OPS_OK ? wire_decode(row->res, row->nres, &m, &a->res, row->res_size, &err)
	                                : wire_decode(op_failure_fields, 2, &m, &a->failure, sizeof(a->failure), &err);
	if (!read || m.p != m.end)
		return "answer has wrong fields";
	if (nfds > (a->status == OPS_OK ? row->nresfds : 0))
		return "answer has too many descriptors";
	return NULL;
}
