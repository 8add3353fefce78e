#!/usr/bin/env python3
"""The stream of events, by event.tail and by GET /events: who sees what, where a reader goes on, what a slow one costs."""
import hashlib
import json
import os
import signal
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "lib"))
import ground  # noqa: E402
from rpctest import Http, call, check, equal, eventually, main, test  # noqa: E402


def group(name, right, more=""):
    return '[[group]]\nname = "%s"\nusers = ["token:%s"]\n[[ace]]\nright = "%s"\ngroups = ["%s"]\n%s\n' % (
        name, hashlib.sha256(name.encode()).hexdigest(), right, name, more)


ACL = (group("a", "write", 'tenant = "a"') + group("b", "write", 'tenant = "b"') + group("root", "admin") + group("reader", "read") +
       group("narrow", "read", 'methods = ["event.*", "rpc.*"]') + '[policy]\nanonymous_local = "none"\n')
KERNEL = dict(kernel="kernel", disks=[])


def ask(who, method, **params):
    h = Http()
    answer = json.loads(h.post(call(method, params), extra="Authorization: Bearer %s\r\n" % who)[2])
    h.close()
    return answer


def ok(who, method, **params):
    answer = ask(who, method, **params)
    check("result" in answer, "%s %s %r: %r" % (who, method, params, answer.get("error")))
    return answer["result"]


def last():
    return ok("root", "event.tail", limit=10000)["next_seq"]


class Stream:
    """GET /events as a browser would read it."""

    def __init__(self, who=None, since=None):
        self.h = Http()
        self.h.send("GET /events HTTP/1.1\r\nHost: h\r\n%s%s\r\n" % (
            "Authorization: Bearer %s\r\n" % who if who else "", "Last-Event-ID: %d\r\n" % since if since is not None else ""))
        self.status, self.headers, self.body = self.h.read()

    def next(self):
        """The next event: (id, topic, data)."""
        fields = {}
        while True:
            line = self.h.f.readline().decode()
            check(line, "the stream ended")
            if line == "\n" and "data" in fields:
                return int(fields.get("id", 0)), fields["event"], json.loads(fields["data"])
            if line != "\n" and not line.startswith(":"):
                name, value = line.rstrip("\n").split(": ", 1)
                fields[name] = value

    def close(self):
        self.h.close()


def make_vms():
    """A change of state of a VM of each tenant; the number before them."""
    start = last()
    for t in ("a", "b"):
        ground.directory(ground.HOME + "/images/" + t)
        ground.write(ground.HOME + "/images/%s/kernel" % t, "kernel\n")
        ok(t, "compute.vm.create", name="vm-" + t, **KERNEL)
    for t in ("a", "b"):
        ok(t, "compute.vm.remove", id="vm-" + t)
    return start


def seen(who, since, **more):
    return ok(who, "event.tail", since_seq=since, limit=10000, **more)["events"]


@test("a tenant sees what is its own, the host's reader all of it, and who lacks the right for what they are about nothing")
def _():
    start = make_vms()
    for t in ("a", "b"):
        equal({e["object"]["id"] for e in seen(t, start)}, {"vm-" + t})
        equal({e.get("tenant") for e in seen(t, start)}, {t})
    equal({e["object"]["id"] for e in seen("reader", start, topics=["vm.state"])}, {"vm-a", "vm-b"})
    equal(seen("narrow", start), [])
    equal([e["topic"] for e in seen("a", 0) if "tenant" not in e], [])


@test("drift of what is a tenant's is told and shown to that tenant and to the host, and to no other")
def _():
    for t in ("a", "b"):
        ok(t, "net.bridge.add", name="pt-br" + t, address="10.%d.0.1/24" % ord(t))
    start = last()
    ground.run("ip", "link", "set", "pt-bra", "alias", "somebody's")
    eventually(lambda: [e for e in seen("a", start, topics=["net.drift"])])
    equal([(e["tenant"], e["object"]["id"]) for e in seen("a", start, topics=["net.drift"])], [("a", "pt-bra")])
    equal([d["id"] for d in ok("a", "net.verify")["drift"]], ["pt-bra"])
    equal((seen("b", start), ok("b", "net.verify")["in_sync"]), ([], True))
    equal([d["id"] for d in ok("reader", "net.verify")["drift"]], ["pt-bra"])
    ground.run("ip", "link", "set", "pt-bra", "alias", "postern:bridge")
    eventually(lambda: [e for e in seen("a", start, topics=["net.restored"])])
    equal(seen("b", start), [])
    for t in ("a", "b"):
        ok(t, "net.bridge.delete", name="pt-br" + t)


@test("refusals are shown to administrators alone, and a stranger's flood of them leaves room for everything else")
def _():
    start = last()
    for i in range(60):
        ask("reader", "net.bridge.add" if i % 2 else "net.bridge.delete", name="pt-br0")
        ask("stranger", "vol.mount", source="x", target="y")
    refused = seen("root", start, topics=["audit.refused"])
    check(0 < len(refused) <= 20, len(refused))
    equal(seen("reader", start), [])


@test("GET /events needs the right for event.tail: 401 for a stranger")
def _():
    s = Stream()
    equal(s.status, 401)
    s.close()
    s = Stream("wrong")
    equal(s.status, 403)
    s.close()


@test("GET /events sends what happens as it happens, to each what it may see, and resumes behind Last-Event-ID")
def _():
    a, root = Stream("a"), Stream("root")
    equal((a.status, a.headers["content-type"], a.headers["cache-control"]), (200, "text/event-stream", "no-store"))
    start = make_vms()
    number, topic, data = a.next()
    equal((topic, data["topic"], data["seq"], data["tenant"], data["object"]["id"]), ("vm.state", "vm.state", number, "a", "vm-a"))
    first = [root.next()[2] for _ in range(4)]
    equal([e["seq"] for e in first], list(range(start + 1, start + 5)))
    equal(first, seen("root", start)[:4])
    again = Stream("root", since=start + 2)
    equal(again.next()[0], start + 3)
    for s in (a, root, again):
        s.close()


@test("a reload of the access list ends streams and waits that were opened under the old one")
def _():
    s = Stream("root")
    with open(ground.HOME + "/posternd.pid") as f:
        os.kill(int(f.read()), signal.SIGHUP)
    equal(s.h.f.read(1), b"")
    s.close()
    eventually(lambda: ok("root", "rpc.health")["status"] == "ok")


main(acl=ACL)
