// Numbers of the descriptors that the net cell keeps for life, so that its filter can name them.  CELL_FD_EXTRA (7) is the tun
// directory, CELL_FD_CHECKPOINTS (30) the checkpoints' file; from NET_FD_LEASE on (helper/common/lease_fds.h) stand sockets of DHCP clients.
#ifndef HELPER_NET_FDS_H
#define HELPER_NET_FDS_H

#define NET_FD_IP4   8 // /proc/sys/net/ipv4
#define NET_FD_IP6   9 // /proc/sys/net/ipv6/conf/all; absent on a kernel without IPv6
#define NET_FD_CONF6 10 // /proc/sys/net/ipv6/conf; as above
#define NET_FD_ROUTE 20
#define NET_FD_NFT   21
#define NET_FD_EVENT 22 // hears of nftables' changes; for the daemon
#define NET_FD_REAPER 23 // the cell's end, or the reaper's, of the socket between them

#endif
