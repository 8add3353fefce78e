#!/usr/bin/python3
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "..", "lib"))
import e2e
import ground
from e2e import call, equal, test, want

e2e.enter()


@test("net.interfaces lists what ip lists: names, indices, MTU, MAC, kinds, addresses")
def _():
    ours = {i["name"]: i for i in call("net.interfaces")["interfaces"]}
    theirs = e2e.links()
    equal(sorted(ours), sorted(theirs), "the names")
    for name, link in theirs.items():
        i = ours[name]
        equal((i["index"], i["mtu"]), (link["ifindex"], link["mtu"]), "index and MTU of " + name)
    equal(ours["lo"]["kind"], "loopback", "the kind of lo")
    equal((ours["up0"]["kind"], ours["up0"]["mac"]), ("veth", theirs["up0"]["address"]), "kind and MAC of up0")
    want("up" in ours["up0"]["flags"] and ours["up0"]["carrier"], "up0 isn't up")
    address = [a for a in ours["up0"]["addresses"] if a["family"] == "inet"][0]
    equal((address["address"], address["prefix"], address["scope"]), ("198.51.100.2", 24, "global"), "the address of up0")


@test("net.interfaces with a name lists that one alone, and none for a name that isn't there")
def _():
    equal([i["name"] for i in call("net.interfaces", name="lo")["interfaces"]], ["lo"], "the names")
    try:
        equal(call("net.interfaces", name="nosuch")["interfaces"], [], "the interfaces called nosuch")
    except e2e.Error as e:
        equal(e.data.get("kind"), "not_found", "the kind")


@test("net.interfaces comes in pages, sorted by name, each once")
def _():
    for n in range(5):
        ground.run("ip", "link", "add", "dm%d" % n, "type", "veth", "peer", "name", "dp%d" % n)
    names, cursor = [], None
    while True:
        page = call("net.interfaces", limit=3, **({"cursor": cursor} if cursor else {}))
        want(len(page["interfaces"]) <= 3, "a page of %d" % len(page["interfaces"]))
        names += [i["name"] for i in page["interfaces"]]
        cursor = page.get("next_cursor")
        if not cursor:
            break
    for n in range(5):
        ground.run("ip", "link", "del", "dm%d" % n)
    equal(names, sorted(names), "the order")
    equal(len(names), 12, "interfaces")


e2e.main()
