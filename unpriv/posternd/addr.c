#include "unpriv/posternd/addr.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void copy_text(char *out, size_t size, const char *text)
{
	size_t n = strnlen(text, size - 1);

	memcpy(out, text, n);
	out[n] = '\0';
}

bool addr_parse(const char *text, struct wire_addr *a)
{
	char host[CIDR_TEXT];
	const char *slash = strchr(text, '/');
	size_t n = slash != NULL ? (size_t)(slash - text) : strlen(text);
	char *end;

	memset(a, 0, sizeof(*a));
	if (n >= sizeof(host))
		return false;
	memcpy(host, text, n);
	host[n] = '\0';
	if (inet_pton(AF_INET, host, a->addr) == 1)
		a->family = 4;
	else if (inet_pton(AF_INET6, host, a->addr) == 1)
		a->family = 6;
	else
		return false;
	unsigned long most = a->family == 4 ? 32 : 128, prefix = most;
	if (slash != NULL) {
		if (slash[1] < '0' || slash[1] > '9')
			return false;
		prefix = strtoul(slash + 1, &end, 10);
		if (*end != '\0' || prefix > most)
			return false;
	}
	a->prefix = (uint8_t)prefix;
	return true;
}

void addr_network(struct wire_addr *a)
{
	for (unsigned bit = a->prefix; bit < sizeof(a->addr) * 8; bit++)
		a->addr[bit / 8] &= (uint8_t) ~(0x80u >> (bit % 8));
}

void addr_text(const struct wire_addr *a, bool prefix, char out[CIDR_TEXT])
{
	inet_ntop(a->family == 4 ? AF_INET : AF_INET6, a->addr, out, CIDR_TEXT);
	if (prefix)
		snprintf(out + strlen(out), CIDR_TEXT - strlen(out), "/%u", a->prefix);
}

bool mac_parse(const char *text, uint8_t mac[6])
{
	static const uint8_t zero[6];

	if (sscanf(text, "%2hhx:%2hhx:%2hhx:%2hhx:%2hhx:%2hhx", &mac[0], &mac[1], &mac[2], &mac[3], &mac[4], &mac[5]) != 6)
		return false;
	return (mac[0] & 1) == 0 && memcmp(mac, zero, sizeof(zero)) != 0;
}

void mac_text(const uint8_t mac[6], char out[MAC_TEXT])
{
	snprintf(out, MAC_TEXT, "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2], mac[3], mac[4], mac[5]);
}
