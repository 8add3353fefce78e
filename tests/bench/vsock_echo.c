// In the guest: echoes on AF_VSOCK port 7000, one connection at a time.  The floor under anything that talks to a guest.
#include <linux/vm_sockets.h>
#include <sys/socket.h>
#include <unistd.h>

int main(void)
{
	struct sockaddr_vm a = {.svm_family = AF_VSOCK, .svm_cid = VMADDR_CID_ANY, .svm_port = 7000};
	int ls = socket(AF_VSOCK, SOCK_STREAM, 0);
	char buf[4096];

	if (bind(ls, (struct sockaddr *)&a, sizeof(a)) != 0 || listen(ls, 8) != 0)
		return 1;
	for (;;) {
		int fd = accept(ls, NULL, NULL);
		ssize_t n;

		while ((n = read(fd, buf, sizeof(buf))) > 0)
			if (write(fd, buf, (size_t)n) != n)
				break;
		close(fd);
	}
}
