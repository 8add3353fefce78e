// postern-broker: stands between the daemon and the cells, with no right at all.
//
// The only part of the helper that parses the daemon's bytes.  A packet is decoded and checked by the rows (packet.c), then by the policy
// (rules.c), and goes to its cell as a fixed struct; the cell checks both again.  Who owns what isn't remembered here: the cell reads the
// kernel's own mark in the same request, so a broker that was taken over gains nothing by lying about it.
//
// Back-pressure: while the table of requests in flight is full, or the policy's rate is used up, the daemon's socket isn't read.  While the
// daemon doesn't read its answers, one waits here and no other is taken from a cell: nothing here ever blocks.  No heap: everything is static.
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "filter_broker.h"
#include "helper/broker/flight.h"
#include "helper/broker/packet.h"
#include "helper/common/confine.h"
#include "helper/common/rules.h"

#define NAME "postern-broker"

static struct policy policy;
static struct flights flights;
static struct rate rate;
static unsigned ready; // cells that have dropped their rights, one bit each
static bool greeted;   // the daemon's hello has come

#define LEAVE_NS      UINT64_C(10000000000) // that going back may take at the end
#define LEAVE_POLL_MS 1000

#define ALL_READY ((1u << CELL_COUNT) - 1)

static uint64_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

// A cell's answer, with the bytes that some carry behind it.
static struct {
	struct cell_rep rep;
	uint8_t bulk[HELPER_MAX_BYTES];
} in;

// The daemon is gone, or broken: whatever it left unconfirmed is taken back before the helper ends.  The net cell answers what came before first;
// a cell that doesn't answer in time has the snapshots still, for the next helper.
static _Noreturn void leave(int status)
{
	static struct cell_req q = {.op = OP_checkpoint_revert};
	const uint64_t until = now() + LEAVE_NS;
	int fds[FDPASS_MAX];
	unsigned nfds;

	q.id = ++flights.next != 0 ? flights.next : ++flights.next;
	if ((ready >> CELL_NET & 1) == 0 || fdpass_send(CELL_FD_CELLS + CELL_NET, &q, sizeof(q), NULL, 0, MSG_DONTWAIT) != 0)
		_exit(status);
	while (now() < until) {
		struct pollfd p[2] = {{.fd = CELL_FD_CELLS + CELL_NET, .events = POLLIN}, {.fd = CELL_FD_LIFE, .events = POLLIN}};
		ssize_t n;

		if (poll(p, 2, LEAVE_POLL_MS) < 0 || p[1].revents != 0)
			break;
		if (p[0].revents == 0)
			continue;
		n = fdpass_recv(CELL_FD_CELLS + CELL_NET, &in, sizeof(in), fds, &nfds, MSG_DONTWAIT);
		if (n <= 0 || (n >= (ssize_t)sizeof(in.rep) && in.rep.id == q.id))
			break;
		fdpass_close(fds, nfds);
	}
	_exit(status);
}

// The one answer that the daemon's socket had no room for.
static struct {
	uint8_t buf[HELPER_MAX_PACKET];
	size_t len; // 0: none waits
	int fds[FDPASS_MAX];
	unsigned nfds;
} held;

// Sends what is held, if the daemon's socket has room for it now.
static void send_held(void)
{
	if (fdpass_send(CELL_FD_PEER, held.buf, held.len, held.fds, held.nfds, MSG_DONTWAIT) != 0) {
		if (errno == EAGAIN)
			return;
		leave(errno == EPIPE || errno == ECONNRESET ? HELPER_EXIT_PEER : HELPER_EXIT_MALFORMED);
	}
	fdpass_close(held.fds, held.nfds);
	held.len = 0;
}

// Takes over the descriptors.  Nothing may be held.
static void answer(uint32_t id, enum op_id op, const struct cell_rep *rep, int *fds)
{
	held.len = packet_answer(held.buf, sizeof(held.buf), id, op, rep);
	if (held.len == 0)
		_exit(HELPER_EXIT_DIED);
	held.nfds = rep->nfds;
	for (unsigned i = 0; i < rep->nfds; i++) {
		held.fds[i] = fds[i];
		fds[i] = -1;
	}
	send_held();
}

static void deny(uint32_t id, enum op_id op, const char *rule)
{
	static struct cell_rep rep;

	memset(&rep, 0, sizeof(rep));
	rep.status = OPS_DENIED;
	memcpy(rep.rule, rule, strnlen(rule, sizeof(rep.rule) - 1));
	answer(id, op, &rep, NULL);
}

// Our hello is a promise: every process of the helper is confined.
static void note_ready(unsigned cell)
{
	uint8_t buf[128];
	size_t n = packet_hello_write(buf, sizeof(buf));

	if ((ready >> cell & 1) != 0)
		_exit(HELPER_EXIT_DIED);
	ready |= 1u << cell;
	if (ready == ALL_READY && fdpass_send(CELL_FD_PEER, buf, n, NULL, 0, MSG_DONTWAIT) != 0)
		_exit(HELPER_EXIT_PEER);
}

static void hello(const void *buf, size_t n, unsigned nfds)
{
	enum packet_hello said = packet_hello_read(buf, n);

	if (said == HELLO_MALFORMED || nfds != 0)
		leave(HELPER_EXIT_MALFORMED);
	if (said == HELLO_OTHER_ROWS)
		_exit(HELPER_EXIT_REFUSED); // without a line: our own hello has told the daemon the same
	greeted = true;
}

static void request(const void *buf, size_t n, const int *fds, unsigned nfds)
{
	static struct cell_req q;
	struct flight *f;
	const char *rule;
	uint32_t id;
	enum op_id op;

	if (!packet_request(buf, n, &id, &op, &q.args) || !rules_fds(&op_rows[op], fds, nfds))
		leave(HELPER_EXIT_MALFORMED);
	f = flight_add(&flights, id, op);
	if (f == NULL)
		leave(HELPER_EXIT_MALFORMED);
	rule = rules_refuse(&policy, op, &q.args);
	if (rule != NULL) {
		flight_drop(&flights, f);
		deny(id, op, rule);
		return;
	}
	q.id = f->cell_id;
	q.op = op;
	q.nfds = nfds;
	if (fdpass_send(CELL_FD_CELLS + (int)op_rows[op].cell, &q, sizeof(q), fds, nfds, MSG_DONTWAIT) != 0)
		_exit(HELPER_EXIT_DIED);
}

static void from_daemon(void)
{
	static uint8_t buf[HELPER_MAX_PACKET];
	int fds[FDPASS_MAX];
	unsigned nfds;
	ssize_t n = fdpass_recv(CELL_FD_PEER, buf, sizeof(buf), fds, &nfds, MSG_DONTWAIT);

	if (n < 0 && errno == EAGAIN)
		return;
	if (n == 0 || (n < 0 && errno == ECONNRESET))
		leave(HELPER_EXIT_PEER);
	if (n < 0)
		leave(HELPER_EXIT_MALFORMED);
	rate_take(&rate, now());
	if (greeted)
		request(buf, (size_t)n, fds, nfds);
	else
		hello(buf, (size_t)n, nfds);
	fdpass_close(fds, nfds);
}

static void from_cell(unsigned cell)
{
	int fds[FDPASS_MAX];
	unsigned nfds;
	ssize_t n = fdpass_recv(CELL_FD_CELLS + (int)cell, &in, sizeof(in), fds, &nfds, MSG_DONTWAIT);
	struct flight *f;

	if (n < 0 && errno == EAGAIN)
		return;
	if (n == (ssize_t)sizeof(in.rep) && in.rep.id == 0 && nfds == 0) {
		note_ready(cell);
		return;
	}
	f = n >= (ssize_t)sizeof(in.rep) ? flight_find(&flights, in.rep.id) : NULL;
	if (f == NULL || op_rows[f->op].cell != cell || !packet_rep_ok(&in.rep, in.bulk, (size_t)n, f->op, nfds))
		_exit(HELPER_EXIT_DIED);
	answer(f->id, f->op, &in.rep, fds);
	flight_drop(&flights, f);
	fdpass_close(fds, nfds);
}

// What to wait for: while an answer is held, only for room for it.  Returns the milliseconds after which the daemon may be read again, or -1.
static int wanted(struct pollfd p[2 + CELL_COUNT])
{
	bool room = ready == ALL_READY && flight_room(&flights) && held.len == 0;
	int wait = room ? rate_wait(&rate, now()) : 0;

	p[0] = (struct pollfd){.fd = CELL_FD_PEER};
	p[1] = (struct pollfd){.fd = CELL_FD_LIFE, .events = POLLIN};
	if (held.len > 0)
		p[0].events = POLLOUT;
	else if (room && wait == 0)
		p[0].events = POLLIN;
	for (unsigned i = 0; i < CELL_COUNT; i++)
		p[2 + i] = (struct pollfd){.fd = CELL_FD_CELLS + (int)i, .events = held.len > 0 ? 0 : POLLIN};
	return wait > 0 ? wait : -1;
}

static _Noreturn void loop(void)
{
	for (;;) {
		struct pollfd p[2 + CELL_COUNT];
		int wait = wanted(p);

		if (poll(p, 2 + CELL_COUNT, wait) < 0 && errno != EINTR)
			_exit(HELPER_EXIT_DIED);
		if (p[1].revents != 0)
			_exit(HELPER_EXIT_DIED);
		if ((p[0].revents & POLLOUT) != 0)
			send_held();
		for (unsigned i = 0; i < CELL_COUNT; i++)
			if (p[2 + i].revents != 0 && held.len == 0)
				from_cell(i);
		if ((p[0].revents & POLLIN) != 0 && held.len == 0)
			from_daemon();
		else if ((p[0].revents & (POLLERR | POLLHUP | POLLNVAL)) != 0)
			leave(HELPER_EXIT_PEER);
	}
}

static void drop_rights(void)
{
	static const struct confine_limit limits[] = {{RLIMIT_NOFILE, 64}, {RLIMIT_NPROC, 0}, {RLIMIT_FSIZE, 0}};
	const struct confine c = {
	    .name = NAME,
	    .uid = policy.ids.broker_uid,
	    .gid = policy.ids.broker_uid,
	    .mdwe = true,
	    .landlock = CONFINE_FS_DENY,
	    .limits = limits,
	    .nlimits = sizeof(limits) / sizeof(limits[0]),
	    .filter = filter_broker,
	    .filter_len = filter_broker_len,
	    .parent = policy.launcher,
	};

	confine_or_refuse(&c);
}

int main(void)
{
	process_start(&policy, NAME);
	rate.per_second = policy.limits.requests_per_second;
	drop_rights();
	loop();
}
