// KEY=VALUE lines as sd-dhcp-client writes them (systemd's dhcp_lease_save; NetworkManager's file is the same, or has the address alone).
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "unpriv/posternd/lease_text.h"

// Reads an address in front of *s up to a blank or the end, and moves behind it.  False where there is none.
static bool take_address(const char **s, uint32_t *out)
{
	char text[16];
	struct in_addr a;
	size_t n = strspn(*s += strspn(*s, " "), "0123456789.");

	if (n == 0 || n >= sizeof(text))
		return false;
	memcpy(text, *s, n);
	text[n] = '\0';
	*s += n;
	if (inet_pton(AF_INET, text, &a) != 1)
		return false;
	*out = ntohl(a.s_addr);
	return true;
}

static uint8_t take_list(const char *s, uint32_t out[DHCP4_SERVERS])
{
	uint8_t n = 0;

	while (n < DHCP4_SERVERS && take_address(&s, &out[n]))
		n++;
	return n;
}

static uint32_t take_number(const char *s)
{
	unsigned long long v = strtoull(s, NULL, 10);

	return *s < '0' || *s > '9' || v > UINT32_MAX ? 0 : (uint32_t)v;
}

// "10.0.0.0/8,192.0.2.1 …"
static uint8_t take_routes(const char *s, struct dhcp4_route out[DHCP4_ROUTES])
{
	uint8_t n = 0;

	while (n < DHCP4_ROUTES && take_address(&s, &out[n].destination) && *s == '/') {
		char *end;
		unsigned long prefix = strtoul(s + 1, &end, 10);

		s = end;
		if (prefix > 32 || *s != ',')
			break;
		s++;
		if (!take_address(&s, &out[n].gateway))
			break;
		out[n++].prefix = (uint8_t)prefix;
	}
	return n;
}

static void take_domain(const char *s, char out[DHCP4_DOMAIN])
{
	size_t n = strlen(s);

	for (size_t i = 0; i < n; i++)
		if (s[i] <= ' ' || s[i] > '~')
			return;
	if (n < DHCP4_DOMAIN)
		memcpy(out, s, n + 1);
}

static void take_pair(const char *key, const char *value, struct dhcp4_lease *l)
{
	const char *s = value;
	uint32_t mask;

	if (strcmp(key, "ADDRESS") == 0 && !take_address(&s, &l->address))
		l->address = 0;
	else if (strcmp(key, "NETMASK") == 0 && take_address(&s, &mask) && dhcp4_prefix(mask) >= 0)
		l->prefix = (uint8_t)dhcp4_prefix(mask);
	else if (strcmp(key, "ROUTER") == 0)
		l->n_routers = take_list(value, l->routers);
	else if (strcmp(key, "DNS") == 0)
		l->n_dns = take_list(value, l->dns);
	else if (strcmp(key, "SERVER_ADDRESS") == 0 && !take_address(&s, &l->server))
		l->server = 0;
	else if (strcmp(key, "LIFETIME") == 0)
		l->secs = take_number(value);
	else if (strcmp(key, "T1") == 0)
		l->t1 = take_number(value);
	else if (strcmp(key, "T2") == 0)
		l->t2 = take_number(value);
	else if (strcmp(key, "DOMAINNAME") == 0)
		take_domain(value, l->domain);
	else if (strcmp(key, "CLASSLESS_ROUTES") == 0 || strcmp(key, "ROUTES") == 0)
		l->n_routes = take_routes(value, l->routes);
}

bool lease_text_pairs(const char *text, struct lease_seen *out)
{
	char line[1024], *equals;

	memset(out, 0, sizeof(*out));
	while (*text != '\0') {
		size_t n = strcspn(text, "\n");

		if (n < sizeof(line)) {
			memcpy(line, text, n);
			line[n] = '\0';
			equals = strchr(line, '=');
			if (line[0] != '#' && equals != NULL) {
				*equals = '\0';
				take_pair(line, equals + 1, &out->v4);
			}
		}
		text += n + (text[n] != '\0');
	}
	return dhcp4_unicast(out->v4.address);
}
