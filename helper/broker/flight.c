// Requests in flight and their rate.  See flight.h.
#include "helper/broker/flight.h"

#define SECOND UINT64_C(1000000000)

bool flight_room(const struct flights *f)
{
	return f->used < FLIGHTS;
}

struct flight *flight_add(struct flights *f, uint32_t id, enum op_id op)
{
	struct flight *place = NULL;

	for (unsigned i = 0; i < FLIGHTS; i++) {
		if (f->v[i].id == id)
			return NULL;
		if (f->v[i].id == 0 && place == NULL)
			place = &f->v[i];
	}
	if (place == NULL)
		return NULL;
	if (++f->next == 0)
		f->next = 1; // 0 says that a cell is ready
	*place = (struct flight){.id = id, .cell_id = f->next, .op = op};
	f->used++;
	return place;
}

struct flight *flight_find(struct flights *f, uint32_t cell_id)
{
	for (unsigned i = 0; i < FLIGHTS; i++)
		if (f->v[i].id != 0 && f->v[i].cell_id == cell_id)
			return &f->v[i];
	return NULL;
}

void flight_drop(struct flights *f, struct flight *one)
{
	one->id = 0;
	f->used--;
}

int rate_wait(const struct rate *r, uint64_t now_ns)
{
	if (r->due_ns <= now_ns + SECOND)
		return 0;
	return (int)((r->due_ns - now_ns - SECOND) / 1000000 + 1);
}

void rate_take(struct rate *r, uint64_t now_ns)
{
	if (r->due_ns < now_ns)
		r->due_ns = now_ns;
	r->due_ns += SECOND / r->per_second;
}
