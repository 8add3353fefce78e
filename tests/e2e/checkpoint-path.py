#!/usr/bin/python3
# Two of its kind run at a time: it mostly waits.
"""A client that cuts off its own way to the daemon gets it back, whatever has become of the daemon.  LIMIT: 240"""
import os
import signal
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "lib"))
import e2e
import ground
import netpath
from e2e import Failed, call, equal, test, until, want

e2e.enter()
PORT, SERVICE = 7420, "10.74.0.1"  # the daemon's address is that of a bridge of postern's
LONG, SHORT = 600, 6


class Path:
    """A namespace whose way to the daemon is a bridge's address, at the end of a foreign pair of veths."""

    def __enter__(self):
        self.space = netpath.Namespace()
        ground.run("ip", "link", "add", "way0", "type", "veth", "peer", "name", "way1", "netns", str(self.space.holder.pid))
        ground.run("ip", "address", "add", "192.0.2.1/24", "dev", "way0")
        ground.run("ip", "link", "set", "way0", "up")
        self.space.run("ip", "address", "add", "192.0.2.2/24", "dev", "way1")
        self.space.run("ip", "link", "set", "way1", "up")
        self.space.run("ip", "route", "add", SERVICE, "via", "192.0.2.1")
        call("net.bridge.add", name="pt-br0", address=SERVICE + "/24")
        call("net.vm.create_tap", name="pt-t0", bridge="pt-br0")
        return self

    def __exit__(self, kind, *_):
        self.space.close()
        until(lambda: "way0" not in e2e.links())
        e2e._client = None
        try:
            call("net.vm.delete_tap", name="pt-t0")
            call("net.bridge.delete", name="pt-br0", force=True)
        except Failed:
            if kind is None:
                raise

    def client(self, timeout=3):
        return netpath.Client(self.space, SERVICE, PORT, timeout)

    def works(self):
        try:
            client = self.client(timeout=1)
            client("rpc.health")
            client.close()
            return True
        except (OSError, ValueError, Failed):
            return False

    def cut(self, timeout_secs):
        """Makes a checkpoint and cuts the way, all over the way itself; gives back the checkpoint's id."""
        client = self.client()
        made = client("net.checkpoint.create", timeout_secs=timeout_secs)["checkpoint"]
        client.sock.settimeout(1)
        try:
            client("net.bridge.delete", name="pt-br0", force=True)
            raise Failed("the answer to the cut came through")
        except (OSError, ValueError):
            pass
        client.hang_up()
        until(lambda: "pt-br0" not in e2e.links(), 5)
        want(not self.works(), "the way isn't cut")
        return made["id"]

    def as_before(self):
        e2e._client = None
        links = e2e.links()
        want("pt-br0" in links and links["pt-t0"].get("master") == "pt-br0", "the bridge or its port isn't back")
        want(SERVICE + "/24" in ground.run("ip", "address", "show", "dev", "pt-br0"), "the address isn't back")
        bridge = [b for b in call("net.bridge")["bridges"] if b["name"] == "pt-br0"][0]
        want(bridge["managed"] and [p["name"] for p in bridge["ports"]] == ["pt-t0"], "net.bridge says %r" % bridge)
        equal(call("net.checkpoint.list")["checkpoints"], [], "pending checkpoints")
        again = call("net.bridge.add", name="pt-br0", address=SERVICE + "/24")
        equal(again["changed"], False, "changed when the bridge is added again: the daemon's rows are back too")


class Behind(Path):
    """A namespace behind a port of the bridge: the way back to it is a route of postern's over that bridge."""

    def __enter__(self):
        self.space = netpath.Namespace()
        call("net.bridge.add", name="pt-br0", address=SERVICE + "/24")
        ground.run("ip", "link", "add", "way0", "type", "veth", "peer", "name", "way1", "netns", str(self.space.holder.pid))
        ground.run("ip", "link", "set", "way0", "master", "pt-br0", "up")
        self.space.run("ip", "address", "add", "10.74.0.2/24", "dev", "way1")
        self.space.run("ip", "address", "add", "10.75.0.1/32", "dev", "lo")
        self.space.run("ip", "link", "set", "way1", "up")
        self.space.run("ip", "route", "replace", "10.74.0.0/24", "dev", "way1", "src", "10.75.0.1")
        call("net.routes.add", destination="10.75.0.0/16", gateway="10.74.0.2", device="pt-br0")
        return self

    def __exit__(self, kind, *_):
        self.space.close()
        until(lambda: "way0" not in e2e.links())
        e2e._client = None
        call("net.routes.delete", destination="10.75.0.0/16")
        call("net.bridge.delete", name="pt-br0", force=True)


relay = netpath.Relay(PORT)


def rolled_back(number):
    """The causes that the events give for a checkpoint."""
    events = call("event.tail", topics=["net.checkpoint"])["events"]
    return [e["object"].get("cause") for e in events if e["object"].get("id") == number and e["object"]["state"] == "rolled_back"]


@test("a client that cut off its own way gets it back at the deadline, told as an event and in the audit")
def _():
    with Path() as path:
        number = path.cut(SHORT)
        want(not path.works(), "it is back before its time")
        until(path.works, SHORT + 10, 0.2)
        path.as_before()
        equal(rolled_back(number), ["deadline"], "the events")


@test("a client behind a bridge that deletes the route back to itself is reached again at the deadline, also with posternd killed or stopped")
def _():
    for fate in (None, signal.SIGKILL, signal.SIGSTOP):
        with Behind() as path:
            client = path.client()
            number = client("net.checkpoint.create", timeout_secs=SHORT)["checkpoint"]["id"]
            client.sock.settimeout(1)
            try:
                client("net.routes.delete", destination="10.75.0.0/16")
                raise Failed("the answer to the cut came through")
            except (OSError, ValueError):
                pass
            client.hang_up()
            want(not path.works(), "the way isn't cut")
            pid = e2e.daemon()[1]
            if fate is not None:
                os.kill(pid, fate)
            until(lambda: "10.75.0.0/16 via 10.74.0.2" in ground.run("ip", "route"), SHORT + 15, 0.2)
            if fate == signal.SIGSTOP:
                os.kill(pid, signal.SIGCONT)
            until(path.works, 20, 0.2)
            e2e._client = None
            until(lambda: rolled_back(number) == ["restart" if fate == signal.SIGKILL else "deadline"], 10, 0.2)
            equal(call("net.routes.add", destination="10.75.0.0/16", gateway="10.74.0.2", device="pt-br0")["changed"], False, "changed: the row is back too")


@test("so it does at once when posternd is killed, also together with its parent")
def _():
    for who in (1, 0):
        with Path() as path:
            number = path.cut(LONG)
            os.kill(e2e.daemon()[who], signal.SIGKILL)
            until(path.works, 20, 0.2)
            path.as_before()
            equal(rolled_back(number), ["restart"], "the events")


@test("so it does by the helper alone while posternd is stopped, and posternd finds itself rolled back when it goes on")
def _():
    with Path() as path:
        number = path.cut(SHORT)
        began = time.monotonic()
        stopped = e2e.daemon()
        for pid in stopped:
            os.kill(pid, signal.SIGSTOP)
        try:
            until(lambda: path.space.reaches(SERVICE), SHORT + 10, 0.2)
            want(time.monotonic() - began > SHORT - 3, "it is back before its time")
            equal(e2e.links()["pt-t0"].get("master"), "pt-br0", "the port's bridge")
        finally:
            for pid in stopped:
                os.kill(pid, signal.SIGCONT)
        until(path.works, 20, 0.2)
        path.as_before()
        equal(rolled_back(number), ["deadline"], "the events")


@test("so it does when the helper is killed first, and nobody confirms")
def _():
    with Path() as path:
        path.cut(SHORT)
        os.kill(e2e.processes()["postern-net"][0], signal.SIGKILL)
        until(path.works, SHORT + 15, 0.2)
        path.as_before()


@test("a change that leaves the way open is confirmed over a new connection on it, and stays")
def _():
    with Path() as path:
        client = path.client()
        number = client("net.checkpoint.create", timeout_secs=SHORT)["checkpoint"]["id"]
        client("net.vm.create_tap", name="pt-t1")
        try:
            client("net.checkpoint.confirm", id=number)
            raise Failed("the old connection could confirm")
        except e2e.Error as e:
            equal(e.data["kind"], "invalid_state", "the kind of failure")
        other = path.client()
        equal(other("net.checkpoint.confirm", id=number)["changed"], True, "changed")
        time.sleep(SHORT + 1)
        want("pt-t1" in e2e.links(), "what was confirmed is gone")
        equal(rolled_back(number), [], "the events")
        for c in (client, other):
            c.close()
        call("net.vm.delete_tap", name="pt-t1")


e2e.main()
