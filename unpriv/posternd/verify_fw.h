// The firewall's part of a comparison: what the rows make of table inet postern, and what the helper reads in it.
#ifndef POSTERN_POSTERND_VERIFY_FW_H
#define POSTERN_POSTERND_VERIFY_FW_H

#include "unpriv/posternd/drift.h"
#include "unpriv/posternd/helper_client.h"

struct verify_fw;

// Takes the helper's answer to fw_list; NULL where it couldn't be read, or where rows are on their way and it can't be judged.
struct verify_fw *verify_fw_create(const struct priv_reply *r);
void verify_fw_destroy(struct verify_fw *f);

// The next few records; false after the last.
bool verify_fw_step(struct verify_fw *f, struct drift_list *out);

#endif
