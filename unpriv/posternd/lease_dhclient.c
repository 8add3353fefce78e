// dhclient's leases file (dhclient.leases(5)): statements that end in ';', blocks in braces, strings in quotes, '#' comments.
//
// The reader knows the statements it needs and passes over every other; a block that it doesn't know is skipped with what is in it.
#define _XOPEN_SOURCE 700 // strptime
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "unpriv/posternd/lease_text.h"

#define WORDS_MAX 24
#define WORD_MAX  400 // bytes of a word: an identity in hexadecimal digits is the longest
#define DEPTH_MAX 8

enum block { OUTSIDE, LEASE, LEASE6, IA_NA, IA_PD, ADDRESS, PREFIX, OTHER };

struct reader {
	const char *at;
	char word[WORDS_MAX][WORD_MAX];
	unsigned n;
	enum block stack[DEPTH_MAX];
	unsigned depth; // blocks that are open
	struct lease_seen seen;
	struct dhcp6_block *inner; // whose times are being read
	lease_seen_fn *fn;
	void *arg;
};

static enum block now_in(const struct reader *r)
{
	return r->depth == 0 ? OUTSIDE : r->depth > DEPTH_MAX ? OTHER : r->stack[r->depth - 1];
}

// The next word into the statement, which is cut where it is too long; or one of "{};", which are returned.  0 at the end.
static char next_word(struct reader *r)
{
	char *w = r->word[r->n < WORDS_MAX ? r->n : WORDS_MAX - 1];
	size_t len = 0;
	bool quoted;

	r->at += strspn(r->at, " \t\r\n,");
	while (*r->at == '#')
		r->at += strcspn(r->at, "\n"), r->at += strspn(r->at, " \t\r\n,");
	if (*r->at == '\0' || strchr("{};", *r->at) != NULL)
		return *r->at == '\0' ? '\0' : *r->at++;
	quoted = *r->at == '"';
	for (r->at += quoted; *r->at != '\0' && (quoted ? *r->at != '"' : strchr(" \t\r\n,;{}", *r->at) == NULL); r->at++) {
		if (quoted && *r->at == '\\' && r->at[1] != '\0')
			r->at++;
		if (len < WORD_MAX - 1)
			w[len++] = *r->at;
	}
	r->at += quoted && *r->at == '"';
	w[len] = '\0';
	r->n += r->n < WORDS_MAX;
	return 'w';
}

static bool is(const struct reader *r, unsigned i, const char *word)
{
	return i < r->n && strcmp(r->word[i], word) == 0;
}

static uint32_t number(const char *s)
{
	unsigned long long v = strtoull(s, NULL, 10);

	return *s < '0' || *s > '9' || v > UINT32_MAX ? 0 : (uint32_t)v;
}

static uint32_t address(const char *s)
{
	struct in_addr a;

	return inet_pton(AF_INET, s, &a) == 1 ? ntohl(a.s_addr) : 0;
}

static uint8_t addresses(const struct reader *r, unsigned from, uint32_t out[DHCP4_SERVERS])
{
	uint8_t n = 0;

	for (unsigned i = from; i < r->n && n < DHCP4_SERVERS; i++)
		if (dhcp4_unicast(address(r->word[i])))
			out[n++] = address(r->word[i]);
	return n;
}

// "6 2026/11/21 18:12:28", "epoch 1795284699", "never"; UTC.
static int64_t moment(const struct reader *r)
{
	struct tm t = {0};
	char text[WORD_MAX * 2 + 2];

	if (is(r, 1, "epoch") && r->n > 2)
		return strtoll(r->word[2], NULL, 10);
	if (r->n < 4)
		return 0;
	snprintf(text, sizeof(text), "%s %s", r->word[2], r->word[3]);
	return strptime(text, "%Y/%m/%d %H:%M:%S", &t) != NULL ? (int64_t)timegm(&t) : 0;
}

static void copy_name(char *out, size_t size, const char *from)
{
	size_t n = strlen(from);

	if (n < size)
		memcpy(out, from, n + 1);
}

static void option4(const struct reader *r, struct dhcp4_lease *l)
{
	if (is(r, 1, "subnet-mask") && dhcp4_prefix(address(r->word[2])) > 0)
		l->prefix = (uint8_t)dhcp4_prefix(address(r->word[2]));
	else if (is(r, 1, "routers"))
		l->n_routers = addresses(r, 2, l->routers);
	else if (is(r, 1, "domain-name-servers"))
		l->n_dns = addresses(r, 2, l->dns);
	else if (is(r, 1, "dhcp-server-identifier"))
		l->server = address(r->word[2]);
	else if (is(r, 1, "dhcp-lease-time"))
		l->secs = number(r->word[2]);
	else if (is(r, 1, "dhcp-renewal-time"))
		l->t1 = number(r->word[2]);
	else if (is(r, 1, "dhcp-rebinding-time"))
		l->t2 = number(r->word[2]);
	else if (is(r, 1, "domain-name"))
		copy_name(l->domain, sizeof(l->domain), r->word[2]);
}

static void statement4(struct reader *r)
{
	if (is(r, 0, "interface") && r->n > 1)
		copy_name(r->seen.interface, sizeof(r->seen.interface), r->word[1]);
	else if (is(r, 0, "fixed-address") && r->n > 1)
		r->seen.v4.address = address(r->word[1]);
	else if (is(r, 0, "expire"))
		r->seen.expires_unix = moment(r);
	else if (is(r, 0, "option") && r->n > 2)
		option4(r, &r->seen.v4);
}

// "0:1:0:1:32:…": bytes in hexadecimal digits.
static void take_duid(const char *s, struct dhcp6_duid *out)
{
	char *end;

	out->n = 0;
	while (*s != '\0' && out->n < DHCP6_DUID) {
		unsigned long v = strtoul(s, &end, 16);
		if (end == s || v > 255)
			break;
		out->v[out->n++] = (uint8_t)v;
		s = end + (*end == ':');
	}
}

static void statement6(struct reader *r)
{
	struct dhcp6_lease *l = &r->seen.v6;

	if (is(r, 0, "interface") && r->n > 1)
		copy_name(r->seen.interface, sizeof(r->seen.interface), r->word[1]);
	else if (is(r, 0, "released"))
		r->seen.expires_unix = 1;
	else if (is(r, 1, "dhcp6.server-id") && r->n > 2)
		take_duid(r->word[2], &l->server);
	else if (is(r, 1, "dhcp6.name-servers"))
		for (unsigned i = 2; i < r->n && l->n_dns < DHCP6_EACH; i++)
			if (inet_pton(AF_INET6, r->word[i], l->dns[l->n_dns]) == 1)
				l->n_dns++;
}

static void statement_ia(struct reader *r)
{
	struct dhcp6_lease *l = &r->seen.v6;

	if (r->n < 2)
		return;
	if (is(r, 0, "starts"))
		r->seen.obtained_unix = number(r->word[1]);
	else if (is(r, 0, "renew"))
		l->t1 = number(r->word[1]);
	else if (is(r, 0, "rebind"))
		l->t2 = number(r->word[1]);
}

static void statement_block(struct reader *r)
{
	if (r->n < 2 || r->inner == NULL)
		return;
	if (is(r, 0, "preferred-life"))
		r->inner->preferred = number(r->word[1]);
	else if (is(r, 0, "max-life"))
		r->inner->valid = number(r->word[1]);
	if (r->inner->valid > r->seen.v6.secs)
		r->seen.v6.secs = r->inner->valid;
}

static void statement(struct reader *r)
{
	switch (now_in(r)) {
	case LEASE: statement4(r); break;
	case LEASE6: statement6(r); break;
	case IA_NA:
	case IA_PD: statement_ia(r); break;
	case ADDRESS:
	case PREFIX: statement_block(r); break;
	case OUTSIDE:
	case OTHER: break;
	}
}

// "iaaddr fd00::1 {" or "iaprefix 2001:db8::/56 {".
static void begin_block(struct reader *r, bool prefix)
{
	struct dhcp6_lease *l = &r->seen.v6;
	uint8_t *n = prefix ? &l->n_prefixes : &l->n_addresses;
	struct dhcp6_block *b = prefix ? &l->prefixes[*n] : &l->addresses[*n];
	char text[WORD_MAX], *slash;

	r->inner = NULL;
	if (r->n < 2 || *n == DHCP6_EACH)
		return;
	memcpy(text, r->word[1], sizeof(text));
	slash = strchr(text, '/');
	if (slash != NULL)
		*slash++ = '\0';
	b->length = prefix && slash != NULL && number(slash) <= 128 ? (uint8_t)number(slash) : 128;
	if (inet_pton(AF_INET6, text, b->addr) != 1)
		return;
	r->inner = b;
	++*n;
}

static enum block begins(struct reader *r)
{
	enum block in = now_in(r);

	if (in == OUTSIDE && (is(r, 0, "lease") || is(r, 0, "lease6"))) {
		memset(&r->seen, 0, sizeof(r->seen));
		r->seen.six = is(r, 0, "lease6");
		return r->seen.six ? LEASE6 : LEASE;
	}
	if (in == LEASE6 && r->n > 1 && (is(r, 0, "ia-na") || is(r, 0, "ia-pd"))) {
		struct dhcp6_duid iaid = {0};
		take_duid(r->word[1], &iaid);
		if (iaid.n == 4)
			r->seen.v6.iaid = (uint32_t)iaid.v[0] << 24 | (uint32_t)iaid.v[1] << 16 | (uint32_t)iaid.v[2] << 8 | iaid.v[3];
		return is(r, 0, "ia-na") ? IA_NA : IA_PD;
	}
	if ((in == IA_NA && is(r, 0, "iaaddr")) || (in == IA_PD && is(r, 0, "iaprefix"))) {
		begin_block(r, in == IA_PD);
		return in == IA_PD ? PREFIX : ADDRESS;
	}
	return OTHER;
}

static void ends(struct reader *r)
{
	enum block in = now_in(r);

	if (in == LEASE && dhcp4_unicast(r->seen.v4.address) && r->seen.interface[0] != '\0') {
		if (r->seen.expires_unix > 0 && r->seen.v4.secs > 0)
			r->seen.obtained_unix = r->seen.expires_unix - r->seen.v4.secs;
		r->fn(&r->seen, r->arg);
	}
	if (in == LEASE6 && r->seen.v6.n_addresses + r->seen.v6.n_prefixes > 0 && r->seen.interface[0] != '\0') {
		if (r->seen.expires_unix == 0 && r->seen.v6.secs != DHCP6_FOREVER)
			r->seen.expires_unix = r->seen.obtained_unix + r->seen.v6.secs;
		r->fn(&r->seen, r->arg);
	}
	if (r->depth > 0)
		r->depth--;
}

void lease_text_dhclient(const char *text, lease_seen_fn *fn, void *arg)
{
	static struct reader r; // too large for the stack
	char got;

	memset(&r, 0, sizeof(r));
	r.at = text;
	r.fn = fn;
	r.arg = arg;
	while ((got = next_word(&r)) != '\0') {
		enum block b;

		if (got == 'w')
			continue;
		if (got == ';') {
			statement(&r);
		} else if (got == '{') {
			b = begins(&r);
			if (r.depth < DEPTH_MAX)
				r.stack[r.depth] = b;
			r.depth++;
		} else {
			ends(&r);
		}
		r.n = 0;
	}
}
