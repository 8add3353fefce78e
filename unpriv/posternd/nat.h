// Source translation: the rows of table snat, put into the kernel as a whole.
#ifndef POSTERN_POSTERND_NAT_H
#define POSTERN_POSTERND_NAT_H

#include "unpriv/posternd/helper_client.h"
#include "unpriv/posternd/store.h"
#include "unpriv/posternd/task.h"

#define NAT_ID 32 // bytes of a record's id, with its NUL

// The id of a translation: the same for the same tuple (and VM, or NULL), so that adding is idempotent.
void nat_id(const char *source, const char *out_interface, const char *to, const char *vm, char out[NAT_ID]);

// Asks for ip_forward of the source's family, as one step of a task.
void nat_ask_forward(struct task *t, const char *source);

// Everything that the firewall's table is to hold, by the rows that aren't PHASE_REMOVING.  The caller frees it.
struct fw_record *nat_expected(uint32_t *n);

// Replaces the firewall's table by what the rows that aren't PHASE_REMOVING say, as one step of a task.
void nat_ask_commit(struct task *t);

#endif
