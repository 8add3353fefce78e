// See fw.h.  Records travel in a sealed memfd.
#include "unpriv/posternd/fw.h"

#include <errno.h>
#include <netinet/in.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "unpriv/common/log.h"
#include "unpriv/posternd/addr.h"
#include "unpriv/posternd/cache.h"
#include "unpriv/posternd/mem.h"
#include "unpriv/posternd/sealed.h"

// The source translations that the kernel was last asked for.
static struct {
	struct fw_record *v;
	uint32_t n;
	bool known;
} asked;

// ---- ids ----

static const char *or_none(const char *s)
{
	return s != NULL ? s : "";
}

static void hash_id(const char *kind, const char *tuple, int n, char out[FW_ID])
{
	unsigned char hash[EVP_MAX_MD_SIZE];

	EVP_Digest(tuple, (size_t)n, hash, NULL, EVP_sha256(), NULL);
	snprintf(out, FW_ID, "%s-%02x%02x%02x%02x%02x%02x", kind, hash[0], hash[1], hash[2], hash[3], hash[4], hash[5]);
}

void snat_id(const char *source, const char *out_interface, const char *to, const char *vm, char out[FW_ID])
{
	char tuple[256];
	int n = snprintf(tuple, sizeof(tuple), "%s|%s|%s|%s", source, or_none(out_interface), or_none(to), or_none(vm));

	hash_id("snat", tuple, n, out);
}

void dnat_id(const struct row_dnat *row, char out[FW_ID])
{
	char tuple[256];
	int n = snprintf(tuple, sizeof(tuple), "%d|%d|%d|%s|%s|%s", fw_family(row->dest_ip), (int)row->proto, (int)row->host_port,
	                 or_none(row->interface), or_none(row->host_ip), or_none(row->source));

	hash_id("dnat", tuple, n, out);
}

void allow_id(const struct row_allow *row, char out[FW_ID])
{
	char tuple[256];
	int n = snprintf(tuple, sizeof(tuple), "%d|%d|%d|%s|%s", (int)row->proto, (int)row->port_lo, (int)row->port_hi, or_none(row->source),
	                 or_none(row->interface));

	hash_id("rule", tuple, n, out);
}

// ---- records ----

int fw_family(const char *address)
{
	return address == NULL ? 0 : strchr(address, ':') != NULL ? 6 : 4;
}

static bool optional(const char *text, struct wire_addr *a)
{
	return text == NULL || addr_parse(text, a);
}

static void texts(struct fw_record *r, const char *interface, const char *id)
{
	if (interface != NULL)
		COPY_TEXT(r->interface, interface);
	COPY_TEXT(r->comment, id);
}

bool snat_record(const struct row_snat *row, struct fw_record *r)
{
	memset(r, 0, sizeof(*r));
	r->kind = row->to != NULL ? FW_SNAT : FW_MASQUERADE;
	texts(r, row->out_interface, row->id);
	return row->source != NULL && addr_parse(row->source, &r->source) && optional(row->to, &r->to);
}

bool dnat_record(const struct row_dnat *row, struct fw_record *r)
{
	memset(r, 0, sizeof(*r));
	r->kind = FW_DNAT;
	r->proto = (uint8_t)row->proto;
	r->port_lo = (uint16_t)row->host_port;
	r->to_port = (uint16_t)row->dest_port;
	texts(r, row->interface, row->id);
	return row->dest_ip != NULL && addr_parse(row->dest_ip, &r->to) && optional(row->host_ip, &r->host) && optional(row->source, &r->source);
}

bool allow_record(const struct row_allow *row, struct fw_record *r)
{
	memset(r, 0, sizeof(*r));
	r->kind = FW_ALLOW;
	r->proto = (uint8_t)row->proto;
	r->port_lo = (uint16_t)row->port_lo;
	r->port_hi = (uint16_t)row->port_hi;
	texts(r, row->interface, row->id);
	return optional(row->source, &r->source);
}

// True when a's packets are b's too, and both do the same with them: sources that overlap can't stand in one set.
static bool covered(const struct fw_record *a, const struct fw_record *b)
{
	struct wire_addr net = a->source;

	if (a->kind != b->kind || a->source.family != b->source.family || b->source.prefix > a->source.prefix ||
	    memcmp(a->interface, b->interface, sizeof(a->interface)) != 0 || memcmp(&a->to, &b->to, sizeof(a->to)) != 0)
		return false;
	net.prefix = b->source.prefix;
	addr_network(&net);
	return memcmp(&net, &b->source, sizeof(net)) == 0;
}

// The translations, into v, which has room for all of them; returns how many.
static uint32_t snat_expected(struct fw_record *v)
{
	uint32_t n = 0;

	for (size_t i = 0; i < cache_n_snat(); i++) {
		const struct row_snat *row = cache_at_snat(i);
		struct fw_record one;
		uint32_t k = 0, kept = 0;
		if (row->phase == PHASE_REMOVING || !snat_record(row, &one))
			continue;
		while (k < n && !covered(&one, &v[k]))
			k++;
		if (k < n)
			continue;
		for (k = 0; k < n; k++)
			if (!covered(&v[k], &one))
				v[kept++] = v[k];
		v[kept] = one;
		n = kept + 1;
	}
	return n;
}

struct fw_record *fw_expected(uint32_t *n)
{
	struct fw_record *v = xcalloc(cache_n_snat() + cache_n_dnat() + cache_n_allow() + 1, sizeof(*v));

	*n = snat_expected(v);
	for (size_t i = 0; i < cache_n_dnat(); i++)
		*n += cache_at_dnat(i)->phase != PHASE_REMOVING && dnat_record(cache_at_dnat(i), &v[*n]);
	for (size_t i = 0; i < cache_n_allow(); i++)
		*n += cache_at_allow(i)->phase != PHASE_REMOVING && allow_record(cache_at_allow(i), &v[*n]);
	return v;
}

static bool nothing_expected(void)
{
	for (size_t i = 0; i < cache_n_snat(); i++)
		if (cache_at_snat(i)->phase != PHASE_REMOVING)
			return false;
	for (size_t i = 0; i < cache_n_dnat(); i++)
		if (cache_at_dnat(i)->phase != PHASE_REMOVING)
			return false;
	for (size_t i = 0; i < cache_n_allow(); i++)
		if (cache_at_allow(i)->phase != PHASE_REMOVING)
			return false;
	return true;
}

bool fw_in_flux(void)
{
	for (size_t i = 0; i < cache_n_snat(); i++)
		if (cache_at_snat(i)->phase != PHASE_DONE)
			return true;
	for (size_t i = 0; i < cache_n_dnat(); i++)
		if (cache_at_dnat(i)->phase != PHASE_DONE)
			return true;
	for (size_t i = 0; i < cache_n_allow(); i++)
		if (cache_at_allow(i)->phase != PHASE_DONE)
			return true;
	return false;
}

// ---- deltas ----

// Room grows in steps that are powers of two, so that what there is says how much room there is.
static struct fw_record *one_more(struct fw_delta *d)
{
	uint32_t n = d->removes + d->adds;

	if ((n & (n - 1)) == 0)
		d->v = xrealloc(d->v, (n == 0 ? 1 : 2 * (size_t)n) * sizeof(*d->v));
	return &d->v[n];
}

void fw_delta_remove(struct fw_delta *d, const struct fw_record *r)
{
	*one_more(d) = *r;
	d->removes++;
}

void fw_delta_add(struct fw_delta *d, const struct fw_record *r)
{
	*one_more(d) = *r;
	d->adds++;
}

void fw_delta_finish(struct fw_delta *d)
{
	free(d->v);
	*d = (struct fw_delta){0};
}

// ---- asking ----

static void ask(struct task *t, enum op_id op, const void *args, const struct fw_record *v, uint32_t n)
{
	int fd = sealed_memfd("postern-fw", v, n * sizeof(*v));

	task_priv(t, op, args, &fd);
	if (fd >= 0)
		close(fd);
}

static void note_asked(const struct fw_record *v, uint32_t n)
{
	asked.v = xrealloc(asked.v, (n + 1) * sizeof(*v));
	if (n > 0)
		memcpy(asked.v, v, n * sizeof(*v));
	asked.n = n;
	asked.known = true;
}

void fw_ask_all(struct task *t, const struct fw_delta *d)
{
	struct op_fw_commit_args a = {.has_removes = true, .has_adds = true, .has_lenient = true, .lenient = true};
	struct fw_record *v = fw_expected(&a.count);
	uint32_t more = d != NULL ? d->removes + d->adds : 0, snat = 0;

	while (snat < a.count && (v[snat].kind == FW_MASQUERADE || v[snat].kind == FW_SNAT))
		snat++;
	note_asked(v, snat);
	if (more > 0) {
		v = xrealloc(v, (a.count + (size_t)more) * sizeof(*v));
		memcpy(v + a.count, d->v, more * sizeof(*v));
		a.removes = d->removes;
		a.adds = d->adds;
	}
	ask(t, OP_fw_commit, &a, v, a.count + more);
	free(v);
}

void fw_ask(struct task *t, const struct fw_delta *d)
{
	struct op_fw_change_args a = {.removes = d->removes, .adds = d->adds};

	if (nothing_expected())
		fw_ask_all(t, d);
	else
		ask(t, OP_fw_change, &a, d->v, d->removes + d->adds);
}

bool fw_again(struct task *t, const struct fw_delta *d)
{
	const struct priv_reply *r = t->reply;
	bool other = r->op == OP_fw_change && r->outcome == PRIV_ANSWERED && (r->status == OPS_NOT_FOUND || r->status == OPS_EXISTS);

	if (priv_ok(r)) {
		if (r->op == OP_fw_commit && r->res->fw_commit.refused > 0)
			log_warn("firewall records refused by policy are left out", "n=%u", r->res->fw_commit.refused);
		return false;
	}
	asked.known = false;
	if ((!other && !priv_unsure(r)) || t->repeats >= TASK_REPEATS)
		return false;
	t->repeats++;
	t->step--;
	fw_ask_all(t, d);
	return true;
}

static bool among(const struct fw_record *r, const struct fw_record *v, uint32_t n)
{
	while (n > 0)
		if (memcmp(&v[--n], r, offsetof(struct fw_record, comment)) == 0)
			return true;
	return false;
}

void fw_ask_snat(struct task *t)
{
	struct fw_record *v = xcalloc(cache_n_snat() + 1, sizeof(*v));
	uint32_t n = snat_expected(v);
	struct fw_delta d = {0};

	for (uint32_t i = 0; i < asked.n; i++)
		if (!among(&asked.v[i], v, n))
			fw_delta_remove(&d, &asked.v[i]);
	for (uint32_t i = 0; i < n; i++)
		if (!among(&v[i], asked.v, asked.n))
			fw_delta_add(&d, &v[i]);
	if (!asked.known || nothing_expected()) {
		fw_ask_all(t, NULL);
	} else {
		note_asked(v, n);
		fw_ask(t, &d);
	}
	fw_delta_finish(&d);
	free(v);
}

void fw_ask_forwarding(struct task *t, int family)
{
	struct op_sysctl_set_args a = {.key = family == 6 ? SYSCTL_IP6_FORWARD : SYSCTL_IP_FORWARD, .on = true};

	task_priv(t, OP_sysctl_set, &a, NULL);
}

bool fw_needs_forwarding(int family)
{
	for (size_t i = 0; i < cache_n_snat(); i++)
		if (cache_at_snat(i)->phase == PHASE_DONE && fw_family(cache_at_snat(i)->source) == family)
			return true;
	for (size_t i = 0; i < cache_n_dnat(); i++)
		if (cache_at_dnat(i)->phase == PHASE_DONE && fw_family(cache_at_dnat(i)->dest_ip) == family)
			return true;
	return false;
}

static void put_back(struct task *t)
{
	if (t->step++ == 0)
		fw_ask_all(t, NULL);
	else if (!fw_again(t, NULL) && !task_refused(t))
		task_done(t, true);
}

void fw_put_back(void (*ended)(void *arg, bool ok), void *arg)
{
	struct task *t = task_new(sizeof(*t), "firewall", NULL, put_back);

	t->ended = ended;
	t->ended_arg = arg;
	task_run(t);
}
