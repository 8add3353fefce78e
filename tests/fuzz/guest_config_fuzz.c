// LINK: guest-init/config.o guest-init/json.o guest-init/cmdline.o guest-init/text.o guest-init/rtnl.o
//
// /postern.json and the kernel command line on arbitrary bytes: every text that comes out must be a C string.
#include <stdlib.h>
#include <string.h>

#include "guest-init/cmdline.h"
#include "guest-init/config.h"
#include "guest-init/rtnl.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static size_t total;

static void touch(const char *s)
{
	struct ip ip;

	if (s == NULL)
		return;
	total += strlen(s);
	if (ip_parse(s, &ip) && ip.prefix > ip.len * 8)
		abort();
}

static void touch_all(const struct config *c)
{
	touch(c->hostname);
	touch(c->search);
	for (size_t i = 0; i < c->nifaces; i++) {
		touch(c->ifaces[i].name);
		touch(c->ifaces[i].mac);
		for (size_t k = 0; k < c->ifaces[i].naddrs; k++)
			touch(c->ifaces[i].addrs[k]);
	}
	for (size_t i = 0; i < c->nroutes; i++) {
		touch(c->routes[i].to);
		touch(c->routes[i].via);
	}
	for (size_t i = 0; i < c->ndns; i++)
		touch(c->dns[i]);
	for (size_t i = 0; i < c->nenv; i++)
		if (strchr(c->env[i], '=') == NULL)
			abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct config c;
	size_t at;
	char *doc = malloc(len + 1);

	if (doc == NULL)
		return 0;
	memset(&c, 0, sizeof(c));
	memcpy(doc, data, len);
	doc[len] = '\0';
	cmdline_set(doc);
	(void)config_parse(&c, doc, len, &at);
	config_cmdline(&c);
	touch_all(&c);
	free(doc);
	return 0;
}
