// Rings, rotating logs and exit.json, on a directory of their own.
// LINK: unpriv/keeper/ring.o unpriv/keeper/rotlog.o unpriv/keeper/exitfile.o unpriv/keeper/vm.o
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/lib/test.h"
#include "unpriv/keeper/exitfile.h"
#include "unpriv/keeper/ring.h"
#include "unpriv/keeper/rotlog.h"

static int dir;

static const char *content(const char *name)
{
	static char text[4096];
	int fd = openat(dir, name, O_RDONLY | O_CLOEXEC);
	ssize_t got = fd < 0 ? 0 : read(fd, text, sizeof text - 1);

	text[got < 0 ? 0 : got] = '\0';
	if (fd >= 0)
		close(fd);
	return text;
}

TEST("a ring gives back what was put, in order, whatever the cuts")
{
	char memory[7], out[4096], in[4096];
	struct ring ring;
	int pipes[2];
	size_t put = 0, got = 0;
	unsigned seed = 1;

	CHECK(pipe(pipes) == 0);
	ring_init(&ring, memory, sizeof memory);
	for (size_t i = 0; i < sizeof in; i++)
		in[i] = (char)rand_r(&seed);
	while (got < sizeof in) {
		size_t want = 1 + (size_t)rand_r(&seed) % 7;
		if (want > sizeof in - put)
			want = sizeof in - put;
		if (want && ring_put(&ring, in + put, want))
			put += want;
		CHECK(ring.used == put - got && ring_room(&ring) == sizeof memory - ring.used);
		ssize_t wrote = ring_write_out(&ring, pipes[1]);
		CHECK(wrote >= 0);
		for (ssize_t left = wrote; left > 0; left -= read(pipes[0], out + got, (size_t)left))
			;
		got += (size_t)wrote;
	}
	CHECK(memcmp(in, out, sizeof in) == 0);
	close(pipes[0]), close(pipes[1]);
}

TEST("a ring takes all or nothing")
{
	char memory[4];
	struct ring ring;

	ring_init(&ring, memory, sizeof memory);
	CHECK(ring_put(&ring, "abc", 3) && !ring_put(&ring, "de", 2) && ring.used == 3 && ring_put(&ring, "d", 1) && !ring_put(&ring, "e", 1));
}

TEST("keep_last keeps the last bytes, of a piece longer than the ring too")
{
	char memory[4], other[8];
	struct ring ring, to;

	ring_init(&ring, memory, sizeof memory);
	ring_keep_last(&ring, "abc", 3);
	ring_keep_last(&ring, "de", 2);
	ring_init(&to, other, sizeof other);
	CHECK(ring_copy(&to, &ring) && to.used == 4 && memcmp(other, "bcde", 4) == 0);
	ring_keep_last(&ring, "0123456789", 10);
	ring_init(&to, other, sizeof other);
	CHECK(ring_copy(&to, &ring) && memcmp(other, "6789", 4) == 0);
	CHECK(ring_copy(&to, &ring) && !ring_copy(&to, &ring));
}

TEST("a log goes on where it ended, and never passes its limit")
{
	struct rotlog log;

	CHECK(rotlog_open(&log, dir, "a.log", 10));
	rotlog_write(&log, "12345", 5);
	close(log.fd);
	CHECK(rotlog_open(&log, dir, "a.log", 10));
	rotlog_write(&log, "67890", 5);
	CHECK_STR(content("a.log"), "1234567890");
	rotlog_write(&log, "x", 1);
	CHECK_STR(content("a.log"), "x");
	CHECK_STR(content("a.log.1"), "1234567890");
	rotlog_write(&log, "0123456789", 10);
	rotlog_write(&log, "z", 1);
	CHECK_STR(content("a.log.1"), "0123456789");
	CHECK(faccessat(dir, "a.log.2", F_OK, 0) != 0);
	close(log.fd);
}

TEST("a log that is a symlink or a FIFO is not opened")
{
	struct rotlog log;

	CHECK(symlinkat("/etc/passwd", dir, "link.log") == 0 && !rotlog_open(&log, dir, "link.log", 10));
	CHECK(mkfifoat(dir, "fifo.log", 0600) == 0 && !rotlog_open(&log, dir, "fifo.log", 10));
	rotlog_write(&log, "lost", 4); // harmless
}

TEST("what the keeper says is one line, cut at 255 bytes")
{
	struct rotlog log;
	char text[600];

	memset(text, 'y', sizeof text - 1);
	text[sizeof text - 1] = '\0';
	CHECK(rotlog_open(&log, dir, "say.log", 4096));
	rotlog_say(&log, "code %d", 7);
	CHECK_STR(content("say.log"), "postern-keeper: code 7\n");
	rotlog_say(&log, "%s", text);
	CHECK(strlen(content("say.log")) == 23 + 255);
	close(log.fd);
}

TEST("exit.json says reason, code, signal, time and detail")
{
	struct vm vm = {.reason = VM_BACKEND_DIED, .exit_code = 0, .signal = 9};

	CHECK(exitfile_write(dir, &vm, "", 1234567890123));
	CHECK_STR(content("exit.json"), "{\"reason\":\"vsock_backend_died\",\"exit_code\":0,\"signal\":9,\"at_unix_ms\":1234567890123,\"detail\":\"\"}\n");
	vm.reason = VM_START_FAILED;
	CHECK(exitfile_write(dir, &vm, "not a vm_spec", 1));
	CHECK(strstr(content("exit.json"), "\"detail\":\"not a vm_spec\"}"));
}

TEST("an exit.json that a killed keeper left unfinished is replaced, a trap in its place is not followed")
{
	struct vm vm = {.reason = VM_EXITED};

	CHECK(symlinkat("victim", dir, "exit.json.new") == 0);
	CHECK(exitfile_write(dir, &vm, "", 1));
	CHECK(faccessat(dir, "victim", F_OK, 0) != 0);
}

int main(void)
{
	char name[] = "/tmp/postern-keeper-XXXXXX";
	char command[64];

	if (!mkdtemp(name))
		return 1;
	dir = open(name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int failed = test_main();
	close(dir);
	snprintf(command, sizeof command, "rm -r %s", name);
	return system(command) == 0 ? failed : 1;
}
