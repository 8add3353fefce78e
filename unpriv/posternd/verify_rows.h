// The comparisons that verify is made of: one row, or one thing of the kernel's, at a time.
#ifndef POSTERN_POSTERND_VERIFY_ROWS_H
#define POSTERN_POSTERND_VERIFY_ROWS_H

#include "unpriv/posternd/drift.h"
#include "unpriv/posternd/live.h"
#include "unpriv/posternd/store.h"

void verify_bridge(const struct live *k, const struct row_bridge *row, struct drift_list *out);
void verify_tap(const struct live *k, const struct row_tap *row, struct drift_list *out);
void verify_port(const struct live *k, const struct row_port *row, struct drift_list *out);
void verify_connection(const struct live *k, const struct row_connection *row, struct drift_list *out);
void verify_route(const struct live *k, const struct row_route *row, struct drift_list *out);

// A link, an address or a route that carries our mark, and that no row explains.
void verify_stray_link(const struct live_link *l, struct drift_list *out);
void verify_stray_addr(const struct live *k, const struct live_addr *a, struct drift_list *out);
void verify_stray_route(const struct live_route *r, struct drift_list *out);

// Forwarding, which translations need.  The ids of that drift:
#define VERIFY_FORWARD4 "net.ipv4.ip_forward"
#define VERIFY_FORWARD6 "net.ipv6.conf.all.forwarding"
void verify_sysctl(struct drift_list *out);

#endif
