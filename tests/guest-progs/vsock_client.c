// A guest process that tries to reach the agent as if it were the host, or to take its place.  usage: vsock_client CID | vsock_client take
//
// Prints what came: "connected" and then "hello" when the agent spoke, "closed" when it hung up without a byte; else the error.
// take: tries for two seconds to get the agent's port, and prints "taken" or the last error.
#include <errno.h>
#include <linux/vm_sockets.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static int take(struct sockaddr_vm *vm)
{
	vm->svm_cid = VMADDR_CID_ANY;
	for (int i = 0; i < 2000; i++) {
		int fd = socket(AF_VSOCK, SOCK_STREAM, 0);

		if (bind(fd, (struct sockaddr *)vm, sizeof(*vm)) == 0) {
			printf("taken\n");
			return 1;
		}
		close(fd);
		usleep(1000);
	}
	printf("%s\n", strerror(errno));
	return 0;
}

int main(int argc, char **argv)
{
	struct sockaddr_vm vm = {.svm_family = AF_VSOCK, .svm_port = 1024};
	int fd = socket(AF_VSOCK, SOCK_STREAM, 0);
	char byte;
	ssize_t n;

	if (argc != 2 || fd < 0)
		return 2;
	if (strcmp(argv[1], "take") == 0)
		return take(&vm);
	vm.svm_cid = (unsigned)strtoul(argv[1], NULL, 10);
	if (connect(fd, (struct sockaddr *)&vm, sizeof(vm)) < 0) {
		printf("%s\n", strerror(errno));
		return 1;
	}
	n = read(fd, &byte, 1);
	printf("connected %s\n", n > 0 ? "hello" : n == 0 || errno == ECONNRESET ? "closed" : strerror(errno));
	return 0;
}
