// See verify_fw.h.  Records are compared byte for byte, but for their comments, which only say which row is meant.
#include "unpriv/posternd/verify_fw.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "unpriv/posternd/addr.h"
#include "unpriv/posternd/fw.h"

#define AT_ONCE 64 // records between two looks at the clock
#define KEY     offsetof(struct fw_record, comment)

// Records found by their key; n_slots is a power of two at least twice n.
struct records {
	const struct fw_record *v;
	uint32_t n;
	uint32_t *slots; // number of the record, from 1
	size_t n_slots;
	uint32_t indexed; // records that stand in the slots
};

struct verify_fw {
	struct records want, have;
	struct fw_record *want_v;
	void *map;
	size_t map_len;
	struct op_fw_list_res answer;
	bool table; // the table as a whole has been judged
	uint32_t at_want, at_have;
};

static uint32_t hash_of(const struct fw_record *r)
{
	const unsigned char *p = (const unsigned char *)r;
	uint32_t h = 2166136261U; // FNV-1a

	for (size_t i = 0; i < KEY; i++)
		h = (h ^ p[i]) * 16777619U;
	return h;
}

static void make_slots(struct records *t)
{
	t->n_slots = 16;
	while (t->n_slots < 2 * (size_t)t->n)
		t->n_slots *= 2;
	t->slots = xcalloc(t->n_slots, sizeof(*t->slots));
}

// The next few; false after the last.
static bool index_some(struct records *t)
{
	for (unsigned k = 0; k < AT_ONCE && t->indexed < t->n; k++) {
		size_t s = hash_of(&t->v[t->indexed]) & (t->n_slots - 1);
		while (t->slots[s] != 0)
			s = (s + 1) & (t->n_slots - 1);
		t->slots[s] = ++t->indexed;
	}
	return t->indexed < t->n;
}

static bool has(const struct records *t, const struct fw_record *r)
{
	for (size_t s = hash_of(r) & (t->n_slots - 1); t->slots[s] != 0; s = (s + 1) & (t->n_slots - 1))
		if (memcmp(&t->v[t->slots[s] - 1], r, KEY) == 0)
			return true;
	return false;
}

// The helper's memfd is sealed: it can neither shrink nor change under us.
static bool map_records(struct verify_fw *f, const struct priv_reply *r)
{
	int fd = priv_take(r, RESFD_fw_list_records);

	f->map_len = f->answer.count * sizeof(struct fw_record);
	if (f->map_len > 0 && fd >= 0)
		f->map = mmap(NULL, f->map_len, PROT_READ, MAP_PRIVATE, fd, 0);
	if (fd >= 0)
		close(fd);
	if (f->map == MAP_FAILED)
		f->map = NULL;
	f->have.v = f->map;
	f->have.n = f->answer.count;
	return f->map != NULL || f->map_len == 0;
}

struct verify_fw *verify_fw_create(const struct priv_reply *r)
{
	struct verify_fw *f;

	if (!priv_ok(r) || fw_in_flux())
		return NULL;
	f = xcalloc(1, sizeof(*f));
	f->answer = r->res->fw_list;
	if (!map_records(f, r)) {
		free(f);
		return NULL;
	}
	f->want_v = fw_expected(&f->want.n);
	f->want.v = f->want_v;
	make_slots(&f->want);
	make_slots(&f->have);
	return f;
}

void verify_fw_destroy(struct verify_fw *f)
{
	if (f == NULL)
		return;
	if (f->map != NULL)
		munmap(f->map, f->map_len);
	free(f->want.slots);
	free(f->have.slots);
	free(f->want_v);
	free(f);
}

static struct drift_item *add(struct drift_list *out, enum rpc_drift_kind kind, const char *id)
{
	struct drift_item *i = drift_add(out, kind, NULL);

	COPY_TEXT(i->id, id);
	i->fix = FIX_FIREWALL;
	return i;
}

// One item for a table that is gone, or that isn't as we build it, whatever it holds.
static bool judge_table(struct verify_fw *f, struct drift_list *out)
{
	struct drift_item *i;

	f->table = true;
	if (!f->answer.present && f->want.n == 0)
		return false;
	if (f->answer.present && f->answer.missing == 0 && f->answer.foreign == 0)
		return true;
	i = add(out, drift_kind_firewall, "table inet postern");
	DRIFT_SAY(i->expected, "as postern made it");
	if (!f->answer.present)
		DRIFT_SAY(i->actual, "missing");
	if (f->answer.present && f->answer.missing > 0)
		DRIFT_SAY(i->actual, "%u of its chains, sets and fixed rules missing or changed", f->answer.missing);
	if (f->answer.foreign > 0)
		DRIFT_SAY(i->actual, "%u things in it that are another's", f->answer.foreign);
	return f->answer.present;
}

static void say_record(char *text, size_t size, const struct fw_record *r)
{
	static const char *const names[] = {"masquerade", "source translation", "forward", "rule"};
	char from[CIDR_TEXT] = "anywhere", to[CIDR_TEXT] = "";

	if (r->source.family != 0)
		addr_text(&r->source, true, from);
	if (r->to.family != 0)
		addr_text(&r->to, false, to);
	drift_say(text, size, "%s from %s", r->kind <= FW_KIND_MAX ? names[r->kind] : "record", from);
	if (r->port_lo != 0)
		drift_say(text, size, "port %u", r->port_lo);
	if (to[0] != '\0')
		drift_say(text, size, "to %s", to);
}

static void differ(const struct fw_record *r, bool wanted, struct drift_list *out)
{
	struct drift_item *i =
	    add(out, r->kind == FW_ALLOW ? drift_kind_firewall : drift_kind_nat, r->comment[0] != '\0' ? r->comment : "without a name");

	if (wanted) {
		say_record(i->expected, sizeof(i->expected), r);
		DRIFT_SAY(i->actual, "missing");
	} else {
		DRIFT_SAY(i->expected, "absent");
		say_record(i->actual, sizeof(i->actual), r);
	}
}

bool verify_fw_step(struct verify_fw *f, struct drift_list *out)
{
	if (!f->table && !judge_table(f, out))
		return false;
	if (index_some(&f->want) || index_some(&f->have))
		return true;
	for (unsigned n = 0; n < AT_ONCE && f->at_want < f->want.n; n++, f->at_want++)
		if (!has(&f->have, &f->want.v[f->at_want]))
			differ(&f->want.v[f->at_want], true, out);
	if (f->at_want < f->want.n)
		return true;
	for (unsigned n = 0; n < AT_ONCE && f->at_have < f->have.n; n++, f->at_have++)
		if (!has(&f->want, &f->have.v[f->at_have]))
			differ(&f->have.v[f->at_have], false, out);
	return f->at_have < f->have.n;
}
