// The agent on a Unix socket, for tests without a VM: the objects of postern-init, but for process 1 and vsock.
//
// usage: agent_unix SOCKET [SECRET]      SECRET: 32 characters that every hello must carry
//
// What a request would do to the machine is printed instead.  CONFIG in the environment is a postern.json.
// LINK: guest-init/agent.o guest-init/serve.o guest-init/exec.o guest-init/relay.o guest-init/command.o guest-init/users.o guest-init/job.o
// LINK: guest-init/conn.o guest-init/config.o guest-init/json.o guest-init/cmdline.o guest-init/text.o proto/guest.o proto/wire.o proto/wire_kinds.o proto/mp.o
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "guest-init/agent.h"

static bool anybody(const struct sockaddr_storage *peer)
{
	return peer->ss_family == AF_UNIX;
}

static int power(bool reboot, unsigned grace_ms)
{
	printf("power reboot=%d grace_ms=%u\n", reboot, grace_ms);
	fflush(stdout);
	return 0;
}

static int set_time(uint64_t unix_ms)
{
	printf("set_time %llu\n", (unsigned long long)unix_ms);
	fflush(stdout);
	return unix_ms == 0 ? EPERM : 0;
}

static int reseed(const uint8_t *seed, size_t len)
{
	printf("reseed %zu %02x\n", len, seed[0]);
	fflush(stdout);
	return 0;
}

static void read_config(struct config *c)
{
	static char doc[16384];
	const char *text = getenv("CONFIG");
	size_t at;

	if (text == NULL || strlen(text) >= sizeof(doc))
		return;
	strcpy(doc, text);
	if (config_parse(c, doc, strlen(doc), &at) != NULL)
		exit(2);
}

int main(int argc, char **argv)
{
	static const struct serve_host host = {power, set_time, reseed};
	static struct config c;
	struct serve_env env = {.host = &host, .config = &c};
	struct sockaddr_un un = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (argc < 2 || strlen(argv[1]) >= sizeof(un.sun_path))
		return 2;
	read_config(&c);
	if (argc > 2)
		env.secret = (const uint8_t *)argv[2];
	strcpy(un.sun_path, argv[1]);
	if (fd < 0 || bind(fd, (const struct sockaddr *)&un, sizeof(un)) < 0 || listen(fd, 128) < 0)
		return 1;
	agent_run(fd, anybody, &env);
}
