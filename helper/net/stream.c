// Streams: begin, next, close, and the end of those that nobody reads.  See stream.h.
#include "helper/net/stream.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <string.h>

#include "helper/net/sys.h"

#define IDLE_NS  (UINT64_C(30) * 1000000000u)
#define SLICE_NS UINT64_C(250000) // and the datagram in which it runs out: about as much again
#define DATAGRAM 32768u           // a dump's largest
#define ROOM     40960u           // that the records of one take at most: the shortest entry of conntrack has 108 bytes and becomes a record of 136

static struct stream streams[STREAMS];
static uint32_t last_id;
static unsigned n_open;

static struct stream *find(uint32_t id)
{
	for (unsigned i = 0; i < STREAMS; i++)
		if (streams[i].id == id)
			return &streams[i];
	return NULL;
}

static void end(struct stream *s)
{
	sys_close(s->sock);
	memset(s, 0, sizeof(*s));
	n_open--;
}

bool stream_put(struct cell *c, struct stream *s, const void *record, size_t len)
{
	if (sizeof(c->bulk) - s->len < len)
		return false;
	memcpy(c->bulk + s->len, record, len);
	s->len += len;
	return true;
}

enum op_status stream_begin(struct cell *c, const struct stream *what, const struct nlmsghdr *ask, uint32_t *id)
{
	struct stream *s = find(0);
	int sock, err;

	if (s == NULL)
		return cell_fail(c, OPS_QUOTA, "streams", 0);
	sock = sys_stream_open();
	if (sock < 0)
		return cell_fail_errno(c, "netlink socket", -sock);
	err = sys_stream_send(sock, ask, ask->nlmsg_len);
	if (err != 0) {
		sys_close(sock);
		return cell_fail_errno(c, "netlink request", -err);
	}
	do
		last_id++;
	while (last_id == 0 || find(last_id) != NULL);
	*s = *what;
	s->id = *id = last_id;
	s->sock = sock;
	s->read_ns = sys_now_ns();
	n_open++;
	return OPS_OK;
}

static int error_of(const struct nlmsghdr *h)
{
	int err = -EPROTO;

	if (mnl_nlmsg_get_payload_len(h) >= sizeof(err))
		memcpy(&err, mnl_nlmsg_get_payload(h), sizeof(err));
	return err;
}

static int one(struct cell *c, struct stream *s, const struct nlmsghdr *h)
{
	s->torn = s->torn || (h->nlmsg_flags & NLM_F_DUMP_INTR) != 0;
	if (h->nlmsg_type == NLMSG_DONE || h->nlmsg_type == NLMSG_ERROR) {
		s->over = true;
		return error_of(h);
	}
	s->over = s->single;
	return s->take(c, s, h);
}

// Takes one datagram.
static int step(struct cell *c, struct stream *s)
{
	static union {
		struct nlmsghdr align;
		char bytes[DATAGRAM];
	} in;
	ssize_t n = sys_stream_receive(s->sock, in.bytes, sizeof(in));
	int left = (int)n, err = 0;

	if (n < 0)
		return (int)n;
	for (const struct nlmsghdr *h = &in.align; err == 0 && mnl_nlmsg_ok(h, left); h = mnl_nlmsg_next(h, &left))
		err = one(c, s, h);
	return err;
}

enum op_status op_next(struct cell *c, const struct op_next_args *a, const int *fds, struct op_next_res *r, int *out_fds)
{
	struct stream *s = find(a->stream);
	uint64_t began = sys_now_ns();
	int err = 0;

	(void)fds;
	(void)out_fds;
	if (s == NULL)
		return cell_fail(c, OPS_NOT_FOUND, "stream", 0);
	s->len = 0;
	do
		err = step(c, s);
	while (err == 0 && !s->over && sizeof(c->bulk) - s->len >= ROOM && sys_now_ns() - began < SLICE_NS);
	if (s->flush != NULL) {
		int late = s->flush(c, s);

		err = err != 0 ? err : late;
	}
	s->read_ns = sys_now_ns();
	r->data.len = (uint32_t)s->len;
	r->end = s->over;
	r->torn = s->torn;
	if (err != 0 || s->over)
		end(s);
	return err == 0 ? OPS_OK : cell_fail_errno(c, "dump", -err);
}

enum op_status op_close(struct cell *c, const struct op_close_args *a, const int *fds, struct op_close_res *r, int *out_fds)
{
	struct stream *s = find(a->stream);

	(void)fds;
	(void)r;
	(void)out_fds;
	if (s == NULL)
		return cell_fail(c, OPS_NOT_FOUND, "stream", 0);
	end(s);
	return OPS_OK;
}

void streams_tick(struct cell *c)
{
	uint64_t now = n_open > 0 ? sys_now_ns() : 0;

	for (unsigned i = 0; n_open > 0 && i < STREAMS; i++)
		if (streams[i].id != 0 && now - streams[i].read_ns > IDLE_NS)
			end(&streams[i]);
	c->tick_ms = n_open > 0 ? 1000 : -1;
}
