// Listings of nftables' rules that are held between their pages.
#ifndef POSTERN_POSTERND_FIREWALL_H
#define POSTERN_POSTERND_FIREWALL_H

// Drops them.
void firewall_stop(void);

#endif
