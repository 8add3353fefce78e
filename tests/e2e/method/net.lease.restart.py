#!/usr/bin/python3
# Two of its kind run at a time: it mostly waits.
"""net.lease.restart, and the life of a DHCPv4 lease of postern's own, with dnsmasq as the server.  LIMIT: 300"""
import json
import os
import signal
import struct
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "..", "lib"))
import e2e
import ground
import leasekit
from e2e import call, equal, fails, invalid, test, want
from leasekit import LINK

e2e.enter()


def routes():
    return {r["dst"]: r for r in json.loads(ground.run("ip", "-j", "-4", "route", "show", "dev", LINK))}


@test("net.lease.restart says where no interface is given to postern")
def _():
    e = fails("net.lease.restart", -32000, "invalid_state")
    want("lease-interface" in e.data["hint"], e.data)
    fails("net.lease.restart", -32000, "invalid_state", interface="up0")
    invalid("net.lease.restart", "interface", interface="a/b")


@test("an interface that the configuration names but the policy doesn't gets nothing")
def _():
    leasekit.make_link()
    ground.write(leasekit.CONFIG, leasekit.TOML % LINK)
    leasekit.again()
    e2e.until(lambda: "(lease-interface)" in fails("net.lease.restart", -32000, "invalid_state").data["detail"], 10, 0.2)


@test("postern leases an address: it, its time and its routes are what the server gave, and ip shows the same")
def _():
    with leasekit.dnsmasq():
        leasekit.configure("dhcp6 = false\nslaac = false\n")
        l = leasekit.until_leased()
        shown = leasekit.addresses()[l["address"]]
        equal((l["interface"], l["manager"], l["prefix"], l["server"], l["lease_secs"], l["dns"], l["domain"]),
              (LINK, "postern", 24, leasekit.SERVER, 120, ["192.0.2.1", "192.0.2.2"], "lease.test"), "the lease")
        want(l["address"].startswith("192.0.2.5") or l["address"] == "192.0.2.60", l)
        want(0 < shown["valid_life_time"] <= 120 and shown["dynamic"], "the address %r" % shown)
        want(abs(l["obtained_unix"] + 120 - l["expires_unix"]) <= 1 and abs(l["obtained_unix"] - time.time()) < 60, l)
        want(55 <= l["t1"] <= 60 and 100 <= l["t2"] <= 105, l)
        equal(sorted((r["destination"], r.get("gateway")) for r in l["routes"]), [("0.0.0.0/0", "192.0.2.1"), ("198.18.0.0/15", "192.0.2.9")], "routes of the lease")
        e2e.until(lambda: {"default", "198.18.0.0/15"} <= set(routes()), 10)
        for net, via in (("default", "192.0.2.1"), ("198.18.0.0/15", "192.0.2.9")):
            r = routes()[net]
            equal((r["gateway"], r["prefsrc"], r["protocol"], r["metric"]), (via, l["address"], "dhcp", 1024), "the route to " + net)
        equal(call("net.lease")["interfaces"], [LINK], "interfaces")


@test("net.lease.restart asks anew and answers with the lease; a dry run only looks")
def _():
    with leasekit.dnsmasq() as server:
        before = leasekit.until_leased()
        dry = call("net.lease.restart", dry_run=True)
        equal((dry["changed"], dry["lease"]["address"], dry["lease"]["obtained_unix"]), (True, before["address"], before["obtained_unix"]), "the dry run")
        time.sleep(1.1)
        asked = server.said().count("DHCPDISCOVER")
        result = call("net.lease.restart", interface=LINK)
        equal((result["changed"], result["lease"]["address"], result["lease"]["state"]), (True, before["address"], "bound"), "the answer")
        want(result["lease"]["obtained_unix"] > before["obtained_unix"], (before, result))
        want(server.said().count("DHCPDISCOVER") > asked, "no DISCOVER in dnsmasq's log")
        want(leasekit.addresses()[result["lease"]["address"]]["valid_life_time"] > 110, leasekit.addresses())


@test("at T1 the lease is renewed with the server that gave it, by unicast from the leased address")
def _():
    with leasekit.dnsmasq("--dhcp-option=option:T1,5") as server:
        first = call("net.lease.restart")["lease"]
        equal(first["t1"], 5, "T1")
        asked, discovered = server.said().count("DHCPREQUEST"), server.said().count("DHCPDISCOVER")
        capture = leasekit.Capture()
        renewed = e2e.until(lambda: leasekit.lease()["dhcp4"]["obtained_unix"] > first["obtained_unix"] and leasekit.lease()["dhcp4"], 20, 0.1)
        equal((renewed["address"], renewed["state"]), (first["address"], "bound"), "the renewed lease")
        want(server.said().count("DHCPREQUEST") > asked and server.said().count("DHCPDISCOVER") == discovered, server.said())
        equal(capture.stop(), {(first["address"], leasekit.SERVER)}, "who sent to whom")
        want(leasekit.addresses()[first["address"]]["valid_life_time"] > 110, leasekit.addresses())


@test("another answer replaces address and routes; nothing of the old lease stays")
def _():
    with leasekit.dnsmasq("--dhcp-range=192.0.2.70,192.0.2.79,2m", "--dhcp-option=option:router,192.0.2.7", four=False, leases="/run/second.leases"):
        l = call("net.lease.restart")["lease"]
        want(l["address"].startswith("192.0.2.7"), l)
        equal(set(leasekit.addresses()), {l["address"]}, "addresses")
        e2e.until(lambda: routes().get("default", {}).get("gateway") == "192.0.2.7", 10)
        want("198.18.0.0/15" not in routes(), routes())


@test("leases are no drift, and a checkpoint that is rolled back leaves them as they are")
def _():
    checkpoint = call("net.checkpoint.create", timeout_secs=60)["checkpoint"]["id"]
    with leasekit.dnsmasq():
        held = call("net.lease.restart")["lease"]
        want(held["address"].startswith(("192.0.2.5", "192.0.2.60")), held)
        equal(call("net.verify"), {"in_sync": True, "drift": []}, "net.verify")
        call("net.checkpoint.rollback", id=checkpoint)
        want(held["address"] in leasekit.addresses() and "default" in routes(), (held, leasekit.addresses(), routes()))
    with leasekit.dnsmasq("--dhcp-range=192.0.2.70,192.0.2.79,2m", "--dhcp-option=option:router,192.0.2.7", four=False, leases="/run/second.leases"):
        call("net.lease.restart")


@test("a killed helper and a killed worker keep the lease, and confirm it with the server (INIT-REBOOT)")
def _():
    with leasekit.dnsmasq("--dhcp-range=192.0.2.70,192.0.2.79,2m", "--dhcp-option=option:router,192.0.2.7", four=False, leases="/run/second.leases") as server:
        before = leasekit.until_leased()
        for _ in range(2):
            asked, discovered = server.said().count("DHCPREQUEST"), server.said().count("DHCPDISCOVER")
            leasekit.again()
            e2e.until(lambda: server.said().count("DHCPREQUEST") > asked, 20)
            after = leasekit.until_leased()
            equal(after["address"], before["address"], "the address after a restart")
            equal(server.said().count("DHCPDISCOVER"), discovered, "DISCOVERs")
        asked = server.said().count("DHCPREQUEST")
        for pid in e2e.processes()["postern-net"]:
            os.kill(pid, signal.SIGKILL)
        e2e.until(lambda: server.said().count("DHCPREQUEST") > asked, 20)
        equal(leasekit.until_leased()["address"], before["address"], "the address after the helper's end")


@test("a carrier that went and came makes it ask again; a NAK takes the address and begins anew")
def _():
    ground.run(*leasekit.outside("ip", "link", "set", leasekit.FAR, "down"))
    e2e.until(lambda: leasekit.lease()["dhcp4"]["state"] == "off", 10)
    fails("net.lease.restart", -32000, "invalid_state")
    with leasekit.dnsmasq() as server:
        ground.run(*leasekit.outside("ip", "link", "set", leasekit.FAR, "up"))
        # dnsmasq is authoritative and knows nothing of 192.0.2.7x.
        e2e.until(lambda: "DHCPNAK" in server.said(), 20)
        l = e2e.until(lambda: leasekit.lease()["dhcp4"].get("address", "").startswith(("192.0.2.5", "192.0.2.60")) and leasekit.lease()["dhcp4"], 30)
        e2e.until(lambda: set(leasekit.addresses()) == {l["address"]}, 10)
        e2e.until(lambda: routes().get("default", {}).get("gateway") == "192.0.2.1", 10)


@test("an address that answers ARP already is declined, and another one taken")
def _():
    with leasekit.dnsmasq("--no-ping", "--dhcp-range=192.0.2.90,192.0.2.91,2m", "--dhcp-sequential-ip", four=False, leases="/run/third.leases") as server:
        # The outside has the first address of the range itself, on another link, and answers ARP for it on this one.
        ground.run(*leasekit.outside("ip", "address", "add", "192.0.2.90/32", "dev", "lo"))
        l = call("net.lease.restart")["lease"]
        equal(l["address"], "192.0.2.91", "the address, after\n" + server.said())
        want("DHCPDECLINE" in server.said(), server.said())
        ground.run(*leasekit.outside("ip", "address", "del", "192.0.2.90/32", "dev", "lo"))


@test("an address that others gave to the interface stays theirs")
def _():
    ground.run("ip", "address", "add", "192.0.2.200/24", "dev", LINK)
    with leasekit.dnsmasq("--dhcp-range=192.0.2.90,192.0.2.91,2m", four=False, leases="/run/third.leases"):
        call("net.lease.restart")
    want("192.0.2.200" in leasekit.addresses(), leasekit.addresses())
    ground.run("ip", "address", "del", "192.0.2.200/24", "dev", LINK)


class Rogue(threading.Thread):
    """Answers every DISCOVER and REQUEST with whatever `answers` makes of it."""

    def __init__(self, answers):
        super().__init__(daemon=True)
        self.answers, self.over, self.seen = answers, False, []
        code = "import socket,sys;s=socket.socket(socket.AF_PACKET,socket.SOCK_RAW,socket.htons(3));s.bind(('%s',0x800))\n" % leasekit.FAR
        code += ("import threading\ndef out():\n while 1:\n  d=s.recv(4096);sys.stdout.buffer.write(len(d).to_bytes(2,'big')+d);sys.stdout.flush()\n"
                 "threading.Thread(target=out,daemon=True).start()\n"
                 "while 1:\n n=sys.stdin.buffer.read(2)\n if not n: break\n s.send(sys.stdin.buffer.read(int.from_bytes(n,'big')))")
        self.child = subprocess.Popen(leasekit.outside(sys.executable, "-c", code), stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.start()

    def run(self):
        while not self.over:
            size = self.child.stdout.read(2)
            if not size:
                return
            frame = self.child.stdout.read(int.from_bytes(size, "big"))
            if frame[23] != 17 or frame[36:38] != b"\0\x43" or frame[42] != 1:
                continue
            ask = frame[42:]
            kind = ask[242] if ask[240] == 53 else 0
            self.seen.append(kind)
            for m in self.answers(kind, ask):
                packet = wrap(m, frame[6:12])
                try:
                    self.child.stdin.write(len(packet).to_bytes(2, "big") + packet)
                    self.child.stdin.flush()
                except OSError:
                    return

    def stop(self):
        self.over = True
        self.child.terminate()
        self.child.wait(10)


def wrap(m, mac):
    udp = struct.pack("!HHHH", 67, 68, 8 + len(m), 0) + m
    head = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(udp), 0, 0, 64, 17, 0, bytes([192, 0, 2, 66]), b"\xff" * 4)
    total = sum(struct.unpack("!10H", head))
    head = head[:10] + struct.pack("!H", ~(total + (total >> 16)) & 0xffff) + head[12:]
    return mac + bytes([2, 0, 0, 0, 0, 0x66]) + b"\x08\0" + head + udp


def answer(ask, kind, address, options=b"", xid=None, mac=None, server=bytes([192, 0, 2, 66]), secs=120):
    m = bytearray(240)
    m[0:3], m[4:8], m[16:20], m[28:34], m[236:240] = b"\x02\x01\x06", xid or ask[4:8], bytes(address), mac or ask[28:34], ask[236:240]
    m += bytes([53, 1, kind]) + (bytes([54, 4]) + server if server else b"") + bytes([51, 4]) + struct.pack("!I", secs) + bytes([1, 4, 255, 255, 255, 0])
    return bytes(m) + options + b"\xff"


@test("offers for others, offers that no host can use and malformed ones are passed over, and nothing gets out of step")
def _():
    def hostile(kind, ask):
        good = (192, 0, 2, 99)
        yield answer(ask, 2, good, xid=b"\1\2\3\4")
        yield answer(ask, 2, good, mac=b"\2\0\0\0\0\x99")
        yield answer(ask, 2, good, server=None)
        yield answer(ask, 2, good, secs=3)
        yield answer(ask, 2, good, options=bytes([6, 200, 1]))[:-1]
        yield answer(ask, 5, good)
        yield answer(ask, 6, good)
        yield answer(ask, 2, good)[:200]
        for bad in ((0, 0, 0, 0), (127, 0, 0, 1), (224, 0, 0, 1), (255, 255, 255, 255), (192, 0, 2, 255), (192, 0, 2, 0)):
            yield answer(ask, 2, bad)
        yield bytes(1472)
        yield os.urandom(1000)
    held = set(leasekit.addresses())
    rogue = Rogue(hostile)
    client = e2e.Client()
    thread = threading.Thread(target=lambda: client.ask("net.lease.restart"), daemon=True)
    thread.start()
    e2e.until(lambda: rogue.seen.count(1) >= 2, 20)
    equal((set(rogue.seen), set(leasekit.addresses())), ({1}, held), "what was asked, and the addresses")
    rogue.stop()
    with leasekit.dnsmasq():
        thread.join(30)
        want(not thread.is_alive(), "net.lease.restart isn't answered")
        l = leasekit.until_leased()
        want(l["server"] == leasekit.SERVER and l["address"] != "192.0.2.99", l)


@test("without a server net.lease.restart says so after half a minute, and what is held stays")
def _():
    held = set(leasekit.addresses())
    e = fails("net.lease.restart", -32000, "timeout")
    want(LINK in e.data["detail"], e.data)
    equal(set(leasekit.addresses()), held, "the addresses")


e2e.main()
