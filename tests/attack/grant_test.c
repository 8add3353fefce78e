// The grants against a VM that owns its own directory: everything in root/ is under the VM's uid, which swaps, links and lies.
// LINK: helper/common/fdpass.o proto/helper.o proto/wire.o proto/wire_kinds.o proto/mp.o
#include <pthread.h>
#include <stdatomic.h>
#include <sys/un.h>

#include "tests/lib/cells.h"

#define JAIL CELLS_BASE "/jail/qemu/vm1"
#define ROOT JAIL "/root"
#define OUT CELLS_BASE "/out"

static struct policy policy;
static struct cell_run jail;
static struct cell_rep rep;

static int listen_at(const char *path, uint32_t uid)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	strncpy(address.sun_path, path, sizeof address.sun_path - 1);
	unlink(path);
	cells_must(fd >= 0 && bind(fd, (const struct sockaddr *)&address, sizeof address) == 0 && listen(fd, 8) == 0, path);
	cells_must(chmod(path, 0755) == 0 && lchown(path, uid, uid) == 0, path);
	return fd;
}

static void make_jail(void)
{
	const struct op_jail_create_args a = {.vmm = VMM_QEMU, .id = "vm1", .uid = CELLS_UID};
	cells_must(CELLS_CALL(&jail, jail_create, &a, NULL, 0, &rep, NULL) == OPS_OK, "jail_create");
}

static void fresh_jail(void)
{
	const struct op_jail_remove_args a = {.vmm = VMM_QEMU, .id = "vm1"};
	cells_must(CELLS_CALL(&jail, jail_remove, &a, NULL, 0, &rep, NULL) == OPS_OK, "jail_remove");
	make_jail();
}

static enum op_status grant_api(int *out)
{
	const struct op_grant_api_args a = {.vmm = VMM_QEMU, .id = "vm1"};
	int fds[FDPASS_MAX];
	enum op_status status = CELLS_CALL(&jail, grant_api, &a, NULL, 0, &rep, fds);

	if (out)
		*out = fds[0];
	else if (fds[0] >= 0)
		close(fds[0]);
	return status;
}

static enum op_status grant_vsock(void)
{
	const struct op_grant_vsock_args a = {.vmm = VMM_QEMU, .id = "vm1"};
	return CELLS_CALL(&jail, grant_vsock, &a, NULL, 0, &rep, NULL);
}

static enum op_status grant_console(void)
{
	const struct op_grant_console_args a = {.vmm = VMM_QEMU, .id = "vm1"};
	return CELLS_CALL(&jail, grant_console, &a, NULL, 0, &rep, NULL);
}

// untouched: still of that owner and mode, whatever it is.
static bool untouched(const char *path, uint32_t uid, mode_t mode)
{
	struct stat st;
	return lstat(path, &st) == 0 && st.st_uid == uid && (st.st_mode & 07777) == mode;
}

static bool connects(int fd)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int sock = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(address.sun_path, sizeof address.sun_path, "/proc/self/fd/%d", fd);
	bool ok = connect(sock, (const struct sockaddr *)&address, sizeof address) == 0;
	close(sock);
	return ok;
}

// dies_on: a name that the rows forbid comes only from a broken broker, and the cell ends rather than answer.
static bool dies_on(const char *id)
{
	struct op_grant_api_args a = {.vmm = VMM_QEMU};
	struct cell_run run;

	memcpy(a.id, id, strnlen(id, sizeof a.id - 1));
	cells_start(&run, "postern-jail", &policy);
	bool hung_up = CELLS_CALL(&run, grant_api, &a, NULL, 0, &rep, NULL) == OPS_COUNT;
	int status = cells_stop(&run);
	return hung_up && WIFEXITED(status) && WEXITSTATUS(status) == HELPER_EXIT_DIED;
}

TEST("a grant outside the jail root ends the cell: dot-dot, slash, absolute and empty names are no VM ids")
{
	static const char *const ids[] = {"..", ".", "", "/etc", "../vm1", "vm1/root", "vm1/", "a/../vm1", "-vm1", "VM1", "vm1\n", "vm1.", "\xc3\xa9"};
	for (size_t i = 0; i < sizeof ids / sizeof *ids; i++)
		CHECK(dies_on(ids[i]));
}

TEST("a missing jail is pending")
{
	const struct op_grant_api_args a = {.vmm = VMM_QEMU, .id = "never"};
	CHECK_INT(CELLS_CALL(&jail, grant_api, &a, NULL, 0, &rep, NULL), OPS_PENDING);
}

TEST("a missing socket is pending")
{
	fresh_jail();
	CHECK_INT(grant_api(NULL), OPS_PENDING);
	CHECK_INT(grant_vsock(), OPS_PENDING);
	CHECK_INT(grant_console(), OPS_PENDING);
}

TEST("a real socket is granted 0660 to the daemon, and the answer is an O_PATH descriptor of it")
{
	int fd, server;
	struct stat named, held;

	fresh_jail();
	server = listen_at(ROOT "/api.socket", CELLS_UID);
	CHECK_INT(grant_api(&fd), OPS_OK);
	CHECK(lstat(ROOT "/api.socket", &named) == 0 && fstat(fd, &held) == 0);
	CHECK(named.st_ino == held.st_ino && S_ISSOCK(held.st_mode));
	CHECK(named.st_uid == CELLS_DAEMON && named.st_gid == CELLS_DAEMON && (named.st_mode & 07777) == 0660);
	CHECK(fcntl(fd, F_GETFL) & O_PATH && fcntl(fd, F_GETFD) & FD_CLOEXEC);
	CHECK(connects(fd));
	close(fd);
	close(server);
}

TEST("granting twice gives the same socket again")
{
	int server, fd;

	fresh_jail();
	server = listen_at(ROOT "/api.socket", CELLS_UID);
	CHECK_INT(grant_api(NULL), OPS_OK);
	CHECK_INT(grant_api(&fd), OPS_OK);
	CHECK(connects(fd));
	close(fd);
	close(server);
}

TEST("the parent directory stays 2710 with the daemon's group")
{
	struct stat st;

	fresh_jail();
	close(listen_at(ROOT "/vsock.sock", CELLS_UID));
	CHECK_INT(grant_vsock(), OPS_OK);
	CHECK(stat(ROOT, &st) == 0 && (st.st_mode & 07777) == 02710 && st.st_uid == CELLS_UID && st.st_gid == CELLS_DAEMON);
}

TEST("the api name is not granted as vsock, nor the reverse, nor either as console")
{
	fresh_jail();
	close(listen_at(ROOT "/api.socket", CELLS_UID));
	CHECK_INT(grant_vsock(), OPS_PENDING);
	CHECK_INT(grant_console(), OPS_PENDING);
	CHECK(untouched(ROOT "/api.socket", CELLS_UID, 0755));
	fresh_jail();
	close(listen_at(ROOT "/vsock.sock", CELLS_UID));
	CHECK_INT(grant_api(NULL), OPS_PENDING);
	CHECK(untouched(ROOT "/vsock.sock", CELLS_UID, 0755));
}

TEST("a wrong leaf that only ends like a right one is never granted")
{
	fresh_jail();
	close(listen_at(ROOT "/evil.vsock.sock", CELLS_UID));
	close(listen_at(ROOT "/xapi.socket", CELLS_UID));
	CHECK_INT(grant_vsock(), OPS_PENDING);
	CHECK_INT(grant_api(NULL), OPS_PENDING);
	CHECK(untouched(ROOT "/evil.vsock.sock", CELLS_UID, 0755) && untouched(ROOT "/xapi.socket", CELLS_UID, 0755));
}

TEST("a socket that lies too shallow or too deep is not found")
{
	fresh_jail();
	close(listen_at(JAIL "/api.socket", CELLS_UID));
	mkdir(ROOT "/root", 0755);
	close(listen_at(ROOT "/root/api.socket", CELLS_UID));
	CHECK_INT(grant_api(NULL), OPS_PENDING);
	CHECK(untouched(JAIL "/api.socket", CELLS_UID, 0755) && untouched(ROOT "/root/api.socket", CELLS_UID, 0755));
	unlink(JAIL "/api.socket");
}

TEST("a regular file at the leaf is refused and untouched")
{
	fresh_jail();
	close(open(ROOT "/api.socket", O_CREAT | O_WRONLY, 0644));
	CHECK(chown(ROOT "/api.socket", CELLS_UID, CELLS_UID) == 0);
	CHECK_INT(grant_api(NULL), OPS_DENIED);
	CHECK(untouched(ROOT "/api.socket", CELLS_UID, 0644));
}

TEST("a directory and a FIFO at the leaf are refused and untouched")
{
	fresh_jail();
	CHECK(mkdir(ROOT "/api.socket", 0755) == 0 && chown(ROOT "/api.socket", CELLS_UID, CELLS_UID) == 0);
	CHECK_INT(grant_api(NULL), OPS_DENIED);
	CHECK(untouched(ROOT "/api.socket", CELLS_UID, 02755)); // set-group-id, as its parent
	CHECK(mkfifo(ROOT "/vsock.sock", 0644) == 0 && chown(ROOT "/vsock.sock", CELLS_UID, CELLS_UID) == 0);
	CHECK_INT(grant_vsock(), OPS_DENIED);
	CHECK(untouched(ROOT "/vsock.sock", CELLS_UID, 0644));
}

TEST("a symlink at the leaf is refused, and what it points to is untouched")
{
	int server = listen_at(OUT "/victim", 0);

	fresh_jail();
	CHECK(symlink(OUT "/victim", ROOT "/api.socket") == 0 && lchown(ROOT "/api.socket", CELLS_UID, CELLS_UID) == 0);
	CHECK_INT(grant_api(NULL), OPS_DENIED);
	CHECK(untouched(OUT "/victim", 0, 0755) && untouched(ROOT "/api.socket", CELLS_UID, 0777));
	close(server);
}

TEST("a symlinked component is refused: the VM's directory, its root, the VMM's directory")
{
	fresh_jail();
	mkdir(OUT "/fake", 0755);
	CHECK(chown(OUT "/fake", CELLS_UID, CELLS_UID) == 0);
	close(listen_at(OUT "/fake/api.socket", CELLS_UID));
	CHECK(rename(ROOT, JAIL "/real") == 0 && symlink(OUT "/fake", ROOT) == 0);
	CHECK_INT(grant_api(NULL), OPS_DENIED);
	CHECK(unlink(ROOT) == 0 && rename(JAIL "/real", ROOT) == 0);
	CHECK(rename(JAIL, OUT "/moved") == 0 && symlink(OUT "/moved", JAIL) == 0);
	close(listen_at(OUT "/moved/root/api.socket", CELLS_UID));
	CHECK(grant_api(NULL) != OPS_OK);
	CHECK(untouched(OUT "/moved/root/api.socket", CELLS_UID, 0755));
	CHECK(unlink(JAIL) == 0 && rename(OUT "/moved", JAIL) == 0);
	CHECK(untouched(OUT "/fake/api.socket", CELLS_UID, 0755));
}

TEST("a socket with a second name is refused")
{
	fresh_jail();
	close(listen_at(ROOT "/api.socket", CELLS_UID));
	CHECK(link(ROOT "/api.socket", ROOT "/second") == 0);
	CHECK_INT(grant_api(NULL), OPS_DENIED);
	CHECK(untouched(ROOT "/api.socket", CELLS_UID, 0755));
}

TEST("a socket that a stranger owns is refused")
{
	fresh_jail();
	close(listen_at(ROOT "/api.socket", CELLS_UID + 1));
	CHECK_INT(grant_api(NULL), OPS_DENIED);
	CHECK(untouched(ROOT "/api.socket", CELLS_UID + 1, 0755));
}

TEST("a root that isn't the VM's is refused")
{
	fresh_jail();
	close(listen_at(ROOT "/api.socket", CELLS_UID));
	CHECK(chown(ROOT, CELLS_UID + 1, CELLS_DAEMON) == 0);
	CHECK_INT(grant_api(NULL), OPS_DENIED);
	CHECK(untouched(ROOT "/api.socket", CELLS_UID, 0755));
}

TEST("a leaf that is swapped after the grant doesn't change what the daemon connects to")
{
	int fd, server, other;

	fresh_jail();
	server = listen_at(ROOT "/api.socket", CELLS_UID);
	CHECK_INT(grant_api(&fd), OPS_OK);
	CHECK(rename(ROOT "/api.socket", ROOT "/gone") == 0);
	other = listen_at(ROOT "/api.socket", CELLS_UID);
	close(other);
	CHECK(connects(fd)); // the swapped-in one refuses by now
	close(server);
	CHECK(!connects(fd));
	close(fd);
}

struct race {
	const char *a, *b;
	atomic_bool stop;
	unsigned long swaps;
};

static void *swap(void *arg)
{
	struct race *race = arg;
	while (!race->stop)
		race->swaps += renameat2(AT_FDCWD, race->a, AT_FDCWD, race->b, RENAME_EXCHANGE) == 0;
	return NULL;
}

// run_race grants while another thread exchanges two names, and says whether the outside stayed untouched all the time.
static bool run_race(const char *a, const char *b, const char *victim)
{
	struct race race = {.a = a, .b = b};
	pthread_t thread;
	bool safe = true;
	unsigned granted = 0, refused = 0;

	cells_must(pthread_create(&thread, NULL, swap, &race) == 0, "thread");
	for (int i = 0; i < 4000 && safe; i++) {
		granted += grant_api(NULL) == OPS_OK;
		refused += rep.status == OPS_DENIED || rep.status == OPS_PENDING;
		safe = untouched(victim, 0, 0755);
	}
	race.stop = true;
	pthread_join(thread, NULL);
	return safe && race.swaps > 100 && granted + refused == 4000;
}

TEST("a component that is swapped for a symlink during the walk never leads outside (4,000 grants)")
{
	int server = listen_at(OUT "/api.socket", 0);

	fresh_jail();
	close(listen_at(ROOT "/api.socket", CELLS_UID));
	CHECK(symlink(OUT, JAIL "/lie") == 0);
	CHECK(run_race(ROOT, JAIL "/lie", OUT "/api.socket"));
	close(server);
	unlink(JAIL "/lie");
	if (unlink(ROOT) == 0)
		rename(JAIL "/lie", ROOT);
	remove(JAIL "/lie");
	make_jail();
}

TEST("a leaf that is swapped for a symlink during the grant never leads outside (4,000 grants)")
{
	int server = listen_at(OUT "/victim", 0);

	fresh_jail();
	close(listen_at(ROOT "/api.socket", CELLS_UID));
	CHECK(symlink(OUT "/victim", ROOT "/lie") == 0);
	CHECK(run_race(ROOT "/api.socket", ROOT "/lie", OUT "/victim"));
	close(server);
}

TEST("whatever shape of name is thrown at it, only <vmm>/<id>/root/<leaf> is ever granted (2,000 random trees)")
{
	static const char *const parts[] = {"root", "vm1", "api.socket", "vsock.sock", "console.sock", "..", "x", "api.socket.", "Root", "root2"};
	unsigned seed = 4;

	for (int i = 0; i < 2000; i++) {
		char path[256] = CELLS_BASE "/jail/qemu";
		size_t depth = 1 + (size_t)rand_r(&seed) % 4;
		if (i % 50 == 0) {
			cells_must(system("rm -rf " CELLS_BASE "/jail/qemu/*") == 0, "rm");
			make_jail();
		}
		for (size_t d = 0; d < depth; d++) {
			mkdir(path, 0755);
			strcat(strcat(path, "/"), parts[(size_t)rand_r(&seed) % 10]);
		}
		bool right = !strcmp(path, ROOT "/api.socket");
		struct sockaddr_un address = {.sun_family = AF_UNIX};
		int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
		strcpy(address.sun_path, path);
		bool bound = bind(fd, (const struct sockaddr *)&address, sizeof address) == 0 && chmod(path, 0755) == 0 && lchown(path, CELLS_UID, CELLS_UID) == 0;
		close(fd);
		if (!bound)
			continue;
		enum op_status status = grant_api(NULL);
		if (right)
			CHECK_INT(status, OPS_OK);
		else
			CHECK(untouched(path, CELLS_UID, 0755) && (status == OPS_OK) == (access(ROOT "/api.socket", F_OK) == 0 && untouched(ROOT "/api.socket", CELLS_DAEMON, 0660)));
		unlink(path);
		unlink(ROOT "/api.socket");
	}
}

int main(void)
{
	cells_world(&policy, "grant");
	cells_start(&jail, "postern-jail", &policy);
	make_jail();
	int failed = test_main();
	cells_must(system("rm -rf " CELLS_BASE "/jail/qemu/*") == 0, "rm");
	const struct op_jail_remove_args a = {.vmm = VMM_QEMU, .id = "vm1"};
	CELLS_CALL(&jail, jail_remove, &a, NULL, 0, &rep, NULL);
	cells_stop(&jail);
	cells_world_end(&policy);
	return failed;
}
