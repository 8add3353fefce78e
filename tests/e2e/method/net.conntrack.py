#!/usr/bin/python3
# Two of its kind run at a time: it mostly waits.
"""net.conntrack beside `conntrack -L`, field by field, and with a table of 100,000.  LIMIT: 240"""
import json
import os
import re
import signal
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "..", "lib"))
import ctnl
import e2e
import ground
from beside import Health, memory
from e2e import call, equal, fails, invalid, test, want

MANY = 100000
e2e.enter()


def clear():
    ground.run("conntrack", "-F")


def few():
    ctnl.put([
        ctnl.entry(17, "10.1.0.1", "192.0.2.1", 4001, 53, status=0),
        ctnl.entry(17, "10.1.0.2", "192.0.2.1", 4002, 53, zone=7),
        ctnl.entry(17, "10.1.0.3", "198.51.100.2", 4003, 8080, reply=("10.73.0.9", "10.1.0.3", 80, 4003)),
        ctnl.entry(6, "10.1.0.4", "198.51.100.2", 4004, 8080, state="ESTABLISHED", mark=5),
        ctnl.entry(6, "255.254.99.9", "198.51.100.255", 65535, 1, state="TIME_WAIT", mark=4294967295, timeout=86400),
        ctnl.entry(1, "10.1.0.5", "192.0.2.1", 77, 0x800),
        ctnl.entry(58, "fd01::7", "fd02::1", 78, 0x8000),
        ctnl.entry(17, "fd01::5", "fd02::1", 4005, 53),
        ctnl.entry(6, "fd01::6", "fd02::1", 4006, 443, state="SYN_SENT", status=0, zone=9, mark=7),
        ctnl.entry(132, "10.1.0.8", "192.0.2.1", 4007, 53, status=0) if os.path.exists("/proc/sys/net/netfilter/nf_conntrack_sctp_timeout_closed") else
        ctnl.entry(136, "10.1.0.8", "192.0.2.1", 4007, 53, status=0),
    ])


def side(words):
    number = {k: int(v) for k, v in words.items() if k not in ("src", "dst")}
    out = {"src": words["src"], "dst": words["dst"]}
    for theirs, ours in (("sport", "sport"), ("dport", "dport"), ("type", "icmp_type"), ("code", "icmp_code"), ("packets", "packets"), ("bytes", "bytes")):
        if theirs in number:
            out[ours] = number[theirs]
    if "type" in number:
        out["icmp_id"] = number["id"]
    return out


def parse(line):
    """A line of conntrack -L -o extended,id in our words."""
    family, _, proto, _, rest = line.split(None, 4)
    head, flags, pairs = rest.split(" src=", 1)[0].split(), set(re.findall(r"\[(\w+)\]", rest)), re.findall(r"([\w-]+)=(\S+)", rest)
    starts = [i for i, (k, _) in enumerate(pairs) if k == "src"]
    tail = next(i for i, (k, _) in enumerate(pairs) if k in ("mark", "zone", "use") and i > starts[1])
    end = dict(pairs[tail:])
    entry = {
        "id": end["id"], "family": {"ipv4": "inet", "ipv6": "inet6"}[family], "proto": proto, "zone": int(end.get("zone", 0)), "mark": int(end.get("mark", 0)),
        "orig": side(dict(pairs[starts[0]:starts[1]])), "reply": side(dict(pairs[starts[1]:tail])),
        "assured": "ASSURED" in flags, "replied": "UNREPLIED" not in flags, "offloaded": bool(flags & {"OFFLOAD", "HW_OFFLOAD"}),
    }
    if head and head[0].isdigit():
        entry["timeout"] = int(head.pop(0))
    if head:
        entry["state"] = head[0]
    return entry


def theirs():
    lines = [line for line in ground.run("conntrack", "-L", "-o", "extended,id").splitlines() if line.startswith("ipv")]
    return {e["id"]: e for e in [parse(line) for line in lines]}


def whole(**params):
    """Every entry, by pages."""
    entries, cursor = [], None
    while True:
        page = call("net.conntrack", **params, **({"cursor": cursor} if cursor else {}))
        equal(page["count"], len(page["entries"]), "the count")
        want(len(page["entries"]) <= params.get("limit", 1000), "a page of %d" % len(page["entries"]))
        entries += page["entries"]
        cursor = page.get("next_cursor")
        if not cursor:
            return entries


def same(mine, his, what):
    mine = {e["id"]: e for e in mine}
    equal(sorted(mine), sorted(his), "the ids of " + what)
    for i in his:
        a, b = dict(mine[i]), dict(his[i])
        # the first is read a moment before the second
        want(abs(a.pop("timeout", 0) - b.pop("timeout", 0)) <= 5, "the timeout of %r is %r" % (his[i], mine[i]))
        equal(a, b, what)


@test("net.conntrack lists what conntrack -L lists, field by field: both families, zones, marks, states, translations, ICMP")
def _():
    clear()
    equal(call("net.conntrack"), {"entries": [], "count": 0}, "an empty table")
    few()
    same(whole(), theirs(), "entries")
    want(len(whole()) >= 10, "only %d entries" % len(whole()))
    kinds = {(e["family"], e["proto"]) for e in whole()}
    want(kinds >= {("inet", "udp"), ("inet", "tcp"), ("inet", "icmp"), ("inet6", "icmpv6"), ("inet6", "udp"), ("inet6", "tcp")}, "the kinds %r" % kinds)


@test("net.conntrack counts packets and bytes of real traffic where the kernel does")
def _():
    clear()
    ground.run("sh", "-c", "echo 1 >/proc/sys/net/netfilter/nf_conntrack_acct")
    ground.run("nft", "add table ip tracking; add chain ip tracking out { type filter hook output priority 0; }; add rule ip tracking out ct state new accept")
    ground.run("ping", "-c", "3", "-i", "0.2", "-s", "100", ground.OUTSIDE)
    entry = [e for e in whole() if e["orig"]["dst"] == ground.OUTSIDE]
    equal(len(entry), 1, "entries of the ping")
    equal([(entry[0][d]["packets"], entry[0][d]["bytes"]) for d in ("orig", "reply")], [(3, 384), (3, 384)], "the counters")
    same(whole(), theirs(), "entries")
    ground.run("nft", "delete table ip tracking")
    ground.run("sh", "-c", "echo 0 >/proc/sys/net/netfilter/nf_conntrack_acct")


@test("net.conntrack for a zone, a family or a mark lists those alone")
def _():
    clear()
    few()
    every = whole()
    for params, fits in (({"zone": 7}, lambda e: e["zone"] == 7), ({"zone": 0}, lambda e: e["zone"] == 0), ({"zone": 65535}, lambda e: False), ({"family": "inet6"}, lambda e: e["family"] == "inet6"),
                         ({"family": "inet"}, lambda e: e["family"] == "inet"), ({"mark": 5}, lambda e: e["mark"] == 5), ({"mark": 0}, lambda e: e["mark"] == 0),
                         ({"mark": 4294967295}, lambda e: e["mark"] == 4294967295), ({"zone": 9, "family": "inet6", "mark": 7}, lambda e: e["zone"] == 9), ({"zone": 9, "mark": 8}, lambda e: False)):
        equal(sorted(e["id"] for e in whole(**params)), sorted(e["id"] for e in every if fits(e)), "the entries of %r" % params)
    for named, bad in (("zone", -1), ("zone", 65536), ("zone", "7"), ("mark", 2**32), ("family", "ipx"), ("limit", 0), ("limit", 10001)):
        invalid("net.conntrack", named, **{named: bad})


@test("net.conntrack in pages of any size gives each entry once; a cursor is good for one page, and for whom it was given")
def _():
    clear()
    ctnl.many(3000)
    ids = sorted(e["id"] for e in whole(limit=10000))
    equal(len(set(ids)), 3000, "the entries")
    for limit in (7, 176, 999, 1000, 2999, 3000, 3001):
        equal(sorted(e["id"] for e in whole(limit=limit)), ids, "the entries in pages of %d" % limit)
    first = call("net.conntrack", limit=10)
    second = call("net.conntrack", limit=10, cursor=first["next_cursor"])
    for gone in (first["next_cursor"], "0000000000000000.1", "nonsense", second["next_cursor"] + "0"):
        e = fails("net.conntrack", -32000, "not_found", limit=10, cursor=gone)
        want(e.data.get("hint"), "there is no hint")
    call("net.conntrack", limit=10, cursor=second["next_cursor"])


@test("listings that nobody goes on with give way to new ones, and many at once are all answered in full")
def _():
    firsts = [call("net.conntrack", limit=10)["next_cursor"] for _ in range(20)]
    fails("net.conntrack", -32000, "not_found", limit=10, cursor=firsts[0])
    call("net.conntrack", limit=10, cursor=firsts[-1])
    clients = [e2e.Client() for _ in range(12)]
    for turn in range(5):
        for c in clients:
            c.file.write(b'{"jsonrpc":"2.0","id":1,"method":"net.conntrack","params":{"limit":10000}}\n')
            c.file.flush()
        for c in clients:
            equal(json.loads(c.file.readline())["result"]["count"], 3000, "the entries")
    for c in clients:
        c.close()


@test("100,000 entries cost daemon and helper a page of memory, and rpc.health is answered while they are read")
def _():
    clear()
    call("net.conntrack", limit=1000)
    parents = e2e.daemon()
    cell = e2e.processes()["postern-net"][0]
    before, cell_before = memory(parents[1]), memory(cell)
    ctnl.many(MANY)
    health = Health()
    start = time.monotonic()
    read = whole(limit=10000)
    took = time.monotonic() - start
    late = health.stop()
    # Not their ids: those are hashes of 32 bits, and one pair in 100,000 may well be alike.
    equal((len(read), len({e["orig"]["src"] for e in read})), (MANY, MANY), "the entries")
    after, cell_after = memory(parents[1]), memory(cell)
    print("# 10 pages in %.2f s; %d times rpc.health: median %.1f ms, p99 %.1f ms, most %.1f ms; daemon %d, %d KiB at most, cell %d, %d KiB"
          % (took, len(late), late[len(late) // 2] * 1e3, late[len(late) * 99 // 100] * 1e3, late[-1] * 1e3, before[1], after[1], cell_before[1], cell_after[1]))
    want(after[1] - before[1] < 32768, "pages of 10000 took %d KiB of the daemon" % (after[1] - before[1]))
    want(after[0] - before[0] < 4096, "%d KiB stay taken" % (after[0] - before[0]))
    want(cell_after[1] - cell_before[1] < 512, "the cell took %d KiB" % (cell_after[1] - cell_before[1]))
    want(len(late) >= 20 and late[len(late) // 2] < 0.05, "half of the answers to rpc.health took over %.1f ms" % (late[len(late) // 2] * 1e3))


@test("a listing whose helper dies is interrupted or gone, and a new one is answered by the next helper")
def _():
    cursor = call("net.conntrack", limit=10)["next_cursor"]
    os.kill(e2e.processes()["postern-net"][0], signal.SIGKILL)
    fails("net.conntrack", -32000, ("interrupted", "not_found"), limit=10000, cursor=cursor)
    e2e.until(lambda: call("net.status")["backend"] == "helper", 20)
    equal(len(call("net.conntrack", limit=10)["entries"]), 10, "the entries of a new one")
    results = []

    def ask():
        results.append(e2e.Client().ask("net.conntrack", {"limit": 10000}))
    threads = [threading.Thread(target=ask) for _ in range(4)]
    for t in threads:
        t.start()
    os.kill(e2e.processes()["postern-net"][0], signal.SIGKILL)
    for t in threads:
        t.join()
    for r in results:
        want("result" in r or r["error"]["data"]["kind"] == "interrupted", "%r" % r)
    e2e.until(lambda: call("net.status")["backend"] == "helper", 20)
    clear()


@test("a listing that nobody goes on with for 30 seconds is gone")
def _():
    clear()
    ctnl.many(100)
    cursor = call("net.conntrack", limit=10)["next_cursor"]
    time.sleep(31.5)
    fails("net.conntrack", -32000, "not_found", limit=10, cursor=cursor)
    clear()


e2e.main()
