#!/usr/bin/python3
# Two of its kind run at a time: it mostly waits.
"""F: streams of the helper, and what reads connection tracking and nftables through them.  LIMIT: 240"""
import os
import re
import struct
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "lib"))
import ctnl
import ground
import hostile
from hostile import OP, STATUS, Failed, Helper, Quiet, address, equal, pack, test, want

hostile.enter()
MANY = 100000
STREAMS = 8
RECORD = struct.Struct("=IIIIHBBBBH" + "16s16sQQHHI" * 2)
FAMILY4, FAMILY6 = 0, 1
GENERATION, TABLES, CHAINS, RULES, SETS, ELEMENTS = range(6)


def begin(helper, op, **args):
    return helper.ok(op, args)["stream"]


def whole(helper, stream):
    """All that a stream answers."""
    data = b""
    while True:
        piece = helper.ok("next", {"stream": stream})
        want(len(piece["data"]) <= 61440, "an answer of %d bytes" % len(piece["data"]))
        data += piece["data"]
        if piece["end"]:
            return data


def entries(helper, **args):
    data = whole(helper, begin(helper, "conntrack_read", **args))
    return [r for r in RECORD.iter_unpack(data)]


def flush(helper, **args):
    """(looked at, removed)"""
    found = list(struct.iter_unpack("=II", whole(helper, begin(helper, "conntrack_flush", **args))))
    return sum(r for r, _ in found), sum(n for _, n in found)


def clear():
    ground.run("conntrack", "-F")


def listed():
    """The ids that conntrack -L shows."""
    text = ground.run("conntrack", "-L", "-o", "id") + ground.run("conntrack", "-L", "-f", "ipv6", "-o", "id")
    return sorted({int(i) for i in re.findall(r" id=(\d+)$", text, re.M)})


def few():
    """One entry of each kind."""
    ctnl.put([
        ctnl.entry(17, "10.1.0.1", "192.0.2.1", 4001, 53),
        ctnl.entry(17, "10.1.0.2", "192.0.2.1", 4002, 53, zone=7),
        ctnl.entry(17, "10.1.0.3", "198.51.100.2", 4003, 8080, reply=("10.73.0.9", "10.1.0.3", 80, 4003)),
        ctnl.entry(6, "10.1.0.4", "198.51.100.2", 4004, 8080, state="ESTABLISHED", mark=5),
        ctnl.entry(1, "10.1.0.5", "192.0.2.1", 77, 0x800),
        ctnl.entry(17, "fd01::5", "fd02::1", 4005, 53),
        ctnl.entry(6, "fd01::6", "fd02::1", 4006, 443, state="SYN_SENT", status=0, zone=9, mark=7),
    ])


@test("a stream of conntrack_read holds the entries that conntrack -L lists, and those alone that are asked for")
def _():
    clear()
    few()
    with Helper() as helper, Quiet(helper):
        equal(sorted(r[0] for r in entries(helper)), listed(), "the entries")
        for args, count in (({"zone": 7}, 1), ({"zone": 0}, 5), ({"zone": 8}, 0), ({"family": FAMILY4}, 5), ({"family": FAMILY6}, 2), ({"family": FAMILY6, "zone": 9}, 1),
                            ({"mark": 5}, 1), ({"mark": 0}, 5), ({"family": FAMILY6, "mark": 5}, 0)):
            equal(len(entries(helper, **args)), count, "the entries of %r" % args)
        status, results, _ = helper.ask("conntrack_stats")
        cpus = list(struct.iter_unpack("=11I", whole(helper, results["stream"])))
        equal([c[0] for c in cpus], list(range(len(ground.run("conntrack", "-S").splitlines()))), "the processors")


@test("conntrack_flush deletes what fits everything that was asked, and nothing else; counting deletes nothing")
def _():
    with Helper() as helper:
        for args, count in (({}, 7), ({"zone": 7}, 1), ({"zone": 1}, 0), ({"family": FAMILY6}, 2), ({"proto": 17, "port": 53}, 3), ({"proto": 6, "port": 53}, 0),
                            ({"family": FAMILY4, "proto": 17, "port": 53}, 2), ({"proto": 17, "port": 8080, "peer": address("10.73.0.9/32"), "peer_port": 80}, 1),
                            ({"proto": 17, "port": 8080, "peer": address("10.73.0.8/32"), "peer_port": 80}, 0), ({"address": address("198.51.100.0/24")}, 2),
                            ({"address": address("198.51.100.3/32")}, 0), ({"address": address("fd02::/16"), "zone": 9}, 1), ({"port": 1}, 0)):
            clear()
            few()
            before = listed()
            equal(flush(helper, count_only=True, **args), (flush(helper, count_only=True)[0], count) if "zone" not in args and "family" not in args
                  else (flush(helper, count_only=True, **args)[0], count), "counting %r" % args)
            equal(listed(), before, "the entries after counting %r" % args)
            equal(flush(helper, **args)[1], count, "removed by %r" % args)
            equal(len(listed()), len(before) - count, "the entries after %r" % args)
            want(set(listed()) < set(before) or count == 0, "an entry is new")
        helper.serves()


@test("there are 8 streams at most, and a stream that is closed or read to its end makes room")
def _():
    clear()
    ctnl.many(3000)
    with Helper() as helper, Quiet(helper):
        streams = [begin(helper, "conntrack_read") for _ in range(STREAMS)]
        equal(len(set(streams)), STREAMS, "different ids")
        for op, args in (("conntrack_read", {}), ("conntrack_flush", {}), ("conntrack_stats", {}), ("fw_read", {"what": TABLES})):
            helper.refused(op, args, "quota", "streams")
        helper.ok("close", {"stream": streams[0]})
        equal(len(entries(helper)), 3000, "in the place that became free")
        for stream in streams[1:]:
            equal(len(whole(helper, stream)), 3000 * RECORD.size, "each holds its own")
        for stream in streams + [1, 4294967295]:
            helper.refused("next", {"stream": stream}, "not_found", "stream")
            helper.refused("close", {"stream": stream}, "not_found", "stream")
    for op in ("next", "close"):
        helper = Helper()
        helper.ends_malformed(pack([1, OP[op], {"stream": 0}]))
        helper.close()


@test("fw_read shows each kind of object, refuses arguments that contradict each other, and names what isn't there")
def _():
    ground.run("nft", "add table ip foreign; add chain ip foreign c; add rule ip foreign c counter; add set ip foreign s { type ipv4_addr; elements = { 10.0.0.1 } ; }")
    with Helper() as helper, Quiet(helper):
        for what, least in ((GENERATION, 1), (TABLES, 1), (CHAINS, 1), (RULES, 1), (SETS, 1)):
            data, count = whole(helper, begin(helper, "fw_read", what=what)), 0
            while data:
                size, kind = struct.unpack_from("=IH", data)
                equal(kind >> 8, 10, "the message's subsystem")
                data, count = data[size + 3 & ~3:], count + 1
            want(count >= least, "%d messages of %d" % (count, what))
        want(b"foreign" in whole(helper, begin(helper, "fw_read", what=ELEMENTS, family=2, table="foreign", set="s")), "no elements")
        for args in ({"what": ELEMENTS}, {"what": ELEMENTS, "family": 2, "table": "foreign"}, {"what": RULES, "table": "foreign"}, {"what": TABLES, "family": 2}):
            helper.refused("fw_read", args, "invalid")
        for args in ({"family": 2, "table": "foreign", "set": "t"}, {"family": 2, "table": "other", "set": "s"}, {"family": 10, "table": "foreign", "set": "s"}):
            status, results, _ = helper.ask("fw_read", {"what": ELEMENTS, **args})
            if status == "ok":
                status = helper.ask("next", {"stream": results["stream"]})[0]
            equal(status, "not_found", "elements of %r" % args)
    ground.run("nft", "delete table ip foreign")
    helper = Helper()
    helper.ends_malformed(pack([1, OP["fw_read"], {"what": 6}]))
    helper.close()


@test("a stream that the rules changed under says that it is torn")
def _():
    batch = "add table ip foreign; add chain ip foreign c; " + "".join("add rule ip foreign c ip saddr 10.0.%d.%d counter drop; " % (n >> 8, n & 255) for n in range(3000))
    path = os.path.join(hostile.SCRATCH, "rules")
    with open(path, "w") as f:
        f.write(batch.replace("; ", "\n"))
    ground.run("nft", "-f", path)
    with Helper() as helper:
        stream = begin(helper, "fw_read", what=RULES)
        equal([helper.ok("next", {"stream": stream})[k] for k in ("end", "torn")], [False, False], "the beginning")
        ground.run("nft", "add rule ip foreign c accept")
        torn = False
        while True:
            piece = helper.ok("next", {"stream": stream})
            torn = torn or piece["torn"]
            if piece["end"]:
                break
        want(torn, "nothing said so")
    ground.run("nft", "delete table ip foreign")


@test("100,000 entries are read whole, in bounded memory, and a ping in between waits for no more than a slice")
def _():
    clear()
    ctnl.many(MANY)
    with Helper() as helper:
        pids = helper.processes()
        before = {n: hostile.status_of(pids[n])["VmSize"] for n in ("postern-net", "postern-broker")}
        stream, got, waits, pinged, ended, ident = begin(helper, "conntrack_read"), 0, [], {}, False, 1000
        flight = 0
        start = time.monotonic()
        while not ended or flight or pinged:
            while flight < 2 and not ended:
                helper.send(pack([ident, OP["next"], {"stream": stream}]))
                flight, ident = flight + 1, ident + 1
            if not pinged and not ended:
                helper.send(pack([ident, OP["ping"], {}]))
                pinged[ident], ident = time.monotonic(), ident + 1
            answer, _ = helper.receive()
            if answer[0] in pinged:
                waits.append(time.monotonic() - pinged.pop(answer[0]))
            else:
                flight -= 1
                if STATUS[answer[1]] == "not_found" and ended:
                    continue
                equal(STATUS[answer[1]], "ok", "the answer")
                got, ended = got + len(answer[2]["data"]) // RECORD.size, ended or answer[2]["end"]
        took = time.monotonic() - start
        equal(got, MANY, "the entries")
        equal({n: hostile.status_of(pids[n])["VmSize"] for n in before}, before, "the processes' sizes")
        waits.sort()
        print("# %.0f ms; %d pings beside it: median %.2f ms, p99 %.2f ms, most %.2f ms" % (
            took * 1e3, len(waits), waits[len(waits) // 2] * 1e3, waits[len(waits) * 99 // 100] * 1e3, waits[-1] * 1e3))
        want(len(waits) > 20 and waits[len(waits) // 2] < 0.05, "half of the pings took over %.1f ms" % (waits[len(waits) // 2] * 1e3))


@test("a daemon that asks for pieces and doesn't read them is waited for: nothing grows, and all is there when it reads")
def _():
    with Helper() as helper:
        pids = helper.processes()
        before = {n: hostile.status_of(pids[n])["VmSize"] for n in ("postern-net", "postern-broker")}
        stream = begin(helper, "conntrack_read")
        for i in range(100):
            helper.send(pack([1000 + i, OP["next"], {"stream": stream}]))
        time.sleep(1)
        equal({n: hostile.status_of(pids[n])["VmSize"] for n in before}, before, "the processes' sizes")
        equal([helper.receive()[0][0] for _ in range(100)], list(range(1000, 1100)), "the answers")
        helper.serves()
        helper.ok("close", {"stream": stream})


@test("a flush of 100,000 entries removes them all, in slices that let others through")
def _():
    with Helper() as helper:
        start = time.monotonic()
        equal(flush(helper, zone=7), (0, 0), "of a zone that has none")
        equal(flush(helper), (MANY, MANY), "of all")
        print("# %.0f ms" % ((time.monotonic() - start) * 1e3))
        equal(listed(), [], "what is left")


@test("a stream that nobody reads for 30 seconds is gone, and its descriptor with it; one that is read stays")
def _():
    ctnl.many(20000)
    with Helper() as helper:
        before = helper.descriptors()
        unread, kept = begin(helper, "conntrack_read"), begin(helper, "conntrack_read")
        end = time.monotonic() + 33
        while time.monotonic() < end:
            helper.ok("next", {"stream": kept})
            time.sleep(1)
        equal(helper.descriptors()["postern-net"], before["postern-net"] + 1, "descriptors of the net cell")
        helper.refused("next", {"stream": unread}, "not_found", "stream")
        helper.ok("close", {"stream": kept})
        equal(helper.descriptors(), before, "descriptors at the end")
    clear()


hostile.main(clear)
