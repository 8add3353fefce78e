// See cpio.h.  Write errors stay in the FILE; the caller asks for them once.
#include "unpriv/postern/cpio.h"

#include <string.h>

static void pad(FILE *out, size_t len)
{
	for (; len % 4 != 0; len++)
		fputc(0, out);
}

static void entry(struct cpio *c, const char *name, uint32_t ino, unsigned mode, const void *data, size_t len)
{
	size_t name_size = strlen(name) + 1;

	// magic, ino, mode, uid, gid, nlink, mtime, size, device, rdevice, name with NUL, check
	fprintf(c->out, "070701%08x%08x%08x%08x%08x%08x%08zx%08x%08x%08x%08x%08zx%08x", ino, mode, 0, 0, 1, 0, len, 0, 0, 0, 0, name_size, 0);
	fwrite(name, 1, name_size, c->out);
	pad(c->out, 110 + name_size);
	if (len > 0)
		fwrite(data, 1, len, c->out);
	pad(c->out, len);
}

void cpio_add(struct cpio *c, const char *name, mode_t mode, const void *data, size_t len)
{
	entry(c, name, ++c->ino, (unsigned)mode, data, len);
}

void cpio_end(struct cpio *c)
{
	entry(c, "TRAILER!!!", 0, 0, NULL, 0);
}
