#!/usr/bin/python3
import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "..", "lib"))
import e2e
import ground
from e2e import call, equal, test, want

e2e.enter()




def theirs():
    """What `ip` shows, in our words."""
    shown = {}
    for link in json.loads(ground.run("ip", "-s", "-d", "-j", "address", "show")):
        kind = link.get("linkinfo", {}).get("info_kind") or ("loopback" if link["link_type"] == "loopback" else "physical")
        stats = link["stats64"]
        master = link.get("master")
        bridge = master if link.get("linkinfo", {}).get("info_slave_kind") == "bridge" else None
        shown[link["ifname"]] = {
            "name": link["ifname"], "index": link["ifindex"], "kind": kind, "mac": link.get("address") if link["link_type"] != "none" else None,
            "mtu": link["mtu"], "flags": sorted(f.lower() for f in link["flags"] if f != "NO-CARRIER"), "operstate": link["operstate"].lower(),
            "carrier": "LOWER_UP" in link["flags"], "master": master, "bridge": bridge,
            "addresses": [{"family": a["family"], "address": a["local"], "prefix": a["prefixlen"], "scope": a["scope"]} for a in link["addr_info"]],
            "stats": {"%s_%s" % (way, name): stats[way][name] for way in ("rx", "tx") for name in ("bytes", "packets", "errors", "dropped")}}
    return shown


def ours(i):
    i = {"mac": None, "master": None, "bridge": None, **i, "flags": sorted(f for f in i["flags"] if f != "running")}  # which ip doesn't show
    i["addresses"] = [{k: v for k, v in a.items() if k != "flags"} for a in i["addresses"]]
    return i


def whole(**params):
    found, cursor = [], None
    while True:
        page = call("net.interfaces", **params, **({"cursor": cursor} if cursor else {}))
        want(len(page["interfaces"]) <= params.get("limit", 1000), "a page of %d" % len(page["interfaces"]))
        found += page["interfaces"]
        cursor = page.get("next_cursor")
        if not cursor:
            return found


@test("net.interfaces lists what ip lists, field by field, with all addresses of each in the kernel's order")
def _():
    for command in ("link add ib0 type bridge", "link add ia0 type veth peer name ia1", "link set ia0 master ib0 up", "link set ia1 mtu 1400 up", "link set ib0 up",
                    "address add 10.91.0.1/24 dev ib0", "address add 10.91.0.2/24 dev ib0", "address add 10.91.1.1/32 dev ib0", "address add 10.92.0.9/16 dev ia1",
                    "-6 address add fd91::1/64 dev ib0 nodad", "-6 address add fd91::2/64 dev ib0 nodad", "tuntap add it0 mode tun"):
        ground.run("ip", *command.split())
    quiet = {}

    def settled():  # link-local addresses come by themselves, and packets with them
        before, quiet["ours"], quiet["theirs"] = theirs(), {i["name"]: ours(i) for i in whole()}, theirs()
        return before == quiet["theirs"] and not any("TENTATIVE" in str(a) for a in before)
    e2e.until(settled)
    equal(sorted(quiet["ours"]), sorted(quiet["theirs"]), "the names")
    for name, link in quiet["theirs"].items():
        equal(quiet["ours"][name], link, name)
    want(len(quiet["ours"]["ib0"]["addresses"]) >= 5, "ib0 has too few addresses")
    for name in ("ib0", "it0", "lo"):
        equal(ours(call("net.interfaces", name=name)["interfaces"][0])["addresses"], quiet["theirs"][name]["addresses"], "the addresses of %s alone" % name)
    for name in ("ia0", "ib0", "it0"):
        ground.run("ip", "link", "del", name)


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
    every = [i["name"] for i in whole()]
    for limit in (1, 3, 11, 12, 13):
        equal([i["name"] for i in whole(limit=limit)], every, "the names in pages of %d" % limit)
    for n in range(5):
        ground.run("ip", "link", "del", "dm%d" % n)
    equal(every, sorted(every), "the order")
    equal(len(every), 12, "interfaces")
    equal(call("net.interfaces", cursor="zz")["interfaces"], [], "what is behind the end")


@test("net.interfaces lists 2000 interfaces and their addresses, each once, in pages of any size")
def _():
    batch = os.path.join(ground.HOME, "links")
    with open(batch, "w") as f:
        for n in range(1000):
            f.write("link add va%d type veth peer name vb%d\naddress add 10.%d.%d.1/24 dev va%d\n" % (n, n, 100 + (n >> 8), n & 255, n))
    ground.run("ip", "-batch", batch)
    for limit in (10000, 700):
        found = {i["name"]: [a["address"] for a in i["addresses"]] for i in whole(limit=limit)}
        for n in range(1000):
            equal((found["va%d" % n], found["vb%d" % n]), (["10.%d.%d.1" % (100 + (n >> 8), n & 255)], []), "the addresses of va%d and vb%d" % (n, n))
    equal(len(call("net.interfaces")["interfaces"]), 1000, "the interfaces of a page")


e2e.main()
