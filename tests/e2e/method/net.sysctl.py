#!/usr/bin/python3
"""net.sysctl beside the files of /proc/sys/net, which are set one by one."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "..", "lib"))
import e2e
import ground
from e2e import call, equal, fails, test, want

HOST = {"ipv4_forward": "ipv4/ip_forward", "ipv6_forward": "ipv6/conf/all/forwarding"}
LINK = {"forwarding4": "ipv4/conf/%s/forwarding", "forwarding6": "ipv6/conf/%s/forwarding",
        "proxy_arp": "ipv4/conf/%s/proxy_arp", "proxy_ndp": "ipv6/conf/%s/proxy_ndp"}

e2e.enter()


def read(path):
    """A switch, or None where the file isn't there."""
    try:
        with open("/proc/sys/net/" + path) as f:
            return int(f.read()) != 0
    except FileNotFoundError:
        return None


def put(path, on):
    with open("/proc/sys/net/" + path, "w") as f:
        f.write(str(int(on)))


def expected():
    links = {}
    for name in e2e.links():
        switches = {key: read(path % name) for key, path in LINK.items()}
        links[name] = {"name": name, **{key: on for key, on in switches.items() if on is not None}}
    return {"global": {key: read(path) for key, path in HOST.items()}, "interfaces": [links[n] for n in sorted(links)]}


@test("net.sysctl says what the files say, whichever switch is turned")
def _():
    ground.run("ip", "link", "add", "sa0", "type", "veth", "peer", "name", "sb0")
    equal(call("net.sysctl"), expected(), "the switches")
    for path in [p % "sa0" for p in LINK.values()] + list(HOST.values()):
        for on in (not read(path), read(path)):
            put(path, on)
            equal(read(path), on, path)
            equal(call("net.sysctl"), expected(), "the switches after %s=%d" % (path, on))


@test("net.sysctl leaves out what an interface without IPv6 doesn't have")
def _():
    ground.run("ip", "link", "set", "sb0", "mtu", "1000")  # too small for IPv6
    found = {i["name"]: i for i in call("net.sysctl")["interfaces"]}
    equal(sorted(found["sb0"]), ["forwarding4", "name", "proxy_arp"], "the members of sb0")
    equal(sorted(found["sa0"]), ["forwarding4", "forwarding6", "name", "proxy_arp", "proxy_ndp"], "the members of sa0")


@test("net.sysctl with an interface names that one alone, in pages each once, and says when there is none")
def _():
    equal([i["name"] for i in call("net.sysctl", interface="sa0")["interfaces"]], ["sa0"], "the interfaces")
    fails("net.sysctl", -32000, "not_found", interface="nosuch")
    names, cursor = [], None
    while True:
        page = call("net.sysctl", limit=2, **({"cursor": cursor} if cursor else {}))
        want(len(page["interfaces"]) <= 2, "a page of %d" % len(page["interfaces"]))
        names += [i["name"] for i in page["interfaces"]]
        cursor = page.get("next_cursor")
        if not cursor:
            break
    equal(names, sorted(e2e.links()), "the names by pages")


e2e.main()
