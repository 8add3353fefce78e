#!/usr/bin/python3
"""net.firewall.add_rule: compared with nft field by field, and with what gets through where the policy drops the rest."""
import os
import socket
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "..", "lib"))
import e2e
import firewall
import ground
from e2e import call, dry, equal, fails, invalid, test, want

if "POSTERN_TEST_WORLD" not in os.environ:
    with tempfile.NamedTemporaryFile("w", suffix=".conf", delete=False) as f:
        f.write(ground.default_policy("@CGROUP@") + "input-policy drop\n")
    os.environ["POLICY_FILE"] = f.name
    e2e.enter("--policy", f.name)
os.unlink(os.environ["POLICY_FILE"])

UP = ground.UPLINK
KINDS = [
    {"proto": "tcp", "port": 22},
    {"proto": "udp", "port": 22},
    {"proto": "tcp", "port": 80, "interface": UP},
    {"proto": "sctp", "port": 65535, "source": "192.0.2.1/32"},
    {"proto": "tcp", "port": 1, "source": "fd90::1/128", "interface": "pt-br0"},
    {"proto": "tcp", "port_range": "8000-8100"},
    {"proto": "tcp", "port_range": "8050-9000", "source": "10.0.0.0/8"},
    {"proto": "udp", "port": 53, "source": "fd90::/64", "interface": UP},
    {"proto": "icmp"},
    {"proto": "icmp", "source": "10.0.0.0/8", "interface": UP},
    {"proto": "icmpv6", "source": "fe80::/10"},
]


def wanted(asked):
    """A network of one port is a range of one for nft."""
    if "port" in asked and asked.get("source", "/32").split("/")[1] not in ("32", "128"):
        asked = {**asked, "port_range": "%d-%d" % (asked["port"], asked["port"])}
        del asked["port"]
    return asked


@test("net.firewall.add_rule adds a rule as nft then shows it, field by field, and answers it")
def _():
    for asked in KINDS:
        answer = dry("net.firewall.add_rule", **asked)
        equal((answer["changed"], "id" in answer, "rule" in answer), (True, False, False), "the dry run")
        answer = call("net.firewall.add_rule", comment="for people", **asked)
        equal(answer["rule"], dict(asked, id=answer["id"], comment="for people"), "the answer")
        equal((answer["changed"], "warning" in answer), (True, False), "changed, and whether there is a warning")
        equal(firewall.rules()[answer["id"]], dict(wanted(asked), id=answer["id"]), "nft")
    equal(len(firewall.rules()), len(KINDS), "the number of rules")


@test("net.firewall.add_rule of the same rule again changes nothing, and has the same id")
def _():
    before = firewall.objects()
    equal({call("net.firewall.add_rule", **asked)["id"] for asked in KINDS}, set(firewall.rules()), "the ids")
    equal(call("net.firewall.add_rule", rules=KINDS)["changed"], False, "changed of all of them")
    equal(firewall.objects(), before, "the table")


@test("net.firewall.add_rule knows services by name")
def _():
    for service, port in (("ssh", 22), ("domain", 53), ("https", 443), ("wireguard", 51820), ("dhcpv6-client", 546)):
        equal(call("net.firewall.add_rule", proto="udp", service=service)["rule"]["port"], port, service)
    equal(call("net.firewall.remove_rule", proto="udp", service="https")["removed"], True, "removed by its name")
    equal(call("net.firewall.remove_rule", proto="udp", port=51820)["removed"], True, "removed by its port")


@test("net.firewall.add_rule names the parameter that is wrong, also of one of several, and refuses what the policy doesn't allow")
def _():
    right, before = {"proto": "tcp", "port": 99}, e2e.shown()
    for named, bad in (("proto", "esp"), ("port", 0), ("port", 65536), ("source", "10.0.0.1"), ("source", "0.0.0.0/0"), ("interface", "a/b"), ("comment", "a\nb"), ("comment", "x" * 65)):
        invalid("net.firewall.add_rule", named, **dict(right, **{named: bad}))
        invalid("net.firewall.add_rule", "rules[1]." + named, rules=[right, dict(right, **{named: bad})])
    for bad in ({"proto": "tcp"}, {"proto": "tcp", "port": 1, "service": "ssh"}, {"proto": "icmp", "port": 1}, {"proto": "tcp", "port": 1, "port_range": "1-2"}):
        invalid("net.firewall.add_rule", "port", **bad)
    for bad in ("2-1", "0-5", "1-65536", "1", "a-b"):
        invalid("net.firewall.add_rule", "port_range", proto="tcp", port_range=bad)
    invalid("net.firewall.add_rule", "service", proto="tcp", service="nonesuch")
    invalid("net.firewall.add_rule", "source", proto="icmp", source="fd00::/8")
    invalid("net.firewall.add_rule", "proto", port=1)
    invalid("net.firewall.add_rule", "rules", rules=[right, right])
    invalid("net.firewall.add_rule", "rules", rules=[])
    fails("net.firewall.add_rule", -32000, "denied_by_policy", rules=[right, dict(right, interface="eth0")])
    equal(e2e.shown(), before, "the state")


def connects(port):
    """Whether the outside gets through to a TCP port of the host."""
    done = os.system("nsenter --net=/proc/%s/ns/net python3 -c 'import socket; socket.create_connection((\"%s\", %d), 0.7)' 2>/dev/null"
                     % (os.environ["POSTERN_TEST_OUTSIDE_PID"], ground.UPLINK_ADDRESS, port))
    return done == 0


@test("where the policy drops, just what a rule names gets in, and what the host began itself goes on")
def _():
    with socket.create_server(("0.0.0.0", 7001)), socket.create_server(("0.0.0.0", 7002)):
        want(not connects(7001) and not connects(7002), "something gets in without a rule")
        rule = call("net.firewall.add_rule", proto="tcp", port=7001, interface=UP)["id"]
        want(connects(7001) and not connects(7002), "not just what the rule names gets in")
        call("net.firewall.add_rule", proto="tcp", port_range="7000-7005", source=ground.OUTSIDE + "/24")
        want(connects(7002), "the range doesn't get in")
        call("net.firewall.remove_rule", id=rule)
        want(connects(7001), "the range doesn't get in any more")
        call("net.firewall.remove_rule", proto="tcp", port_range="7000-7005", source=ground.OUTSIDE + "/24")
        want(not connects(7001) and not connects(7002), "something gets in after the rules are gone")
        equal(os.system("ping -n -c 1 -W 2 %s >/dev/null" % ground.OUTSIDE), 0, "a ping from the host")
        want(socket.create_connection(("127.0.0.1", 7001), 1), "loopback")


@test("net.firewall.add_rule warns of another program's chain that drops what comes in")
def _():
    ground.run("sh", "-c", "nft 'add table inet fw; add chain inet fw in { type filter hook input priority 0; policy drop; }'")
    answer = call("net.firewall.add_rule", proto="tcp", port=7003)
    ground.run("nft", "delete", "table", "inet", "fw")
    want("inet fw in" in answer.get("warning", ""), "the warning is %r" % answer.get("warning"))


@test("net.firewall.add_rule of many is one change, and all of them go in one")
def _():
    many = [{"proto": "tcp", "port": 20000 + n} for n in range(200)] + [{"proto": "udp", "port_range": "%d-65535" % n} for n in range(1, 101)]
    before = set(firewall.rules())
    answer = call("net.firewall.add_rule", rules=many)
    equal(set(firewall.rules()) - before, set(answer["ids"]), "the ids")
    equal(call("net.firewall.remove_rule", ids=answer["ids"])["removed"], True, "removed")
    equal(set(firewall.rules()), before, "the rules")


e2e.main()
