#!/usr/bin/python3
import os
import signal
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "..", "lib"))
import ctnl
import e2e
import ground
from e2e import call, dry, equal, fails, invalid, test, want

e2e.enter()


def count():
    return int(ground.run("conntrack", "-C"))


def three_zones():
    ground.run("conntrack", "-F")
    ctnl.many(300)
    ctnl.many(40, zone=7)
    ctnl.many(5, zone=65535)


@test("net.conntrack.flush forgets what conntrack -L lists, of one zone or of all, and says how many")
def _():
    three_zones()
    equal(call("net.conntrack.flush", zone=8), {"changed": False, "removed": 0}, "a zone that has none")
    equal(call("net.conntrack.flush", zone=7), {"changed": True, "removed": 40}, "zone 7")
    want("0 flow entries" in ground.run("conntrack", "-L", "-w", "7"), "zone 7 isn't empty")
    equal(count(), 305, "what is left")
    equal(call("net.conntrack.flush", zone=0), {"changed": True, "removed": 300}, "zone 0")
    equal(call("net.conntrack.flush"), {"changed": True, "removed": 5}, "all")
    equal(call("net.conntrack.flush"), {"changed": False, "removed": 0}, "none")
    equal(count(), 0, "what is left")


@test("net.conntrack.flush with dry_run says how many it would be, and forgets none")
def _():
    three_zones()
    equal(dry("net.conntrack.flush"), {"changed": True, "removed": 345}, "all")
    equal(dry("net.conntrack.flush", zone=65535), {"changed": True, "removed": 5}, "a zone")
    equal(count(), 345, "what is left")
    for bad in (-1, 65536, "7", 7.5):
        invalid("net.conntrack.flush", "zone", zone=bad)


@test("net.conntrack.flush goes on with the next helper when one dies over it")
def _():
    ground.run("conntrack", "-F")
    ctnl.many(100000)
    removed = []
    thread = threading.Thread(target=lambda: removed.append(e2e.Client()("net.conntrack.flush")))
    thread.start()
    e2e.until(lambda: count() < 95000, step=0.001)
    os.kill(e2e.processes()["postern-net"][0], signal.SIGKILL)
    thread.join()
    want(removed and removed[0]["changed"], "the answer is %r" % removed)
    equal(count(), 0, "what is left")


e2e.main()
