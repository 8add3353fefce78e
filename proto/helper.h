// The daemon-to-helper conversation, from the rows of helper.def: operation numbers, argument and result structs, and the table op_rows.
//
// posternd packs a struct op_<id>_args; the broker decodes the packet into the same struct, and hands it, whole and fixed in size, to the
// cell.  A request is [id, op, {args}], an answer [id, status, {results}] or, where status isn't OPS_OK, [id, status, {failure}].
// The first packet each way is a hello: [0, version, {rows: sha256 of the rows}].
#ifndef PROTO_HELPER_H
#define PROTO_HELPER_H

#include "proto/wire.h"

#define HELPER_PROTOCOL 1u
#define HELPER_MAX_PACKET 65536u  // bytes
#define HELPER_MAX_FDS 4u

enum op_id {
#define OP(id, cell, cap, doc, why) OP_##id,
#include "proto/helper.def"
	OP_COUNT
};

enum op_cell { CELL_NET, CELL_VOL, CELL_JAIL, CELL_SPAWN, CELL_COUNT };

enum op_status {
	OPS_OK,
	OPS_DENIED,  // the policy, or ownership, says no: rule names what
	OPS_NOT_FOUND,
	OPS_EXISTS,
	OPS_BUSY,
	OPS_PENDING,  // a jail or socket that isn't there yet
	OPS_INVALID,  // well-formed, but arguments contradict each other
	OPS_UNSUPPORTED,
	OPS_QUOTA,
	OPS_IO,  // the kernel refused: see err
	OPS_COUNT
};

// What a failed operation says.
struct op_failure {
	bool has_err;
	wire_u32 err;  // errno, 0 where no system call failed
	bool has_rule;
	wire_text rule;  // policy keyword, ownership mark or step that refused; a constant of the helper
};

struct helper_hello {
	bool has_rows;
	wire_hash rows;  // SHA-256 of the rows as built
};

// A descriptor's kind is checked by the broker (fstat, F_GETFL, F_GET_SEALS) and again by the cell.
enum fd_kind {
	FD_SEALED_MEMFD,  // memfd sealed against write, grow and shrink
	FD_REGULAR,       // regular file
	FD_TAP,           // queue of a tap: character device 10:200
};

// rtm_protocol of our routes and IFA_PROTO of our addresses: 'p'.  Neither the kernel nor iproute2's rt_protos gives it to anybody else.
#define OUR_PROTOCOL 0x70u
#define ROUTE_METRIC6 1024u // what the kernel makes of an IPv6 route's metric of 0

enum link_kind { LINK_BRIDGE, LINK_VETH, LINK_KIND_MAX = LINK_VETH };
enum sysctl_key { SYSCTL_IP_FORWARD, SYSCTL_IP6_FORWARD, SYSCTL_MAX = SYSCTL_IP6_FORWARD };
enum fstype { FSTYPE_EXT4, FSTYPE_BTRFS, FSTYPE_VFAT, FSTYPE_XFS, FSTYPE_MAX = FSTYPE_XFS };
enum mount_option {
	MOUNT_NOATIME = 1u << 0,
	MOUNT_NODIRATIME = 1u << 1,
	MOUNT_DISCARD = 1u << 2,   // ext4, btrfs, vfat, xfs
	MOUNT_COMPRESS_ZSTD = 1u << 3,  // btrfs
	MOUNT_DEGRADED = 1u << 4,  // btrfs
};
enum vmm_kind { VMM_CLOUD_HYPERVISOR, VMM_FIRECRACKER, VMM_QEMU, VMM_MAX = VMM_QEMU };
enum ovs_door { OVS_DATABASE, OVS_SWITCH, OVS_DOOR_MAX = OVS_SWITCH };  // of Open vSwitch: the socket of ovsdb-server, and that of ovs-vswitchd
enum jail_slot { SLOT_KERNEL, SLOT_INITRD, SLOT_DISK0, SLOT_MAX = SLOT_DISK0 + 7 };

// One thing that table inet postern does; fw_commit, fw_change and fw_list carry arrays of these.  What a kind doesn't use is zero.
enum fw_kind {
	FW_MASQUERADE,  // packets from `source` that leave by `interface` (empty: by any of the policy's uplinks) get that link's address
	FW_SNAT,        // … get the address `to`
	FW_DNAT,        // what comes for `proto`, `port_lo`, here (or to `host`), by any link (or `interface`), from anywhere (or `source`), goes to `to`, `to_port`
	FW_ALLOW,       // `proto`, `port_lo` to `port_hi`, by any link (or `interface`), from anywhere (or `source`) is let in; ICMP and ICMPv6 have no ports
	FW_KIND_MAX = FW_ALLOW
};
struct fw_record {
	uint32_t kind;            // enum fw_kind
	struct wire_addr source;  // family 0: any
	struct wire_addr to;      // prefix 32 or 128
	struct wire_addr host;    // prefix 32 or 128; family 0: any address of this host
	uint8_t proto;            // IPPROTO_TCP, UDP, SCTP, ICMP or ICMPV6
	uint8_t reserved;
	uint16_t port_lo, port_hi;  // FW_DNAT: port_hi is zero
	uint16_t to_port;
	uint16_t reserved2;
	char interface[16];
	char comment[32];         // printable; the id that nft shows
};

// Most bytes that an answer carries in its one field of kind `bytes`.
#define HELPER_MAX_BYTES 61440u

enum ct_family { CT_FAMILY_4, CT_FAMILY_6, CT_FAMILY_MAX = CT_FAMILY_6 };

// What a connection's packets of one direction carry.
struct ct_side {
	uint8_t src[16], dst[16];  // network byte order; IPv4 in the first 4 bytes, the rest zero
	uint64_t packets, bytes;   // with CT_COUNTERS
	uint16_t sport, dport;     // with CT_PORTS; with CT_ICMP: id of the echo, and type << 8 | code
	uint32_t none_;
};

enum ct_has {
	CT_PORTS = 1u << 0,
	CT_ICMP = 1u << 1,
	CT_COUNTERS = 1u << 2,
	CT_STATE = 1u << 3,
	CT_TIMEOUT = 1u << 4,
};

// What conntrack_read streams: one entry.
struct ct_record {
	uint32_t id;       // the kernel's, as conntrack -o id shows it
	uint32_t status;   // bits IPS_…
	uint32_t timeout;  // seconds left; with CT_TIMEOUT
	uint32_t mark;
	uint16_t zone;
	uint8_t family;    // 4 or 6
	uint8_t proto;     // IPPROTO_…
	uint8_t state;     // enum tcp_conntrack, sctp_conntrack or ct_dccp_states; with CT_STATE
	uint8_t has;       // bits of enum ct_has
	uint16_t none_;
	struct ct_side orig, reply;
};

// What conntrack_flush streams: how far it has come since its last record.
struct ct_flushed {
	uint32_t read;     // entries looked at
	uint32_t removed;  // of those, deleted; with count_only, that would be
};

// What conntrack_stats streams: one processor's counters, as conntrack -S names them.
struct ct_cpu {
	uint32_t cpu;
	uint32_t found, invalid, insert, insert_failed, drop, early_drop, error, search_restart, clash_resolve, chain_toolong;
};

// FW_READ_GENERATION: one message, NFT_MSG_NEWGEN.
enum fw_read { FW_READ_GENERATION, FW_READ_TABLES, FW_READ_CHAINS, FW_READ_RULES, FW_READ_SETS, FW_READ_ELEMENTS, FW_READ_MAX = FW_READ_ELEMENTS };

#define OP(id, cell, cap, doc, why) struct op_##id##_args { uint8_t none_;
#define ARG(id, kind, name, need, min, max, doc) bool has_##name; wire_##kind name;
#define END_OP(id) };
#include "proto/helper.def"

#define OP(id, cell, cap, doc, why) struct op_##id##_res { uint8_t none_;
#define RES(id, kind, name, need, doc) bool has_##name; wire_##kind name;
#define END_OP(id) };
#include "proto/helper.def"

union op_args {
#define OP(id, cell, cap, doc, why) struct op_##id##_args id;
#include "proto/helper.def"
};

union op_res {
#define OP(id, cell, cap, doc, why) struct op_##id##_res id;
#include "proto/helper.def"
};

// Positions of an operation's descriptors: FD_<op>_<name>, RESFD_<op>_<name>.
#define OP(id, cell, cap, doc, why) enum { FDS_##id##_first_ = -1,
#define FD(id, name, fdkind, need, doc) FD_##id##_##name,
#define END_OP(id) FDS_##id##_COUNT };
#include "proto/helper.def"

#define OP(id, cell, cap, doc, why) enum { RESFDS_##id##_first_ = -1,
#define RESFD(id, name, doc) RESFD_##id##_##name,
#define END_OP(id) RESFDS_##id##_COUNT };
#include "proto/helper.def"

struct op_fd {
	const char *name;  // NULL ends a list
	enum fd_kind kind;
	enum wire_need need;
	const char *doc;
};

struct op_row {
	const char *name;
	enum op_cell cell;
	const char *capability;
	const char *doc;
	const char *why_safe;
	const struct wire_field *args;
	size_t nargs;
	const struct op_fd *fds;  // required ones first
	size_t nfds;
	size_t nresfds;           // most descriptors an answer carries
	const struct wire_field *res;
	size_t nres;
	size_t args_size;
	size_t res_size;
};

extern const struct op_row op_rows[OP_COUNT];
extern const struct wire_field op_failure_fields[2];
extern const struct wire_field helper_hello_fields[1];
extern const uint8_t rows_sha256[32];

// The name of a status, for logs and messages.
const char *op_status_name(enum op_status s);

#endif
