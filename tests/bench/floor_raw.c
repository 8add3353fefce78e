// The floor under any HTTP server on a Unix socket: epoll, read, write a constant answer.  No parsing.   floor_raw SOCKET
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define ANSWER "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 51\r\n\r\n{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"status\":\"ok\"}}  "

int main(int argc, char **argv)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	int ls = socket(AF_UNIX, SOCK_STREAM, 0);
	int ep = epoll_create1(0);
	struct epoll_event ev = {.events = EPOLLIN, .data.fd = ls};
	char buf[8192];

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (argc != 2 || strlen(argv[1]) >= sizeof(a.sun_path))
		return 2;
	strcpy(a.sun_path, argv[1]);
	unlink(argv[1]);
	if (bind(ls, (struct sockaddr *)&a, sizeof(a)) != 0 || listen(ls, 128) != 0 || epoll_ctl(ep, EPOLL_CTL_ADD, ls, &ev) != 0)
		return perror(argv[1]), 1;
	for (;;) {
		struct epoll_event got[64];
		int n = epoll_wait(ep, got, 64, -1);

		for (int i = 0; i < n; i++) {
			int fd = got[i].data.fd;

			if (fd == ls) {
				ev.data.fd = accept(ls, NULL, NULL);
				epoll_ctl(ep, EPOLL_CTL_ADD, ev.data.fd, &ev);
			} else if (read(fd, buf, sizeof(buf)) <= 0 || write(fd, ANSWER, sizeof(ANSWER) - 1) < 0) {
				close(fd);
			}
		}
	}
}
