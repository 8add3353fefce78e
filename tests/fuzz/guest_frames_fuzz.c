// LINK: guest-init/conn.o guest-init/command.o guest-init/users.o guest-init/job.o guest-init/text.o unpriv/common/guestwire.o proto/guest.o
// LINK: proto/wire.o proto/wire_kinds.o proto/mp.o
//
// Both readers of the guest wire on arbitrary bytes in pieces: the agent's, up to a command ready to start, and the host's, which must
// stop at the same place for the same bytes however they were cut.  The first byte chooses the side and the size of the pieces.
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "guest-init/command.h"
#include "guest-init/conn.h"
#include "unpriv/common/guestwire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void check_command(const struct command *cmd)
{
	size_t n = 0;

	while (cmd->argv[n] != NULL)
		n += strlen(cmd->argv[n]) < sizeof(cmd->text) ? 1 : 0;
	if (n == 0 || n > COMMAND_WORDS || cmd->used > sizeof(cmd->text))
		abort();
	for (size_t i = 0; i < cmd->nenv; i++)
		if (strchr(cmd->env[i], '=') == NULL)
			abort();
	if (cmd->env[cmd->nenv] != NULL)
		abort();
}

static void agent_side(const uint8_t *data, size_t len, size_t step)
{
	static const struct config config = {.env = {"FROM=image", NULL}, .nenv = 1};
	static struct conn c;
	static struct command cmd;
	struct msg m;
	int s[2];

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, s) < 0)
		return;
	conn_init(&c, s[0]);
	for (size_t at = 0; at < len; at += step) {
		enum conn_status st;
		size_t n = len - at < step ? len - at : step;

		if (send(s[1], data + at, n, MSG_DONTWAIT) != (ssize_t)n || !conn_fill(&c))
			break;
		while ((st = conn_next(&c, &m)) == CONN_MSG)
			// Users are looked up in files, which isn't what is tried here.
			if (m.id == MSG_exec && !m.exec.has_user && !m.exec.has_uid && command_prepare(&cmd, &m.exec, &config) == NULL)
				check_command(&cmd);
		if (st == CONN_BAD)
			break;
	}
	conn_end(&c);
	close(s[1]);
}

static size_t host_messages(const uint8_t *data, size_t len, size_t step)
{
	static struct guestwire_in in;
	struct wire_error err;
	struct msg m;
	size_t count = 0;

	guestwire_in_init(&in);
	for (size_t at = 0; at < len;) {
		enum guestwire_status st;

		at += guestwire_feed(&in, data + at, len - at < step ? len - at : step);
		while ((st = guestwire_next(&in, &m, &err)) == GUESTWIRE_MSG)
			count++;
		if (st == GUESTWIRE_BAD)
			break;
	}
	return count;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	size_t step;

	if (len < 2)
		return 0;
	step = 1 + (size_t)(data[0] >> 1) * 37;
	if ((data[0] & 1) == 0)
		agent_side(data + 1, len - 1, step);
	else if (host_messages(data + 1, len - 1, step) != host_messages(data + 1, len - 1, len))
		abort();
	return 0;
}
