// See checkpoint.h.
#include "helper/net/checkpoint.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "helper/net/revert.h"
#include "helper/net/sys.h"

enum state { ARMED, REVERTED };

struct entry {
	uint32_t id;
	uint32_t state;       // enum state
	uint64_t deadline_ms; // CLOCK_MONOTONIC
	uint32_t place;       // of its snapshot
	uint32_t touched;     // sysctls that we changed since, 1 << enum sysctl_key
	uint32_t was;         // what they were, the same bits
	uint32_t nlinks, naddresses, nroutes, nrecords;
};

struct head {
	uint8_t rows[32]; // of the build that wrote it
	uint32_t size;    // sizeof(struct head)
	uint32_t n;
	struct entry v[CHECKPOINTS_MAX]; // the oldest first
};

static struct head head;

static int head_write(void)
{
	memcpy(head.rows, rows_sha256, sizeof(head.rows));
	head.size = sizeof(head);
	return head.n > 0 ? sys_checkpoints_write(&head, sizeof(head), 0) : sys_checkpoints_empty();
}

// ---- snapshots in the file -----------------------------------------------------------------------------------------------------------------

typedef int transfer(void *buf, size_t len, off_t off);

static int put(void *buf, size_t len, off_t off)
{
	return sys_checkpoints_write(buf, len, off);
}

// Writes or reads the four arrays, one behind the other.
static int arrays(const struct entry *e, struct snapshot *s, transfer *move)
{
	off_t at = (off_t)((1 + e->place) * CHECKPOINT_PLACE);
	const struct {
		void *v;
		size_t bytes;
	} parts[] = {
	    {s->links, s->nlinks * sizeof(*s->links)},
	    {s->addresses, s->naddresses * sizeof(*s->addresses)},
	    {s->routes, s->nroutes * sizeof(*s->routes)},
	    {s->records, s->nrecords * sizeof(*s->records)},
	};
	int err = 0;

	for (size_t i = 0; err == 0 && i < sizeof(parts) / sizeof(parts[0]); at += (off_t)parts[i++].bytes)
		if (parts[i].bytes > 0)
			err = move(parts[i].v, parts[i].bytes, at);
	return err;
}

_Static_assert(SNAP_LINKS_MAX * sizeof(struct snap_link) + SNAP_ADDRESSES_MAX * sizeof(struct snap_address) +
                       SNAP_ROUTES_MAX * sizeof(struct snap_route) +
                       SNAP_RECORDS_MAX * sizeof(struct fw_record) <=
                   CHECKPOINT_PLACE,
               "a snapshot has its place");

static int snapshot_load(const struct entry *e, struct snapshot *s)
{
	memset(s, 0, sizeof(*s));
	if (e->nlinks > SNAP_LINKS_MAX || e->naddresses > SNAP_ADDRESSES_MAX || e->nroutes > SNAP_ROUTES_MAX ||
	    e->nrecords > SNAP_RECORDS_MAX)
		return -EPROTO;
	s->nlinks = e->nlinks;
	s->naddresses = e->naddresses;
	s->nroutes = e->nroutes;
	s->nrecords = e->nrecords;
	s->links = calloc(e->nlinks + 1u, sizeof(*s->links));
	s->addresses = calloc(e->naddresses + 1u, sizeof(*s->addresses));
	s->routes = calloc(e->nroutes + 1u, sizeof(*s->routes));
	s->records = calloc(e->nrecords + 1u, sizeof(*s->records));
	if (s->links == NULL || s->addresses == NULL || s->routes == NULL || s->records == NULL)
		return -ENOMEM;
	return arrays(e, s, sys_checkpoints_read);
}

// ---- going back ----------------------------------------------------------------------------------------------------------------------------

static void revert_sysctls(struct revert *r, const struct entry *e)
{
	for (uint32_t key = 0; key <= SYSCTL_MAX; key++) {
		union op_args a;

		if ((e->touched >> key & 1) == 0)
			continue;
		memset(&a, 0, sizeof(a));
		a.sysctl_set.key = key;
		a.sysctl_set.on = (e->was >> key & 1) != 0;
		revert_do(r, OP_sysctl_set, &a, "forwarding");
	}
}

static void go_back(struct revert *r, const struct entry *e)
{
	struct snapshot s;
	int err = snapshot_load(e, &s);

	if (err == 0) {
		revert_links(r, &s);
		revert_routes(r, &s);
		revert_firewall(r, &s);
		revert_sysctls(r, e);
	} else
		revert_failed(r, "reading the checkpoint", -err);
	snapshot_free(&s);
}

// ---- the clock -----------------------------------------------------------------------------------------------------------------------------

// Others have set how soon they want the loop to look again.
static void set_timer(struct cell *c)
{
	uint64_t now = (sys_now_ns() / 1000000), next = UINT64_MAX;

	for (uint32_t i = 0; i < head.n; i++)
		if (head.v[i].state == ARMED && head.v[i].deadline_ms < next)
			next = head.v[i].deadline_ms;
	if (next == UINT64_MAX)
		return;
	next = next <= now ? 0 : next - now > INT_MAX ? INT_MAX : next - now;
	if (c->tick_ms < 0 || (uint64_t)c->tick_ms > next)
		c->tick_ms = (int)next;
}

// Goes back to the oldest whose time is up; those above it go with it.
void checkpoint_tick(struct cell *c)
{
	uint64_t now = head.n > 0 ? (sys_now_ns() / 1000000) : 0;

	for (uint32_t i = 0; i < head.n; i++) {
		struct revert r = {.c = c};

		if (head.v[i].state != ARMED || head.v[i].deadline_ms > now)
			continue;
		go_back(&r, &head.v[i]);
		head.v[i].state = REVERTED;
		head.n = i + 1;
		head_write();
	}
	set_timer(c);
}

void checkpoint_start(struct cell *c)
{
	if (sys_checkpoints_read(&head, sizeof(head), 0) != 0 || memcmp(head.rows, rows_sha256, sizeof(head.rows)) != 0 || head.size != sizeof(head) ||
	    head.n > CHECKPOINTS_MAX)
		memset(&head, 0, sizeof(head));
	for (uint32_t i = 0; i < head.n; i++)
		if (head.v[i].place >= CHECKPOINTS_MAX)
			memset(&head, 0, sizeof(head));
	set_timer(c);
}

void checkpoint_note_sysctl(enum sysctl_key key, bool was)
{
	for (uint32_t i = 0; i < head.n; i++) {
		struct entry *e = &head.v[i];

		if ((e->touched >> key & 1) == 0)
			e->was |= (uint32_t)was << key;
		e->touched |= 1u << key;
	}
	if (head.n > 0)
		head_write();
}

// ---- operations ----------------------------------------------------------------------------------------------------------------------------

static struct entry *find(uint32_t id)
{
	for (uint32_t i = 0; i < head.n; i++)
		if (head.v[i].id == id)
			return &head.v[i];
	return NULL;
}

static uint32_t free_place(void)
{
	uint32_t taken = 0, place = 0;

	for (uint32_t i = 0; i < head.n; i++)
		taken |= 1u << head.v[i].place;
	while ((taken >> place & 1) != 0)
		place++;
	return place;
}

static int note(const struct cell *c, uint32_t id, uint64_t deadline_ms)
{
	struct entry e = {.id = id, .deadline_ms = deadline_ms, .place = free_place()};
	struct snapshot s;
	int err = snapshot_take(&c->policy.net, &s);

	e.nlinks = s.nlinks;
	e.naddresses = s.naddresses;
	e.nroutes = s.nroutes;
	e.nrecords = s.nrecords;
	if (err == 0)
		err = arrays(&e, &s, put);
	snapshot_free(&s);
	if (err != 0)
		return err;
	head.v[head.n++] = e;
	err = head_write();
	if (err != 0)
		head.n--;
	return err;
}

enum op_status op_checkpoint_arm(struct cell *c, const struct op_checkpoint_arm_args *a, const int *fds, struct op_checkpoint_arm_res *r,
                                 int *out_fds)
{
	uint64_t deadline = (sys_now_ns() / 1000000) + a->timeout_secs * UINT64_C(1000);
	struct entry *e = find(a->id);
	int err;

	(void)fds;
	(void)out_fds;
	if (e == NULL && head.n == CHECKPOINTS_MAX)
		return cell_fail(c, OPS_QUOTA, "checkpoints", 0);
	if (e != NULL && e->state != ARMED)
		return cell_fail(c, OPS_INVALID, "the checkpoint's time is up", 0);
	r->created = e == NULL;
	if (e != NULL)
		e->deadline_ms = deadline;
	err = e != NULL ? head_write() : note(c, a->id, deadline);
	return err == 0 ? OPS_OK : cell_fail_errno(c, "checkpoint", -err);
}

enum op_status op_checkpoint_confirm(struct cell *c, const struct op_checkpoint_confirm_args *a, const int *fds, struct op_checkpoint_confirm_res *r,
                                     int *out_fds)
{
	struct entry *e = find(a->id);
	struct head before = head;
	int err;

	(void)fds;
	(void)r;
	(void)out_fds;
	if (e == NULL)
		return cell_fail(c, OPS_NOT_FOUND, "checkpoint", 0);
	if (e->state != ARMED)
		return cell_fail(c, OPS_INVALID, "the checkpoint's time is up", 0);
	memmove(e, e + 1, (size_t)(&head.v[head.n] - (e + 1)) * sizeof(*e));
	head.n--;
	err = head_write();
	if (err == 0)
		return OPS_OK;
	head = before;
	return cell_fail_errno(c, "checkpoint", -err);
}

enum op_status op_checkpoint_revert(struct cell *c, const struct op_checkpoint_revert_args *a, const int *fds, struct op_checkpoint_revert_res *r,
                                    int *out_fds)
{
	struct entry *e = a->id == 0 && head.n > 0 ? &head.v[0] : find(a->id);
	struct revert back = {.c = c};

	(void)fds;
	(void)out_fds;
	if (e == NULL)
		return OPS_OK;
	go_back(&back, e);
	head.n = (uint32_t)(e - head.v);
	head_write();
	r->found = true;
	r->changed = back.changed;
	r->failed = back.failed;
	r->has_trouble = back.failed > 0;
	memcpy(r->trouble, back.trouble, sizeof(back.trouble));
	return OPS_OK;
}
