// The floor under tap create + delete: open, TUNSETIFF, persist on; persist off, close.   tap_floor NAME ROUNDS
// Prints the median time of a create and of a delete in microseconds.
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "floor.h"

int main(int argc, char **argv)
{
	size_t rounds = argc == 3 ? strtoul(argv[2], NULL, 10) : 0;
	uint64_t *add = calloc(rounds + 1, sizeof(*add));
	uint64_t *del = calloc(rounds + 1, sizeof(*del));

	if (rounds == 0 || add == NULL || del == NULL)
		return fprintf(stderr, "usage: tap_floor NAME ROUNDS\n"), 2;
	for (size_t i = 0; i < rounds; i++) {
		struct ifreq r = {.ifr_flags = IFF_TAP | IFF_NO_PI};
		uint64_t t0 = now_ns();
		int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);

		snprintf(r.ifr_name, sizeof(r.ifr_name), "%s", argv[1]);
		if (fd < 0 || ioctl(fd, TUNSETIFF, &r) != 0 || ioctl(fd, TUNSETPERSIST, 1) != 0)
			return perror("tap"), 1;
		uint64_t t1 = now_ns();

		ioctl(fd, TUNSETPERSIST, 0);
		close(fd);
		add[i] = t1 - t0;
		del[i] = now_ns() - t1;
	}
	printf("%.1f %.1f\n", median_us(add, rounds), median_us(del, rounds));
	return 0;
}
