// Strings, small files, the console line and the clock.  See text.h.
#include "guest-init/text.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

struct text text_over(char *array, size_t cap)
{
	array[0] = '\0';
	return (struct text){.s = array, .cap = cap};
}

void text_add_n(struct text *t, const char *s, size_t n)
{
	size_t room = t->cap - t->len - 1;

	if (n > room) {
		t->cut = true;
		n = room;
	}
	memcpy(t->s + t->len, s, n);
	t->len += n;
	t->s[t->len] = '\0';
}

void text_add(struct text *t, const char *s)
{
	text_add_n(t, s, strlen(s));
}

void text_add_num(struct text *t, uint64_t n)
{
	char digits[20];
	size_t at = sizeof(digits);

	do
		digits[--at] = (char)('0' + n % 10);
	while ((n /= 10) != 0);
	text_add_n(t, digits + at, sizeof(digits) - at);
}

bool text_join(char *array, size_t cap, const char *a, const char *b, const char *c)
{
	struct text t = text_over(array, cap);

	text_add(&t, a);
	if (b != NULL)
		text_add(&t, b);
	if (c != NULL)
		text_add(&t, c);
	return !t.cut;
}

bool text_number(const char *s, uint64_t most, uint64_t *n)
{
	uint64_t v = 0;

	if (*s == '\0')
		return false;
	for (; *s != '\0'; s++) {
		uint64_t digit = (uint64_t)(*s - '0');

		if (*s < '0' || *s > '9' || digit > most || v > (most - digit) / 10)
			return false;
		v = v * 10 + digit;
	}
	*n = v;
	return true;
}

void dir_each(int fd, void (*take)(void *ctx, int dir, const char *name), void *ctx)
{
	union {
		struct dirent64 first; // for its alignment: the kernel's linux_dirent64
		char bytes[2048];
	} buf;
	long n;

	while ((n = syscall(SYS_getdents64, fd, &buf, sizeof(buf))) > 0)
		for (long at = 0; at < n;) {
			const struct dirent64 *e = (const struct dirent64 *)(const void *)(buf.bytes + at);

			if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
				take(ctx, fd, e->d_name);
			at += e->d_reclen;
		}
	close(fd);
}

ssize_t file_read(const char *path, char *buf, size_t cap)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	size_t len = 0;
	ssize_t n = 0;

	buf[0] = '\0';
	if (fd < 0)
		return -1;
	while (len < cap - 1 && (n = read(fd, buf + len, cap - 1 - len)) > 0)
		len += (size_t)n;
	buf[len] = '\0';
	close(fd);
	return n < 0 ? -1 : (ssize_t)len;
}

int file_write(const char *path, const char *s)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	int err;

	if (fd < 0)
		return -1;
	err = write_all(fd, s, strlen(s)) < 0 ? errno : 0;
	close(fd);
	errno = err;
	return err == 0 ? 0 : -1;
}

int write_all(int fd, const void *buf, size_t len)
{
	const char *p = buf;

	while (len > 0) {
		ssize_t n = write(fd, p, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return -1;
		p += n;
		len -= (size_t)n;
	}
	return 0;
}

void say(const char *what, const char *which, int err)
{
	char line[512];
	struct text t = text_over(line, sizeof(line) - 1);

	text_add(&t, "postern-init: ");
	text_add(&t, what);
	if (which != NULL) {
		text_add(&t, " ");
		text_add(&t, which);
	}
	if (err != 0) {
		text_add(&t, ": ");
		text_add(&t, strerror(err));
	}
	line[t.len] = '\n';
	(void)write_all(STDERR_FILENO, line, t.len + 1); // a console that is gone has nobody to tell
}

uint64_t now_ms(void)
{
	struct timespec ts;

	(void)syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &ts); // without the C library's vDSO reader: a kilobyte, for a poll's timeout
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}
