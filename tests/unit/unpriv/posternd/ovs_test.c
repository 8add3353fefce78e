// LINK: unpriv/posternd/ovs_conn.o unpriv/posternd/ovsdb.o unpriv/posternd/ovsdb_row.o unpriv/posternd/ovs_ctl.o unpriv/posternd/jcut.o unpriv/posternd/ovs_text.o
// LINK: unpriv/posternd/ovs_text_ct.o unpriv/posternd/mem.o unpriv/posternd/text.o unpriv/posternd/utf8.o unpriv/common/log.o
// LIBS: -levent_core -ljansson
// The clients of Open vSwitch, whose side is played here, kindly and not: answers in pieces, out of turn, endless, malformed, none. And the lines that it
// prints, right and wrong.
#include <errno.h>
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/lib/test.h"
#include "unpriv/posternd/daemon.h"
#include "unpriv/posternd/helper_client.h"
#include "unpriv/posternd/ovs_ctl.h"
#include "unpriv/posternd/ovs_text.h"
#include "unpriv/posternd/ovsdb.h"
#include "unpriv/posternd/task.h"

static struct event_base *base;
static int server = -1;        // Open vSwitch's end of the connection made last
static unsigned opened;        // connections asked of the helper
static enum op_status refusal; // what the helper answers instead
static const char *rule;

// ---- the seam ----
struct event_base *daemon_base(void) { return base; }
uint64_t now_ns(void) { return 0; }
const char *priv_error(const struct priv_reply *r) { return r->rule; }
enum fail_kind priv_fail_kind(const struct priv_reply *r) { return r->status == OPS_DENIED ? FAIL_DENIED_BY_POLICY : FAIL_IO; }
void fail_with(struct request *rq, const struct failure *f) { (void)rq, (void)f; }

int priv_take(const struct priv_reply *r, unsigned i)
{
	int fd = r->fds[i];
	r->fds[i] = -1;
	return fd;
}

struct asked {
	priv_cb *done;
	void *arg;
};

static void on_answer(evutil_socket_t fd, short what, void *arg)
{
	struct asked *q = arg;
	int ends[2] = {-1, -1};
	struct priv_reply r = {.op = OP_ovs_socket, .status = refusal, .rule = rule, .fds = ends};

	(void)fd, (void)what;
	if (refusal == OPS_OK && socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) != 0)
		abort();
	if (server >= 0)
		close(server);
	server = ends[1];
	q->done(q->arg, &r);
	free(q);
}

int priv_call(enum op_id op, const void *args, const int *fds, priv_cb *done_, void *arg)
{
	struct asked *q = malloc(sizeof *q);

	(void)op, (void)args, (void)fds;
	opened++;
	*q = (struct asked){done_, arg};
	event_base_once(base, -1, EV_TIMEOUT, on_answer, q, &(struct timeval){0});
	return 0;
}

// ---- the other side ----
static char heard[350];

static void turn(void)
{
	for (int i = 0; base != NULL && i < 10; i++)
		event_base_loop(base, EVLOOP_NONBLOCK);
}

// What was said since.
static const char *hear(void)
{
	turn();
	ssize_t n = server >= 0 ? recv(server, heard, sizeof heard - 1, 0) : 0;
	heard[n > 0 ? n : 0] = '\0';
	return heard;
}

static void say(const char *text)
{
	for (size_t at = 0, len = strlen(text); at < len;) {
		ssize_t n = send(server, text + at, len - at, MSG_NOSIGNAL);
		if (n < 0 && errno != EAGAIN)
			return; // it hung up
		at += n > 0 ? (size_t)n : 0;
		turn();
	}
	turn();
}

static void say_slowly(const char *text)
{
	for (; *text != '\0'; text++)
		say((char[2]){*text, '\0'});
}

static void hang_up(void)
{
	close(server);
	server = -1;
	turn();
}

// ---- the database ----
static char rows[200];
static unsigned done;
static struct ovs_end last;
static char detail[200];

static void on_row(void *arg, unsigned op, const json_t *row)
{
	(void)arg;
	snprintf(rows + strlen(rows), sizeof rows - strlen(rows), "%u:%s ", op, ovsdb_text(row, "name"));
}

static void keep_end(const struct ovs_end *e)
{
	done++;
	last = *e;
	snprintf(detail, sizeof detail, "%s", e->fail.detail ? e->fail.detail : "");
}

static void on_done(void *arg, const struct ovs_end *e, const json_t *results)
{
	(void)arg, (void)results;
	keep_end(e);
}

static void fresh(void)
{
	ovsdb_stop();
	ovs_ctl_stop();
	turn();
	if (base != NULL)
		event_base_free(base);
	base = event_base_new();
	if (server >= 0)
		close(server);
	server = -1;
	opened = done = 0;
	rows[0] = detail[0] = '\0';
	refusal = OPS_OK;
	rule = "";
	last = (struct ovs_end){0};
}

static void ask(bool write)
{
	struct ovsdb_ask q = {.write = write, .row = on_row, .done = on_done};

	text_lit(&q.ops, "{\"op\":\"select\"}");
	ovsdb_ask(&q);
	hear();
}

TEST("a question goes out whole, and its rows come one by one, however the answer is cut")
{
	fresh();
	ask(false);
	CHECK_STR(heard, "{\"id\":1,\"method\":\"transact\",\"params\":[\"Open_vSwitch\",{\"op\":\"select\"}]}");
	say_slowly("{\"result\":[{\"rows\":[{\"name\":\"a\"} , {\"name\":\"b\"}]},{\"rows\":[]},{\"rows\":[{\"name\":[\"set\",[\"c\\n\"]]}]}], \"id\":1,\"error\":null}");
	CHECK_STR(rows, "0:a 0:b 2:c\n ");
	CHECK(done == 1 && last.ok);
}

TEST("one connection serves all, one question after the other, and answers when it is asked whether it is there")
{
	fresh();
	ask(false);
	ask(false);
	CHECK_STR(heard, ""); // the second waits
	say("{\"method\":\"echo\",\"params\":[\"x\"],\"id\":\"echo\"}");
	CHECK_STR(hear(), "{\"id\":\"echo\",\"result\":[\"x\"],\"error\":null}");
	unsigned long id = 0;
	say("{\"method\":\"update\",\"params\":[],\"id\":null}"); // nobody asked: passed over
	ask(false);
	CHECK(done == 0);
	for (unsigned i = 0; i < 3; i++) {
		char answer[64];
		id = id == 0 ? 2 : id + 1;
		snprintf(answer, sizeof answer, "{\"id\":%lu,\"result\":[{\"rows\":[]}],\"error\":null}", id);
		say(answer);
		hear();
	}
	CHECK_INT(done, 3);
	CHECK_INT(opened, 1);
}

TEST("a failed operation is told with what the database says of it")
{
	fresh();
	ask(true);
	say("{\"id\":5,\"result\":[{},{\"error\":\"constraint violation\",\"details\":\"twice\"},null],\"error\":null}");
	CHECK(done == 1 && last.refused && !last.ok);
	CHECK_STR(detail, "constraint violation: twice");
	ask(true);
	say("{\"id\":6,\"result\":null,\"error\":{\"error\":\"unknown database\"}}");
	CHECK(done == 2 && last.refused);
	CHECK_INT(opened, 1);
}

TEST("a reading question whose connection went is asked once more; a writing one, or one whose answer had begun, isn't")
{
	fresh();
	ask(false);
	hang_up();
	CHECK(done == 0 && opened == 2 && strstr(hear(), "transact") != NULL);
	hang_up();
	CHECK(done == 1 && last.fail.kind == FAIL_IO);
	ask(false);
	say("{\"result\":[{\"rows\":[{\"name\":\"a\"},");
	hang_up();
	CHECK(done == 2 && last.fail.kind == FAIL_IO);
	ask(true);
	hang_up();
	CHECK(done == 3 && last.fail.kind == FAIL_INTERRUPTED && last.fail.hint != NULL);
}

TEST("whatever is no answer ends the connection and the question")
{
	static const char *const bad[] = {
	    "[]",
	    "x",
	    "{]",
	    "{\"id\":1,\"result\":[{\"rows\":[1]}]}",
	    "{\"id\":1,\"result\":[{\"rows\":[[]]}]}",
	    "{\"id\":1,\"result\":[{\"rows\":[{\"a\":1,\"a\":2}]}],\"error\":null}",
	    "{\"id\":1,\"result\":[{\"rows\":[{a}]}],\"error\":null}",
	    "{\"id\":1,\"id\":1,\"result\":[]}",
	    "{\"id\":99999,\"result\":[]}",
	    "{\"id\":\"1\",\"result\":[]}",
	    "{\"result\":[]}",
	    "{}",
	    "{\"a\":\"\\q\"}",
	    "{\"a\":[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[",
	};

	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		fresh();
		ask(true);
		say(bad[i]);
		if (done != 1 || last.ok)
			FAIL("%s is taken", bad[i]);
	}
}

TEST("an answer that never ends is given up, in a message, in a row and in strings")
{
	static const char *const begin[] = {"{\"a\":\"", "{\"id\":1,\"result\":[{\"rows\":[{\"name\":\"", "{\"id\":1,\"result\":[{\"x\":[["};
	static char much[16385];

	memset(much, 'y', sizeof much - 1);
	for (size_t i = 0; i < sizeof begin / sizeof *begin; i++) {
		fresh();
		ask(true);
		say(begin[i]);
		for (int n = 0; n < 100 && done == 0; n++)
			say(much);
		CHECK(done == 1 && !last.ok);
	}
}

TEST("where the helper says no, all who wait are told why, and which word the policy lacks")
{
	fresh();
	refusal = OPS_DENIED;
	rule = "ovs directory";
	ask(false);
	CHECK(done == 1 && last.fail.kind == FAIL_DENIED_BY_POLICY && strstr(last.fail.hint, "root") != NULL);
	refusal = OPS_UNSUPPORTED;
	rule = "ovs";
	ask(false);
	CHECK(done == 2 && last.fail.kind == FAIL_UNSUPPORTED && strstr(last.fail.hint, "Install") != NULL);
}

TEST("a connection that an older helper opened isn't used for the next question")
{
	fresh();
	ask(false);
	ovsdb_helper_gone();
	char answer[64];
	unsigned id = 0;
	CHECK(sscanf(heard, "{\"id\":%u", &id) == 1);
	snprintf(answer, sizeof answer, "{\"id\":%u,\"result\":[],\"error\":null}", id);
	say(answer);
	CHECK(done == 1 && last.ok && opened == 1);
	ask(false);
	CHECK_INT(opened, 2);
	ovsdb_helper_gone();
}

TEST("more questions than may wait are refused, and asked for again")
{
	fresh();
	for (int i = 0; i < OVSDB_WAITING; i++)
		ask(false);
	CHECK_INT(done, 0);
	ask(false);
	CHECK(done == 1 && last.fail.kind == FAIL_BUSY);
}

TEST("what is under way when the daemon ends is dropped, and nobody is told")
{
	fresh();
	ask(false);
	struct ovsdb_ask q = {.row = on_row, .done = on_done};
	text_lit(&q.ops, "{}");
	ovsdb_ask(&q);
	ovsdb_stop();
	turn();
	CHECK_INT(done, 0);
	ovsdb_ask(&(struct ovsdb_ask){.row = on_row, .done = on_done}); // while the helper is still asked
	ovsdb_stop();
	turn();
	CHECK_INT(done, 0);
}

// ---- the switch ----
static struct ovs_ctl *session;
static bool closes;

static void on_line(void *arg, char *line)
{
	(void)arg;
	snprintf(rows + strlen(rows), sizeof rows - strlen(rows), "<%.20s>", line);
}

static void on_command_done(void *arg, const struct ovs_end *e)
{
	(void)arg;
	keep_end(e);
	if (closes)
		ovs_ctl_close(session);
}

static void command(const char *name, const char *arg)
{
	session = session != NULL ? session : ovs_ctl_open();
	ovs_ctl_ask(session, &(struct ovs_ctl_ask){.command = name, .args = {arg}, .line = on_line, .done = on_command_done});
	hear();
}

static void fresh_session(void)
{
	fresh();
	session = NULL;
	closes = false;
}

TEST("a command's text comes line by line, however it is cut and escaped, and the next one goes over the same connection")
{
	fresh_session();
	command("x/y", "a\"b");
	CHECK_STR(heard, "{\"id\":0,\"method\":\"x/y\",\"params\":[\"a\\\"b\"]}");
	say_slowly("{\"id\":0,\"result\":\"one\\ntwo \\u00e9\\ud83d\\ude00\\t\\\"\\\\\\/\\n\\nlast\\u0000\",\"error\":null}\n");
	CHECK_STR(rows, "<one><two \xc3\xa9\xf0\x9f\x98\x80\t\"\\/><><last?>");
	CHECK(done == 1 && last.ok);
	command("z", NULL);
	CHECK_STR(heard, "{\"id\":0,\"method\":\"z\",\"params\":[]}");
	say("{\"error\":\"it can't\\nreally\",\"id\":0,\"result\":null}");
	CHECK(done == 2 && last.refused);
	CHECK_STR(detail, "it can't");
	CHECK_INT(opened, 1);
	ovs_ctl_close(session);
}

TEST("a line that never ends, half an answer, one that is none and one that nobody asked for end the session; it answers the same from then on")
{
	static char much[16385];
	static const char *const bad[] = {"{\"id\":0,\"result\":\"a\\u12g4\"}", "{\"id\":0,\"result\":\"a\\x\"}", "{\"id\":0,\"result\":\"a\nb\"}", "{\"id\":0}", "[]",
	                                  "{\"id\":0,\"result\":\"ok\",\"error\":null}{\"id\":0,\"result\":\"again\",\"error\":null}"};

	memset(much, 'y', sizeof much - 1);
	fresh_session();
	command("x", NULL);
	say("{\"id\":0,\"result\":\"");
	for (int i = 0; i < 10 && done == 0; i++)
		say(much);
	CHECK(done == 1 && !last.ok && !last.refused);
	command("x", NULL);
	CHECK(done == 2 && !last.ok && opened == 1);
	ovs_ctl_close(session);
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		fresh_session();
		command("x", NULL);
		say(bad[i]);
		command("y", NULL);
		if (last.ok || done != 2)
			FAIL("%s is taken", bad[i]);
		ovs_ctl_close(session);
	}
	fresh_session();
	command("x", NULL);
	say("{\"id\":0,\"result\":\"one\\ntw");
	hang_up();
	CHECK(done == 1 && last.fail.kind == FAIL_IO);
	ovs_ctl_close(session);
}

TEST("a session may be closed by who was answered, and with an answer under way")
{
	fresh_session();
	closes = true;
	command("x", NULL);
	say("{\"id\":0,\"result\":\"one\",\"error\":null}{\"id\":0,\"result\":\"two\",\"error\":null}");
	CHECK_INT(done, 1);
	CHECK_STR(rows, "<one>");
	fresh_session();
	command("x", NULL);
	say("{\"id\":0,\"result\":\"one\\nt");
	ovs_ctl_close(session);
	say("wo\"}");
	CHECK_INT(done, 0);
}

TEST("sessions beyond the limit are refused when they ask, and those that were there go on")
{
	struct ovs_ctl *many[OVS_CTL_SESSIONS];

	fresh_session();
	for (int i = 0; i < OVS_CTL_SESSIONS; i++)
		many[i] = ovs_ctl_open();
	command("x", NULL);
	CHECK(done == 1 && last.fail.kind == FAIL_BUSY);
	ovs_ctl_close(session);
	for (int i = 0; i < OVS_CTL_SESSIONS; i++)
		ovs_ctl_close(many[i]);
	session = NULL;
	command("x", NULL);
	CHECK(strstr(heard, "\"x\"") != NULL);
	ovs_ctl_close(session);
}

// ---- lines ----
static char line[512];

static char *of(const char *text)
{
	snprintf(line, sizeof line, "%s", text);
	return line;
}

TEST("flows: what each member is, OpenFlow's default priority where none is said, and members of later versions are passed over")
{
	struct ovs_flow f;

	CHECK(ovs_text_flow(of("table_id=1, duration=62s, n_packets=3, n_bytes=4, priority=100,tcp,nw_src=10.0.0.0/8,tp_dst=80,actions=ct(commit,nat(src=1.2.3.4)),output:1"), &f));
	CHECK(f.table == 1 && f.duration == 62 && f.packets == 3 && f.bytes == 4 && f.priority == 100);
	CHECK_STR(f.match, "tcp,nw_src=10.0.0.0/8,tp_dst=80");
	CHECK_STR(f.actions, "ct(commit,nat(src=1.2.3.4)),output:1");
	CHECK(ovs_text_flow(of("duration=1s, n_packets=0, n_bytes=0, new=5, ,actions=NORMAL"), &f));
	CHECK(f.table == 0 && f.priority == 32768);
	CHECK_STR(f.match, "");
	CHECK(ovs_text_flow(of("duration=1.5s, n_packets=0, n_bytes=0, priority=0,actions=drop"), &f) && f.priority == 0);
	CHECK_STR(f.match, "");
	CHECK(ovs_text_flow(of("duration=1s, n_packets=0, n_bytes=0, arp,actions=learn(table=7, x), drop"), &f));
	CHECK_STR(f.match, "arp");
	CHECK_STR(f.actions, "learn(table=7, x), drop");
	CHECK(ovs_text_flow(of("table_id=254, duration=1s, n_packets=0, n_bytes=0, priority=2,actions=drop"), &f) && ovs_flow_hidden(&f));
	CHECK(ovs_text_flow(of("duration=1s, n_packets=0, n_bytes=0, priority=180001,actions=drop"), &f) && ovs_flow_hidden(&f));
}

TEST("flows: a line that lacks what it must have, or holds a number that is none, is no flow")
{
	static const char *const bad[] = {"", "actions=drop", "n_packets=1, actions=drop", "n_packets=1, n_bytes=2, tcp", "n_packets=-1, n_bytes=2, actions=drop",
	                                  "n_packets=1, n_bytes=99999999999999999999, actions=drop", "table_id=256, n_packets=1, n_bytes=2, actions=drop",
	                                  "n_packets=1, n_bytes=2, priority=x,actions=drop", "n_packets=1, n_bytes=2, priority=4294967296,actions=drop", "Unknown bridge"};
	struct ovs_flow f;

	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		if (ovs_text_flow(of(bad[i]), &f))
			FAIL("\"%s\" is a flow", bad[i]);
}

TEST("datapaths: names, counters, ports with their types, and lines that aren't known are none of these")
{
	struct ovs_show_line s;

	CHECK_INT(ovs_text_show(of("system@ovs-system:"), &s), OVS_SHOW_NAME);
	CHECK_STR(s.name, "system@ovs-system");
	CHECK_INT(ovs_text_show(of("  lookups: hit:4 missed:8 lost:1"), &s), OVS_SHOW_LOOKUPS);
	CHECK(s.hit == 4 && s.missed == 8 && s.lost == 1);
	CHECK_INT(ovs_text_show(of("  flows: 7"), &s), OVS_SHOW_FLOWS);
	CHECK_INT(ovs_text_show(of("  port 3: vxlan_sys_4789 (vxlan: packet_type=ptap)"), &s), OVS_SHOW_PORT);
	CHECK(s.number == 3);
	CHECK_STR(s.name, "vxlan_sys_4789");
	CHECK_STR(s.type, "vxlan");
	CHECK_INT(ovs_text_show(of("  port 0: ovs-netdev (tap)"), &s), OVS_SHOW_PORT);
	CHECK_STR(s.type, "tap");
	CHECK_INT(ovs_text_show(of("  port 9: eth0"), &s), OVS_SHOW_PORT);
	CHECK_STR(s.type, "");
	static const char *const other[] = {"", ":", "  masks: hit:1 total:2 hit/pkt:0.5", "    RX packets:0 errors:0", "  port x: eth0", "  port 3:", "  flows: many", "  lookups: hit:4"};
	for (size_t i = 0; i < sizeof other / sizeof *other; i++)
		CHECK_INT(ovs_text_show(of(other[i]), &s), OVS_SHOW_OTHER);
}

TEST("datapath flows: used or never, flags passed over; the thread's line is the thread's")
{
	struct ovs_dp_flow f;

	CHECK(ovs_text_dp_flow(of("recirc_id(0),in_port(3),ipv4(frag=no), packets:5, bytes:490, used:1.070s, flags:SFP., actions:ct(commit,zone=7),1"), &f));
	CHECK(f.packets == 5 && f.bytes == 490 && f.used && f.used_secs > 1.069 && f.used_secs < 1.071);
	CHECK_STR(f.match, "recirc_id(0),in_port(3),ipv4(frag=no)");
	CHECK_STR(f.actions, "ct(commit,zone=7),1");
	CHECK(ovs_text_dp_flow(of("x, packets:0, bytes:0, used:never, actions:drop"), &f) && !f.used);
	CHECK(!ovs_text_dp_flow(of("x, packets:0, used:never, actions:drop"), &f));
	CHECK(!ovs_text_dp_flow(of("x, packets:0, bytes:0, used:soon, actions:drop"), &f));
	CHECK(!ovs_text_dp_flow(of("x, packets:0, bytes:0, used:never"), &f));
	CHECK_STR(ovs_text_thread(of("flow-dump from the main thread:")), "main");
	CHECK_STR(ovs_text_thread(of("flow-dump from pmd on cpu core: 12:")), "12");
	CHECK(ovs_text_thread(of("x, packets:0")) == NULL);
}

TEST("connections: both directions, zone, mark, labels, state and time; ICMP has types, and a tuple without addresses is no connection")
{
	struct ovs_conn_line c;

	CHECK(ovs_text_conn(of("tcp,orig=(src=10.1.1.1,dst=10.1.1.2,sport=1,dport=2,packets=3,bytes=4),reply=(src=10.1.1.2,dst=10.1.1.1,sport=2,dport=1),zone=7,mark=0x1f,"
	                       "labels=0x1,timeout=29,protoinfo=(state_orig=ESTABLISHED,state_reply=SYN_RECV),helper=ftp,new=(a=b),later"
	                       "=1"), &c));
	CHECK(c.orig.sport == 1 && c.orig.bytes == 4 && c.reply.dport == 1 && !c.reply.has_bytes && c.zone == 7 && c.mark == 31 && c.timeout == 29);
	CHECK_STR(c.state, "ESTABLISHED");
	CHECK_STR(c.helper, "ftp");
	CHECK(ovs_text_conn(of("icmpv6,orig=(src=fd00::1,dst=fd00::2,id=36,type=128,code=0),reply=(src=fd00::2,dst=fd00::1,id=36,type=129,code=0)"), &c));
	CHECK(c.orig.type == 128 && c.orig.id == 36 && !c.orig.has_sport && !c.has_timeout);
	static const char *const bad[] = {"", "tcp", "tcp,", ",orig=(src=1.1.1.1,dst=1.1.1.1),reply=(src=1.1.1.1,dst=1.1.1.1)", "tcp,orig=(src=1.1.1.1,dst=1.1.1.1)",
	                                  "tcp,orig=(src=1.1.1.1),reply=(src=1.1.1.1,dst=1.1.1.1)", "tcp,orig=(src=1.1.1.1,dst=fd00::1),reply=(src=1.1.1.1,dst=1.1.1.1)",
	                                  "tcp,orig=(src=x,dst=y),reply=(src=x,dst=y)", "tcp,orig=(src=1.1.1.1,dst=1.1.1.1,sport=-1),reply=(src=1.1.1.1,dst=1.1.1.1)",
	                                  "tcp,orig=(src=1.1.1.1,dst=1.1.1.1),reply=(src=1.1.1.1,dst=1.1.1.1),zone=x", "tcp,orig=(src=1.1.1.1,dst=1.1.1.1,reply=(src=1.1.1.1,dst=1.1.1.1"};
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		if (ovs_text_conn(of(bad[i]), &c))
			FAIL("\"%s\" is a connection", bad[i]);
}

TEST("counts and limits of connections")
{
	const char *proto;
	uint64_t n, limit;
	int64_t zone;

	CHECK(ovs_text_count(of("    Total: 12"), &proto, &n) && proto == NULL && n == 12);
	CHECK(ovs_text_count(of("  ICMP: 3"), &proto, &n) && n == 3);
	CHECK_STR(proto, "ICMP");
	CHECK(!ovs_text_count(of("Connections Stats:"), &proto, &n));
	CHECK(!ovs_text_count(of("   Conn in ESTABLISHED: 3"), &proto, &n));
	CHECK(ovs_text_limit(of("default limit=5"), &zone, &limit, &n) && zone == -1 && limit == 5);
	CHECK(ovs_text_limit(of("zone=3,limit=4,count=2"), &zone, &limit, &n) && zone == 3 && limit == 4 && n == 2);
	CHECK(!ovs_text_limit(of("zone=3,limit=4"), &zone, &limit, &n));
}

int main(void)
{
	int result = test_main();

	fresh();
	event_base_free(base);
	return result;
}
