#!/usr/bin/python3
import os
import signal
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "..", "lib"))
import e2e
import ground
from e2e import Client, call, dry, equal, fails, test, until, want

e2e.enter_with(config="[net]\ntap_pool = 3\n")


def build():
    call("net.bridge.add", name="pt-br0", address="10.73.0.1/24", mac="02:00:00:00:73:01")
    call("net.vm.create_tap", name="pt-t0", bridge="pt-br0", mtu=1400, owner_uid=900000)
    call("net.nat.add_snat", source="10.73.0.0/24")


def tap():
    """What is set of it; that it has no carrier the kernel says a little later."""
    link = e2e.links()["pt-t0"]
    return {k: link[k] for k in ("mtu", "master", "address")}, "UP" in link["flags"]


def tear_down():
    call("net.nat.remove_snat", source="10.73.0.0/24")
    call("net.vm.delete_tap", name="pt-t0")
    call("net.bridge.delete", name="pt-br0")


@test("net.checkpoint.rollback brings back what was deleted, takes what came, and restores the rows")
def _():
    build()
    before = tap()
    table = ground.run("nft", "list", "table", "inet", "postern")
    rows = [call(m) for m in ("net.vm.list", "net.nat.status")]
    number = call("net.checkpoint.create", timeout_secs=600)["checkpoint"]["id"]
    tear_down()
    call("net.bridge.add", name="pt-br9")
    call("net.nat.add_snat", source="10.99.0.0/24")
    dry("net.checkpoint.rollback", id=number)
    result = call("net.checkpoint.rollback", id=number)
    equal((result["changed"], result["removed"], result["failed"]), (True, 1, 0), "the answer %r" % result)
    equal(tap(), before, "the tap")
    want("pt-br9" not in e2e.links(), "what came is there still")
    equal(ground.run("nft", "list", "table", "inet", "postern"), table, "the firewall's table")
    equal([call(m) for m in ("net.vm.list", "net.nat.status")], rows, "the rows")
    fails("net.checkpoint.rollback", -32000, "not_found", id=number)
    tear_down()


@test("what a checkpoint goes back to is what it was when it was made, through any number of changes of the same thing")
def _():
    call("net.bridge.add", name="pt-br0", mtu=1400)
    number = call("net.checkpoint.create", timeout_secs=600)["checkpoint"]["id"]
    for mtu in (1300, 1200, 1100):
        call("net.bridge.delete", name="pt-br0")
        call("net.bridge.add", name="pt-br0", mtu=mtu)
    call("net.checkpoint.rollback", id=number)
    equal(e2e.links()["pt-br0"]["mtu"], 1400, "the MTU")
    equal(call("net.bridge.add", name="pt-br0", mtu=1400)["changed"], False, "changed of the same again")
    call("net.bridge.delete", name="pt-br0")


@test("after the daemon is killed, or ends in good order, the state of the checkpoint is there again, in kernel and rows, and none pends")
def _():
    for number in (signal.SIGKILL, signal.SIGTERM):
        build()
        call("net.checkpoint.create", timeout_secs=600)
        call("net.checkpoint.create", timeout_secs=600)
        tear_down()
        call("net.bridge.add", name="pt-br9")
        _, worker = e2e.daemon()
        os.kill(worker, number)
        until(lambda: not os.path.exists("/proc/%d" % worker), 10)
        e2e._client = None

        def back():
            try:
                return Client(timeout=5)("net.checkpoint.list")["checkpoints"] == []
            except (OSError, ValueError, e2e.Failed):
                return False

        until(back, 20, 0.1)
        equal(call("net.bridge.add", name="pt-br0", address="10.73.0.1/24", mac="02:00:00:00:73:01")["changed"], False, "changed of the bridge")
        links = e2e.links()
        want("pt-br9" not in links and links["pt-t0"]["master"] == "pt-br0", "links are %r" % sorted(links))
        want("10.73.0.0/24" in ground.run("nft", "list", "ruleset"), "the translation is gone")
        equal(len(call("net.nat.status")["snat"]), 1, "translations of the rows")
        tear_down()


@test("a tap that was taken out of the pool since is no tap any more, and nothing is left that no row has")
def _():
    spare = until(lambda: [n for n, l in e2e.links().items() if l.get("ifalias") == "postern:tap:pool"], 15, 0.1)
    number = call("net.checkpoint.create", timeout_secs=600)["checkpoint"]["id"]
    name = call("net.vm.create_tap")["tap"]["name"]
    call("net.checkpoint.rollback", id=number)
    equal(call("net.vm.list")["taps"], [], "the rows")
    want(name not in {n for n, l in e2e.links().items() if l.get("ifalias") != "postern:tap:pool"}, "%s of %r is left" % (name, spare))


e2e.main()
