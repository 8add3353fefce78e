#!/usr/bin/python3
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "..", "lib"))
import signal
import threading
import time

import e2e
import ground
from e2e import Client, Failed, call, equal, fails, invalid, test, want

e2e.enter()
ground.write(ground.HOME + "/images/kernel", "kernel\n")  # nothing boots here
KERNEL = dict(kernel="kernel", disks=[])


def last():
    """Where the stream ends now."""
    at = 0
    while True:
        answer = call("event.tail", since_seq=at, limit=10000)
        if not answer["events"]:
            return answer["next_seq"]
        at = answer["next_seq"]


def new(since):
    """Events since then; none while the daemon is away."""
    try:
        return call("event.tail", since_seq=since)["events"]
    except (OSError, Failed):
        return []


@test("event.tail begins with the helper that came up, and numbers events in order")
def _():
    events = call("event.tail")["events"]
    want("helper.up" in [e["topic"] for e in events], events)
    seqs = [e["seq"] for e in events]
    equal(seqs, list(range(seqs[0], seqs[0] + len(seqs))), "the numbers")
    want(abs(events[0]["at_unix_ms"] / 1000 - time.time()) < 300, events[0])


@test("event.tail shows a VM's changes of state with the very numbers that compute.vm.events.tail shows")
def _():
    start = last()
    call("compute.vm.create", name="e1", **KERNEL)
    call("compute.vm.remove", id="e1")
    events = call("event.tail", since_seq=start, topics=["vm.state"])["events"]
    equal([(e["object"]["id"], e["object"]["from"], e["object"]["to"]) for e in events], [("e1", "Pending", "Provisioning"), ("e1", "Provisioning", "Configured")], "the changes")
    equal([(e["seq"], e["object"]["reason"]) for e in events], [(e["seq"], e["reason"]) for e in call("compute.vm.events.tail", since_seq=start)["events"]], "the numbers")


@test("event.tail gives the topics that are asked for, and no more events than that")
def _():
    start = last()
    call("compute.vm.create", name="e2", **KERNEL)
    call("compute.vm.remove", id="e2")
    equal(call("event.tail", since_seq=start, topics=["net.drift", "helper.down"])["events"], [], "events of other topics")
    one = call("event.tail", since_seq=start, limit=1)
    equal(len(one["events"]), 1, "events with a limit of 1")
    equal(one["next_seq"], one["events"][0]["seq"], "where it goes on")


@test("event.tail waits until an event comes that is asked for, and no longer than asked")
def _():
    start = last()
    began = time.monotonic()
    equal(call("event.tail", since_seq=start, wait_ms=300)["events"], [], "events while nothing happens")
    want(0.25 < time.monotonic() - began < 5, "it waited %.2f s" % (time.monotonic() - began))
    got = []
    other = Client()
    thread = threading.Thread(target=lambda: got.append(other("event.tail", since_seq=start, topics=["helper.up"], wait_ms=30000)))
    thread.start()
    helper = e2e.processes()["postern-broker"][0]
    os.kill(helper, signal.SIGKILL)
    thread.join(30)
    equal([e["topic"] for e in got[0]["events"]], ["helper.up"], "what it woke up for")
    equal([e["topic"] for e in call("event.tail", since_seq=start)["events"]][:2], ["helper.down", "helper.up"], "all of it")


@test("event.tail tells of a refusal, to an administrator")
def _():
    start = last()
    fails("net.bridge.add", -32602, name="a/b")
    events = call("event.tail", since_seq=start, topics=["audit.refused"])["events"]
    equal([e["object"]["method"] for e in events], ["net.bridge.add"], "the refusals")
    want("name" in events[0]["object"]["why"], events[0])


@test("event.tail goes on with the same numbers after the daemon's restart, and has kept what was before it")
def _():
    before = call("event.tail", limit=10000)["events"]
    os.kill(e2e.daemon()[1], signal.SIGKILL)
    after = e2e.until(lambda: new(before[-1]["seq"]), 30)
    equal(after[0]["seq"], before[-1]["seq"] + 1, "the number after the restart")
    equal(call("event.tail", limit=len(before))["events"], before, "what was before it")


@test("event.tail says what is wrong with a parameter")
def _():
    for named, bad in (("topics", ["no.such"]), ("topics", "net.drift"), ("since_seq", -1), ("limit", 0), ("limit", 10001), ("wait_ms", 60001), ("wait_ms", -1)):
        invalid("event.tail", named, **{named: bad})


e2e.main()
