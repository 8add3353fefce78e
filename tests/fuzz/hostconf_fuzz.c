// LINK: unpriv/posternd/bootline.o unpriv/posternd/resolv.o unpriv/posternd/mem.o unpriv/posternd/text.o unpriv/posternd/utf8.o unpriv/common/log.o
// Texts that the host gives: the kernel's command line and resolv.conf.  No word holds white space that would have ended it, and prefixes are in
// range.
#include <stdlib.h>
#include <string.h>

#include "unpriv/posternd/bootline.h"
#include "unpriv/posternd/resolv.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void words(const struct list_str *l, const char *ends)
{
	for (size_t i = 0; i < l->n; i++)
		if (l->v[i][0] == '\0' || l->v[i][strcspn(l->v[i], ends)] != '\0')
			abort();
}

static void ip(const struct boot_ip *b, unsigned most)
{
	if (b->given && (b->address[0] == '\0' || b->prefix > most))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena a = {0};
	struct resolv r;
	struct bootline b;
	char *copy = malloc(size ? size : 1);

	memcpy(copy, data, size);
	resolv_parse(copy, size, &a, &r);
	words(&r.nameservers, " \t\n;#");
	words(&r.search, " \t\n");
	words(&r.options, " \t\n");
	bootline_parse(copy, size, &a, &b);
	words(&b.dns, " \t\n");
	ip(&b.ip4, 32);
	ip(&b.ip6, 128);
	arena_finish(&a);
	free(copy);
	return 0;
}
