// LIBS: -levent
// What most people would build: libevent's evhttp on a Unix socket with a constant answer.   floor_evhttp SOCKET
#include <event2/buffer.h>
#include <event2/event.h>
#include <event2/http.h>
#include <event2/listener.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define ANSWER "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"status\":\"ok\"}}"

static void answer(struct evhttp_request *rq, void *unused)
{
	struct evbuffer *out = evhttp_request_get_output_buffer(rq);

	(void)unused;
	evhttp_add_header(evhttp_request_get_output_headers(rq), "Content-Type", "application/json");
	evbuffer_add(out, ANSWER, sizeof(ANSWER) - 1);
	evhttp_send_reply(rq, 200, "OK", NULL);
}

int main(int argc, char **argv)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	struct event_base *base = event_base_new();
	struct evhttp *http = evhttp_new(base);
	int ls = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (argc != 2 || strlen(argv[1]) >= sizeof(a.sun_path))
		return 2;
	strcpy(a.sun_path, argv[1]);
	unlink(argv[1]);
	if (bind(ls, (struct sockaddr *)&a, sizeof(a)) != 0 || listen(ls, 128) != 0 || evhttp_accept_socket(http, ls) != 0)
		return perror(argv[1]), 1;
	evhttp_set_gencb(http, answer, NULL);
	return event_base_dispatch(base);
}
