#!/usr/bin/python3
"""F: leases: interfaces that policy doesn't give, addresses that others gave, and what a lease channel lets through.  LIMIT: 120"""
import os
import select
import socket
import struct
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "lib"))
import ground
import hostile
from hostile import Failed, Helper, Quiet, address, equal, test, want

hostile.enter()
LINK, OTHER = "wan0", "wan9"
DHCP4, ARP, DHCP6 = 0, 1, 2
MAC = bytes([2, 0, 0, 0, 0, 0x77])
POLICY = "/etc/postern/policy.conf"


def prepare():
    for name, peer in ((LINK, "far0"), (OTHER, "far9")):
        ground.run("ip", "link", "add", name, "type", "veth", "peer", "name", peer)
        ground.run("ip", "link", "set", peer, "up")
    ground.run("ip", "link", "set", LINK, "address", ":".join("%02x" % b for b in MAC))
    ground.write(POLICY, open(POLICY).read() + "lease-interface %s gone0\n" % LINK)


prepare()


def sniffer(link="far0"):
    s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
    s.bind((link, 3))
    return s


def heard(s, seconds=0.3):
    """IPv4 and ARP frames that came within the time (IPv6 says things by itself)."""
    found = []
    while select.select([s], [], [], seconds)[0]:
        frame = s.recv(4096)
        if frame[12:14] in (b"\x08\x00", b"\x08\x06"):
            found.append(frame)
    return found


def message(kind=1, mac=MAC, cookie=b"\x63\x82\x53\x63", giaddr=bytes(4), ciaddr=bytes(4), length=300):
    m = bytearray(length)
    m[0:3] = bytes([kind, 1, 6])
    m[12:16], m[24:28], m[28:34], m[236:240] = ciaddr, giaddr, mac, cookie
    return bytes(m)


def frame(kind, data, to=bytes(16)):
    return struct.pack("=II", kind, 0) + to.ljust(16, b"\0") + data


def channel(helper, device=LINK):
    _, fds = helper.ok("lease_open", {"device": device})
    return socket.socket(fileno=fds[0])


def closed(s):
    return bool(select.select([s], [], [], 2)[0]) and s.recv(10) == b""


ATTEMPTS = (("lease_open", {}), ("lease_apply", {"address": address("192.0.2.5/24"), "valid_secs": 60, "preferred_secs": 60}),
            ("lease_drop", {"address": address("192.0.2.5/24")}),
            ("lease_route", {"source": address("192.0.2.5/24"), "destination": address("0.0.0.0/0"), "metric": 5}), ("lease_ra", {}))


@test("F: no operation of leases touches an interface that the policy doesn't give")
def _():
    with Helper() as helper, Quiet(helper):
        for device in ("lo", "up0", OTHER, "pt-x", "absent0", LINK + "0", LINK[:-1]):
            for op, more in ATTEMPTS:
                helper.refused(op, dict({"device": device}, **more), "denied", "lease-interface")
        for op, more in ATTEMPTS:
            helper.refused(op, dict({"device": "gone0"}, **more), ("not_found", "unsupported"))


@test("F: a leased address has our mark and an end; one that others gave is neither changed nor taken")
def _():
    with Helper() as helper:
        ground.run("ip", "address", "add", "192.0.2.200/24", "dev", LINK)
        for op, more in (("lease_apply", {"valid_secs": 60, "preferred_secs": 60}), ("lease_drop", {}), ("lease_route", {"destination": address("0.0.0.0/0"), "metric": 5})):
            key = "source" if op == "lease_route" else "address"
            helper.refused(op, dict({"device": LINK, key: address("192.0.2.200/24")}, **more), "denied")
        for bad in ("0.0.0.0/24", "127.0.0.1/8", "224.0.0.1/24", "240.0.0.1/8", "192.0.2.5/0", "192.0.2.5/7", "::1/128", "ff02::1/64", "fd00::1/15"):
            helper.refused("lease_apply", {"device": LINK, "address": address(bad), "valid_secs": 60, "preferred_secs": 60}, "invalid")
        helper.refused("lease_apply", {"device": LINK, "address": address("192.0.2.5/24"), "valid_secs": 60, "preferred_secs": 61}, "invalid")
        helper.ok("lease_apply", {"device": LINK, "address": address("192.0.2.5/24"), "valid_secs": 60, "preferred_secs": 50})
        text = ground.run("ip", "-d", "address", "show", "dev", LINK)
        want("valid_lft 60sec preferred_lft 50sec" in text, text)
        want("192.0.2.200" in text, text)
        equal(helper.ok("lease_drop", {"device": LINK, "address": address("192.0.2.5/24")})["changed"], True, "changed")
        equal(helper.ok("lease_drop", {"device": LINK, "address": address("192.0.2.5/24")})["changed"], False, "changed, the second time")
        ground.run("ip", "address", "del", "192.0.2.200/24", "dev", LINK)


@test("F: a route of a lease needs a leased address, is IPv4's, and never takes another's place")
def _():
    with Helper() as helper:
        ground.run("ip", "link", "set", LINK, "up")
        base = {"device": LINK, "source": address("192.0.2.5/24"), "destination": address("198.18.0.0/15"), "metric": 77}
        helper.refused("lease_route", base, "not_found")
        helper.ok("lease_apply", {"device": LINK, "address": address("192.0.2.5/24"), "valid_secs": 60, "preferred_secs": 50})
        for more in ({"destination": address("2001:db8::/32")}, {"source": address("fd00::1/64")}, {"gateway": address("224.0.0.1/32")}, {"gateway": address("::1/128")}):
            helper.refused("lease_route", dict(base, **more), ("invalid", "not_found"))
        ground.run("ip", "route", "add", "198.18.0.0/15", "dev", LINK, "metric", "77", "proto", "static")
        want(helper.ok("lease_route", base)["changed"] is False, "it changed another's route")
        helper.ok("lease_route", dict(base, remove=True))
        want("proto static" in ground.run("ip", "route", "show", "198.18.0.0/15"), "another's route is gone")
        ground.run("ip", "route", "del", "198.18.0.0/15", "dev", LINK)
        equal(helper.ok("lease_route", base)["changed"], True, "changed")
        helper.ok("lease_drop", {"device": LINK, "address": address("192.0.2.5/24")})
        equal(ground.run("ip", "route", "show", "198.18.0.0/15"), "", "the route without its address")


@test("F: what goes into a lease channel comes out as a DHCP client's message or an ARP probe, and from this interface alone")
def _():
    with Helper() as helper:
        near, far = sniffer(), sniffer("far9")
        c = channel(helper)
        heard(near)
        c.send(frame(DHCP4, message()))
        got = heard(near)
        equal(len(got), 1, "frames")
        equal((got[0][0:6], got[0][6:12], got[0][12:14]), (b"\xff" * 6, MAC, b"\x08\0"), "the Ethernet header")
        equal((got[0][26:34], got[0][34:38]), (bytes(4) + b"\xff" * 4, bytes([0, 68, 0, 67])), "addresses and ports")
        equal(got[0][42:342], message(), "the message")
        c.send(frame(ARP, b"", bytes([192, 0, 2, 9])))
        got = heard(near)
        equal([f[12:42] for f in got], [bytes([8, 6, 0, 1, 8, 0, 6, 4, 0, 1]) + MAC + bytes(4) + bytes(6) + bytes([192, 0, 2, 9])], "the probe")
        equal(heard(far), [], "frames on another link")


@test("F: a frame that no DHCP client sends closes the channel, and nothing goes out")
def _():
    bad = [b"", b"\0" * 23, frame(3, message()), frame(DHCP4, b""), frame(DHCP4, message()[:239]), frame(DHCP4, message(kind=2)), frame(DHCP4, message(length=1473)),
           frame(DHCP4, message(mac=b"\2\0\0\0\0\1")), frame(DHCP4, message(cookie=bytes(4))), frame(DHCP4, message(giaddr=b"\x0a\0\0\1")),
           frame(DHCP4, message(), bytes([224, 0, 0, 1])), frame(DHCP4, message(), bytes([127, 0, 0, 1])), frame(DHCP4, message(), bytes([192, 0, 2, 1])),
           frame(ARP, b"x", bytes([192, 0, 2, 9])), frame(DHCP6, b"\1\0\0"), frame(DHCP6, b"\2\0\0\0"), frame(DHCP6, b"\x0c\0\0\0"), frame(DHCP6, b"\1" + bytes(1300)),
           frame(DHCP4, message()) + bytes(4000), b"\xff" * 300]
    with Helper() as helper:
        near = sniffer()
        for data in bad:
            c = channel(helper)
            heard(near, 0.05)
            c.send(data or b"\0")
            want(closed(c), "the channel stays open after %r" % data[:40])
            equal(heard(near, 0.05), [], "frames after %r" % data[:40])
            c.close()
        helper.ok("ping", {})


@test("F: a flood from the link, and a daemon that doesn't read, keep no other request waiting")
def _():
    with Helper() as helper:
        c = channel(helper)
        raw = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
        raw.bind(("far0", 0))
        udp = struct.pack("!HHHH", 67, 68, 8 + 300, 0) + message(kind=2)
        ip = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(udp), 0, 0, 64, 17, 0, bytes([192, 0, 2, 1]), b"\xff" * 4)
        for i in range(3000):
            try:
                raw.send(b"\xff" * 6 + bytes([2, 0, 0, 0, 0, 1]) + b"\x08\0" + ip + udp)
            except OSError:
                pass
            if i % 100 == 0:
                helper.ok("ping", {})
        helper.ok("ping", {})
        kind, unsummed = struct.unpack("=II", c.recv(4096)[:8])
        equal(kind, DHCP4, "the kind of frame")


@test("F: a channel that is opened again closes the one before")
def _():
    with Helper() as helper:
        first = channel(helper)
        second = channel(helper)
        want(closed(first), "the first is still open")
        near = sniffer()
        heard(near)
        second.send(frame(DHCP4, message()))
        equal(len(heard(near)), 1, "frames")


@test("F: without lease-interface the helper opens no socket of DHCP")
def _():
    text = open(POLICY).read()
    ground.write(POLICY, "".join(l for l in text.splitlines(True) if not l.startswith("lease-interface")))
    with Helper() as helper:
        helper.ok("ping", {})
        listing = open("/proc/net/udp").read() + open("/proc/net/udp6").read()
        want(":0044 " not in listing and ":0222 " not in listing, listing)

    ground.write(POLICY, text)


hostile.main()
