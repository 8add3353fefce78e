#!/usr/bin/python3
"""net.neighbors beside `ip -j neigh`."""
import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "..", "lib"))
import e2e
import ground
from e2e import call, equal, fails, invalid, test, want

MANY = 5000
ENTRIES = [
    "10.90.0.2 lladdr 02:00:00:00:00:02 dev na0 nud permanent", "10.90.0.3 lladdr 02:00:00:00:00:03 dev na0 nud noarp",
    "10.90.0.4 lladdr 02:00:00:00:00:04 dev na0 nud stale", "10.90.0.5 lladdr 02:00:00:00:00:05 dev na0 nud reachable",
    "10.90.0.6 dev na0 nud failed", "10.90.0.7 lladdr 02:00:00:00:00:07 dev na0 nud permanent extern_learn",
    "fd80::2 lladdr 02:00:00:00:00:02 dev na0 nud permanent", "fd80::3 lladdr 02:00:00:00:00:03 dev na0 nud permanent router",
    "10.91.0.2 lladdr 02:00:00:00:01:02 dev nc0 nud permanent", "fd80::2 lladdr 02:00:00:00:01:02 dev nc0 nud permanent",
]
FLAGS = ("router", "proxy", "extern_learn", "offload", "sticky")

e2e.enter()


def whole(**params):
    """Every neighbour, by pages."""
    found, cursor = [], None
    while True:
        page = call("net.neighbors", **params, **({"cursor": cursor} if cursor else {}))
        want(len(page["neighbors"]) <= params.get("limit", 1000), "a page of %d" % len(page["neighbors"]))
        found += page["neighbors"]
        cursor = page.get("next_cursor")
        if not cursor:
            return found


def theirs(*selector):
    shown = []
    for option, family in (("-4", "inet"), ("-6", "inet6")):
        for n in json.loads(ground.run("ip", option, "-j", "neigh", "show", "nud", "all", *selector) or "[]"):
            shown.append({"family": family, "address": n["dst"], "device": n.get("dev") or selector[1], "mac": n.get("lladdr"), "state": n["state"][0].lower(),
                          "flags": sorted(f for f in FLAGS if f in n)})
    return sorted(shown, key=json.dumps)


def ours(found):
    shown = []
    for n in found:
        n = {"mac": None, **n, "flags": sorted(n["flags"])}
        del n["id"]
        shown.append({key: n[key] for key in ("family", "address", "device", "mac", "state", "flags")})
        equal(len(n), 6, "the members of %r" % n)
    return sorted(shown, key=json.dumps)


@test("net.neighbors lists what ip lists, field by field: every state, both families, all links")
def _():
    for name, peer in (("na0", "nb0"), ("nc0", "nd0")):
        ground.run("ip", "link", "add", name, "type", "veth", "peer", "name", peer)
        for end in (name, peer):
            ground.run("ip", "link", "set", end, "addrgenmode", "none", "up")
    for entry in ENTRIES:
        ground.run("ip", "neigh", "add", *entry.split())

    def same():
        before, found = theirs(), ours(whole())
        return before == found or before != theirs()  # a state may have changed meanwhile
    e2e.until(same)
    states = {n["state"] for n in whole()}
    want({"permanent", "noarp", "stale", "failed"} <= states, "the states are %r" % states)
    equal(ours(whole(device="nc0")), theirs("dev", "nc0"), "the neighbours on nc0")
    want(len(whole()) >= len(ENTRIES), "only %d neighbours" % len(whole()))


@test("net.neighbors on a link or of a family lists those alone, and says when there is no such link")
def _():
    for family in ("inet", "inet6"):
        found = whole(family=family)
        equal({n["family"] for n in found}, {family}, "the families")
        equal([n["id"] for n in found], [n["id"] for n in whole() if n["family"] == family], "the neighbours of " + family)
    equal([n["address"] for n in whole(family="inet6", device="nc0")], ["fd80::2"], "the neighbours on nc0")
    equal(whole(family="inet", device="nd0"), [], "the neighbours on nd0")
    fails("net.neighbors", -32000, "not_found", device="nosuch")
    invalid("net.neighbors", "family", family="bridge")


@test("5,000 neighbours come in pages, each once, in one order")
def _():
    batch = os.path.join(ground.HOME, "neighbours")
    with open(batch, "w") as f:
        for n in range(MANY):
            f.write("neigh add 10.92.%d.%d lladdr 02:00:00:01:%02x:%02x dev nc0 nud permanent\n" % (n >> 8, n & 255, n >> 8, n & 255))
    ground.run("ip", "-batch", batch)
    for limit in (999, 1000, 5000, 10000):
        listed = whole(limit=limit)
        ids = [n["id"] for n in listed]
        equal(ids, sorted(set(ids)), "the ids in pages of %d" % limit)
        new = [n for n in listed if n["address"].startswith("10.92.")]  # the kernel finds neighbours of its own meanwhile
        equal(len(new), MANY, "the new ones in pages of %d" % limit)
    equal(ours(whole(device="nc0")), theirs("dev", "nc0"), "the neighbours on nc0")
    ground.run("ip", "neigh", "flush", "dev", "nc0", "nud", "permanent")


e2e.main()
