#!/usr/bin/python3
"""net.nat.add_dnat: one forward or many, compared with nft field by field; never two targets for one port; put back after whatever took it away."""
import os
import signal
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "..", "lib"))
import e2e
import firewall
import ground
from e2e import Failed, call, dry, equal, fails, invalid, test, until, want

e2e.enter()

UP = ground.UPLINK
KINDS = [
    {"proto": "tcp", "host_port": 8080, "dest_ip": "10.90.0.2", "dest_port": 80},
    {"proto": "udp", "host_port": 53, "dest_ip": "10.90.0.2", "dest_port": 5353},
    {"proto": "sctp", "host_port": 9, "dest_ip": "10.90.0.2", "dest_port": 9},
    {"proto": "tcp", "host_port": 8080, "dest_ip": "fd90::2", "dest_port": 80},
    {"proto": "tcp", "host_port": 8080, "dest_ip": "10.90.0.3", "dest_port": 80, "interface": UP},
    {"proto": "tcp", "host_port": 8080, "dest_ip": "10.90.0.4", "dest_port": 80, "interface": "pt-br7"},
    {"proto": "tcp", "host_port": 8080, "dest_ip": "10.90.0.5", "dest_port": 80, "host_ip": "192.0.2.7"},
    {"proto": "tcp", "host_port": 8080, "dest_ip": "10.90.0.6", "dest_port": 80, "source": "203.0.113.0/24"},
    {"proto": "tcp", "host_port": 8080, "dest_ip": "10.90.0.7", "dest_port": 80, "source": "203.0.113.9/32", "host_ip": "192.0.2.7", "interface": UP},
    {"proto": "udp", "host_port": 65535, "dest_ip": "fd90::2", "dest_port": 1, "source": "2001:db8::/32", "host_ip": "fd90::1"},
    {"proto": "udp", "host_port": 65535, "dest_ip": "fd90::3", "dest_port": 65535, "source": "2001:db8::/32", "interface": UP},
]


def listed():
    return {f["id"]: f for f in call("net.nat.status")["dnat"]}


def agree(what):
    equal(listed(), firewall.forwards(), "nft and net.nat.status " + what)


def clean():
    if listed():
        call("net.nat.remove_dnat", ids=sorted(listed()))
    equal(firewall.objects(), None, "the table at the end")


@test("net.nat.add_dnat adds a forward as nft then shows it, field by field, of each protocol and family, with link, address and source")
def _():
    for asked in KINDS:
        answer = dry("net.nat.add_dnat", **asked)
        equal((answer["changed"], "id" in answer), (True, False), "the dry run of %r" % asked)
        answer = call("net.nat.add_dnat", **asked)
        equal(answer["changed"], True, "changed")
        want(dict(asked, id=answer["id"]) == listed()[answer["id"]], "%r is listed as %r" % (asked, listed()[answer["id"]]))
        agree("after %r" % asked)
    equal(len(firewall.forwards()), len(KINDS), "the number of forwards")
    for path in ("/proc/sys/net/ipv4/ip_forward", "/proc/sys/net/ipv6/conf/all/forwarding"):
        equal(open(path).read().strip(), "1", path)


@test("net.nat.add_dnat of the same forward again changes nothing, and has the same id")
def _():
    ids = set()
    for asked in KINDS:
        answer = call("net.nat.add_dnat", **asked)
        equal(answer["changed"], False, "changed of %r" % asked)
        ids.add(answer["id"])
    equal(ids, set(firewall.forwards()), "the ids")
    equal(call("net.nat.add_dnat", forwards=KINDS)["changed"], False, "changed of all of them")


@test("net.nat.add_dnat to another target is refused and names the forward that has the port")
def _():
    before = e2e.shown()
    for asked in KINDS:
        holder = call("net.nat.add_dnat", **asked)["id"]
        for other in ({"dest_ip": "fd90::99" if ":" in asked["dest_ip"] else "10.90.0.99"}, {"dest_port": 99}):
            e = fails("net.nat.add_dnat", -32000, "already_exists", **dict(asked, **other))
            equal(e.data["holder"], holder, "the holder")
    e = fails("net.nat.add_dnat", -32000, "already_exists", proto="tcp", host_port=8080, dest_ip="10.90.0.9", dest_port=80, source="203.0.0.0/8")
    want("203.0.113" in str(listed()[e.data["holder"]]), "the holder of a source that overlaps is %r" % e.data)
    equal(e2e.shown(), before, "the state")


@test("net.nat.add_dnat names the parameter that is wrong, also of one of several")
def _():
    right = {"proto": "tcp", "host_port": 81, "dest_ip": "10.90.0.2", "dest_port": 80}
    before = e2e.shown()
    for named, bad in (("proto", "icmp"), ("host_port", 0), ("host_port", 65536), ("dest_ip", "10.0.0.0/8"), ("dest_ip", "x"), ("dest_port", 0), ("dest_port", "80"), ("interface", "a/b"),
                       ("host_ip", "fd90::1"), ("host_ip", "nonsense"), ("source", "fd90::/64"), ("source", "10.0.0.1")):
        invalid("net.nat.add_dnat", named, **dict(right, **{named: bad}))
        invalid("net.nat.add_dnat", "forwards[1]." + named, forwards=[right, dict(right, **{named: bad})])
    for missing in right:
        invalid("net.nat.add_dnat", missing, **{k: v for k, v in right.items() if k != missing})
    invalid("net.nat.add_dnat", "forwards", forwards=[right], proto="tcp")
    invalid("net.nat.add_dnat", "forwards", forwards=[])
    invalid("net.nat.add_dnat", "forwards", forwards=[right, dict(right, dest_port=81)])
    invalid("net.nat.add_dnat", "forwards", forwards=[right] * 1025)
    equal(e2e.shown(), before, "the state")


@test("net.nat.add_dnat outside the policy is denied, and nothing is added, not even what else was asked for")
def _():
    right = {"proto": "tcp", "host_port": 81, "dest_ip": "10.90.0.2", "dest_port": 80}
    before = firewall.objects()
    for bad in ({"interface": "lo"}, {"interface": "eth0"}):
        fails("net.nat.add_dnat", -32000, "denied_by_policy", **dict(right, **bad))
        fails("net.nat.add_dnat", -32000, "denied_by_policy", forwards=[right, dict(right, **bad)])
    for bad in ({"dest_ip": "127.0.0.1"}, {"dest_ip": "0.0.0.0"}, {"dest_ip": "224.0.0.1"}, {"host_ip": "127.0.0.1"}):
        fails("net.nat.add_dnat", -32000, "invalid_state", **dict(right, **bad))
    equal(firewall.objects(), before, "the table")
    agree("after refusals")


@test("net.nat.add_dnat of many is one change: all of them or none")
def _():
    clean()
    many = [{"proto": "tcp", "host_port": 10000 + n, "dest_ip": "10.90.0.2", "dest_port": 80} for n in range(800)]
    equal(dry("net.nat.add_dnat", forwards=many)["changed"], True, "the dry run")
    answer = call("net.nat.add_dnat", forwards=many)
    equal((answer["changed"], len(set(answer["ids"]))), (True, 800), "the answer")
    equal([listed()[i]["host_port"] for i in answer["ids"]], [f["host_port"] for f in many], "the ids' order")
    agree("with 800 forwards")
    fails("net.nat.add_dnat", -32000, "quota_exceeded", forwards=[dict(f, proto="udp") for f in many])
    equal(len(firewall.forwards()), 800, "forwards after one too many")
    equal(call("net.nat.remove_dnat", ids=answer["ids"])["removed"], True, "removed")
    equal(firewall.objects(), None, "the table")


@test("net.nat.add_dnat warns of another program's chain that drops what is forwarded")
def _():
    asked = {"proto": "tcp", "host_port": 81, "dest_ip": "10.90.0.2", "dest_port": 80}
    want("warning" not in call("net.nat.add_dnat", **asked), "a warning without a reason")
    call("net.nat.remove_dnat", proto="tcp", host_port=81)
    ground.run("sh", "-c", "nft 'add table ip filter; add chain ip filter FORWARD { type filter hook forward priority 0; policy drop; }'")
    want("ip filter FORWARD" in call("net.nat.add_dnat", **asked).get("warning", ""), "no warning")
    ground.run("nft", "delete", "table", "ip", "filter")
    clean()


@test("forwards are put back when the daemon starts again, and a table that somebody flushed is put back by the next change")
def _():
    call("net.nat.add_dnat", forwards=KINDS)
    before = firewall.forwards()
    ground.run("nft", "flush", "ruleset")
    os.kill(e2e.daemon()[0], signal.SIGKILL)

    def back():
        try:
            e2e._client = None
            return listed() == before and firewall.forwards() == before
        except (OSError, Failed, ground.Refused):
            return False
    until(back, 15)
    ground.run("nft", "flush", "ruleset")
    one = call("net.nat.add_dnat", proto="tcp", host_port=82, dest_ip="10.90.0.2", dest_port=80)
    equal((one["changed"], len(firewall.forwards())), (True, len(before) + 1), "after a flush")
    ground.run("nft", "flush", "ruleset")
    equal(call("net.nat.remove_dnat", id=one["id"])["removed"], True, "removed after a flush")
    equal(firewall.forwards(), before, "the forwards")
    clean()


e2e.main()
