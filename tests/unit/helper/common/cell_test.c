// LINK: helper/common/cell.o helper/common/confine.o helper/common/fdpass.o helper/common/policy.o helper/common/recheck.o
// LINK: helper/common/rules.o proto/helper.o proto/wire.o proto/wire_kinds.o proto/mp.o
// LIBS: -lcap-ng
//
// I8: what a broker that was taken over can send to a cell.  The test is the cell: it has handlers of its own for three operations.
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "helper/common/cell.h"
#include "helper/common/recheck.h"
#include "tests/lib/test.h"

static struct cell c;
static struct cell_req q;
static int out[FDPASS_MAX], runs;
static enum op_status says;

static enum op_status handler(struct cell *cell, const union op_args *a, const int *fds, union op_res *r, int *out_fds)
{
	(void)a;
	(void)fds;
	runs++;
	r->tap_create.ifindex = 7;
	out_fds[0] = open("/dev/null", O_RDONLY | O_CLOEXEC);
	return says == OPS_OK ? OPS_OK : cell_fail(cell, says, "a rule", EPERM);
}

static const struct cell_op table[OP_COUNT] = {[OP_ping] = {handler}, [OP_tap_create] = {handler}, [OP_fw_commit] = {handler}};

static void fresh(enum op_id op)
{
	memset(&c, 0, sizeof(c));
	memset(&q, 0, sizeof(q));
	policy_default(&c.policy);
	runs = 0;
	says = OPS_OK;
	q.id = 9;
	q.op = op;
	if (op == OP_tap_create) {
		q.args.tap_create.has_name = true;
		strcpy(q.args.tap_create.name, "pt-t0");
	}
}

static bool handle(void)
{
	return cell_handle(&c, table, &q, sizeof(q), NULL, 0, out);
}

TEST("a request is answered with its id, results and descriptors")
{
	fresh(OP_tap_create);
	CHECK(handle());
	CHECK_INT(c.rep.id, 9);
	CHECK_INT(c.rep.status, OPS_OK);
	CHECK_INT(c.rep.nfds, 1);
	CHECK_INT(c.rep.res.tap_create.ifindex, 7);
	CHECK(out[0] >= 0);
	fdpass_close(out, FDPASS_MAX);
}

TEST("a descriptor that the row doesn't promise isn't sent")
{
	fresh(OP_ping);
	CHECK(handle());
	CHECK_INT(c.rep.nfds, 0);
	fdpass_close(out, FDPASS_MAX);
}

TEST("a failure carries status, rule and errno, and neither results nor descriptors")
{
	fresh(OP_tap_create);
	says = OPS_BUSY;
	CHECK(handle());
	CHECK_INT(c.rep.status, OPS_BUSY);
	CHECK_INT(c.rep.err, EPERM);
	CHECK_STR(c.rep.rule, "a rule");
	CHECK_INT(c.rep.nfds, 0);
	CHECK_INT(c.rep.res.tap_create.ifindex, 0);
	CHECK_INT(out[0], -1);
}

TEST("I8: the cell asks its own policy: what the broker let through isn't run")
{
	fresh(OP_tap_create);
	strcpy(q.args.tap_create.name, "eth0");
	CHECK(handle());
	CHECK_INT(c.rep.status, OPS_DENIED);
	CHECK_STR(c.rep.rule, "interface-prefix");
	CHECK_INT(runs, 0);
}

TEST("I8: a request of the wrong size, an unknown operation or another cell's breaks the rules")
{
	fresh(OP_ping);
	CHECK(!cell_handle(&c, table, &q, sizeof(q) - 1, NULL, 0, out));
	CHECK(!cell_handle(&c, table, &q, 0, NULL, 0, out));
	q.op = OP_mount;
	CHECK(!handle());
	q.op = OP_COUNT;
	CHECK(!handle());
	q.op = UINT32_MAX;
	CHECK(!handle());
	CHECK_INT(runs, 0);
}

TEST("I8: a request whose count of descriptors isn't the one that came breaks the rules")
{
	int null = open("/dev/null", O_RDONLY | O_CLOEXEC);

	fresh(OP_ping);
	q.nfds = 1;
	CHECK(!handle());
	CHECK(!cell_handle(&c, table, &q, sizeof(q), &null, 1, out));
	q.op = OP_fw_commit;
	CHECK(!cell_handle(&c, table, &q, sizeof(q), &null, 1, out));
	close(null);
	CHECK_INT(runs, 0);
}

TEST("I8: text without end, a flag of 2, a value out of range and a wrong alphabet break the rules")
{
	const uint8_t two = 2;

	fresh(OP_tap_create);
	memset(q.args.tap_create.name, 'a', sizeof(q.args.tap_create.name));
	CHECK(!handle());
	fresh(OP_tap_create);
	memcpy(&q.args.tap_create.has_mtu, &two, 1);
	CHECK(!handle());
	fresh(OP_tap_create);
	q.args.tap_create.has_mtu = true;
	q.args.tap_create.mtu = 67;
	CHECK(!handle());
	fresh(OP_tap_create);
	q.args.tap_create.has_bridge = true;
	strcpy(q.args.tap_create.bridge, "a/b");
	CHECK(!handle());
	fresh(OP_tap_create);
	q.args.tap_create.has_alias = true;
	memset(q.args.tap_create.alias, 'a', sizeof(q.args.tap_create.alias));
	CHECK(!handle());
	fresh(OP_tap_create);
	q.args.tap_create.has_alias = true;
	strcpy(q.args.tap_create.alias, "a\nb");
	CHECK(!handle());
	fresh(OP_tap_create);
	q.args.tap_create.has_mac = true;
	CHECK(!handle());
	CHECK_INT(runs, 0);
}

TEST("I8: a field that is said to be absent but holds anything breaks the rules")
{
	fresh(OP_tap_create);
	q.args.tap_create.mtu = 1500;
	CHECK(!handle());
	fresh(OP_tap_create);
	q.args.tap_create.want_fd = true;
	CHECK(!handle());
	fresh(OP_tap_create);
	q.args.tap_create.bridge[15] = 'x';
	CHECK(!handle());
	CHECK_INT(runs, 0);
}

TEST("I8: a list that says it is longer than it can be breaks the rules")
{
	struct op_links_del_args a = {.names.n = WIRE_IFNAMES_MAX + 1};

	CHECK(!recheck(op_rows[OP_links_del].args, op_rows[OP_links_del].nargs, &a));
	a.names.n = UINT32_MAX;
	CHECK(!recheck(op_rows[OP_links_del].args, op_rows[OP_links_del].nargs, &a));
}

TEST("I8: an address with a family, prefix or tail that can't be breaks the rules")
{
	struct op_address_add_args a = {.has_device = true, .device = "pt-a", .has_address = true};
	const struct op_row *row = &op_rows[OP_address_add];

	a.address = (struct wire_addr){.family = 4, .prefix = 24, .addr = {10, 0, 0, 1}};
	CHECK(recheck(row->args, row->nargs, &a));
	a.address.prefix = 33;
	CHECK(!recheck(row->args, row->nargs, &a));
	a.address = (struct wire_addr){.family = 4, .prefix = 24, .addr = {10, 0, 0, 1, 1}};
	CHECK(!recheck(row->args, row->nargs, &a));
	a.address = (struct wire_addr){.family = 5, .prefix = 24};
	CHECK(!recheck(row->args, row->nargs, &a));
	a.address = (struct wire_addr){.family = 6, .prefix = 129};
	CHECK(!recheck(row->args, row->nargs, &a));
}

static int policy_fd(unsigned seals, size_t len)
{
	static struct policy p;
	int fd = memfd_create("policy", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	policy_default(&p);
	if (fd < 0 || write(fd, &p, len) != (ssize_t)len || fcntl(fd, F_ADD_SEALS, seals) != 0)
		abort();
	return fd;
}

TEST("a policy part that isn't sealed, or of another size, is refused")
{
	const unsigned all = F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE;
	static struct policy p;

	CHECK(cell_policy_read(&p, policy_fd(all, sizeof(p))));
	CHECK(!cell_policy_read(&p, policy_fd(all & ~(unsigned)F_SEAL_WRITE, sizeof(p))));
	CHECK(!cell_policy_read(&p, policy_fd(all, sizeof(p) - 1)));
	CHECK(!cell_policy_read(&p, open("/dev/zero", O_RDONLY | O_CLOEXEC)));
	CHECK(!cell_policy_read(&p, -1));
}

// Runs the loop in a child.  Returns its exit status once act() has done something to its peers.
static int loop_status(void (*act)(int peer, int *life))
{
	int s[2], life[2], status = -1;
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, s) != 0 || pipe2(life, O_CLOEXEC) != 0)
		abort();
	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		int peer = fcntl(s[1], F_DUPFD_CLOEXEC, 50), end = fcntl(life[0], F_DUPFD_CLOEXEC, 50);

		close_range(3, 49, 0);
		dup2(peer, CELL_FD_PEER);
		dup2(end, CELL_FD_LIFE);
		close(peer);
		fresh(OP_ping);
		c.tick_ms = -1;
		cell_loop(&c, table);
	}
	close(s[1]);
	close(life[0]);
	if (recv(s[0], &c.rep, sizeof(c.rep), 0) != (ssize_t)sizeof(c.rep) || c.rep.id != 0)
		abort();
	act(s[0], &life[1]);
	if (waitpid(pid, &status, 0) != pid)
		abort();
	close(s[0]);
	if (life[1] >= 0)
		close(life[1]);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void hang_up(int peer, int *life)
{
	(void)life;
	shutdown(peer, SHUT_RDWR);
}

static void let_go(int peer, int *life)
{
	(void)peer;
	close(*life);
	*life = -1;
}

static void babble(int peer, int *life)
{
	(void)life;
	send(peer, "x", 1, 0);
}

static void ask_and_leave(int peer, int *life)
{
	static struct cell_rep r;

	fresh(OP_ping);
	for (int i = 0; i < 100; i++)
		if (send(peer, &q, sizeof(q), 0) != (ssize_t)sizeof(q) || recv(peer, &r, sizeof(r), 0) != (ssize_t)sizeof(r) || r.id != 9 ||
		    r.status != OPS_OK)
			abort();
	hang_up(peer, life);
}

TEST("the loop ends with 0 when the broker hangs up, 4 when the launcher is gone or the broker babbles")
{
	CHECK_INT(loop_status(hang_up), HELPER_EXIT_PEER);
	CHECK_INT(loop_status(ask_and_leave), HELPER_EXIT_PEER);
	CHECK_INT(loop_status(let_go), HELPER_EXIT_DIED);
	CHECK_INT(loop_status(babble), HELPER_EXIT_DIED);
}

int main(void)
{
	return test_main();
}
