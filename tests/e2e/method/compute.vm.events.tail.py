#!/usr/bin/python3
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "..", "lib"))
import threading
import time

import e2e
from e2e import Client, VM, call, equal, test, want

e2e.enter()


@test("compute.vm.events.tail gives every change of state once, in order, of all VMs or of one")
def _():
    start = call("compute.vm.events.tail")["next_seq"]
    for name in ("e1", "e2"):
        call("compute.vm.create", name=name)
    answer = call("compute.vm.events.tail", since_seq=start)
    seqs = [e["seq"] for e in answer["events"]]
    equal(seqs, sorted(set(seqs)), "the order")
    equal([(e["id"], e["to"]) for e in answer["events"]], [("e1", "Provisioning"), ("e1", "Configured"), ("e2", "Provisioning"), ("e2", "Configured")], "the events")
    equal([e["id"] for e in call("compute.vm.events.tail", since_seq=start, id="e2")["events"]], ["e2", "e2"], "the events of one")
    equal(call("compute.vm.events.tail", since_seq=answer["next_seq"])["events"], [], "the events after the last")
    equal(len(call("compute.vm.events.tail", since_seq=start, limit=1)["events"]), 1, "events with a limit of 1")


@test("compute.vm.events.tail waits for an event, and no longer than asked")
def _():
    last = call("compute.vm.events.tail")["next_seq"]
    while True:
        answer = call("compute.vm.events.tail", since_seq=last)
        last = answer["next_seq"]
        if not answer["events"]:
            break
    began = time.monotonic()
    equal(call("compute.vm.events.tail", since_seq=last, wait_ms=300)["events"], [], "events while nothing happens")
    want(0.25 < time.monotonic() - began < 2, "it waited %.2f s" % (time.monotonic() - began))
    got = []
    other = Client()
    thread = threading.Thread(target=lambda: got.append(other("compute.vm.events.tail", since_seq=last, wait_ms=10000)))
    thread.start()
    time.sleep(0.2)
    began = time.monotonic()
    call("compute.vm.remove", id="e1")
    call("compute.vm.create", name="e3")
    thread.join()
    want(time.monotonic() - began < 3 and got[0]["events"], "it didn't wake up: %r" % got)
    for name in ("e2", "e3"):
        call("compute.vm.remove", id=name)


e2e.main()
