// Lines that ovs-vswitchd prints over unixctl, taken apart. Text written for people, by versions to come too: what a line must have is named
// below, members that aren't known are passed over, and a line that isn't of its kind is false, and no entry. Texts point into the line, which is cut
// up for it.
#ifndef POSTERN_POSTERND_OVS_TEXT_H
#define POSTERN_POSTERND_OVS_TEXT_H

#include <stdbool.h>
#include <stdint.h>

// bridge/dump-flows: "[table_id=T, ]duration=Ns, n_packets=N, n_bytes=N, [priority=N,]MATCH,actions=ACTIONS". Must: n_packets, n_bytes, actions.
struct ovs_flow {
	uint32_t table;
	uint32_t priority; // 32768, OpenFlow's default, where it isn't said
	uint64_t duration; // seconds
	uint64_t packets, bytes;
	const char *match, *actions;
};
bool ovs_text_flow(char *line, struct ovs_flow *out);

// True for the flows that Open vSwitch made for itself: table 254, and priorities that OpenFlow's 16 bits don't have.
bool ovs_flow_hidden(const struct ovs_flow *f);

// dpctl/show: a datapath's name alone ("NAME:"), or one of the lines below it, which begin with two blanks.
enum ovs_show { OVS_SHOW_OTHER, OVS_SHOW_NAME, OVS_SHOW_LOOKUPS, OVS_SHOW_FLOWS, OVS_SHOW_PORT };
struct ovs_show_line {
	const char *name;           // of the datapath, or the port
	const char *type;           // of the port; "" where it isn't said
	uint64_t hit, missed, lost; // "lookups: hit:N missed:N lost:N"
	uint64_t number;            // of flows ("flows: N"), or of the port ("port N: NAME[ (TYPE…)]")
};
enum ovs_show ovs_text_show(char *line, struct ovs_show_line *out);

// dpctl/dump-flows: "MATCH, packets:N, bytes:N, used:Ns|never, …actions:ACTIONS". Must: packets, bytes, actions.
struct ovs_dp_flow {
	const char *match, *actions;
	uint64_t packets, bytes;
	bool used; // at all
	double used_secs;
};
bool ovs_text_dp_flow(char *line, struct ovs_dp_flow *out);

// The line above the flows of one thread, "flow-dump from …:"; the thread's name or core, or NULL.
const char *ovs_text_thread(char *line);

// dpctl/dump-conntrack -s: "PROTO,orig=(src=A,dst=A,…),reply=(…)[,zone=N][,mark=N][,timeout=N][,protoinfo=(state=S)]…". Must: both tuples with src
// and dst that are addresses of one family.
struct ovs_tuple {
	const char *src, *dst;
	bool has_sport, has_dport, has_id, has_type, has_code, has_packets, has_bytes;
	uint64_t sport, dport, id, type, code, packets, bytes;
};
struct ovs_conn_line {
	const char *proto, *state, *labels, *helper; // state, labels, helper: "" where there is none
	struct ovs_tuple orig, reply;
	bool has_timeout;
	uint64_t timeout, zone, mark;
};
bool ovs_text_conn(char *line, struct ovs_conn_line *out);

// dpctl/ct-stats-show: "    Total: N" is the count of all, proto NULL; "  PROTO: N" that of one.
bool ovs_text_count(char *line, const char **proto, uint64_t *n);

// dpctl/ct-get-limits: "default limit=N", zone -1; "zone=N,limit=N,count=N".
bool ovs_text_limit(char *line, int64_t *zone, uint64_t *limit, uint64_t *count);

// A decimal number, or one in hex behind 0x, to the end of the text.
bool ovs_text_number(const char *s, uint64_t *out);

#endif
