// Load on a Unix socket: N connections, each with one request outstanding, for a fixed number of requests.
//
//	rpc_load SOCKET http|line|raw CONNECTIONS REQUESTS
//
// Prints one line: requests per second, and the median and 99th percentile of the round trip in microseconds.  "raw" sends the same HTTP
// request to a server that answers without parsing, the floor for any server behind a socket.
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define MAX_CONNECTIONS 256
#define BODY "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"rpc.health\"}"

struct conn {
	int fd;
	uint64_t sent_at;
	size_t have;
	char in[4096];
};

static struct conn conns[MAX_CONNECTIONS];

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static int dial(const char *path)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || strlen(path) >= sizeof(a.sun_path))
		die("socket");
	strcpy(a.sun_path, path);
	if (connect(fd, (struct sockaddr *)&a, sizeof(a)) != 0)
		die(path);
	return fd;
}

static void send_request(struct conn *c, const char *req, size_t len)
{
	c->sent_at = now_ns();
	c->have = 0;
	if (write(c->fd, req, len) != (ssize_t)len)
		die("write");
}

// True when the answer in c->in is whole.
static int whole(const struct conn *c, int line)
{
	const char *head;
	const char *length;

	if (line)
		return c->have > 0 && c->in[c->have - 1] == '\n';
	head = strstr(c->in, "\r\n\r\n");
	if (head == NULL)
		return 0;
	length = strcasestr(c->in, "content-length:");
	if (length == NULL || length > head)
		die("no Content-Length");
	return c->have >= (size_t)(head + 4 - c->in) + strtoul(length + 15, NULL, 10);
}

static int by_value(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a;
	uint64_t y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static size_t drain(int ep, const char *req, size_t len, int line, uint64_t *rtt, size_t done, size_t total, size_t *issued)
{
	struct epoll_event ev[MAX_CONNECTIONS];
	int n = epoll_wait(ep, ev, MAX_CONNECTIONS, 10000);

	if (n <= 0)
		die("epoll_wait: no answer in 10 s");
	for (int i = 0; i < n; i++) {
		struct conn *c = ev[i].data.ptr;
		ssize_t got = read(c->fd, c->in + c->have, sizeof(c->in) - 1 - c->have);

		if (got <= 0)
			die("read");
		c->have += (size_t)got;
		c->in[c->have] = '\0';
		if (!whole(c, line))
			continue;
		if (done < total)
			rtt[done++] = now_ns() - c->sent_at;
		if (*issued < total) {
			(*issued)++;
			send_request(c, req, len);
		}
	}
	return done;
}

int main(int argc, char **argv)
{
	char req[512];
	uint64_t *rtt;
	uint64_t start;
	size_t done = 0;
	size_t issued = 0;

	if (argc != 5)
		return fprintf(stderr, "usage: rpc_load SOCKET http|line|raw CONNECTIONS REQUESTS\n"), 2;
	int line = strcmp(argv[2], "line") == 0;
	size_t count = strtoul(argv[3], NULL, 10);
	size_t total = strtoul(argv[4], NULL, 10);
	int ep = epoll_create1(EPOLL_CLOEXEC);

	if (count < 1 || count > MAX_CONNECTIONS || total < count || (rtt = calloc(total, sizeof(*rtt))) == NULL)
		return fprintf(stderr, "rpc_load: 1 to %d connections, at least as many requests\n", MAX_CONNECTIONS), 2;
	if (line)
		snprintf(req, sizeof(req), BODY "\n");
	else
		snprintf(req, sizeof(req), "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n\r\n" BODY, strlen(BODY));
	for (size_t i = 0; i < count; i++) {
		struct epoll_event ev = {.events = EPOLLIN, .data.ptr = &conns[i]};

		conns[i].fd = dial(argv[1]);
		if (epoll_ctl(ep, EPOLL_CTL_ADD, conns[i].fd, &ev) != 0)
			die("epoll_ctl");
	}
	start = now_ns();
	for (size_t i = 0; i < count; i++, issued++)
		send_request(&conns[i], req, strlen(req));
	while (done < total)
		done = drain(ep, req, strlen(req), line, rtt, done, total, &issued);
	double secs = (double)(now_ns() - start) / 1e9;

	qsort(rtt, total, sizeof(*rtt), by_value);
	printf("%.0f %.1f %.1f\n", (double)total / secs, (double)rtt[total / 2] / 1e3, (double)rtt[total * 99 / 100] / 1e3);
	return 0;
}
