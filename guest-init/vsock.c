// What ties the agent to a real guest: AF_VSOCK, process 1, the clock and the kernel's random generator.
#include <errno.h>
#include <fcntl.h>
#include <linux/random.h>
#include <linux/vm_sockets.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "guest-init/agent.h"
#include "guest-init/supervise.h"
#include "guest-init/text.h"
#include "proto/guest.h"

#define BACKLOG     128
#define RETRY_MS    250 // while there is no vsock driver
#define SEED_MAX    512 // as guest.def has it
#define SECRET_FILE "/sys/firmware/qemu_fw_cfg/by_name/opt/org.postern.secret/raw"

// Any process of the guest can connect through loopback (CID 1) or its own CID: a root shell for each, but for this.
static bool from_host(const struct sockaddr_storage *peer)
{
	const struct sockaddr_vm *vm = (const struct sockaddr_vm *)peer;

	if (vm->svm_family == AF_VSOCK && vm->svm_cid == VMADDR_CID_HOST)
		return true;
	say("refused a connection that isn't the host's", NULL, 0);
	return false;
}

static int power(bool reboot, unsigned grace_ms)
{
	union sigval v = {.sival_int = (int)grace_ms};

	return sigqueue(1, reboot ? SIG_REBOOT : SIG_POWER_OFF, v) < 0 ? errno : 0;
}

static int set_time(uint64_t unix_ms)
{
	struct timespec ts = {.tv_sec = (time_t)(unix_ms / 1000), .tv_nsec = (long)(unix_ms % 1000) * 1000000};

	return clock_settime(CLOCK_REALTIME, &ts) < 0 ? errno : 0;
}

// Writing to /dev/urandom alone doesn't reach the generator for minutes: RNDRESEEDCRNG makes it take the seed now (random(4)).
static int reseed(const uint8_t *seed, size_t len)
{
	union {
		struct rand_pool_info head;
		uint8_t bytes[sizeof(struct rand_pool_info) + SEED_MAX];
	} pool;
	int fd = open("/dev/urandom", O_RDWR | O_CLOEXEC);
	int err = 0;

	if (fd < 0)
		return errno;
	pool.head.entropy_count = (int)len * 8;
	pool.head.buf_size = (int)len;
	memcpy(pool.head.buf, seed, len);
	if (ioctl(fd, RNDADDENTROPY, &pool.head) < 0 || ioctl(fd, RNDRESEEDCRNG) < 0)
		err = errno;
	explicit_bzero(&pool, sizeof(pool));
	close(fd);
	return err;
}

int agent_listen(void)
{
	struct sockaddr_vm vm = {.svm_family = AF_VSOCK, .svm_cid = VMADDR_CID_ANY, .svm_port = GUEST_PORT};
	int fd = socket(AF_VSOCK, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int err;

	if (fd < 0)
		return -1;
	if (bind(fd, (const struct sockaddr *)&vm, sizeof(vm)) == 0 && listen(fd, BACKLOG) == 0)
		return fd;
	err = errno;
	close(fd);
	errno = err;
	return -1;
}

static int listen_when_possible(void)
{
	struct timespec pause = {.tv_nsec = RETRY_MS * 1000000L};
	int said = 0;
	int fd;

	while ((fd = agent_listen()) < 0) {
		if (said != errno)
			say("vsock", "port 1024", errno);
		said = errno;
		nanosleep(&pause, NULL);
	}
	return fd;
}

_Noreturn void agent_main(int listener, const struct config *c)
{
	static const struct serve_host host = {power, set_time, reseed};
	static char secret[33];
	struct serve_env env = {.host = &host, .config = c};
	ssize_t n = file_read(SECRET_FILE, secret, sizeof(secret));

	env.secret = n == 32 ? (const uint8_t *)secret : NULL;
	agent_run(listener >= 0 ? listener : listen_when_possible(), from_host, &env);
}
