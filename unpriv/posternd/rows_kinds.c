// Checks on texts by their kind: what the row's pattern says and what a pattern can't say.
#include <arpa/inet.h>
#include <regex.h>
#include <stdlib.h>

#include "unpriv/common/log.h"
#include "unpriv/posternd/rows_read.h"

static struct {
	regex_t regex;
	bool made;
} patterns[KIND_COUNT];

bool rows_init(void)
{
	for (size_t k = 0; k < KIND_COUNT; k++) {
		if (rpc_kinds[k].pattern == NULL)
			continue;
		if (regcomp(&patterns[k].regex, rpc_kinds[k].pattern, REG_EXTENDED | REG_NOSUB) != 0) {
			log_error("malformed pattern", "kind=%s", rpc_kinds[k].name);
			return false;
		}
		patterns[k].made = true;
	}
	return true;
}

void rows_finish(void)
{
	for (size_t k = 0; k < KIND_COUNT; k++)
		if (patterns[k].made) {
			regfree(&patterns[k].regex);
			patterns[k].made = false;
		}
}

static bool is_ip(const char *text, int *bits)
{
	unsigned char addr[16];
	if (inet_pton(AF_INET, text, addr) == 1) {
		*bits = 32;
		return true;
	}
	*bits = 128;
	return inet_pton(AF_INET6, text, addr) == 1;
}

static bool is_cidr(const char *text, size_t len)
{
	char addr[50];
	const char *slash = strchr(text, '/');
	int bits;
	if (slash == NULL || len >= sizeof addr || strlen(slash + 1) > 3)
		return false;
	memcpy(addr, text, (size_t)(slash - text));
	addr[slash - text] = '\0';
	return is_ip(addr, &bits) && atoi(slash + 1) <= bits && (slash[1] != '0' || slash[2] == '\0');
}

// The lowest bit of the first byte marks a group address; all zero is none.
static bool is_unicast_mac(const char *text)
{
	return (strtoul((char[]){text[0], text[1], '\0'}, NULL, 16) & 1) == 0 && strcmp(text, "00:00:00:00:00:00") != 0;
}

// No empty, "." or ".." part; a leading '/' is for the pattern to judge.
static bool is_plain_path(const char *text)
{
	const char *p = *text == '/' ? text + 1 : text;
	while (*p) {
		size_t n = strcspn(p, "/");
		if (n == 0 || (n == 1 && p[0] == '.') || (n == 2 && p[0] == '.' && p[1] == '.'))
			return false;
		p += n;
		if (*p == '/' && *++p == '\0')
			return false;
	}
	return true;
}

static bool is_ifname(const char *text)
{
	return strcmp(text, ".") != 0 && strcmp(text, "..") != 0;
}

static bool is_port_range(const char *text)
{
	char *dash;
	unsigned long lo = strtoul(text, &dash, 10), hi = strtoul(dash + 1, NULL, 10);

	return lo <= hi && hi <= 65535;
}

bool kind_allows_text(enum rpc_kind kind, const char *text, size_t len)
{
	const struct kind_info *k = &rpc_kinds[kind];
	int bits;
	if ((int64_t)len < k->min || (int64_t)len > k->max)
		return false;
	if (patterns[kind].made && regexec(&patterns[kind].regex, text, 0, NULL, 0) != 0)
		return false;
	if (kind == KIND_ip)
		return is_ip(text, &bits);
	if (kind == KIND_cidr)
		return is_cidr(text, len);
	if (kind == KIND_destination)
		return strcmp(text, "default") == 0 || is_cidr(text, len);
	if (kind == KIND_mac)
		return is_unicast_mac(text);
	if (kind == KIND_relpath || kind == KIND_abspath)
		return is_plain_path(text);
	if (kind == KIND_ifname)
		return is_ifname(text);
	if (kind == KIND_port_range)
		return is_port_range(text);
	return true;
}
