#!/usr/bin/python3
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "..", "lib"))
import subprocess

import e2e
import firewall
import ground
from e2e import call, dry, equal, fails, invalid, test, want

e2e.enter()
outside_pid = os.environ["POSTERN_TEST_OUTSIDE_PID"]


def reaches():
    """Whether a host behind the bridge gets an answer from beyond the uplink, where nobody knows a way back to it."""
    return subprocess.run(["ping", "-n", "-c", "1", "-W", "1", "-I", "10.73.0.1", ground.OUTSIDE], stdout=subprocess.DEVNULL).returncode == 0


@test("net.nat.add_snat masquerades what comes from a network, and only from then on")
def _():
    call("net.bridge.add", name="pt-br0", address="10.73.0.1/24")
    want(not reaches(), "it reaches the outside before there is a translation")
    equal(dry("net.nat.add_snat", source="10.73.0.0/24")["changed"], True, "changed of the dry run")
    result = call("net.nat.add_snat", source="10.73.0.0/24")
    want(result["changed"] and result["id"], "the answer is %r" % result)
    text = ground.run("nft", "list", "ruleset")
    want("table inet postern" in text and "masquerade" in text and "10.73.0.0/24" in text, text)
    want(reaches(), "it doesn't reach the outside")
    again = call("net.nat.add_snat", source="10.73.0.0/24")
    equal((again["changed"], again["id"]), (False, result["id"]), "the second time")
    call("net.nat.remove_snat", id=result["id"])
    want(not reaches(), "it still reaches the outside after the translation is gone")


@test("net.nat.add_snat gives a fixed address where one is asked for")
def _():
    ground.run("ip", "address", "add", "198.51.100.77/24", "dev", ground.UPLINK)
    rule = call("net.nat.add_snat", source="10.73.0.0/24", out_interface=ground.UPLINK, to="198.51.100.77")["id"]
    want(reaches(), "it doesn't reach the outside")
    want("198.51.100.77" in ground.run("nft", "list", "ruleset"), "the rule isn't there")
    call("net.nat.remove_snat", id=rule)
    ground.run("ip", "address", "del", "198.51.100.77/24", "dev", ground.UPLINK)


@test("net.nat.add_snat of sources that lie within each other is one element, and the inner one comes back when the outer one goes")
def _():
    inner = call("net.nat.add_snat", source="10.73.1.0/24")["id"]
    outer = call("net.nat.add_snat", source="10.73.0.0/16")["id"]
    equal(firewall.translations(), {outer: ("10.73.0.0/16", None, {ground.UPLINK})}, "with both")
    other = call("net.nat.add_snat", source="10.73.1.0/24", out_interface=ground.UPLINK)["id"]
    equal(set(firewall.translations()), {outer, other}, "with one that is bound to its uplink")
    call("net.nat.remove_snat", id=outer)
    equal(firewall.translations()[inner], ("10.73.1.0/24", None, {ground.UPLINK}), "without the outer one")
    for rule in (inner, other):
        call("net.nat.remove_snat", id=rule)
    equal(firewall.objects(), None, "the table")


@test("net.nat.add_snat doesn't give sources that overlap two addresses, and names who has the one")
def _():
    have = call("net.nat.add_snat", source="10.73.0.0/16", to="198.51.100.77")["id"]
    e = fails("net.nat.add_snat", -32000, "already_exists", source="10.73.5.0/24", to="198.51.100.78")
    equal(e.data["holder"], have, "the holder")
    same = call("net.nat.add_snat", source="10.73.5.0/24", to="198.51.100.77")["id"]
    equal(firewall.translations(), {have: ("10.73.0.0/16", "198.51.100.77", {ground.UPLINK})}, "the translations")
    for rule in (have, same):
        call("net.nat.remove_snat", id=rule)


@test("net.nat.add_snat refuses an interface that is no uplink of the policy, and malformed networks")
def _():
    before = e2e.shown()
    fails("net.nat.add_snat", -32000, "denied_by_policy", source="10.0.0.0/8", out_interface="lo")
    for named, bad in (("source", "10.0.0.0/33"), ("source", "nonsense"), ("to", "10.0.0.0/8"), ("out_interface", "a/b")):
        invalid("net.nat.add_snat", named, **dict({"source": "10.0.0.0/8"}, **{named: bad}))
    fails("net.nat.add_snat", -32602, source="10.0.0.0/8", to="fd00::1")
    equal(e2e.shown(), before, "the state")
    call("net.bridge.delete", name="pt-br0")


e2e.main()
