#!/usr/bin/python3
"""Taps in bulk and out of the pool: a thousand made and deleted by one call each, names that don't come again, a pool that outlives the daemon."""
# LIMIT: 240
import os
import re
import select
import signal
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "lib"))
import e2e
import ground
from e2e import Failed, call, equal, fails, test, until, want

POOL, MANY = 5, 1000
e2e.enter_with(policy=ground.default_policy("@CGROUP@").replace("limit taps 64", "limit taps 1100"), config="[net]\ntap_pool = %d\n" % POOL)


def pool():
    """Names of the pool's taps, the oldest first."""
    return sorted((n for n, l in e2e.links().items() if l.get("ifalias") == "postern:tap:pool"), key=number)


def number(name):
    return int(re.fullmatch(r"pt-t(\d+)", name).group(1))


def full():
    return until(lambda: pool() if len(pool()) == POOL else None, 20)


def restart():
    """kill -9, and until the next daemon answers."""
    was = e2e.daemon()
    os.kill(was[0], signal.SIGKILL)

    def back():
        try:
            e2e._client = None
            return e2e.daemon() != was and call("net.vm.list") is not None
        except (OSError, Failed):
            return False
    until(back, 20)


@test("the pool is filled in the background with taps that are up, have no row and can't be deleted by a client")
def _():
    names = full()
    equal(call("net.vm.list")["taps"], [], "the managed taps")
    for name in names:
        link = e2e.links()[name]
        want("UP" in link["flags"] and "master" not in link, "%s is %r" % (name, link))
    equal(call("net.vm.delete_tap", names=names), {"removed": 0, "changed": False}, "deleting them")
    equal(full(), names, "the pool")


@test("a tap without a name is the pool's oldest, with the owner, bridge, MTU and address asked for, and another is made in its place")
def _():
    names = full()
    call("net.bridge.add", name="pt-br0")
    tap = call("net.vm.create_tap", bridge="pt-br0", owner_uid=900005, mtu=1400, mac="02:00:00:00:00:05", vnet_hdr=True)["tap"]
    equal((tap["name"], tap["bridge"], tap["mtu"], tap["mac"], tap["owner_uid"]), (names[0], "pt-br0", 1400, "02:00:00:00:00:05", 900005), "the tap")
    link = e2e.links()[names[0]]
    info = link["linkinfo"]["info_data"]
    equal((link["ifalias"], link["master"], link["mtu"], link["address"], int(info["user"]), info["vnet_hdr"]),
          ("postern:tap", "pt-br0", 1400, "02:00:00:00:00:05", 900005, True), "the link")
    now = full()
    equal(now[:-1], names[1:], "the rest of the pool")
    want(number(now[-1]) > number(names[-1]), "the new one is %s, after %s" % (now[-1], names[-1]))
    equal(call("net.vm.delete_tap", name=names[0])["removed"], 1, "removed")


@test("a name doesn't come again soon: not after the tap is deleted, and not after the daemon was killed")
def _():
    seen = set()
    for turn in range(12):
        full()
        name = call("net.vm.create_tap")["tap"]["name"]
        want(name not in seen, "%s came again" % name)
        seen.add(name)
        call("net.vm.delete_tap", name=name)
        if turn % 4 == 3:
            restart()


@test("the next daemon takes the pool over as it is")
def _():
    names = full()
    restart()
    equal(full(), names, "the pool")
    equal(call("net.vm.create_tap")["tap"]["name"], names[0], "the tap")
    call("net.vm.delete_tap", name=names[0])


@test("a tap of several queues, or of a name that the pool has, isn't taken from the pool, and nothing of it is lost")
def _():
    names = full()
    tap = call("net.vm.create_tap", multi_queue=True)["tap"]["name"]
    want(tap not in names, "it is the pool's")
    equal(full(), names, "the pool")
    equal(call("net.vm.create_tap", name=names[0])["tap"]["name"], names[0], "the tap")
    equal(call("net.vm.create_tap")["tap"]["name"], names[1], "the next one without a name")
    call("net.vm.delete_tap", names=[tap, names[0], names[1]])


@test("a dry run takes nothing out of the pool")
def _():
    names = full()
    equal(call("net.vm.create_tap", count=3, dry_run=True)["changed"], True, "changed")
    equal(pool(), names, "the pool")


@test("a thousand taps are made by one call, all as asked for, and deleted by one call, while rpc.health is answered")
def _():
    start = time.monotonic()
    taps = call("net.vm.create_tap", count=MANY, bridge="pt-br0", owner_uid=900006)["taps"]
    made = time.monotonic() - start
    names = [t["name"] for t in taps]
    equal((len(set(names)), {t["owner_uid"] for t in taps}, {t.get("bridge") for t in taps}), (MANY, {900006}, {"pt-br0"}), "the taps")
    links = e2e.links()
    equal({links[n].get("master") for n in names}, {"pt-br0"}, "their bridges as ip shows them")
    other = e2e.Client()
    deleting = e2e.Client()
    deleting.sock.sendall(('{"jsonrpc":"2.0","id":1,"method":"net.vm.delete_tap","params":{"names":["%s"]}}\n' % '","'.join(names)).encode())
    start = time.monotonic()
    health = []
    while not select.select([deleting.sock], [], [], 0)[0]:
        began = time.monotonic()
        other("rpc.health")
        health.append(time.monotonic() - began)
    took = time.monotonic() - start
    answer = deleting.file.readline()
    want(b'"removed":%d' % MANY in answer, "the answer is %r" % answer)
    equal(len(set(names) & set(e2e.links())), 0, "the number that is left")
    health.sort()
    print("# %d taps made in %.2f s, deleted in %.2f s; rpc.health meanwhile: %d times, median %.2f ms, p99 %.2f ms" %
          (MANY, made, took, len(health), health[len(health) // 2] * 1e3, health[len(health) * 99 // 100] * 1e3))
    want(health[len(health) // 2] < 0.1, "half of the answers to rpc.health took over %.0f ms" % (health[len(health) // 2] * 1e3))


@test("taps beyond the policy's limit are refused, and those made before it go again")
def _():
    before = {n for n in e2e.links()} - set(pool())
    # The pool's taps count too.
    call("net.vm.create_tap", count=600)
    fails("net.vm.create_tap", -32000, "quota_exceeded", count=600)
    names = [t["name"] for t in call("net.vm.list", limit=1000)["taps"]]
    equal(len(names), 600, "the taps")
    equal(call("net.vm.delete_tap", names=names)["removed"], 600, "removed")
    want({n for n in e2e.links()} - set(pool()) == before, "some links are left")
    full()


e2e.main()
