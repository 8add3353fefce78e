// An entry of connection tracking as JSON.  A table may have a million: nothing is allocated, and IPv4 addresses are written by hand.
#include <arpa/inet.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "unpriv/posternd/conntrack.h"
#include "unpriv/posternd/rows_write.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

// As conntrack(8) names them.
static const char *const tcp[] = {"NONE",     "SYN_SENT",  "SYN_RECV", "ESTABLISHED", "FIN_WAIT", "CLOSE_WAIT",
                                  "LAST_ACK", "TIME_WAIT", "CLOSE",    "SYN_SENT2",   "MAX",      "IGNORE"};
static const char *const sctp[] = {"NONE",          "CLOSED",        "COOKIE_WAIT",       "COOKIE_ECHOED",  "ESTABLISHED",
                                   "SHUTDOWN_SENT", "SHUTDOWN_RECD", "SHUTDOWN_ACK_SENT", "HEARTBEAT_SENT", "HEARTBEAT_ACKED"};
static const char *const dccp[] = {"NONE", "REQUEST", "RESPOND", "PARTOPEN", "OPEN", "CLOSEREQ", "CLOSING", "TIMEWAIT", "IGNORE", "INVALID"};

#define NAME_OF(names, i) ((i) < COUNT(names) ? (names)[i] : "unknown")

static const char *state(const struct ct_record *r)
{
	switch (r->proto) {
	case IPPROTO_TCP: return NAME_OF(tcp, r->state);
	case IPPROTO_SCTP: return NAME_OF(sctp, r->state);
	case IPPROTO_DCCP: return NAME_OF(dccp, r->state);
	default: return "unknown";
	}
}

static const char *proto(uint8_t number, char digits[4])
{
	switch (number) {
	case IPPROTO_ICMP: return "icmp";
	case IPPROTO_IGMP: return "igmp";
	case IPPROTO_TCP: return "tcp";
	case IPPROTO_UDP: return "udp";
	case IPPROTO_DCCP: return "dccp";
	case IPPROTO_GRE: return "gre";
	case IPPROTO_ICMPV6: return "icmpv6";
	case IPPROTO_SCTP: return "sctp";
	case IPPROTO_UDPLITE: return "udplite";
	default: snprintf(digits, 4, "%u", number); return digits;
	}
}

static char *decimal(char *out, unsigned v)
{
	if (v >= 100)
		*out++ = (char)('0' + v / 100);
	if (v >= 10)
		*out++ = (char)('0' + v / 10 % 10);
	*out++ = (char)('0' + v % 10);
	return out;
}

static const char *ip(const struct ct_record *r, const uint8_t *a, char out[INET6_ADDRSTRLEN])
{
	char *p = out;

	if (r->family == 6)
		return inet_ntop(AF_INET6, a, out, INET6_ADDRSTRLEN);
	for (unsigned i = 0; i < 4; i++) {
		p = decimal(p, a[i]);
		*p++ = i < 3 ? '.' : '\0';
	}
	return out;
}

static struct obj_ct_side side(const struct ct_record *r, const struct ct_side *s, char text[2][INET6_ADDRSTRLEN])
{
	bool ports = (r->has & CT_PORTS) != 0, icmp = (r->has & CT_ICMP) != 0, counters = (r->has & CT_COUNTERS) != 0;

	return (struct obj_ct_side){
	    .src = ip(r, s->src, text[0]),
	    .dst = ip(r, s->dst, text[1]),
	    .has_sport = ports,
	    .sport = s->sport,
	    .has_dport = ports,
	    .dport = s->dport,
	    .has_icmp_id = icmp,
	    .icmp_id = s->sport,
	    .has_icmp_type = icmp,
	    .icmp_type = s->dport >> 8,
	    .has_icmp_code = icmp,
	    .icmp_code = s->dport & 255,
	    .has_packets = counters,
	    .packets = (int64_t)s->packets,
	    .has_bytes = counters,
	    .bytes = (int64_t)s->bytes,
	};
}

void conntrack_write(const struct ct_record *r, struct text *out)
{
	char texts[2][2][INET6_ADDRSTRLEN], id[12], number[4];
	struct obj_ct_entry e = {
	    .id = id,
	    .family = r->family == 6 ? "inet6" : "inet",
	    .proto = proto(r->proto, number),
	    .has_state = (r->has & CT_STATE) != 0,
	    .state = state(r),
	    .has_timeout = (r->has & CT_TIMEOUT) != 0,
	    .timeout = r->timeout,
	    .zone = r->zone,
	    .mark = r->mark,
	    .orig = side(r, &r->orig, texts[0]),
	    .reply = side(r, &r->reply, texts[1]),
	    .assured = (r->status & IPS_ASSURED) != 0,
	    .replied = (r->status & IPS_SEEN_REPLY) != 0,
	    .offloaded = (r->status & (IPS_OFFLOAD | IPS_HW_OFFLOAD)) != 0,
	};

	snprintf(id, sizeof(id), "%u", r->id);
	rows_write_value(out, KIND_ct_entry, &e);
}
