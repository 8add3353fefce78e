#!/usr/bin/python3
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "..", "lib"))
import e2e
from e2e import Client, call, equal, test, want

e2e.enter()


@test("net.checkpoint.list shows the pending checkpoints, the oldest first, with the time they have left, page by page")
def _():
    equal(call("net.checkpoint.list")["checkpoints"], [], "at first")
    ids = [call("net.checkpoint.create", timeout_secs=100 + i)["checkpoint"]["id"] for i in range(3)]
    listed = call("net.checkpoint.list")["checkpoints"]
    equal([c["id"] for c in listed], ids, "ids")
    for i, c in enumerate(listed):
        equal((c["timeout_secs"], c["identity"], c["method"]), (100 + i, "uid:%d" % os.getuid(), "net.checkpoint.create"), "checkpoint %d" % i)
        want(80 < c["remaining_secs"] <= 100 + i and c["deadline_unix"] > c["created_unix"], "its times: %r" % c)
    page = call("net.checkpoint.list", limit=2)
    equal([c["id"] for c in page["checkpoints"]], ids[:2], "the first page")
    equal([c["id"] for c in call("net.checkpoint.list", limit=2, cursor=page["next_cursor"])["checkpoints"]], ids[2:], "the second page")
    Client()("net.checkpoint.confirm", id=ids[1])
    equal([c["id"] for c in call("net.checkpoint.list")["checkpoints"]], [ids[0], ids[2]], "after one is confirmed")
    call("net.checkpoint.rollback", id=ids[0])
    equal(call("net.checkpoint.list")["checkpoints"], [], "after the oldest is gone back to")


e2e.main()
