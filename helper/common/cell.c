// The loop of every cell.  See cell.h.
#include "helper/common/cell.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "helper/common/confine.h"
#include "helper/common/recheck.h"
#include "helper/common/rules.h"

#define SEALED (F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)

enum op_status cell_fail(struct cell *c, enum op_status status, const char *rule, int err)
{
	c->rep.err = (uint32_t)err;
	memset(c->rep.rule, 0, sizeof(c->rep.rule));
	memcpy(c->rep.rule, rule, strnlen(rule, sizeof(c->rep.rule) - 1));
	return status;
}

enum op_status cell_fail_errno(struct cell *c, const char *step, int err)
{
	enum op_status s = OPS_IO;

	if (err == ENOENT || err == ENODEV || err == ENXIO)
		s = OPS_NOT_FOUND;
	else if (err == EEXIST)
		s = OPS_EXISTS;
	else if (err == EBUSY)
		s = OPS_BUSY;
	return cell_fail(c, s, step, err);
}

bool cell_policy_read(struct policy *p, int fd)
{
	struct stat st;
	int seals = fcntl(fd, F_GET_SEALS);
	bool ok = seals >= 0 && (seals & SEALED) == SEALED && fstat(fd, &st) == 0 && st.st_size == (off_t)sizeof(*p) &&
	          pread(fd, p, sizeof(*p), 0) == (ssize_t)sizeof(*p) && p->size == sizeof(*p);

	close(fd);
	return ok;
}

void process_start(struct policy *p, const char *name)
{
	for (int fd = CELL_FD_PEER; fd <= CELL_FD_LOCK; fd++)
		if (fcntl(fd, F_SETFD, FD_CLOEXEC) != 0)
			confine_refuse(name, "started by something else than the launcher", errno);
	for (int fd = CELL_FD_EXTRA; fd < CELL_FD_CELLS + CELL_COUNT; fd++)
		fcntl(fd, F_SETFD, FD_CLOEXEC); // most processes have none of these
	if (!cell_policy_read(p, CELL_FD_POLICY))
		confine_refuse(name, "policy part", errno);
}

void cell_start(struct cell *c, const char *name)
{
	c->name = name;
	c->tick_ms = -1;
	c->side = -1;
	process_start(&c->policy, name);
}

// The request's row when request and descriptors are what the row asks for, else NULL.
static const struct op_row *checked(const struct cell_op *table, const struct cell_req *q, size_t n, const int *fds, unsigned nfds)
{
	const struct op_row *row;

	if (n != sizeof(*q) || q->op >= OP_COUNT || table[q->op].run == NULL || q->nfds != nfds || q->none != 0)
		return NULL;
	row = &op_rows[q->op];
	return rules_fds(row, fds, nfds) && recheck(row->args, row->nargs, &q->args) ? row : NULL;
}

// The broker has asked the policy already; the cell asks its own part again.
static enum op_status run(struct cell *c, const struct cell_op *table, const struct cell_req *q, const int *fds, int *out_fds)
{
	const char *rule = rules_refuse(&c->policy, q->op, &q->args);

	if (rule != NULL)
		return cell_fail(c, OPS_DENIED, rule, 0);
	return table[q->op].run(c, &q->args, fds, &c->rep.res, out_fds);
}

bool cell_handle(struct cell *c, const struct cell_op *table, const struct cell_req *q, size_t n, const int *fds, unsigned nfds, int *out_fds)
{
	const struct op_row *row = checked(table, q, n, fds, nfds);

	for (unsigned i = 0; i < FDPASS_MAX; i++)
		out_fds[i] = -1;
	if (row == NULL)
		return false;
	memset(&c->rep, 0, sizeof(c->rep));
	c->rep.id = q->id;
	c->later = false;
	c->rep.status = run(c, table, q, fds, out_fds);
	if (c->rep.status != OPS_OK) {
		fdpass_close(out_fds, FDPASS_MAX);
		memset(&c->rep.res, 0, sizeof(c->rep.res));
	} else {
		c->rep.err = 0;
		memset(c->rep.rule, 0, sizeof(c->rep.rule));
	}
	while (c->rep.nfds < row->nresfds && out_fds[c->rep.nfds] >= 0)
		c->rep.nfds++;
	return true;
}

_Static_assert(offsetof(struct cell, bulk) == offsetof(struct cell, rep) + sizeof(struct cell_rep), "an answer and its bytes are one packet");

// Bytes of the answer's packet.
static size_t answer_size(struct cell *c, uint32_t op)
{
	const struct mp_slice *bytes = recheck_bytes(op_rows[op].res, op_rows[op].nres, &c->rep.res);

	return sizeof(c->rep) + (bytes != NULL ? bytes->len : 0);
}

void cell_answer(struct cell *c)
{
	if (fdpass_send(CELL_FD_PEER, &c->rep, sizeof(c->rep), NULL, 0, 0) != 0)
		_exit(errno == EPIPE ? HELPER_EXIT_PEER : HELPER_EXIT_DIED);
}

// Serves one request: receives, handles, answers, closes every descriptor that came or went.
static void serve(struct cell *c, const struct cell_op *table)
{
	static struct cell_req q;
	int fds[FDPASS_MAX], out[FDPASS_MAX];
	unsigned nfds;
	ssize_t n = fdpass_recv(CELL_FD_PEER, &q, sizeof(q), fds, &nfds, 0);

	if (n == 0)
		_exit(HELPER_EXIT_PEER);
	if (n < 0 || !cell_handle(c, table, &q, (size_t)n, fds, nfds, out))
		_exit(HELPER_EXIT_DIED);
	if (!c->later && fdpass_send(CELL_FD_PEER, (const uint8_t *)c + offsetof(struct cell, rep), answer_size(c, q.op), out, c->rep.nfds, 0) != 0)
		_exit(errno == EPIPE ? HELPER_EXIT_PEER : HELPER_EXIT_DIED);
	fdpass_close(out, FDPASS_MAX);
	fdpass_close(fds, nfds);
}

// Tells the broker that rights are dropped: it greets the daemon when every cell has.
static void ready(struct cell *c)
{
	memset(&c->rep, 0, sizeof(c->rep));
	if (fdpass_send(CELL_FD_PEER, &c->rep, sizeof(c->rep), NULL, 0, 0) != 0)
		_exit(HELPER_EXIT_PEER);
}

void cell_loop(struct cell *c, const struct cell_op *table)
{
	ready(c);
	for (;;) {
		struct pollfd p[3 + CELL_WATCH] = {{.fd = CELL_FD_PEER, .events = POLLIN},
		                                   {.fd = CELL_FD_LIFE, .events = POLLIN},
		                                   {.fd = c->on_side != NULL ? c->side : -1, .events = POLLIN}};
		unsigned more = c->watch != NULL ? c->watch(c, p + 3) : 0;

		if (poll(p, 3 + more, c->tick_ms) < 0 && errno != EINTR)
			_exit(HELPER_EXIT_DIED);
		if (p[1].revents != 0)
			_exit(HELPER_EXIT_DIED);
		if (more > 0)
			c->watched(c, p + 3, more);
		if (p[0].revents != 0)
			serve(c, table);
		if (p[2].revents != 0 && c->on_side != NULL)
			c->on_side(c);
		if (c->tick != NULL)
			c->tick(c);
	}
}
