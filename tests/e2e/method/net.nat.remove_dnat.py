#!/usr/bin/python3
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "..", "lib"))
import e2e
import firewall
import ground
from e2e import call, dry, equal, fails, invalid, test, want

e2e.enter()

UP = ground.UPLINK


def add(**more):
    return call("net.nat.add_dnat", **dict({"proto": "tcp", "host_port": 8080, "dest_ip": "10.90.0.2", "dest_port": 80}, **more))["id"]


@test("net.nat.remove_dnat removes by id and by what the forward was made of, once, and the last takes the table along")
def _():
    one, two, three = add(), add(interface=UP, source="10.0.0.0/8", host_ip="192.0.2.1"), add(host_port=1)
    before = firewall.forwards()
    equal(dry("net.nat.remove_dnat", id=one), {"removed": True, "changed": True}, "the dry run")
    equal(call("net.nat.remove_dnat", id=one), {"removed": True, "changed": True}, "by id")
    equal(call("net.nat.remove_dnat", id=one), {"removed": False, "changed": False}, "by id, again")
    equal(firewall.forwards(), {i: f for i, f in before.items() if i != one}, "the others")
    equal(call("net.nat.remove_dnat", proto="tcp", host_port=8080)["removed"], False, "by half of what it was made of")
    equal(call("net.nat.remove_dnat", proto="tcp", host_port=8080, interface=UP, source="10.3.4.5/8", host_ip="192.0.2.1")["removed"], True, "by what it was made of")
    equal(set(firewall.forwards()), {three}, "what is left without " + two)
    equal(call("net.nat.remove_dnat", proto="tcp", host_port=1, dest_ip="10.90.0.3")["removed"], False, "with another target")
    equal(call("net.nat.remove_dnat", proto="tcp", host_port=1, dest_port=81)["removed"], False, "with another port of the target")
    equal(call("net.nat.remove_dnat", proto="tcp", host_port=1, dest_ip="10.90.0.2", dest_port=80)["removed"], True, "with its target")
    equal(firewall.objects(), None, "the table")


@test("net.nat.remove_dnat takes several ids in one change, those that are gone among them")
def _():
    ids = [add(host_port=p) for p in range(1, 21)]
    call("net.nat.remove_dnat", id=ids[3])
    equal(dry("net.nat.remove_dnat", ids=ids[:10])["removed"], True, "the dry run")
    equal(call("net.nat.remove_dnat", ids=ids[:10])["removed"], True, "ten")
    equal(set(firewall.forwards()), set(ids[10:]), "what is left")
    equal(call("net.nat.remove_dnat", ids=ids[:10])["removed"], False, "ten again")
    equal(call("net.nat.remove_dnat", ids=ids)["removed"], True, "all")
    equal(call("net.nat.status")["dnat"], [], "the forwards")


@test("net.nat.remove_dnat of a port that is forwarded in both families asks which")
def _():
    add()
    six = add(dest_ip="fd90::2")
    e = fails("net.nat.remove_dnat", -32602, proto="tcp", host_port=8080)
    want("dest_ip" in e.message + str(e.data), str(e))
    equal(call("net.nat.remove_dnat", proto="tcp", host_port=8080, dest_ip="10.90.0.2")["removed"], True, "IPv4's")
    equal(set(firewall.forwards()), {six}, "what is left")
    equal(call("net.nat.remove_dnat", proto="tcp", host_port=8080)["removed"], True, "the only one")


@test("net.nat.remove_dnat needs one way to name what goes")
def _():
    invalid("net.nat.remove_dnat", "id")
    invalid("net.nat.remove_dnat", "host_port", proto="tcp")
    invalid("net.nat.remove_dnat", "proto", host_port=1)
    invalid("net.nat.remove_dnat", "id", id="x", proto="tcp", host_port=1)
    invalid("net.nat.remove_dnat", "id", id="x", ids=["y"])
    invalid("net.nat.remove_dnat", "ids", ids=["x"] * 1025)


e2e.main()
