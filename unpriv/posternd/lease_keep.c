// Leases over a restart: what is kept is the server's own message, so that it passes the same strict parser again.
#include <stdio.h>
#include <string.h>

#include "unpriv/posternd/cache.h"
#include "unpriv/posternd/lease_port.h"

#define KEY_TEXT 20 // "<interface>/4"

static void key_of(const struct lease_port *p, char family, char out[KEY_TEXT])
{
	snprintf(out, KEY_TEXT, "%s/%c", p->name, family);
}

static void keep_one(struct change *c, const char *key, bool have, const struct lease_raw *raw, uint64_t obtained_ms)
{
	static const char digits[] = "0123456789abcdef";
	char text[2 * sizeof(raw->v) + 1];
	struct row_lease row = {.id = key, .obtained_unix_ms = lease_at_unix_ms(obtained_ms)};

	if (!have) {
		change_del_lease(c, key);
		cache_drop_lease(key);
		return;
	}
	for (size_t i = 0; i < raw->n; i++) {
		text[2 * i] = digits[raw->v[i] >> 4];
		text[2 * i + 1] = digits[raw->v[i] & 15];
	}
	text[2 * raw->n] = '\0';
	row.message = text;
	change_put_lease(c, &row);
	cache_set_lease(&row);
}

void lease_keep(const struct lease_port *p, struct change *c)
{
	char key[KEY_TEXT];

	key_of(p, '4', key);
	if (p->use4)
		keep_one(c, key, p->v4.have, &p->raw4, p->v4.obtained_ms);
	key_of(p, '6', key);
	if (p->use6)
		keep_one(c, key, p->v6.have, &p->raw6, p->v6.obtained_ms);
}

static int digit(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

// The kept message and how long ago it was asked for.  A clock that was set back says nothing, and what it says isn't believed.
static bool recall_one(const char *key, struct lease_raw *raw, uint64_t *age_ms)
{
	const struct row_lease *row = cache_find_lease(key);
	int64_t age = row == NULL ? -1 : lease_unix_ms() - row->obtained_unix_ms;
	const char *text = row == NULL || row->message == NULL ? "" : row->message;

	raw->n = 0;
	while (raw->n < sizeof(raw->v) && digit(text[0]) >= 0 && digit(text[1]) >= 0) {
		raw->v[raw->n++] = (uint8_t)(digit(text[0]) << 4 | digit(text[1]));
		text += 2;
	}
	*age_ms = (uint64_t)age;
	return age >= 0 && raw->n > 0 && *text == '\0';
}

void lease_recall(struct lease_port *p)
{
	char key[KEY_TEXT];
	struct dhcp4_msg m4;
	struct dhcp6_msg m6;
	uint64_t age;

	key_of(p, '4', key);
	if (p->use4 && recall_one(key, &p->raw4, &age) && dhcp4_parse(p->raw4.v, p->raw4.n, &m4) && m4.whole && memcmp(m4.mac, p->mac, 6) == 0 &&
	    (m4.lease.secs == DHCP4_FOREVER || age / 1000 < m4.lease.secs)) {
		dhcp4_remember(&p->v4, &m4.lease, lease_now() - age);
		p->applied4 = m4.lease;
		p->has_applied4 = true;
	}
	key_of(p, '6', key);
	if (p->use6 && recall_one(key, &p->raw6, &age) && dhcp6_parse(p->raw6.v, p->raw6.n, &m6) && dhcp6_duid_same(&m6.client, &p->v6.duid) &&
	    (m6.lease.secs == DHCP6_FOREVER || age / 1000 < m6.lease.secs)) {
		dhcp6_remember(&p->v6, &m6.lease, lease_now() - age);
		p->applied6 = m6.lease;
		p->has_applied6 = true;
	}
}
