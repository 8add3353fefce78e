#!/usr/bin/python3
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "..", "lib"))
import signal

import socket
import struct

import e2e
import ground
from e2e import call, equal, invalid, test, until, want

e2e.enter()


class Stopped:
    """While the net cell is stopped nothing is put back, so that drift stays to be looked at."""

    def __enter__(self):
        self.pid = e2e.processes()["postern-net"][0]
        os.kill(self.pid, signal.SIGSTOP)

    def __exit__(self, *_):
        os.kill(self.pid, signal.SIGCONT)
        until(lambda: call("net.verify")["in_sync"], 15)


def give(device, address, prefix):
    """An address with the protocol that postern's own have, which this ip can't say: RTM_NEWADDR with IFA_LOCAL, IFA_ADDRESS and IFA_PROTO."""
    raw = socket.inet_aton(address)
    attrs = b"".join(struct.pack("=HH4s", 8, kind, raw) for kind in (2, 1)) + struct.pack("=HHBxxx", 5, 11, 0x70)
    body = struct.pack("=BBBBI", socket.AF_INET, prefix, 0, 0, socket.if_nametoindex(device)) + attrs
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0) as s:
        s.send(struct.pack("=IHHII", 16 + len(body), 20, 0x605, 1, 0) + body)
        equal(struct.unpack_from("=i", s.recv(4096), 16)[0], 0, "the kernel's answer")


def drift():
    """{(kind, id): (expected, actual)}; the firewall is read by the helper, and left out while that is stopped."""
    answer = call("net.verify")
    equal(answer["in_sync"], not answer["drift"] and "unchecked" not in answer, "in_sync")
    want(answer.get("unchecked") in (None, ["firewall", "nat"]), answer)
    return {(d["kind"], d["id"]): (d["expected"], d["actual"]) for d in answer["drift"]}


@test("net.verify is in sync with what was set up, however it was set up")
def _():
    equal(drift(), {}, "the drift of nothing")
    call("net.bridge.add", name="pt-br0", address="10.75.0.1/24", mtu=1400, mac="02:00:00:00:75:01")
    call("net.bridge.add", name="pt-br1", address="fd75::1/64", stp=True)
    call("net.bridge.add", name="pt-br2")
    call("net.vm.create_tap", name="pt-t0", bridge="pt-br0", mac="02:00:00:00:75:02", mtu=1300)
    call("net.vm.create_tap", name="pt-t1")
    call("net.bridge.add_port", bridge="pt-br2", port="pt-t1")
    call("net.nat.add_snat", source="10.75.0.0/24")
    call("net.bridge.connect", a="pt-br1", b="pt-br2", name_a="pt-ca", name_b="pt-cb")
    call("net.routes.add", destination="10.78.0.0/16", gateway="10.75.0.9", device="pt-br0")
    call("net.routes.add", destination="fd78::/48", gateway="fd75::9", device="pt-br1")
    equal(drift(), {}, "the drift")


@test("net.verify shows what is missing: a bridge with its address, a tap, a port")
def _():
    with Stopped():
        for link in ("pt-br0", "pt-t1"):
            ground.run("ip", "link", "del", link)
        ground.run("ip", "address", "flush", "dev", "pt-br1", "scope", "global")
        equal(drift(), {("bridge", "pt-br0"): ("a bridge of postern's", "missing"),
                        ("address", "pt-br0 10.75.0.1/24"): ("present", "missing"),
                        ("address", "pt-br1 fd75::1/64"): ("present", "missing"),
                        ("route", "254|10.78.0.0/16|0"): ("by 10.75.0.9, out of pt-br0", "missing"),
                        ("tap", "pt-t0"): ("port of pt-br0", "port of none"),
                        ("tap", "pt-t1"): ("a tap of postern's", "missing")}, "the drift")


@test("net.verify shows a connection whose port was moved, or whose ports are gone")
def _():
    with Stopped():
        ground.run("ip", "link", "set", "pt-cb", "nomaster")
        equal(drift(), {("bridge", "pt-br2 port pt-cb"): ("port of pt-br2", "port of none")}, "the drift")
    with Stopped():
        ground.run("ip", "link", "del", "pt-ca")
        equal(drift(), {("bridge", "pt-br1 port pt-ca"): ("port of pt-br1", "missing"),
                        ("bridge", "pt-br2 port pt-cb"): ("port of pt-br2", "missing")}, "the drift")


@test("net.verify shows a route that was deleted, or leads elsewhere")
def _():
    with Stopped():
        ground.run("ip", "route", "del", "10.78.0.0/16")
        equal(drift(), {("route", "254|10.78.0.0/16|0"): ("by 10.75.0.9, out of pt-br0", "missing")}, "the drift")
    with Stopped():
        ground.run("ip", "route", "replace", "10.78.0.0/16", "via", "10.75.0.8", "dev", "pt-br0", "proto", "112")
        equal(drift(), {("route", "254|10.78.0.0/16|0"): ("by 10.75.0.9, out of pt-br0", "by 10.75.0.8, out of pt-br0")}, "the drift")
        ground.run("ip", "route", "del", "10.78.0.0/16")


@test("net.verify shows what was changed: each property, and no more than what differs")
def _():
    with Stopped():
        ground.run("ip", "link", "set", "pt-br0", "mtu", "1280", "down")
        ground.run("ip", "link", "set", "pt-br0", "address", "02:00:00:00:99:99")
        ground.run("ip", "link", "set", "pt-t0", "mtu", "900")
        ground.run("ip", "link", "set", "pt-t1", "nomaster")
        ground.run("ip", "link", "set", "pt-t1", "down")
        equal(drift(), {("bridge", "pt-br0"): ("up, mtu 1400, mac 02:00:00:00:75:01", "down, mtu 1280, mac 02:00:00:00:99:99"),
                        ("route", "254|10.78.0.0/16|0"): ("by 10.75.0.9, out of pt-br0", "missing"),
                        ("tap", "pt-t0"): ("mtu 1300", "mtu 900"),
                        ("tap", "pt-t1"): ("up, port of pt-br2", "down, port of none")}, "the drift")


@test("net.verify shows forwarding that a translation needs and that is off")
def _():
    with Stopped():
        with open("/proc/sys/net/ipv4/ip_forward", "w") as f:
            f.write("0")
        equal(drift(), {("sysctl", "net.ipv4.ip_forward"): ("1", "0")}, "the drift")


@test("net.verify shows strays: a link and an address that carry postern's mark and that nobody asked for")
def _():
    ground.run("ip", "tuntap", "add", "pt-stray", "mode", "tap")
    ground.run("ip", "link", "set", "pt-stray", "alias", "postern:tap")
    give("pt-br2", "10.76.0.1", 24)
    ground.run("ip", "route", "add", "10.79.0.0/16", "dev", "pt-br0", "proto", "112")
    equal(drift(), {("tap", "pt-stray"): ("absent", "a tap that nobody asked for"),
                    ("route", "254|10.79.0.0/16|0"): ("absent", "a route that nobody asked for"),
                    ("address", "pt-br2 10.76.0.1/24"): ("absent", "an address that nobody asked for")}, "the drift")
    ground.run("ip", "link", "del", "pt-stray")
    ground.run("ip", "route", "del", "10.79.0.0/16")
    ground.run("ip", "address", "del", "10.76.0.1/24", "dev", "pt-br2")


@test("net.verify doesn't look at what is another's: links, addresses and ports without postern's mark")
def _():
    ground.run("ip", "link", "add", "pt-foreign", "type", "bridge")
    ground.run("ip", "link", "add", "other0", "type", "veth", "peer", "name", "other1")
    ground.run("ip", "link", "set", "other0", "master", "pt-br2")
    ground.run("ip", "address", "add", "10.77.0.1/24", "dev", "pt-br2")
    equal(drift(), {}, "the drift")
    for link in ("pt-foreign", "other0"):
        ground.run("ip", "link", "del", link)
    ground.run("ip", "address", "del", "10.77.0.1/24", "dev", "pt-br2")


@test("net.verify shows a foreign link under a name of ours as what it is")
def _():
    ground.run("ip", "link", "set", "pt-br2", "alias", "mine")
    equal(drift(), {("bridge", "pt-br2"): ("a bridge of postern's", "a bridge without postern's mark")}, "the drift")
    ground.run("ip", "link", "set", "pt-br2", "alias", "postern:bridge")
    equal(drift(), {}, "the drift")


@test("net.verify says what it couldn't look at, and doesn't call that in sync")
def _():
    with Stopped():
        answer = call("net.verify")
        equal((answer["in_sync"], answer["drift"], answer["unchecked"]), (False, [], ["firewall", "nat"]), "the answer")
    want("unchecked" not in call("net.verify"), "it still can't look")


@test("net.verify pages its drift by id")
def _():
    with Stopped():
        for link in ("pt-br0", "pt-t0", "pt-t1"):
            ground.run("ip", "link", "del", link)
        every = call("net.verify")
        first = call("net.verify", limit=2)
        equal(first["drift"], every["drift"][:2], "the first page")
        rest = call("net.verify", limit=10, cursor=first["next_cursor"])
        equal(rest["drift"], every["drift"][2:], "the second page")
        equal((first["in_sync"], rest["in_sync"]), (False, False), "in_sync")
    invalid("net.verify", "limit", limit=0)


e2e.main()
