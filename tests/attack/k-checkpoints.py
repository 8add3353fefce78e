#!/usr/bin/python3
# Two of its kind run at a time: it mostly waits.
"""K: checkpoints: what the net cell goes back to, when, and for whom.  LIMIT: 240"""
import json
import os
import re
import signal
import struct
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "lib"))
import ground
import hostile
from hostile import OP, Helper, address, equal, pack, sealed_memfd, test, want

hostile.enter()
BRIDGE, VETH = 0, 1
MASQUERADE, DNAT = 0, 2
FILE = "/run/postern-helper/checkpoints"
MAC = bytes.fromhex("020000000001")


def ip(*command):
    """What ip shows as JSON; asked again where a link came or went under its dump, which it then says in between."""
    for _ in range(20):
        try:
            return json.loads(ground.run("ip", "-j", *command))
        except ValueError:
            time.sleep(0.05)
    return json.loads(ground.run("ip", "-j", *command))


def shown():
    """Links, addresses and the firewall as tools show them, without what a link that is made again can't have: its index, and timers."""
    found = {}
    for link in ip("-d", "link") + ip("address"):
        name = link["ifname"]
        for key in ("ifindex", "link_index", "operstate", "carrier", "qdisc", "tso_max_size"):
            link.pop(key, None)
        link["flags"] = sorted(set(link["flags"]) - {"NO-CARRIER", "LOWER_UP"})
        data = link.get("linkinfo", {}).get("info_data", {})
        for key in [k for k in data if "timer" in k or k in ("bridge_id", "root_id", "designated_bridge", "designated_root")]:
            del data[key]
        slave = link.get("linkinfo", {}).get("info_slave_data", {})
        for key in [k for k in slave if "timer" in k or k in ("state", "no", "id", "bridge_id", "root_id", "cost", "designated_port")]:
            del slave[key]
        for a in link.get("addr_info", []):
            for key in ("valid_life_time", "preferred_life_time", "tentative"):
                a.pop(key, None)
        link["addr_info"] = [a for a in link.get("addr_info", []) if a["scope"] != "link"]
        found.setdefault(name, []).append(link)
    return {"links": found, "routes": sorted(r.replace(" linkdown", "").strip() for r in ground.run("ip", "route", "show", "table", "all", "proto", "112").splitlines()),
            "firewall": elements(ground.run("nft", "list", "table", "inet", "postern") if "postern" in ground.run("nft", "list", "tables") else ""),
            "forward": open("/proc/sys/net/ipv4/ip_forward").read()}


def differs(before, now):
    return [(k, n, before[k].get(n), now[k].get(n)) for k in ("links",) for n in sorted(set(before[k]) | set(now[k])) if before[k].get(n) != now[k].get(n)] + [
        (k, before[k], now[k]) for k in ("routes", "firewall", "forward") if before[k] != now[k]]


def as_before(before, what):
    found = differs(before, shown())
    want(not found, "%s: %r" % (what, found))


def until(condition, seconds, what):
    end = time.monotonic() + seconds
    while not condition():
        want(time.monotonic() < end, what)
        time.sleep(0.05)


def furnish(helper):
    """A bridge with an address, two taps, a pair of veths."""
    clean(helper)
    helper.ok("link_add", {"kind": BRIDGE, "name": "pt-br0", "mac": MAC})
    helper.ok("link_add", {"kind": BRIDGE, "name": "pt-br1"})
    helper.ok("address_add", {"device": "pt-br0", "address": address("10.71.0.1/24")})
    helper.ok("address_add", {"device": "pt-br0", "address": address("fd71::1/64")})
    helper.ok("link_set", {"name": "pt-br0", "up": True})
    helper.ok("tap_create", {"name": "pt-t0", "bridge": "pt-br0", "mtu": 1400})
    helper.ok("tap_create", {"name": "pt-t1", "owner_uid": 900000, "vnet_hdr": True, "multi_queue": True})
    helper.ok("link_add", {"kind": VETH, "name": "pt-va", "peer": "pt-vb"})
    helper.ok("link_set", {"name": "pt-va", "up": True, "master": "pt-br0"})
    helper.ok("route_add", {"destination": address("10.200.0.0/16"), "table": 254, "gateway": address("10.71.0.2/32"), "device": "pt-br0"})
    helper.ok("route_add", {"destination": address("10.201.0.0/16"), "table": 1001, "metric": 7, "device": "pt-br0"})
    helper.ok("route_add", {"destination": address("fd99::/64"), "table": 254, "gateway": address("fd71::2/128"), "device": "pt-br0"})
    commit(helper, record(MASQUERADE, "10.71.0.0/24"), record(DNAT, to="10.71.0.2/32", proto=6, port=8080, to_port=80),
           record(DNAT, to="10.71.0.3/32", proto=17, port=53, to_port=53))


def devastate(helper):
    """Everything of it gone or changed, and more of it come."""
    helper.ok("links_del", {"names": ["pt-br0", "pt-t0", "pt-t1", "pt-va"]})
    helper.ok("link_set", {"name": "pt-br1", "up": True, "mtu": 1300})
    helper.ok("address_add", {"device": "pt-br1", "address": address("10.72.0.1/24")})
    helper.ok("link_add", {"kind": BRIDGE, "name": "pt-br2"})
    helper.ok("tap_create", {"name": "pt-t9", "bridge": "pt-br2"})
    helper.ok("link_add", {"kind": BRIDGE, "name": "pt-br0", "stp": True})
    helper.ok("route_add", {"destination": address("10.202.0.0/16"), "table": 254, "device": "pt-br1"})
    commit(helper, record(MASQUERADE, "10.72.0.0/24"), record(DNAT, to="10.71.0.9/32", proto=6, port=8080, to_port=80))
    helper.ok("sysctl_set", {"key": 0, "on": open("/proc/sys/net/ipv4/ip_forward").read().strip() == "0"})


def record(kind, source=None, to=None, proto=0, port=0, to_port=0):
    """struct fw_record: u32 kind, wire_addr source, to, host, u8 proto, reserved, u16 port_lo, port_hi, to_port, reserved, interface, comment."""
    addresses = b"".join(address(a) if a else bytes(18) for a in (source, to, None))
    return struct.pack("<I54sBBHHHH16s32s", kind, addresses, proto, 0, port, 0, to_port, 0, b"", b"k")


def commit(helper, *records):
    fd = sealed_memfd(b"".join(records))
    try:
        helper.ok("fw_commit", {"count": len(records)}, [fd])
    finally:
        os.close(fd)


def elements(text):
    """nft's listing with the elements of each set in an order of their own."""
    return sorted(part.strip().rstrip(",") for line in text.splitlines() for part in re.split(r"[{},]", line) if part.strip())


def forward(value):
    with open("/proc/sys/net/ipv4/ip_forward", "w") as f:
        f.write(value)


def clean(helper):
    commit(helper)
    names = [n for n in shown()["links"] if n.startswith("pt-")]
    if names:
        helper.ok("links_del", {"names": names})


@test("K1: what went is made again, what came goes, what changed is set, and then nothing is left to do")
def _():
    with Helper() as helper:
        furnish(helper)
        before = shown()
        equal(helper.ok("checkpoint_arm", {"id": 7, "timeout_secs": 3600}), {"created": True}, "the answer")
        devastate(helper)
        want(differs(before, shown()), "nothing has changed")
        result = helper.ok("checkpoint_revert", {"id": 7})
        want(result["found"] and result["changed"] > 0 and result["failed"] == 0, "the answer is %r" % result)
        as_before(before, "after the revert")
        equal(helper.ok("checkpoint_revert", {"id": 7}), {"found": False, "changed": 0, "failed": 0}, "once more")
        helper.ok("checkpoint_arm", {"id": 8, "timeout_secs": 3600})
        equal(helper.ok("checkpoint_revert", {"id": 0}), {"found": True, "changed": 0, "failed": 0}, "a revert of nothing")
        clean(helper)


@test("K2: at its deadline a checkpoint is gone back to without anybody asking, also while the daemon reads and writes nothing")
def _():
    with Helper() as helper:
        furnish(helper)
        before = shown()
        helper.ok("checkpoint_arm", {"id": 1, "timeout_secs": 5})
        devastate(helper)
        time.sleep(3)
        want(differs(before, shown()), "it has gone back before its time")
        until(lambda: not differs(before, shown()), 10, "it hasn't gone back in time")
        helper.refused("checkpoint_confirm", {"id": 1}, "invalid", "the checkpoint's time is up")
        helper.refused("checkpoint_arm", {"id": 1, "timeout_secs": 60}, "invalid")
        helper.ok("link_add", {"kind": BRIDGE, "name": "pt-br7"})
        want(helper.ok("checkpoint_revert", {"id": 1})["found"], "a daemon that notices late is told nothing")
        as_before(before, "after the revert once more")
        clean(helper)


@test("K3: a confirmed checkpoint is never gone back to, and more time is more time")
def _():
    with Helper() as helper:
        helper.ok("checkpoint_arm", {"id": 1, "timeout_secs": 5})
        helper.ok("checkpoint_arm", {"id": 2, "timeout_secs": 5})
        furnish(helper)
        after = shown()
        helper.ok("checkpoint_confirm", {"id": 1})
        equal(helper.ok("checkpoint_arm", {"id": 2, "timeout_secs": 60}), {"created": False}, "more time")
        helper.refused("checkpoint_confirm", {"id": 1}, "not_found")
        time.sleep(6.5)
        as_before(after, "after the first deadline")
        helper.ok("checkpoint_confirm", {"id": 2})
        clean(helper)


@test("K4: the end of the daemon's socket goes back to the oldest, before the helper ends")
def _():
    with Helper() as helper:
        furnish(helper)
    with Helper() as helper:
        before = shown()
        helper.ok("checkpoint_arm", {"id": 1, "timeout_secs": 3600})
        helper.ok("tap_create", {"name": "pt-t5"})
        helper.ok("checkpoint_arm", {"id": 2, "timeout_secs": 3600})
        devastate(helper)
    as_before(before, "after the daemon's end")
    equal(os.stat(FILE).st_size, 0, "the size of the file")
    with Helper() as helper:
        helper.ok("checkpoint_arm", {"id": 1, "timeout_secs": 3600})
        devastate(helper)
        helper.send(b"\xc1")
        helper.silent_end(hostile.EXIT_MALFORMED)
    as_before(before, "after a malformed packet")
    with Helper() as helper:
        clean(helper)


@test("K5: a checkpoint outlives its helper: the next one confirms it, or goes back at the deadline, or at once when that is over")
def _():
    for victim, wait in (("postern-helper", 0), ("postern-net", 0), ("postern-vol", 7)):
        helper = Helper()
        furnish(helper)
        before = shown()
        helper.ok("checkpoint_arm", {"id": 1, "timeout_secs": 5})
        devastate(helper)
        os.kill(helper.processes()[victim], signal.SIGKILL)
        helper.wait()
        helper.close()
        want(differs(before, shown()), "the death of %s made it go back" % victim)
        time.sleep(wait)
        with Helper() as helper:
            until(lambda: not differs(before, shown()), 12, "the next helper after %s doesn't go back" % victim)
            want(helper.ok("checkpoint_revert", {"id": 0})["found"], "it is forgotten")
            clean(helper)
    helper = Helper()
    helper.ok("checkpoint_arm", {"id": 1, "timeout_secs": 3600})
    os.kill(helper.processes()["postern-broker"], signal.SIGKILL)
    helper.wait()
    helper.close()
    with Helper() as helper:
        helper.ok("checkpoint_confirm", {"id": 1})


@test("K6: going back over an older one takes the younger along, confirming it doesn't, and there are nine at most")
def _():
    with Helper() as helper:
        for i in range(1, 10):
            helper.ok("checkpoint_arm", {"id": i, "timeout_secs": 3600})
        helper.refused("checkpoint_arm", {"id": 10, "timeout_secs": 3600}, "quota", "checkpoints")
        helper.ok("checkpoint_confirm", {"id": 1})
        want(helper.ok("checkpoint_revert", {"id": 3})["found"], "3 is gone")
        for i in range(3, 10):
            helper.refused("checkpoint_confirm", {"id": i}, "not_found")
        helper.ok("checkpoint_confirm", {"id": 2})
        helper.refused("checkpoint_confirm", {"id": 2}, "not_found")


@test("K7: foreign links and addresses stay as they are, and so does a sysctl that somebody else has changed")
def _():
    ground.run("ip", "link", "add", "foreign0", "type", "bridge")
    with Helper() as helper:
        furnish(helper)
        ground.run("ip", "link", "add", "pt-alien", "type", "bridge")
        helper.ok("tap_create", {"name": "pt-lease"})
        helper.ok("address_add", {"device": "pt-lease", "address": address("10.98.0.1/24")})
        ground.run("ip", "link", "set", "pt-lease", "alias", "the host's own")  # a leased address is ours, and its link isn't
        helper.ok("checkpoint_arm", {"id": 1, "timeout_secs": 3600})
        ground.run("ip", "link", "add", "foreign1", "type", "bridge")
        ground.run("ip", "link", "del", "foreign0")
        ground.run("ip", "link", "set", "pt-alien", "mtu", "1200")
        ground.run("ip", "address", "add", "10.99.0.1/24", "dev", "pt-br0")
        ground.run("ip", "address", "del", "10.98.0.1/24", "dev", "pt-lease")
        forward("1")
        helper.ok("tap_create", {"name": "pt-t7"})
        equal(helper.ok("checkpoint_revert", {"id": 1}), {"found": True, "changed": 1, "failed": 0}, "the answer")
        now = shown()
        want("foreign1" in now["links"] and "foreign0" not in now["links"] and "pt-t7" not in now["links"], "links are %r" % sorted(now["links"]))
        equal(now["links"]["pt-alien"][0]["mtu"], 1200, "a foreign link's MTU")
        want("10.99.0.1" in ground.run("ip", "address", "show", "dev", "pt-br0"), "a foreign address is gone")
        want("10.98.0.1" not in ground.run("ip", "address", "show", "dev", "pt-lease"), "an address that was leased is back")
        equal(now["forward"].strip(), "1", "ip_forward")
        for name in ("foreign1", "pt-alien", "pt-lease"):
            ground.run("ip", "link", "del", name)
        forward("0")
        clean(helper)


@test("K8: a way that is blocked doesn't keep the rest from going back, and the answer says what failed")
def _():
    with Helper() as helper:
        furnish(helper)
        before = shown()
        helper.ok("checkpoint_arm", {"id": 1, "timeout_secs": 3600})
        helper.ok("links_del", {"names": ["pt-t0", "pt-t1", "pt-va"]})
        ground.run("ip", "link", "add", "pt-t0", "type", "bridge")
        result = helper.ok("checkpoint_revert", {"id": 1})
        want(result["found"] and result["failed"] == 1 and "tap_create pt-t0" in result["trouble"], "the answer is %r" % result)
        equal([d[1] for d in differs(before, shown())], ["pt-t0"], "what isn't as before")
        ground.run("ip", "link", "del", "pt-t0")
        helper.ok("links_del", {"names": ["pt-br0", "pt-br1", "pt-t1", "pt-va"]})


@test("K9: what the policy no longer allows isn't made again, and a file that isn't one of ours is no checkpoint")
def _():
    policy = open("/etc/postern/policy.conf").read()
    helper = Helper()
    furnish(helper)
    helper.ok("checkpoint_arm", {"id": 1, "timeout_secs": 3600})
    devastate(helper)
    os.kill(helper.pid, signal.SIGKILL)
    helper.wait()
    helper.close()
    ground.write("/etc/postern/policy.conf", policy.replace("bridge pt-br*", "bridge pt-br1 pt-br2"))
    try:
        with Helper() as helper:
            result = helper.ok("checkpoint_revert", {"id": 1})
            want(result["failed"] > 0 and result["trouble"] == "link_add pt-br0: bridge", "the answer is %r" % result)
    finally:
        ground.write("/etc/postern/policy.conf", policy)
    with Helper() as helper:
        clean(helper)
    for junk in (b"", b"x", b"\0" * 4096, os.urandom(70000)):
        with open(FILE, "wb") as f:
            f.write(junk)
        with Helper() as helper:
            helper.serves()
            equal(helper.ok("checkpoint_revert", {"id": 0})["found"], False, "found")
    for spoil in (lambda: os.chmod(FILE, 0o644), lambda: os.chown(FILE, ground.DAEMON, 0), lambda: (os.unlink(FILE), os.symlink("/etc/passwd", FILE)),
                  lambda: (os.unlink(FILE), os.mkdir(FILE)), lambda: (os.rmdir(FILE), open(FILE, "w").close(), os.link(FILE, FILE + "2"))):
        spoil()
        helper = Helper(hello=False)
        equal(helper.wait(), 2, "the exit code with a spoiled file")
        helper.close()
    os.unlink(FILE + "2")
    os.chmod(FILE, 0o600)
    with Helper() as helper:
        helper.serves()


@test("K10: numbers and times out of range are malformed")
def _():
    for op, args in (("checkpoint_arm", {"id": 0, "timeout_secs": 60}), ("checkpoint_arm", {"id": 1, "timeout_secs": 4}),
                     ("checkpoint_arm", {"id": 1, "timeout_secs": 3601}), ("checkpoint_arm", {"id": 1}), ("checkpoint_arm", {"id": 1 << 32, "timeout_secs": 60}),
                     ("checkpoint_confirm", {"id": 0}), ("checkpoint_confirm", {}), ("checkpoint_revert", {}), ("checkpoint_revert", {"id": -1})):
        helper = Helper()
        try:
            helper.ends_malformed(pack([1, OP[op], args]))
        finally:
            helper.close()


hostile.main()
