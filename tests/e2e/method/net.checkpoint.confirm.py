#!/usr/bin/python3
# Two of its kind run at a time: it mostly waits.
import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "..", "lib"))
import e2e
from e2e import Client, call, dry, equal, fails, test, want

e2e.enter()


@test("net.checkpoint.confirm makes what has changed stay, and only a connection that is younger than the checkpoint may say so")
def _():
    bystander = Client()
    bystander("rpc.health")
    number = call("net.checkpoint.create", timeout_secs=5)["checkpoint"]["id"]
    call("net.bridge.add", name="pt-br0")
    for old in (call, bystander):
        try:
            old("net.checkpoint.confirm", id=number)
            raise e2e.Failed("an old connection could confirm")
        except e2e.Error as e:
            equal(e.data["kind"], "invalid_state", "the kind")
            want("new connection" in e.data["hint"], "the hint is %r" % e.data["hint"])
    new = Client()
    equal(new("net.checkpoint.confirm", id=number, dry_run=True)["changed"], True, "changed of the dry run")
    equal(new("net.checkpoint.confirm", id=number)["changed"], True, "changed")
    fails("net.checkpoint.confirm", -32000, "not_found", id=number)
    time.sleep(6)
    want("pt-br0" in e2e.links(), "what was confirmed is gone")
    equal(call("net.bridge.add", name="pt-br0")["changed"], False, "changed: the row is there too")


@test("confirming one leaves the older one pending, which then takes back what the younger one had confirmed")
def _():
    outer = call("net.checkpoint.create", timeout_secs=600)["checkpoint"]["id"]
    call("net.bridge.delete", name="pt-br0")
    inner = call("net.checkpoint.create", timeout_secs=600)["checkpoint"]["id"]
    call("net.bridge.add", name="pt-br0", mtu=1400)
    call("net.bridge.add", name="pt-br1")
    Client()("net.checkpoint.confirm", id=inner)
    equal(e2e.links()["pt-br0"]["mtu"], 1400, "the MTU")
    equal(call("net.checkpoint.rollback", id=outer)["removed"], 1, "checkpoints that are no more")
    equal(e2e.links()["pt-br0"]["mtu"], 1500, "the MTU")
    want("pt-br1" not in e2e.links(), "what came since is there still")
    equal(call("net.config")["bridges"], ["pt-br0"], "the bridges of the rows")


@test("confirming the older one leaves the younger one pending")
def _():
    outer = call("net.checkpoint.create", timeout_secs=600)["checkpoint"]["id"]
    call("net.bridge.add", name="pt-br2")
    inner = call("net.checkpoint.create", timeout_secs=600)["checkpoint"]["id"]
    call("net.bridge.add", name="pt-br3")
    Client()("net.checkpoint.confirm", id=outer)
    call("net.checkpoint.rollback", id=inner)
    equal(call("net.config")["bridges"], ["pt-br0", "pt-br2"], "the bridges of the rows")
    want("pt-br2" in e2e.links() and "pt-br3" not in e2e.links(), "links are %r" % sorted(e2e.links()))
    for name in ("pt-br0", "pt-br2"):
        call("net.bridge.delete", name=name)


e2e.main()
