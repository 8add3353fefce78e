// See bootline.h.
#include "unpriv/posternd/bootline.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "unpriv/posternd/list.h"

// Places in ip=CLIENT:SERVER:GATEWAY:NETMASK:HOST:DEVICE:AUTOCONF:DNS:DNS:NTP.
enum { CLIENT, SERVER, GATEWAY, NETMASK, HOST, DEVICE, AUTOCONF, DNS0, DNS1, FIELDS = 10 };

// Cuts a value at its colons; those between brackets belong to an address, and the brackets go.
static size_t cut(char *value, char *v[FIELDS])
{
	size_t n = 0;

	while (value != NULL && n < FIELDS) {
		char *end = value[0] == '[' ? strchr(value, ']') : NULL;
		if (end != NULL) {
			value++;
			*end++ = '\0';
		} else {
			end = value;
		}
		v[n++] = value;
		value = strchr(end, ':');
		if (value != NULL)
			*value++ = '\0';
	}
	return n;
}

static int family_of(const char *text)
{
	unsigned char addr[16];

	if (inet_pton(AF_INET, text, addr) == 1)
		return AF_INET;
	return inet_pton(AF_INET6, text, addr) == 1 ? AF_INET6 : 0;
}

static const char *or_null(const char *text)
{
	return text != NULL && text[0] != '\0' ? text : NULL;
}

// A prefix length out of "24" or "255.255.255.0"; without one the kernel goes by the address's class, and IPv6 has 64.
static unsigned prefix_of(const char *mask, const char *address, int family)
{
	struct in_addr m, own;
	unsigned long n = mask != NULL ? strtoul(mask, NULL, 10) : 0;

	if (mask != NULL && inet_pton(AF_INET, mask, &m) == 1)
		return (unsigned)__builtin_popcount(m.s_addr);
	if (n > 0 && n <= (family == AF_INET ? 32 : 128))
		return (unsigned)n;
	if (family == AF_INET6 || inet_pton(AF_INET, address, &own) != 1)
		return 64;
	return IN_CLASSA(ntohl(own.s_addr)) ? 8 : IN_CLASSB(ntohl(own.s_addr)) ? 16 : 24;
}

static void set_mode(struct bootline *out, enum rpc_boot_mode mode)
{
	if (mode > out->mode)
		out->mode = mode;
}

static void set_address(char *const v[FIELDS], int family, struct bootline *out)
{
	struct boot_ip *ip = family == AF_INET ? &out->ip4 : &out->ip6;
	const char *gateway = v[GATEWAY] != NULL && family_of(v[GATEWAY]) == family ? v[GATEWAY] : NULL;

	*ip = (struct boot_ip){
	    .given = true,
	    .address = v[CLIENT],
	    .prefix = prefix_of(or_null(v[NETMASK]), v[CLIENT], family),
	    .gateway = gateway,
	    .device = or_null(v[DEVICE]),
	};
	set_mode(out, boot_mode_static);
}

// What stands for a way to be configured.
static void set_autoconf(const char *word, struct bootline *out)
{
	static const char *const ways[] = {"dhcp", "on", "any", "both", "bootp", "rarp", "dhcp6", "auto6", "either6", "link6", "single-dhcp"};

	for (size_t i = 0; i < sizeof(ways) / sizeof(*ways); i++)
		if (strcasecmp(word, ways[i]) == 0)
			set_mode(out, boot_mode_dhcp);
	if (strcasecmp(word, "off") == 0 || strcasecmp(word, "none") == 0)
		set_mode(out, boot_mode_off);
}

static void take_ip(char *value, struct arena *a, struct bootline *out)
{
	char *v[FIELDS] = {0};
	size_t n = cut(value, v);
	int family = family_of(v[CLIENT]);
	const char *way = n == 1 ? v[0] : v[v[CLIENT][0] != '\0' ? 1 : AUTOCONF]; // DEVICE:WAY, or WAY in its place

	if (family != 0)
		set_address(v, family, out);
	else
		set_autoconf(or_null(way) != NULL ? way : "any", out);
	for (size_t i = DNS0; i <= DNS1 && n > AUTOCONF; i++)
		if (v[i] != NULL && family_of(v[i]) != 0)
			list_add(&out->dns, v[i], a);
}

static void take(char *word, struct arena *a, struct bootline *out)
{
	char *v[FIELDS] = {0};

	if (strncmp(word, "ip=", 3) == 0) {
		take_ip(word + 3, a, out);
	} else if (strncmp(word, "vlan=", 5) == 0 && strchr(word, ':') != NULL) {
		list_add(&out->vlans, word + 5, a);
	} else if (strncmp(word, "nameserver=", 11) == 0) {
		word += 11;
		if (word[0] == '[')
			cut(word, v);
		word = v[0] != NULL ? v[0] : word;
		if (family_of(word) != 0)
			list_add(&out->dns, word, a);
	}
}

// The next word, without the quotes that may hold white space together; NULL at the end.
static char *next_word(char **at)
{
	char *in = *at + strspn(*at, " \t\n"), *word = in, *out = in;
	bool quoted = false;

	if (*in == '\0')
		return NULL;
	for (; *in != '\0' && (quoted || strchr(" \t\n", *in) == NULL); in++) {
		if (*in == '"')
			quoted = !quoted;
		else
			*out++ = *in;
	}
	*at = *in != '\0' ? in + 1 : in;
	*out = '\0';
	return word;
}

void bootline_parse(const char *text, size_t len, struct arena *a, struct bootline *out)
{
	char *at = arena_strndup(a, text, len), *word;

	*out = (struct bootline){.mode = boot_mode_host};
	while ((word = next_word(&at)) != NULL && strcmp(word, "--") != 0)
		take(word, a, out);
}
