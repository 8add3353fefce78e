#!/usr/bin/python3
"""F: names, indices and taps that aren't the daemon's to use; and the net operations within their bounds.  LIMIT: 240"""
import errno
import fcntl
import json
import os
import socket
import struct
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "lib"))
import ground
import hostile
from hostile import OP, Failed, Helper, Quiet, address, equal, pack, sealed_memfd, test, want

hostile.enter()
BRIDGE, VETH = 0, 1
REFUSED = ("denied", "invalid", "not_found", "exists", "quota")


def links():
    return {link["ifname"]: link for link in json.loads(ground.run("ip", "-j", "-d", "link"))}


MASQUERADE, SNAT, DNAT, ALLOW = 0, 1, 2, 3


def record(kind=MASQUERADE, source="10.9.0.0/24", to=None, host=None, proto=0, ports=(0, 0), to_port=0, interface="", comment="test", reserved=(0, 0)):
    """struct fw_record: u32 kind, wire_addr source, to, host, u8 proto, reserved, u16 port_lo, port_hi, to_port, reserved, char interface[16], comment[32]."""
    addresses = b"".join(address(a) if a else bytes(18) for a in (source, to, host))
    body = struct.pack("<I54sBBHHHH", kind, addresses, proto, reserved[0], *ports, to_port, reserved[1])
    return body + interface.encode().ljust(16, b"\0") + comment.encode().ljust(32, b"\0")


def forward(port=8080, to="10.9.0.2/32", to_port=80, proto=6, **more):
    return record(DNAT, **{"source": None, "to": to, "proto": proto, "ports": (port, 0), "to_port": to_port, **more})


def allow(lo=22, hi=None, proto=6, **more):
    return record(ALLOW, **{"source": None, "proto": proto, "ports": (lo, lo if hi is None else hi), **more})


def change(helper, removes=(), adds=()):
    fd = sealed_memfd(b"".join([*removes, *adds]))
    try:
        return helper.ask("fw_change", {"removes": len(removes), "adds": len(adds)}, [fd])
    finally:
        os.close(fd)


def commit(helper, *records, count=None):
    fd = sealed_memfd(b"".join(records))
    try:
        return helper.ask("fw_commit", {"count": len(records) if count is None else count}, [fd])
    finally:
        os.close(fd)


@test("F1: names that the kernel or the alphabet forbids are malformed")
def _():
    before = hostile.state()
    for name in ("", "pt-0123456789abcd", "pt-" + "a" * 60, "..", ".", "/", "pt-a/b", "pt-a:1", "pt-%d", "pt- a", "pt-\ta", "pt-a\n", "a" * 16, "pt-a" + "b" * 12):
        for op, args in (("link_add", {"kind": BRIDGE, "name": name}), ("tap_create", {"name": name}), ("links_del", {"names": [name]}), ("link_set", {"name": name, "up": True})):
            helper = Helper()
            try:
                helper.ends_malformed(pack([1, OP[op], args]))
            except Failed as e:
                raise Failed("%s %r: %s" % (op, name, e))
            finally:
                helper.close()
    hostile.unchanged(before)


@test("F1: links without the policy's prefix are denied, and none is touched")
def _():
    ground.run("ip", "link", "add", "foreign0", "type", "bridge")
    ground.run("ip", "link", "add", "ptx", "type", "bridge")
    with Helper() as helper, Quiet(helper):
        for name in ("lo", "up0", "eth0", "foreign0", "ptx", "pt", "xpt-a", "PT-a", "1", "docker0", "pt-"):
            helper.refused("link_add", {"kind": BRIDGE, "name": name}, "denied")
            helper.refused("link_add", {"kind": VETH, "name": name, "peer": "pt-peer"}, "denied")
            helper.refused("link_add", {"kind": VETH, "name": "pt-v", "peer": name}, "denied")
            helper.refused("tap_create", {"name": name}, "denied")
            helper.refused("link_set", {"name": name, "up": False}, "denied")
            helper.refused("link_set", {"name": name, "mtu": 68}, "denied")
            helper.refused("links_del", {"names": [name]}, "denied")
            helper.refused("links_del", {"names": ["pt-absent", name]}, "denied")
            helper.refused("address_add", {"device": name, "address": address("10.8.0.1/24")}, "denied")
            helper.refused("address_del", {"device": name, "address": address("127.0.0.1/8")}, "denied")
    ground.run("ip", "link", "del", "foreign0")
    ground.run("ip", "link", "del", "ptx")


@test("F1: a bridge outside the policy's pattern can be neither made nor joined")
def _():
    ground.run("ip", "link", "add", "foreign0", "type", "bridge")
    with Helper() as helper:
        before = hostile.state()
        helper.refused("link_add", {"kind": BRIDGE, "name": "pt-other"}, "denied", "bridge")
        helper.ok("link_add", {"kind": VETH, "name": "pt-a", "peer": "pt-b"})
        helper.refused("link_set", {"name": "pt-a", "master": "foreign0"}, "denied", "bridge")
        helper.refused("link_set", {"name": "pt-a", "master": "pt-b"}, REFUSED)
        helper.refused("tap_create", {"name": "pt-t", "bridge": "foreign0"}, "denied", "bridge")
        helper.refused("tap_create", {"name": "pt-t", "bridge": "pt-b"}, REFUSED)
        want("pt-t" not in links(), "a refused tap stayed")
        helper.ok("links_del", {"names": ["pt-a"]})
        hostile.unchanged(before)
    ground.run("ip", "link", "del", "foreign0")


@test("F1: a link with our prefix but without our mark is another's: not changed, not deleted, not joined")
def _():
    for name, kind in (("pt-foreign", "bridge"), ("pt-br-foreign", "bridge")):
        ground.run("ip", "link", "add", name, "type", kind)
    ground.run("ip", "tuntap", "add", "pt-ftap", "mode", "tap")
    ground.run("ip", "link", "set", "pt-br-foreign", "alias", "something else")
    with Helper() as helper:
        helper.ok("link_add", {"kind": BRIDGE, "name": "pt-br-own"})
        with Quiet(helper):
            for name in ("pt-foreign", "pt-br-foreign", "pt-ftap"):
                helper.refused("link_set", {"name": name, "up": True}, REFUSED)
                helper.refused("links_del", {"names": [name]}, REFUSED)
                helper.refused("links_del", {"names": ["pt-br-own", name]}, REFUSED)
                helper.refused("link_add", {"kind": BRIDGE, "name": name}, REFUSED)
                helper.refused("tap_create", {"name": name}, REFUSED)
                helper.refused("tap_create", {"name": name, "want_fd": True}, REFUSED)
                helper.refused("address_add", {"device": name, "address": address("10.8.0.1/24")}, REFUSED)
        helper.ok("links_del", {"names": ["pt-br-own"]})
    for name in ("pt-foreign", "pt-br-foreign", "pt-ftap"):
        ground.run("ip", "link", "del", name)


@test("F1: an alternative name doesn't make a foreign link ours")
def _():
    ground.run("ip", "link", "add", "foreign0", "type", "bridge")
    ground.run("ip", "link", "property", "add", "dev", "foreign0", "altname", "pt-br-alt")
    with Helper() as helper, Quiet(helper):
        for op, args in (("links_del", {"names": ["pt-br-alt"]}), ("link_set", {"name": "pt-br-alt", "up": True}), ("address_add", {"device": "pt-br-alt", "address": address("10.8.0.1/24")})):
            status, _, _ = helper.ask(op, args)
            want(status in REFUSED or op == "links_del", "%s on an alternative name: %s" % (op, status))
    ground.run("ip", "link", "del", "foreign0")


@test("F2: there is no interface index on the wire")
def _():
    named = [(o, n) for o, _, n, _ in hostile.ARGS if "index" in n]
    equal(named, [], "arguments that are an index")


@test("F2: a link swapped by renames between lookup and use never lets a foreign link be changed or deleted")
def _():
    ground.run("ip", "link", "add", "foreign0", "type", "bridge")
    stop = []

    def racer():
        batch = "link set pt-br-race name pt-br-x\nlink set foreign0 name pt-br-race\nlink set pt-br-race name foreign0\nlink set pt-br-x name pt-br-race\n"
        import subprocess
        while not stop:
            subprocess.run(["ip", "-force", "-batch", "-"], input=batch * 50, text=True, stderr=subprocess.DEVNULL)
    with Helper() as helper:
        helper.ok("link_add", {"kind": BRIDGE, "name": "pt-br-race"})
        thread = threading.Thread(target=racer)
        thread.start()
        try:
            for i in range(1500):
                helper.ask("link_set", {"name": "pt-br-race", "mtu": 1400})
        finally:
            stop.append(1)
            thread.join()
        helper.serves()
        now = links()
        foreign = now.get("foreign0")
        want(foreign is not None, "the foreign link is gone: %r" % sorted(now))
        equal(foreign["mtu"], 1500, "the foreign link's MTU")
        helper.ask("links_del", {"names": ["pt-br-race", "pt-br-x"]})
    ground.run("ip", "link", "del", "foreign0")


@test("F4: a tap of another owner, of a VM's uid outside the range, or for root is denied")
def _():
    with Helper() as helper, Quiet(helper):
        for uid in (1, 1000, ground.BROKER, ground.NET, 65534, ground.VM_UIDS[0] - 1, ground.VM_UIDS[1] + 1, 4294967294):
            helper.refused("tap_create", {"name": "pt-t", "owner_uid": uid}, "denied", "uid-range")
    for uid in (0, 4294967295):
        helper = Helper()
        helper.ends_malformed(pack([1, OP["tap_create"], {"name": "pt-t", "owner_uid": uid}]))
        helper.close()


@test("F4: a tap is made persistent, with the owner, MTU, MAC, alias and bridge asked for, and opened again as it is")
def _():
    with Helper() as helper:
        before = hostile.state()
        helper.ok("link_add", {"kind": BRIDGE, "name": "pt-br0", "mtu": 1400, "mac": bytes.fromhex("02aabbccddee")})
        asked = {"name": "pt-t0", "owner_uid": ground.VM_UIDS[0] + 5, "bridge": "pt-br0", "mac": bytes.fromhex("02aabbccddef"), "mtu": 1400, "vnet_hdr": True, "want_fd": True, "alias": "vm-x"}
        results, fds = helper.ok("tap_create", asked)
        equal(results["created"], True, "created")
        for fd in fds:
            os.close(fd)
        tap = links()["pt-t0"]
        equal((tap["mtu"], tap["address"], tap["master"]), (1400, "02:aa:bb:cc:dd:ef", "pt-br0"), "the tap")
        info = tap["linkinfo"]["info_data"]
        equal((info["persist"], int(info.get("user")), info["type"], info["vnet_hdr"]), (True, ground.VM_UIDS[0] + 5, "tap", True), "the tap's settings")
        want("vm-x" in tap["ifalias"], "the alias is %r" % tap["ifalias"])
        equal(links()["pt-br0"]["address"], "02:aa:bb:cc:dd:ee", "the bridge's address, which a port with a lower one must not change")
        results, fds = helper.ok("tap_create", asked)
        equal((results["created"], len(fds)), (False, 1), "the second time")
        for fd in fds:
            os.close(fd)
        equal(helper.ok("links_del", {"names": ["pt-t0", "pt-br0", "pt-absent"]}), {"removed": 2}, "deleted")
        helper.serves()
        hostile.unchanged(before)


@test("F4: a tap opened again for another VM's uid changes hands whole, never while the first still holds its queue")
def _():
    first, second = ground.VM_UIDS

    def attach(uid):
        """Whether a process of this uid can attach to the tap."""
        tun = os.open("/dev/net/tun", os.O_RDWR)  # as root: only attaching is judged
        pid = os.fork()
        if pid == 0:
            os.setgroups([])
            os.setresgid(uid, uid, uid)
            os.setresuid(uid, uid, uid)
            try:
                fcntl.ioctl(tun, 0x400454ca, struct.pack("16sH22x", b"pt-t1", 0x1002))
                os._exit(1)
            except OSError:
                os._exit(0)
        os.close(tun)
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 1
    with Helper() as helper:
        _, fds = helper.ok("tap_create", {"name": "pt-t1", "owner_uid": first, "want_fd": True})
        helper.refused("tap_create", {"name": "pt-t1", "owner_uid": second, "want_fd": True}, ("busy", "denied", "io"))
        want(not attach(second) and not attach(first), "it has a second queue")
        os.close(fds[0])
        want(attach(first) and not attach(second), "the owner isn't the one asked for")
        _, fds = helper.ok("tap_create", {"name": "pt-t1", "owner_uid": second, "want_fd": True})
        os.close(fds[0])
        want(attach(second) and not attach(first), "the former owner can still attach")
        helper.ok("links_del", {"names": ["pt-t1"]})


@test("F4: the policy's limit of taps is kept at exactly N")
def _():
    with Helper() as helper:
        before = hostile.state()
        names = ["pt-q%d" % i for i in range(64)]
        for name in names:
            helper.ok("tap_create", {"name": name})
        helper.refused("tap_create", {"name": "pt-q64"}, "quota", "limit taps")
        equal(helper.ok("links_del", {"names": names}), {"removed": 64}, "deleted in one request")
        hostile.unchanged(before)


@test("F9: links are deleted beside the queue: pings that come after a deletion are answered before it")
def _():
    names = ["pt-q%d" % i for i in range(60)]
    with Helper() as helper:
        before = hostile.state()
        for name in names:
            helper.ok("tap_create", {"name": name})
        helper.send(pack([1000, OP["links_del"], {"names": names}]))
        for i in range(20):
            helper.send(pack([2000 + i, OP["ping"], {}]))
        order = [helper.receive()[0] for _ in range(21)]
        want(order[0][0] != 1000, "the first answer is the deletion's")
        equal(sorted(a[0] for a in order), [1000] + [2000 + i for i in range(20)], "the answers")
        equal([a[1:] for a in order if a[0] == 1000], [[0, {"removed": 60}]], "the deletion's answer")
        hostile.unchanged(before)


@test("F9: many deletions at once are each answered with what they deleted, or why not")
def _():
    ground.run("ip", "link", "add", "pt-foreign", "type", "bridge")
    with Helper() as helper:
        for i in range(40):
            helper.ok("tap_create", {"name": "pt-q%d" % i})
        asked = {}
        for i in range(0, 40, 4):
            asked[100 + i] = (0, {"removed": 4})
            helper.send(pack([100 + i, OP["links_del"], {"names": ["pt-q%d" % k for k in range(i, i + 4)]}]))
            asked[200 + i] = (0, {"removed": 0})
            helper.send(pack([200 + i, OP["links_del"], {"names": ["pt-absent%d" % i]}]))
            asked[300 + i] = (1, {"rule": "a link without our mark"})
            helper.send(pack([300 + i, OP["links_del"], {"names": ["pt-foreign"]}]))
        answers = {a[0]: tuple(a[1:]) for a in (helper.receive()[0] for _ in asked)}
        equal(answers, asked, "the answers")
        equal([n for n in links() if n.startswith("pt-")], ["pt-foreign"], "the links that are left")
        helper.serves()
    ground.run("ip", "link", "del", "pt-foreign")


@test("F4: a tap's name that is taken by a link of another kind is refused")
def _():
    with Helper() as helper:
        helper.ok("link_add", {"kind": VETH, "name": "pt-v0", "peer": "pt-v1"})
        with Quiet(helper):
            helper.refused("tap_create", {"name": "pt-v0"}, REFUSED)
            helper.refused("link_add", {"kind": VETH, "name": "pt-v0", "peer": "pt-v2"}, "exists")
        helper.ok("links_del", {"names": ["pt-v0"]})


@test("F5: MTU at and outside its bounds, multicast and zero addresses")
def _():
    with Helper() as helper:
        helper.ok("link_add", {"kind": VETH, "name": "pt-v0", "peer": "pt-v1"})
        for mtu in (68, 1500, 65535):
            equal(helper.ask("link_set", {"name": "pt-v0", "mtu": mtu})[0], "ok", "MTU %d" % mtu)
        helper.ok("link_set", {"name": "pt-v0", "up": True})
        want("UP" in links()["pt-v0"]["flags"], "up: true doesn't bring it up")
        helper.ok("link_set", {"name": "pt-v0", "up": False})
        helper.ok("links_del", {"names": ["pt-v0"]})
    for mac in ("000000000000", "ffffffffffff", "010000000001", "0200000000", "02000000000000"):
        helper = Helper()
        helper.ends_malformed(pack([1, OP["link_set"], {"name": "pt-v0", "mac": bytes.fromhex(mac)}]))
        helper.close()


@test("F5: ports join and leave bridges of ours, and contradictory requests are refused")
def _():
    with Helper() as helper:
        before = hostile.state()
        helper.ok("link_add", {"kind": BRIDGE, "name": "pt-br0", "stp": True})
        helper.ok("link_add", {"kind": VETH, "name": "pt-v0", "peer": "pt-v1"})
        helper.ok("link_set", {"name": "pt-v0", "master": "pt-br0"})
        equal(links()["pt-v0"]["master"], "pt-br0", "the bridge")
        equal(links()["pt-br0"]["linkinfo"]["info_data"]["stp_state"], 1, "spanning tree")
        helper.refused("link_set", {"name": "pt-v0", "master": "pt-br0", "no_master": True}, "invalid")
        helper.ok("link_set", {"name": "pt-v0", "no_master": True})
        want("master" not in links()["pt-v0"], "it stayed a port")
        helper.refused("link_add", {"kind": BRIDGE, "name": "pt-br1", "peer": "pt-x"}, REFUSED)
        helper.ok("links_del", {"names": ["pt-br0", "pt-v0"]})
        hostile.unchanged(before)


@test("F6: no address that brings a route for the whole Internet or half of it, names nothing, this machine, a group or everybody is given")
def _():
    with Helper() as helper:
        before = hostile.state()
        helper.ok("link_add", {"kind": BRIDGE, "name": "pt-br0"})
        for text in ("0.0.0.0/24", "0.1.2.3/24", "10.0.0.1/0", "10.0.0.1/1", "200.0.0.1/1", "10.0.0.1/7", "127.0.0.2/8", "224.0.0.1/24", "255.255.255.255/32",
                     "::/64", "::1/128", "ff02::1/64", "2000::1/0", "2000::1/3", "fd00::1/15"):
            helper.refused("address_add", {"device": "pt-br0", "address": address(text)}, "invalid")
        for device in ("lo", ground.UPLINK):
            helper.refused("address_add", {"device": device, "address": address("10.77.0.1/24")}, "denied", "interface-prefix")
            helper.refused("address_del", {"device": device, "address": address(ground.UPLINK_ADDRESS + "/24")}, "denied", "interface-prefix")
        helper.ok("links_del", {"names": ["pt-br0"]})
        hostile.unchanged(before)


@test("F6: addresses: added, there already, deleted; prefixes out of range are malformed")
def _():
    with Helper() as helper:
        before = hostile.state()
        helper.ok("link_add", {"kind": BRIDGE, "name": "pt-br0"})
        for text in ("10.77.0.1/24", "fd00:77::1/64"):
            equal(helper.ok("address_add", {"device": "pt-br0", "address": address(text)}), {"changed": True}, "first " + text)
            equal(helper.ok("address_add", {"device": "pt-br0", "address": address(text)}), {"changed": False}, "second " + text)
            want(text in ground.run("ip", "address", "show", "dev", "pt-br0"), text + " isn't there")
            equal(helper.ok("address_del", {"device": "pt-br0", "address": address(text)}), {"changed": True}, "deleting " + text)
            equal(helper.ok("address_del", {"device": "pt-br0", "address": address(text)}), {"changed": False}, "deleting it again")
        helper.ok("links_del", {"names": ["pt-br0"]})
        hostile.unchanged(before)
    for raw in (bytes([4, 33]) + bytes(16), bytes([6, 129]) + bytes(16), bytes([5, 8]) + bytes(16), bytes([4, 8]) + b"\x0a" * 16, bytes([4, 8]) + bytes(15), bytes([4, 8]) + bytes(17)):
        helper = Helper()
        helper.ends_malformed(pack([1, OP["address_add"], {"device": "pt-br0", "address": raw}]))
        helper.close()


@test("F6: the firewall holds exactly the records of the last commit, in our own table, and none leaves no table")
def _():
    with Helper() as helper:
        before = hostile.state()
        equal(commit(helper, record(), record(kind=SNAT, source="10.8.0.0/24", to="198.51.100.9/32", interface="up0"), record(source="fd00:8::/64"))[0], "ok", "the commit")
        text = ground.run("nft", "list", "ruleset")
        want("table inet postern" in text and "masq4" in text and "198.51.100.9" in text and "10.9.0.0/24" in text and "fd00:8::/64" in text, "the table reads\n" + text)
        equal([line for line in text.splitlines() if line.startswith("table ")], ["table inet postern {"], "the tables")
        equal(commit(helper, record(source="10.7.0.0/16"))[0], "ok", "the second commit")
        text = ground.run("nft", "list", "ruleset")
        want("10.7.0.0/16" in text and "10.9.0.0/24" not in text, "the second commit didn't replace the first:\n" + text)
        equal(commit(helper)[0], "ok", "the empty commit")
        hostile.unchanged(before)


@test("F6: records with an unknown kind, an uplink that isn't the policy's, a broken address or a hostile comment are refused as a whole, in fw_commit and fw_change")
def _():
    good = record()
    bad = [record(kind=4), record(kind=0xffffffff), record(interface="eth0"), record(interface="lo"), record(interface="up0x"), record(interface="up0\"; drop"),
           record(comment="a\nb"), record(comment="a\x1b[2J"), record(source="10.0.0.0/8", kind=SNAT), record(kind=SNAT, source="10.0.0.0/8", to="fd00::1/128"),
           record(kind=SNAT, source="10.0.0.0/8", to="10.1.0.0/16"), record(to="10.1.1.1/32"), record(host="10.1.1.1/32"), record(proto=6), record(ports=(1, 0)),
           record(to_port=1), record(reserved=(1, 0)), record(reserved=(0, 1)), record(source="0.0.0.0/0")]
    bad += [forward(port=0), forward(to_port=0), forward(ports=(1, 2)), forward(proto=0), forward(proto=1), forward(proto=255), forward(to=None), forward(to="10.9.0.0/24"),
            forward(to="127.0.0.1/32"), forward(to="0.0.0.0/32"), forward(to="224.0.0.1/32"), forward(to="255.255.255.255/32"), forward(to="::1/128"), forward(to="::/128"),
            forward(to="ff02::1/128"), forward(host="127.0.0.1/32"), forward(host="0.0.0.0/32"), forward(host="fd00::1/128"), forward(host="10.0.0.0/8"),
            forward(source="fd00::/8"), forward(source="0.0.0.0/0"), forward(interface="eth0"), forward(interface="lo"), forward(interface="pt-"), forward(interface="docker0")]
    bad += [allow(lo=0), allow(lo=5, hi=4), allow(proto=1), allow(proto=47), allow(lo=0, proto=58, source="10.0.0.0/8"), allow(to="10.0.0.1/32"), allow(host="10.0.0.1/32"),
            allow(to_port=1), allow(interface="eth0"), allow(source="0.0.0.0/0"), allow(source="::/0")]
    raw = [bytes([4, 33]) + bytes(16), bytes([9, 8]) + bytes(16), bytes([4, 8]) + b"\xff" * 16]
    bad += [good[:4] + r + good[22:] for r in raw] + [forward()[:22] + r + forward()[40:] for r in raw] + [forward()[:40] + r + forward()[58:] for r in raw]
    bad += [good[:-32] + b"x" * 32, good[:-48] + b"u" * 16 + good[-32:], good[:-48] + b"up0\0up0".ljust(16, b"\0") + good[-32:]]
    with Helper() as helper:
        equal(commit(helper, record(source="10.1.0.0/16"))[0], "ok", "the commit")
        with Quiet(helper):
            for r in bad:
                for status, failure, _ in (commit(helper, good, r), change(helper, [], [good, r])):
                    want(status in ("denied", "invalid"), "%r: %s %r" % (r, status, failure))
                status, failure, _ = change(helper, [r], [])  # one that policy no longer allows may go, but this one isn't there
                want(status in ("not_found", "invalid"), "%r: %s %r" % (r, status, failure))
            equal(commit(helper, *[good] * 1001)[0], "denied", "1001 records with a limit of 1000")
            equal(change(helper, [], [good] * 1001)[0], "denied", "1001 changes with a limit of 1000")
            equal(change(helper, [], [forward(port=p) for p in range(1, 1001)])[0], "quota", "1000 records beside another")
            equal(helper.ask("fw_change", {"removes": 0, "adds": 2}, [sealed_memfd(good)])[0], "invalid", "fewer records than said")
            equal(change(helper, [good], [forward()])[0], "not_found", "taking out what isn't there")
        equal(commit(helper)[0], "ok", "the empty commit")


@test("F6: one forward more or less touches nothing else of the table, and none is changed where there is no table")
def _():
    with Helper() as helper:
        before = hostile.state()
        equal(change(helper, [], [forward()])[0], "not_found", "a change without a table")
        hostile.unchanged(before)
        equal(commit(helper, record(), forward(), allow())[0], "ok", "the commit")
        table = ground.run("nft", "list", "table", "inet", "postern")
        for r in (forward(port=81), forward(port=81, to="fd00::2/128", source="fd00:1::/32"), allow(lo=1, hi=9), allow(lo=0, proto=1), record(interface="up0")):
            equal(change(helper, [], [r])[0], "ok", "adding")
            want(ground.run("nft", "list", "table", "inet", "postern") != table, "nothing was added: %r" % r)
            equal(change(helper, [r], [])[0], "ok", "taking out")
            equal(ground.run("nft", "list", "table", "inet", "postern"), table, "the table after adding and taking out")
        equal(change(helper, [], [forward(to="10.9.0.3/32")])[0], "exists", "another target for the same port")
        equal(ground.run("nft", "list", "table", "inet", "postern"), table, "the table after a refused change")
        equal(commit(helper)[0], "ok", "the empty commit")
        hostile.unchanged(before)


@test("F6: what fw_list answers is sealed, holds exactly the records, and tells what isn't ours in our table")
def _():
    records = sorted([record(), forward(), allow(), allow(lo=1, hi=9), forward(port=9, host="10.9.9.9/32", interface="up0", source="10.8.0.0/16")])
    with Helper() as helper:
        before = hostile.state()
        equal(helper.ok("fw_list")[0]["present"], False, "present without a table")
        equal(commit(helper, *records)[0], "ok", "the commit")
        answer, fds = helper.ok("fw_list")
        equal(answer, {"count": len(records), "present": True, "foreign": 0, "missing": 0}, "the answer")
        size = len(records[0])
        data = os.pread(fds[0], 65536, 0)
        equal(sorted(data[i:i + size] for i in range(0, len(data), size)), records, "the records")
        try:
            os.pwrite(fds[0], b"x", 0)
            raise Failed("the memfd can be written")
        except PermissionError:
            pass
        os.close(fds[0])
        ground.run("nft", "add", "rule", "inet", "postern", "input", "drop")
        answer, fds = helper.ok("fw_list")
        os.close(fds[0])
        equal(answer["foreign"], 1, "foreign rules")
        equal(commit(helper)[0], "ok", "the empty commit")
        hostile.unchanged(before)


@test("F6: another program's nftables tables stay as they are")
def _():
    ground.run("sh", "-c", "nft add table inet foreign; nft add chain inet foreign c '{ type filter hook forward priority 0; }'; nft add table ip postern")
    with Helper() as helper, Quiet(helper):
        equal(commit(helper, record())[0], "ok", "the commit")
        equal(change(helper, [record()], [forward()])[0], "ok", "the change")
        equal(commit(helper)[0], "ok", "the empty commit")
    ground.run("sh", "-c", "nft delete table inet foreign; nft delete table ip postern")


@test("F10: only the listed sysctls can be set, and each says whether it changed")
def _():
    with Helper() as helper:
        for key, path in ((0, "/proc/sys/net/ipv4/ip_forward"), (1, "/proc/sys/net/ipv6/conf/all/forwarding")):
            was = open(path).read().strip() == "1"
            equal(helper.ok("sysctl_set", {"key": key, "on": not was}), {"changed": True}, "turning it")
            equal(open(path).read().strip(), "0" if was else "1", path)
            equal(helper.ok("sysctl_set", {"key": key, "on": not was}), {"changed": False}, "turning it again")
            helper.ok("sysctl_set", {"key": key, "on": was})
    for key in (2, 255, 0xffffffff):
        helper = Helper()
        helper.ends_malformed(pack([1, OP["sysctl_set"], {"key": key, "on": True}]))
        helper.close()


def via(text):
    return address(text + ("/128" if ":" in text else "/32"))


def routes(table):
    """The routes of a table, in the words of ip, with numbers for names."""
    lines = [line for option in ("-4", "-6") for line in ground.run("ip", "-N", option, "route", "show", "table", "all").splitlines()]
    return [line.replace(" table %d" % table, "") for line in lines if " table %d " % table in line + " " or (table == 254 and " table " not in line)]


def world(helper):
    """Two bridges of ours with an address each, one that is another's, and an uplink."""
    for name, ip in (("pt-br0", "10.77.0.1/24"), ("pt-br1", "fd77::1/64")):
        helper.ok("link_add", {"kind": BRIDGE, "name": name})
        helper.ok("address_add", {"device": name, "address": address(ip)})
        helper.ok("link_set", {"name": name, "up": True})
    ground.run("ip", "link", "add", "foreign0", "type", "bridge")
    ground.run("ip", "link", "add", "pt-foreign", "type", "bridge")
    for name, ip in (("foreign0", "10.78.0.1/24"), ("pt-foreign", "10.79.0.1/24")):
        ground.run("ip", "address", "add", ip, "dev", name)
        ground.run("ip", "link", "set", name, "up")


def unworld(helper):
    helper.ok("links_del", {"names": ["pt-br0", "pt-br1"]})
    ground.run("ip", "link", "del", "foreign0")
    ground.run("ip", "link", "del", "pt-foreign")


@test("F6: a route is added once, marked by its protocol, and deleted once, of either family, in any table of the policy")
def _():
    with Helper() as helper:
        world(helper)
        before = hostile.state()
        for table in (254, 1000, 1999):
            for args, shown in (({"destination": "10.90.0.0/16", "gateway": "10.77.0.9"}, "10.90.0.0/16 via 10.77.0.9 dev pt-br0 proto 112"),
                                ({"destination": "10.90.0.0/16", "device": "pt-br0", "metric": 7}, "10.90.0.0/16 dev pt-br0 proto 112 scope 253 metric 7"),
                                ({"destination": "10.0.0.0/8", "device": "pt-br0", "source": "10.77.0.1"}, "10.0.0.0/8 dev pt-br0 proto 112 scope 253 src 10.77.0.1"),
                                ({"destination": "198.18.0.1/32", "gateway": ground.OUTSIDE, "device": "up0"}, "198.18.0.1 via 198.51.100.1 dev up0 proto 112"),
                                ({"destination": "fd90::/48", "gateway": "fd77::9"}, "fd90::/48 via fd77::9 dev pt-br1 proto 112 metric 1024"),
                                ({"destination": "fd00::/16", "device": "pt-br1", "metric": 5}, "fd00::/16 dev pt-br1 proto 112 metric 5")):
                args = {k: address(v) if k == "destination" else via(v) if k in ("gateway", "source") else v for k, v in args.items()}
                args["table"] = table
                key = {k: v for k, v in args.items() if k in ("destination", "table", "metric")}
                equal(helper.ok("route_add", args), {"changed": True}, "first " + shown)
                want(any(line.strip().startswith(shown) for line in routes(table)), "%s isn't among %r" % (shown, routes(table)))
                equal(helper.ok("route_add", args), {"changed": False}, "second " + shown)
                equal(helper.ok("route_del", key), {"changed": True}, "deleting " + shown)
                equal(helper.ok("route_del", key), {"changed": False}, "deleting it again")
        hostile.unchanged(before)
        unworld(helper)


@test("F6: of two routes of ours that differ in their metric alone, the one that is meant is deleted")
def _():
    with Helper() as helper:
        world(helper)
        for to, device in (("10.90.0.0/16", "pt-br0"), ("fd90::/48", "pt-br1")):
            to = address(to)
            helper.ok("route_add", {"destination": to, "table": 254, "device": device, "metric": 50})
            equal(helper.ok("route_del", {"destination": to, "table": 254}), {"changed": False}, "deleting what isn't there")
            helper.ok("route_add", {"destination": to, "table": 254, "device": device})
            equal(helper.ok("route_del", {"destination": to, "table": 254, "metric": 50}), {"changed": True}, "deleting one")
            equal(helper.ok("route_del", {"destination": to, "table": 254}), {"changed": True}, "deleting the other")
        unworld(helper)


@test("F6: a route that another made is neither replaced nor deleted, whatever of it is the same")
def _():
    with Helper() as helper:
        world(helper)
        for line in ("10.90.0.0/16 dev pt-br0 table 1000", "10.91.0.0/16 via 10.77.0.9 table 1000 metric 5 proto static", "fd90::/48 dev pt-br1 table 1000 proto ra"):
            ground.run("ip", "route", "add", *line.split())
        with Quiet(helper):
            for to, more in (("10.90.0.0/16", {"device": "pt-br0"}), ("10.90.0.0/16", {"device": "up0"}), ("10.91.0.0/16", {"metric": 5, "gateway": via("10.77.0.9")}),
                             ("fd90::/48", {"device": "pt-br1"})):
                args = {"destination": address(to), "table": 1000, **more}
                helper.refused("route_add", args, "exists", "a route without our mark")
                args = {k: v for k, v in args.items() if k in ("destination", "table", "metric")}
                equal(helper.ok("route_del", args), {"changed": False}, "deleting another's")
            for to in ("10.77.0.0/24", "10.78.0.0/24", "198.51.100.0/24", "fd77::/64"):
                for table in (254, 255):
                    equal(helper.ok("route_del", {"destination": address(to), "table": table}), {"changed": False}, "deleting the kernel's")
        helper.ok("route_add", {"destination": address("10.92.0.0/16"), "table": 1000, "device": "pt-br0"})
        helper.refused("route_add", {"destination": address("10.92.0.0/16"), "table": 1000, "device": "up0"}, "exists", "another route of ours")
        helper.ok("route_del", {"destination": address("10.92.0.0/16"), "table": 1000})
        ground.run("ip", "route", "flush", "table", "1000")
        ground.run("ip", "-6", "route", "flush", "table", "1000")
        unworld(helper)


@test("F6: no route leads out of another's link, stands in another table, takes the default route's part, or leads to nothing, this machine or a group")
def _():
    with Helper() as helper:
        world(helper)
        with Quiet(helper):
            for more, rule in (({"device": "foreign0"}, "uplink"), ({"device": "lo"}, "uplink"), ({"device": "eth0"}, "uplink"), ({"device": "pt-foreign"}, "a link without our mark"),
                               ({"gateway": via("10.78.0.9")}, "uplink"), ({"gateway": via("10.79.0.9")}, "a link without our mark"), ({"gateway": via("127.0.0.2")}, "uplink")):
                helper.refused("route_add", {"destination": address("10.90.0.0/16"), "table": 254, **more}, "denied", rule)
            for table in (1, 253, 255, 999, 2000, 4294967295):
                helper.refused("route_add", {"destination": address("10.90.0.0/16"), "table": table, "device": "pt-br0"}, "denied", "route-table")
            for to in ("0.0.0.0/0", "0.0.0.0/1", "128.0.0.0/1", "64.0.0.0/2", "10.0.0.0/7", "::/0", "2000::/3", "8000::/1", "fc00::/15"):
                helper.refused("route_add", {"destination": address(to), "table": 254, "device": "pt-br0"}, "denied", "route-default")
            for to in ("127.0.0.0/8", "127.0.0.1/32", "224.0.0.0/8", "239.1.2.3/32", "255.255.255.255/32", "0.0.0.0/8", "0.0.0.0/32", "::1/128", "::/128", "::/96", "ff02::/16", "10.90.0.1/16", "fd90::1/48"):
                helper.refused("route_add", {"destination": address(to), "table": 254, "device": "pt-br0"}, "invalid")
            base = {"destination": address("10.90.0.0/16"), "table": 254}
            for more in ({}, {"source": via("10.77.0.1")}, {"gateway": via("fd77::9")}, {"gateway": address("10.77.0.9/24")}, {"device": "pt-br0", "source": address("10.77.0.1/24")},
                         {"device": "pt-br0", "source": via("fd77::1")}):
                helper.refused("route_add", {**base, **more}, "invalid")
            for more in ({"device": "pt-absent"}, {"gateway": via("192.0.2.77")}, {"device": "pt-br0", "gateway": via("203.0.113.1")}, {"device": "pt-br0", "source": via("203.0.113.9")},
                         {"device": "pt-br0", "gateway": via("224.0.0.5")}):
                helper.refused("route_add", {**base, **more}, ("not_found", "io", "denied"))
        unworld(helper)


NFNL_TABLE, BATCH = 0x0a00, (0x10, 0x11)  # nf_tables' NEWTABLE; NFNL_MSG_BATCH_BEGIN and _END


def nfnl(kind, flags, attrs=b"", seq=1, res=0):
    body = struct.pack("=BBH", 1, 0, socket.htons(res)) + attrs
    return struct.pack("=IHHII", 16 + len(body), kind, 1 | flags, seq, 0) + body


def told(s):
    """The error number that the kernel answers with."""
    while True:
        data = s.recv(65536)
        kind, = struct.unpack_from("=H", data, 4)
        if kind == 2:
            return -struct.unpack_from("=i", data, 16)[0]


@test("F7: the event socket only listens: every request on it, every other group and every option that takes a right is EPERM to the daemon")
def _():
    name = struct.pack("=HH", 4 + 8, 1) + b"hostile\0"
    batch = nfnl(BATCH[0], 0, res=10) + nfnl(NFNL_TABLE, 0x604, name, 2) + nfnl(BATCH[1], 0, seq=3, res=10)
    requests = {"a table": batch, "a dump of tables": nfnl(NFNL_TABLE + 1, 0x300), "a dump of rules": nfnl(NFNL_TABLE + 7, 0x300), "the generation": nfnl(NFNL_TABLE + 16, 4),
                "a dump of connections": nfnl(0x0101, 0x300), "a flush of connections": nfnl(0x0102, 4)}
    before = hostile.state()
    with Helper() as helper:
        _, (fd,) = helper.ok("event_socket")
        s = socket.socket(fileno=fd)
        s.settimeout(5)
        ground.run("nft", "add", "table", "inet", "foreign")
        want(s.recv(65536), "it hears nothing")
        ground.run("nft", "delete", "table", "inet", "foreign")
        pid = os.fork()
        if pid == 0:
            wrong = []
            try:
                hostile.become_daemon()
                s.setblocking(False)
                try:
                    while s.recv(65536):
                        pass
                except BlockingIOError:
                    s.settimeout(5)
                for what, request in requests.items():
                    s.send(request)
                    if told(s) != errno.EPERM:
                        wrong.append(what)
                for group in range(1, 33):
                    try:
                        s.setsockopt(270, 1, group)  # NETLINK_ADD_MEMBERSHIP
                        wrong.append("group %d" % group)
                    except PermissionError:
                        pass
                for what, level, option in (("SO_RCVBUFFORCE", 1, 33), ("NETLINK_LISTEN_ALL_NSID", 270, 8)):
                    try:
                        s.setsockopt(level, option, 1)
                        wrong.append(what)
                    except PermissionError:
                        pass
                try:
                    s.bind((0, 0xffffffff))
                    wrong.append("bind to every group")
                except OSError:
                    pass
            except BaseException as e:
                wrong.append(repr(e))
            os.write(2, ("%r\n" % wrong).encode() if wrong else b"")
            os._exit(1 if wrong else 0)
        equal(os.waitpid(pid, 0)[1], 0, "what a daemon got through (on standard error)")
        s.close()
        helper.serves()
    hostile.unchanged(before)


def clear():
    """What a failed test left lying is no other test's fault."""
    for name in links():
        if name.startswith("pt-") or name == "foreign0":
            ground.run("ip", "link", "del", name)


hostile.main(clear)
