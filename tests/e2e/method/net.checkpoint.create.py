#!/usr/bin/python3
import os
import re
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "..", "lib"))
import e2e
from e2e import call, dry, equal, fails, invalid, test, want

e2e.enter()


def shown():
    """What the tools show, but for what a bridge's ports leave behind when they go."""
    return re.sub(r"bridge_id \S+|designated_root \S+|tso_max_size \d+", "", e2e.shown())


@test("net.checkpoint.create makes a checkpoint that the network goes back to, kernel and rows, unless it is confirmed")
def _():
    call("net.bridge.add", name="pt-br0", address="10.73.0.1/24")
    equal(dry("net.checkpoint.create")["changed"], True, "changed of the dry run")
    equal(call("net.checkpoint.list")["checkpoints"], [], "checkpoints after a dry run")
    before = shown()
    now = time.time()
    made = call("net.checkpoint.create", timeout_secs=5)["checkpoint"]
    equal((made["timeout_secs"], made["method"]), (5, "net.checkpoint.create"), "the checkpoint")
    want(abs(made["created_unix"] - now) < 5 and made["deadline_unix"] - made["created_unix"] in (5, 6), "its times are %r" % made)
    call("net.vm.create_tap", name="pt-t0", bridge="pt-br0")
    call("net.nat.add_snat", source="10.73.0.0/24")
    call("net.bridge.add", name="pt-br1")
    e2e.until(lambda: not call("net.checkpoint.list")["checkpoints"], 15, 0.1)
    e2e.until(lambda: shown() == before, 5, 0.1)
    equal([t["name"] for t in call("net.vm.list")["taps"]], [], "taps that net.vm.list knows")
    equal(call("net.nat.status")["snat"], [], "translations")
    equal(call("net.config")["bridges"], ["pt-br0"], "bridges that are put back at a start")


@test("net.checkpoint.create gives a pending one more time, and takes 90 seconds where none are given")
def _():
    made = call("net.checkpoint.create")["checkpoint"]
    equal(made["timeout_secs"], 90, "the default")
    again = call("net.checkpoint.create", id=made["id"], timeout_secs=3600)["checkpoint"]
    equal((again["id"], again["timeout_secs"]), (made["id"], 3600), "the prolonged one")
    want(again["remaining_secs"] > 3590, "it has %d s" % again["remaining_secs"])
    equal(len(call("net.checkpoint.list")["checkpoints"]), 1, "checkpoints")
    call("net.checkpoint.rollback", id=made["id"])


@test("a pending checkpoint blocks neither writes nor the next one, of which there are eight at most")
def _():
    ids = [call("net.checkpoint.create", timeout_secs=600)["checkpoint"]["id"] for _ in range(8)]
    equal(len(set(ids)), 8, "ids")
    fails("net.checkpoint.create", -32000, "quota_exceeded")
    call("net.bridge.add", name="pt-br5")
    equal(call("net.checkpoint.rollback", id=ids[0])["removed"], 8, "checkpoints that are no more")
    want("pt-br5" not in e2e.links(), "what came after the oldest is there still")


@test("net.checkpoint.create refuses times out of range and checkpoints that aren't there")
def _():
    for bad in (4, 3601, 0, -1, "90"):
        invalid("net.checkpoint.create", "timeout_secs", timeout_secs=bad)
    fails("net.checkpoint.create", -32000, "not_found", id="1")
    fails("net.checkpoint.create", -32000, "not_found", id="nonsense")
    call("net.bridge.delete", name="pt-br0")


e2e.main()
