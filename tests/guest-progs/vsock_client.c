// A guest process that tries to reach the agent as if it were the host.  usage: vsock_client CID
//
// Prints what came: "connected" and then "hello" when the agent spoke, "closed" when it hung up without a byte; else the error.
#include <errno.h>
#include <linux/vm_sockets.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	struct sockaddr_vm vm = {.svm_family = AF_VSOCK, .svm_port = 1024};
	int fd = socket(AF_VSOCK, SOCK_STREAM, 0);
	char byte;
	ssize_t n;

	if (argc != 2 || fd < 0)
		return 2;
	vm.svm_cid = (unsigned)strtoul(argv[1], NULL, 10);
	if (connect(fd, (struct sockaddr *)&vm, sizeof(vm)) < 0) {
		printf("%s\n", strerror(errno));
		return 1;
	}
	n = read(fd, &byte, 1);
	printf("connected %s\n", n > 0 ? "hello" : n == 0 || errno == ECONNRESET ? "closed" : strerror(errno));
	return 0;
}
