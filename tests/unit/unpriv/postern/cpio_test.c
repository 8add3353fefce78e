// LINK: unpriv/postern/cpio.o
// Archives in newc format.
#include <stdlib.h>
#include <sys/stat.h>

#include "tests/lib/test.h"
#include "unpriv/postern/cpio.h"

TEST("an entry is 110 bytes of head, name and data, each filled up to 4 bytes")
{
	char *text = NULL;
	size_t len;
	struct cpio c = {.out = open_memstream(&text, &len)};

	cpio_add(&c, "init", S_IFREG | 0755, "abcde", 5);
	fflush(c.out);
	CHECK_INT(len, 110 + 5 + 1 + 5 + 3);
	CHECK(memcmp(text, "07070100000001000081ed0000000000000000000000010000000000000005", 62) == 0);
	CHECK(memcmp(text + 110, "init\0\0abcde\0\0\0", 14) == 0);
	cpio_end(&c);
	fclose(c.out);
	CHECK_INT(len % 4, 0);
	CHECK(memmem(text, len, "TRAILER!!!", 11) != NULL);
	free(text);
}

int main(void)
{
	return test_main();
}
