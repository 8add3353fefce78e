// Configuration by a table of paths: see config.h for the file.
#include "guest-init/config.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/types.h>

#include "guest-init/cmdline.h"
#include "guest-init/json.h"
#include "guest-init/text.h"

#define FILE_MAX 16384

static bool take_hostname(struct config *c, char *key, char *text)
{
	(void)key;
	c->hostname = text;
	return true;
}

static bool take_iface(struct config *c, char *key, char *text)
{
	(void)key;
	(void)text;
	if (c->nifaces == CONFIG_IFACES)
		return false;
	c->ifaces[c->nifaces++] = (struct config_iface){.name = NULL};
	return true;
}

// The element a path is about.  A name like "network[].mtu" can stand in the document itself, with no element begun: then NULL.
static struct config_iface *last_iface(struct config *c)
{
	return c->nifaces > 0 ? &c->ifaces[c->nifaces - 1] : NULL;
}

static struct config_route *last_route(struct config *c)
{
	return c->nroutes > 0 ? &c->routes[c->nroutes - 1] : NULL;
}

static bool take_iface_name(struct config *c, char *key, char *text)
{
	struct config_iface *i = last_iface(c);

	(void)key;
	if (i != NULL)
		i->name = text;
	return i != NULL;
}

static bool take_iface_mac(struct config *c, char *key, char *text)
{
	struct config_iface *i = last_iface(c);

	(void)key;
	if (i != NULL)
		i->mac = text;
	return i != NULL;
}

static bool take_iface_mtu(struct config *c, char *key, char *text)
{
	struct config_iface *i = last_iface(c);
	uint64_t n;

	(void)key;
	if (i == NULL || !text_number(text, 65535, &n))
		return false;
	i->mtu = (uint32_t)n;
	return true;
}

static bool add_addr(struct config_iface *i, const char *text)
{
	if (i == NULL || i->naddrs == CONFIG_ADDRS)
		return false;
	i->addrs[i->naddrs++] = text;
	return true;
}

static bool take_iface_addr(struct config *c, char *key, char *text)
{
	(void)key;
	return add_addr(last_iface(c), text);
}

static bool add_route(struct config *c, const char *to, const char *via)
{
	if (c->nroutes == CONFIG_ROUTES)
		return false;
	c->routes[c->nroutes++] = (struct config_route){.to = to, .via = via};
	return true;
}

static bool take_route(struct config *c, char *key, char *text)
{
	(void)key;
	(void)text;
	return add_route(c, "default", NULL);
}

static bool take_route_to(struct config *c, char *key, char *text)
{
	struct config_route *r = last_route(c);

	(void)key;
	if (r != NULL)
		r->to = text;
	return r != NULL;
}

static bool take_route_via(struct config *c, char *key, char *text)
{
	struct config_route *r = last_route(c);

	(void)key;
	if (r != NULL)
		r->via = text;
	return r != NULL;
}

static bool add_dns(struct config *c, const char *text)
{
	if (c->ndns == CONFIG_DNS)
		return false;
	c->dns[c->ndns++] = text;
	return true;
}

static bool take_dns(struct config *c, char *key, char *text)
{
	(void)key;
	return add_dns(c, text);
}

static bool take_search(struct config *c, char *key, char *text)
{
	(void)key;
	c->search = text;
	return true;
}

// Joins name and value in place: the value moves down over the quotes, colon and blanks between them, which are at least three bytes.
static bool take_env(struct config *c, char *key, char *text)
{
	size_t n = strlen(key);

	if (c->nenv == CONFIG_ENV || n == 0 || strchr(key, '=') != NULL || text < key)
		return false;
	key[n] = '=';
	memmove(key + n + 1, text, strlen(text) + 1);
	c->env[c->nenv++] = key;
	return true;
}

static const struct {
	char path[24];
	bool prefix; // the path goes on with a name of the document's own
	bool (*take)(struct config *c, char *key, char *text);
} paths[] = {
    {"hostname", false, take_hostname},       {"network[]", false, take_iface},         {"network[].name", false, take_iface_name},
    {"network[].mac", false, take_iface_mac}, {"network[].mtu", false, take_iface_mtu}, {"network[].addresses[]", false, take_iface_addr},
    {"routes[]", false, take_route},          {"routes[].to", false, take_route_to},    {"routes[].via", false, take_route_via},
    {"nameservers[]", false, take_dns},       {"search", false, take_search},           {"env.", true, take_env},
};

static bool take(void *ctx, const char *path, char *key, char *text)
{
	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		size_t n = strlen(paths[i].path);
		bool element = paths[i].take == take_iface || paths[i].take == take_route;

		if (paths[i].prefix ? strncmp(path, paths[i].path, n) == 0 : strcmp(path, paths[i].path) == 0)
			return element == (text == NULL) && paths[i].take(ctx, key, text);
	}
	return false;
}

const char *config_parse(struct config *c, char *doc, size_t len, size_t *at)
{
	return json_read(doc, len, take, c, at);
}

static void cmdline_addrs(struct config *c)
{
	const char *v;

	if (cmdline_get("postern.ip", 0) == NULL)
		return;
	if (c->nifaces == 0)
		c->nifaces = 1;
	c->ifaces[0].naddrs = 0;
	for (unsigned i = 0; (v = cmdline_get("postern.ip", i)) != NULL; i++)
		if (!add_addr(&c->ifaces[0], v))
			say("too many", "postern.ip", 0);
}

void config_cmdline(struct config *c)
{
	const char *v = cmdline_last("postern.hostname");

	if (v != NULL)
		c->hostname = v;
	cmdline_addrs(c);
	if (cmdline_get("postern.gw", 0) != NULL)
		c->nroutes = 0;
	for (unsigned i = 0; (v = cmdline_get("postern.gw", i)) != NULL; i++)
		if (!add_route(c, "default", v))
			say("too many", "postern.gw", 0);
	if (cmdline_get("postern.dns", 0) != NULL)
		c->ndns = 0;
	for (unsigned i = 0; (v = cmdline_get("postern.dns", i)) != NULL; i++)
		if (!add_dns(c, v))
			say("too many", "postern.dns", 0);
}

const struct config *config_load(void)
{
	static char doc[FILE_MAX + 1];
	static struct config c;
	ssize_t n = file_read("/postern.json", doc, sizeof(doc));
	size_t at;

	if (n == FILE_MAX) {
		say("/postern.json", NULL, EFBIG);
	} else if (n >= 0) {
		const char *why = config_parse(&c, doc, (size_t)n, &at);

		if (why != NULL) {
			char where[64];
			struct text t = text_over(where, sizeof(where));

			text_add(&t, "at byte ");
			text_add_num(&t, at);
			text_add(&t, ": ");
			text_add(&t, why);
			say("/postern.json", where, 0);
		}
	} else if (errno != ENOENT) {
		say("/postern.json", NULL, errno);
	}
	config_cmdline(&c);
	return &c;
}
