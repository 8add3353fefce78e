#!/usr/bin/python3
"""net.routes beside `ip -j route`, and with a table of 100,000."""
import json
import os
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "..", "lib"))
import e2e
import ground
from beside import Health, memory
from e2e import call, equal, invalid, test, want

MANY = 100000
TABLES = {"main": 254, "local": 255, "default": 253}
# Kinds of routes, one line of `ip` each; what they need is made by links().
KINDS = [
    "-4 route add 10.80.0.0/16 via 198.51.100.1 metric 50 proto static",
    "-4 route add 10.80.0.0/16 via 198.51.100.9 metric 60 proto dhcp src 198.51.100.2",
    "-4 route add 10.80.0.0/24 dev up0 scope link proto 77",
    "-4 route add 10.81.0.7/32 via 198.51.100.1 table 1007",
    "-4 route add 10.80.0.0/16 via 198.51.100.1 tos 0x10 table 1007",
    "-4 route add 10.82.0.0/16 via inet6 fd80::9 dev ra0",
    "-4 route add 10.83.0.0/16 nexthop via 198.51.100.1 weight 3 nexthop via 10.90.0.9 dev ra0 weight 1 onlink",
    "-4 route append 10.83.0.0/16 nexthop via 198.51.100.3 weight 2 nexthop dev ra0 weight 5",
    "-4 route add blackhole 10.84.0.0/16",
    "-4 route add unreachable 10.85.0.0/16 metric 7",
    "-4 route add prohibit 10.86.0.0/16",
    "-4 route add throw 10.87.0.0/16 table 1007",
    "-4 route add 10.88.0.0/16 nhid 42",
    "-6 route add default via fd80::9 dev ra0 metric 77",
    "-6 route add fd81::/48 via fd80::9 dev ra0",
    "-6 route add fd82::1/128 dev ra0 table 1007 proto static",
    "-6 route add fd83::/48 nexthop via fd80::9 dev ra0 weight 2 nexthop via fd80::a dev ra0 weight 7",
    "-6 route add blackhole fd84::/48",
    "-6 route add unreachable fd85::/48 metric 9",
    "-6 route add fd86::/48 via fd80::9 dev ra0 src fd80::1",
]

e2e.enter()


def links():
    for command in ("link add ra0 type veth peer name rb0", "link set ra0 addrgenmode none", "link set rb0 addrgenmode none", "link set ra0 up",
                    "link set rb0 up", "address add 10.90.0.1/24 dev ra0", "-6 address add fd80::1/64 dev ra0 nodad", "nexthop add id 42 via 10.90.0.9 dev ra0"):
        ground.run("ip", *command.split())


def whole(**params):
    """Every route, by pages."""
    routes, cursor = [], None
    while True:
        page = call("net.routes", **params, **({"cursor": cursor} if cursor else {}))
        want(len(page["routes"]) <= params.get("limit", 1000), "a page of %d" % len(page["routes"]))
        routes += page["routes"]
        cursor = page.get("next_cursor")
        if not cursor:
            return routes


def gateway(route):
    return route.get("gateway") or route.get("via", {}).get("host")


def hop(theirs):
    return {"gateway": gateway(theirs), "device": theirs.get("dev"), "weight": theirs["weight"], "flags": sorted(theirs["flags"])}


def normal(theirs, family):
    """A route of ip's in our words."""
    dst, _, prefix = theirs["dst"].partition("/")
    bits = {"inet": 32, "inet6": 128}[family]
    if dst == "default":
        dst, prefix = {"inet": "0.0.0.0", "inet6": "::"}[family], 0
    table = theirs.get("table", "main")
    return {
        "family": family, "dst": dst, "prefix": int(prefix) if prefix != "" else bits, "gateway": gateway(theirs), "device": theirs.get("dev"),
        "metric": theirs.get("metric", 0), "table": TABLES.get(table) or int(table), "protocol": theirs["protocol"], "scope": theirs["scope"],
        "type": theirs["type"], "prefsrc": theirs.get("prefsrc"),
        "tos": int(theirs["tos"], 16) if "tos" in theirs else None, "nexthop_id": theirs.get("nhid"), "flags": sorted(theirs["flags"]),
        "nexthops": [hop(h) for h in theirs["nexthops"]] if "nexthops" in theirs else None,
    }


def ours(route):
    """A route of ours, with every member that may be absent, and no id."""
    r = {"gateway": None, "device": None, "tos": None, "prefsrc": None, "nexthop_id": None, "nexthops": None, **route}
    del r["id"]
    r["flags"] = sorted(r["flags"])
    if r["nexthops"] is not None:
        r["nexthops"] = [{"gateway": None, "device": None, **h, "flags": sorted(h["flags"])} for h in r["nexthops"]]
    return r


def theirs():
    shown = []
    for option, family in (("-4", "inet"), ("-6", "inet6")):
        shown += [normal(r, family) for r in json.loads(ground.run("ip", option, "-j", "-d", "route", "show", "table", "all") or "[]")]
    return shown


def in_order(routes):
    return sorted(routes, key=lambda r: json.dumps(r, sort_keys=True))


def same(mine, his, what):
    mine, his = in_order(map(ours, mine)), in_order(his)
    for a, b in zip(mine, his):
        equal(a, b, what)
    equal(len(mine), len(his), "the number of " + what)


@test("net.routes lists what ip lists, field by field: every kind of route, of both families and all tables")
def _():
    links()
    for kind in KINDS:
        ground.run("ip", *kind.split())
    e2e.until(lambda: len(whole()) == len(theirs()))
    same(whole(), theirs(), "routes")
    want(len(whole()) >= len(KINDS) + 10, "only %d routes" % len(whole()))


@test("net.routes for a family or a table lists those alone, and none for a table that isn't there")
def _():
    for family in ("inet", "inet6"):
        same(whole(family=family), [r for r in theirs() if r["family"] == family], "routes of " + family)
        same(whole(family=family, table=1007), [r for r in theirs() if (r["family"], r["table"]) == (family, 1007)], "routes of %s in 1007" % family)
    for table in (254, 255, 1007):
        same(whole(table=table), [r for r in theirs() if r["table"] == table], "routes in %d" % table)
    equal(whole(table=4321), [], "the routes of a table that isn't there")


@test("net.routes says which family and table it knows")
def _():
    invalid("net.routes", "family", family="ipx")
    for table in (0, -1, 2**32, "main"):
        invalid("net.routes", "table", table=table)


@test("net.routes in pages of any size gives each route once, in one order, under ids that stay")
def _():
    every = whole()
    ids = [r["id"] for r in every]
    equal(ids, sorted(set(ids)), "the ids")
    for limit in (1, 2, 7, len(every) - 1, len(every), len(every) + 1):
        equal(whole(limit=limit), every, "the routes in pages of %d" % limit)
    equal(call("net.routes", cursor="~")["routes"], [], "what is behind the end")


@test("net.routes lists in the kernel's order, so that a page needs no more of a dump than itself")
def _():
    listed = [ours(r) for r in whole()]
    ids = [r["id"].rpartition(".")[0] for r in whole()]
    shown = [ids[listed.index(r)] for r in theirs()]
    equal([pair for pair in zip(shown, shown[1:]) if pair[0] > pair[1]], [], "neighbours of ip's list that are in another order")


@test("routes that stay are listed once each, by pages, while others come and go between them")
def _():
    plan = [("20.1.%d.%d/32" % (n >> 8, n & 255), n % 3 == 0) for n in range(6000)]
    plan += [("fd90::%x/128" % n, True) for n in range(1, 3000)]
    files = {}
    for kind, chosen in (("stay", True), ("come", False)):
        for change in ("add", "del"):
            files[kind, change] = os.path.join(ground.HOME, "%s-%s" % (kind, change))
            with open(files[kind, change], "w") as f:
                f.writelines("route %s %s dev ra0 table 1009\n" % (change, dst) for dst, stays in plan if stays == chosen)
    ground.run("ip", "-batch", files["stay", "add"])
    stop = threading.Event()

    def churn():
        while not stop.is_set():
            for change in ("add", "del"):
                ground.run("ip", "-batch", files["come", change])
    other = threading.Thread(target=churn, daemon=True)
    other.start()
    stays = sorted(dst.partition("/")[0] for dst, stay in plan if stay)
    for limit in (100, 700, 5000) * 2:
        listed = [r["dst"] for r in whole(table=1009, limit=limit)]
        equal(sorted(set(stays) - set(listed))[:9], [], "routes that stay and aren't listed, in pages of %d" % limit)
        equal(len(listed), len(set(listed)), "the number of routes that are listed twice, in pages of %d" % limit)
    stop.set()
    other.join()
    for family in ("-4", "-6"):
        ground.run("ip", family, "route", "flush", "table", "1009")


@test("100,000 routes cost the daemon a page of memory, and rpc.health is answered while they are read")
def _():
    batch = os.path.join(ground.HOME, "routes")
    with open(batch, "w") as f:
        for n in range(MANY):
            f.write("route add 20.%d.%d.%d/32 via 198.51.100.1 table 1100\n" % (n >> 16, n >> 8 & 255, n & 255))
    call("net.routes", limit=1000)
    worker = e2e.daemon()[1]
    before = memory(worker)
    ground.run("ip", "-batch", batch)
    health = Health()
    start = time.monotonic()
    pages = [call("net.routes", table=1100, limit=1000)]
    for _ in range(4):
        pages.append(call("net.routes", table=1100, limit=1000, cursor=pages[-1]["next_cursor"]))
    small = memory(worker)
    read = whole(table=1100, limit=10000)
    took = time.monotonic() - start
    late = health.stop()
    equal([r["dst"] for r in read], ["20.%d.%d.%d" % (n >> 16, n >> 8 & 255, n & 255) for n in range(MANY)], "the destinations")
    equal([r for p in pages for r in p["routes"]], read[:5000], "the small pages")
    after = memory(worker)
    want(small[1] - before[1] < 4096, "pages of 1000 took %d KiB" % (small[1] - before[1]))
    want(after[1] - before[1] < 32768, "pages of 10000 took %d KiB" % (after[1] - before[1]))
    want(after[0] - before[0] < 8192, "%d KiB stay taken" % (after[0] - before[0]))
    print("# 15 pages in %.2f s; %d times rpc.health: median %.1f ms, p99 %.1f ms, most %.1f ms; daemon %d, %d KiB at most"
          % (took, len(late), late[len(late) // 2] * 1e3, late[len(late) * 99 // 100] * 1e3, late[-1] * 1e3, before[1], after[1]))
    want(len(late) >= 20, "rpc.health was answered %d times in %.1f s" % (len(late), took))
    want(late[len(late) // 2] < 0.05, "half of the answers to rpc.health took over %.1f ms" % (late[len(late) // 2] * 1e3))
    ground.run("ip", "route", "flush", "table", "1100")
    equal(whole(table=1100), [], "the routes at the end")


@test("net.routes is answered in full to many at once, while routes come and go")
def _():
    stop = threading.Event()

    def churn():
        while not stop.is_set():
            for change in ("add", "del"):
                ground.run("ip", "route", change, "10.99.0.0/16", "via", "198.51.100.1", "table", "1008")
    other = threading.Thread(target=churn, daemon=True)
    other.start()
    fixed = {r["id"] for r in whole() if r["table"] != 1008}
    clients = [e2e.Client() for _ in range(12)]
    for turn in range(20):
        for c in clients:
            c.file.write(b'{"jsonrpc":"2.0","id":1,"method":"net.routes"}\n')
            c.file.flush()
        for c in clients:
            answer = json.loads(c.file.readline())
            equal({r["id"] for r in answer["result"]["routes"] if r["table"] != 1008}, fixed, "the routes that stay")
    stop.set()
    other.join()
    for c in clients:
        c.close()


e2e.main()
