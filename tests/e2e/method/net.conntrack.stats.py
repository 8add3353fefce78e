#!/usr/bin/python3
import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "..", "lib"))
import ctnl
import e2e
import ground
from e2e import call, equal, test

e2e.enter()
NAMES = ["cpu", "found", "invalid", "insert", "insert_failed", "drop", "early_drop", "error", "search_restart", "clash_resolve", "chain_toolong"]


def theirs():
    """conntrack -S in our words."""
    return [{k: int(v) for k, v in re.findall(r"(\w+)=(\d+)", line)} for line in ground.run("conntrack", "-S").splitlines()]


@test("net.conntrack.stats says what conntrack -S and conntrack -C say, and the table's size")
def _():
    ground.run("conntrack", "-F")
    ctnl.many(123)
    ground.run("ping", "-c", "2", "-i", "0.2", ground.OUTSIDE)
    stats = call("net.conntrack.stats")
    equal(stats["count"], int(ground.run("conntrack", "-C")), "the count")
    for name in ("max", "buckets"):
        with open("/proc/sys/net/netfilter/nf_conntrack_" + name) as f:
            equal(stats[name], int(f.read()), name)
    equal([sorted(c) for c in stats["per_cpu"]], [sorted(NAMES)] * len(stats["per_cpu"]), "the counters' names")
    shown = theirs()
    equal([{k: c[k] for k in NAMES if k in t} for c, t in zip(stats["per_cpu"], shown)], [{k: t[k] for k in NAMES if k in t} for t in shown], "the counters")
    equal(len(stats["per_cpu"]), len(shown), "processors")
    ground.run("conntrack", "-F")
    equal(call("net.conntrack.stats")["count"], 0, "the count of an empty table")


e2e.main()
