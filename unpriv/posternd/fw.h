// Table inet postern as the rows want it: source translations (snat), port forwards (dnat) and firewall rules (allow).
//
// A row becomes a record, and a record an element of the kernel's table.  A change carries only the records that go and come; where the table
// isn't as it was believed to be (somebody flushed it, or it isn't there yet), everything is committed anew instead.
#ifndef POSTERN_POSTERND_FW_H
#define POSTERN_POSTERND_FW_H

#include "unpriv/posternd/helper_client.h"
#include "unpriv/posternd/store.h"
#include "unpriv/posternd/task.h"

#define FW_ID 32 // bytes of a record's id, with its NUL

// Ids: the same for the same tuple, so that adding is idempotent; a forward's for the same place, whatever its target.
void snat_id(const char *source, const char *out_interface, const char *to, const char *vm, char out[FW_ID]);
void dnat_id(const struct row_dnat *row, char out[FW_ID]);
void allow_id(const struct row_allow *row, char out[FW_ID]);

// The record of a row; false where the row makes no sense.
bool snat_record(const struct row_snat *row, struct fw_record *r);
bool dnat_record(const struct row_dnat *row, struct fw_record *r);
bool allow_record(const struct row_allow *row, struct fw_record *r);

// Everything that the table is to hold, by the rows that aren't PHASE_REMOVING; of translations that several owners asked for, or that lie within
// another, one.  The caller frees it.
struct fw_record *fw_expected(uint32_t *n);

// True while some row is just being made or removed: the table may hold it or not.
bool fw_in_flux(void);

// Records that go and records that come; zeroed it is empty.
struct fw_delta {
	struct fw_record *v; // those that go, then those that come
	uint32_t removes, adds;
};
void fw_delta_remove(struct fw_delta *d, const struct fw_record *r); // before any fw_delta_add
void fw_delta_add(struct fw_delta *d, const struct fw_record *r);
void fw_delta_finish(struct fw_delta *d);

// One step of a task: changes the table.  The rows must already say what is to be.
void fw_ask(struct task *t, const struct fw_delta *d);

// Behind that step: true when the table wasn't as believed, or the helper died, and all of it has been asked for instead; the step comes again.
bool fw_again(struct task *t, const struct fw_delta *d);

// One step of a task: commits the whole table, but for records that policy no longer allows.  d, which may be NULL, says whose connections end.
void fw_ask_all(struct task *t, const struct fw_delta *d);

// One step of a task: brings the source translations to what the rows say.  Behind it comes fw_again(t, NULL).
void fw_ask_snat(struct task *t);

// One step of a task: forwarding of a family, 4 or 6.
void fw_ask_forwarding(struct task *t, int family);

// True when some translation or forward of that family needs it.
bool fw_needs_forwarding(int family);

// The family of an address, or 0 where there is none.
int fw_family(const char *address);

// Puts the whole table back, for whoever finds that it is gone; ended, which may be NULL, hears how that went.
void fw_put_back(void (*ended)(void *arg, bool ok), void *arg);

#endif
