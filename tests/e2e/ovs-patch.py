#!/usr/bin/python3
"""net.bridge.connect with kind patch, and net.bridge.remove_port of what it made: in the database, and for packets.  LIMIT: 280"""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "lib"))
import json
import random
import signal
import threading
import time

import e2e
import ground
import ovs
from e2e import call, equal, fails, test, until, want

e2e.enter()
TABLES = ("Bridge", "Port", "Interface", "Controller", "Open_vSwitch", "Mirror", "QoS")


def connect(a="br0", b="br1", **more):
    return call("net.bridge.connect", a=a, b=b, kind="patch", **more)


def refused(kind, a="br0", b="br1", **more):
    """The data of the error that it is answered with."""
    answer = e2e.Client().ask("net.bridge.connect", dict(more, a=a, b=b, kind="patch"))
    want("error" in answer, "it succeeded: %r" % answer)
    equal(answer["error"]["data"].get("kind"), kind, "the kind of %r" % answer["error"])
    return answer["error"]["data"]


def patches():
    """{name: (bridge, peer, our mark)} of every patch port in the database."""
    interfaces = {r["_uuid"]: r for r in ovs.table("Interface") if r["type"] == "patch"}
    ports = {p["_uuid"]: p for p in ovs.table("Port")}
    found = {}
    for b in ovs.table("Bridge"):
        for p in ovs.as_list(b["ports"]):
            for i in ovs.as_list(ports[p]["interfaces"]):
                if i in interfaces:
                    r = interfaces[i]
                    found[r["name"]] = (b["name"], r["options"].get("peer"), r["external_ids"].get("postern"))
    return found


def rows():
    """The database but for what changes by itself."""
    moving = {"statistics", "status", "cur_cfg", "next_cfg", "link_resets", "link_state", "admin_state", "mac_in_use", "ofport", "mtu", "ifindex", "duplex", "link_speed", "error",
              "ports", "rstp_status", "_uuid", "bridges", "lacp_current", "datapath_id", "datapath_version"}
    return {t: sorted(json.dumps({k: v for k, v in r.items() if k not in moving}, sort_keys=True) for r in ovs.table(t)) for t in TABLES}


@test("a patch is unsupported where Open vSwitch doesn't run, and removing a port says that there is no such bridge")
def _():
    data = refused("unsupported")
    want("Install Open vSwitch" in data["hint"], "the hint is %r" % data)
    fails("net.bridge.remove_port", -32000, "not_found", bridge="br0", port="pt-x")


@test("a patch joins two bridges: packets go through at once, the rows carry postern's mark, and nothing else in the database changed")
def _():
    ovs.start()
    for name in ("br0", "br1", "br2"):
        ovs.bridge(name)
    ovs.vsctl("add-port", "br0", "foreign", "--", "set", "Interface", "foreign", "type=internal", "--", "set", "Port", "foreign", "tag=7", "external_ids:owner=somebody")
    global near, far
    near, far = ovs.Host("near", "br0", "10.60.0.1/24"), ovs.Host("far", "br1", "10.60.0.2/24")
    want(not near.reaches(far), "it reaches the other bridge before they are connected")
    before = rows()
    equal(connect(dry_run=True, name_a="pt-x0", name_b="pt-x1"), {"changed": True, "name_a": "pt-x0", "name_b": "pt-x1"}, "the dry run")
    equal(connect(dry_run=True), {"changed": True}, "the dry run without names")
    equal((rows(), patches()), (before, {}), "the database after a dry run")
    equal(connect(name_a="pt-x0", name_b="pt-x1"), {"changed": True, "name_a": "pt-x0", "name_b": "pt-x1"}, "the answer")
    want(near.reaches(far), "packets don't go through")
    equal(patches(), {"pt-x0": ("br0", "pt-x1", "br1"), "pt-x1": ("br1", "pt-x0", "br0")}, "the patches")
    after = rows()
    for t in TABLES:
        equal([r for r in after[t] if '"pt-x' not in r], before[t], "what isn't postern's in table " + t)
    shown = {p["name"]: p for b in call("net.ovs")["bridges"] for p in b["ports"]}
    equal((shown["pt-x0"]["managed"], shown["pt-x0"]["interfaces"][0]["peer"], shown["foreign"]["managed"]), (True, "pt-x1", False), "what net.ovs says")


@test("bridges that are connected stay as they are, either way round, and what somebody took half away is made whole")
def _():
    for a, b, names in (("br0", "br1", ("pt-x0", "pt-x1")), ("br1", "br0", ("pt-x1", "pt-x0"))):
        for params in ({}, {"name_a": names[0]}, {"name_a": names[0], "name_b": names[1]}, {"dry_run": True}):
            equal(connect(a, b, **params), {"changed": False, "name_a": names[0], "name_b": names[1]}, "the answer")
    whole = patches()
    for lost in ("pt-x0", "pt-x1"):
        ovs.vsctl("del-port", lost)
        want(not near.reaches(far), "half a connection carries packets")
        equal(connect(), {"changed": True, "name_a": "pt-x0", "name_b": "pt-x1"}, "the answer")
        equal(patches(), whole, "the patches")
        want(near.reaches(far), "packets don't go through")


@test("a second connection, a loop, names that are taken or aren't postern's, and bridges that aren't there are refused, and change nothing")
def _():
    before = rows(), patches()
    refused("already_exists", name_a="pt-y0")
    refused("already_exists", a="br1", b="br2", name_a="pt-x0")
    refused("denied_by_policy", a="br1", b="br2", name_a="veth0")
    refused("denied_by_policy", a="br1", b="br2", name_b="pt-")
    for a, b in (("br0", "nosuch"), ("nosuch", "br0"), ("br0", "foreign"), ("br0", "up0")):
        data = refused("not_found", a, b)
        want("foreign" in data["detail"] or "nosuch" in data["detail"] or "up0" in data["detail"], "it doesn't name the bridge: %r" % data)
    for named, params in (("\"b\"", {"a": "br0", "b": "br0"}), ("name_b", {"a": "br0", "b": "br1", "name_a": "pt-y", "name_b": "pt-y"})):
        error = e2e.Client().ask("net.bridge.connect", dict(params, kind="patch"))["error"]
        want(error["code"] == -32602 and named in error["message"], "it doesn't name %s: %r" % (named, error))
    equal((rows(), patches()), before, "the database")
    connect("br1", "br2")
    refused("invalid_state", "br0", "br2")
    ovs.vsctl("set", "Bridge", "br0", "stp_enable=true", "--", "set", "Bridge", "br2", "stp_enable=true")
    want(connect("br0", "br2", dry_run=True)["changed"], "with spanning tree it is refused too")
    ovs.vsctl("set", "Bridge", "br0", "stp_enable=false", "--", "set", "Bridge", "br2", "stp_enable=false")
    name = [n for n, p in patches().items() if p[0] == "br2"][0]
    call("net.bridge.remove_port", bridge="br2", port=name)
    ovs.vsctl("add-port", "br1", "fa", "--", "set", "Interface", "fa", "type=patch", "options:peer=fb", "--", "add-port", "br2", "fb", "--", "set", "Interface", "fb", "type=patch", "options:peer=fa")
    refused("invalid_state", "br0", "br2")
    refused("invalid_state", "br1", "br2")
    ovs.vsctl("del-port", "fa", "--", "del-port", "fb")


@test("whoever doesn't say patch of Open vSwitch's bridges is told to")
def _():
    e = fails("net.bridge.connect", -32000, "not_found", a="br0", b="br1")
    want("patch" in e.data.get("hint", ""), "the hint is %r" % e.data)


@test("a bridge whose datapath is of another type is refused")
def _():
    ovs.vsctl("--no-wait", "add-br", "kernel")
    refused("invalid_state", "br0", "kernel")
    ovs.vsctl("--no-wait", "del-br", "kernel")


@test("removing either port ends the connection, and another's port is refused")
def _():
    before = rows(), patches()
    for port in ("foreign", "onear", "br0"):
        fails("net.bridge.remove_port", -32000, "denied_by_policy", bridge="br0", port=port)
    equal(call("net.bridge.remove_port", bridge="br0", port="pt-nosuch"), {"changed": False, "removed": False}, "a port that isn't there")
    equal(call("net.bridge.remove_port", bridge="br2", port="pt-x0"), {"changed": False, "removed": False}, "a port of another bridge")
    fails("net.bridge.remove_port", -32000, "not_found", bridge="nosuch", port="pt-x0")
    equal(call("net.bridge.remove_port", bridge="br0", port="pt-x0", dry_run=True), {"changed": True, "removed": True}, "the dry run")
    equal((rows(), patches()), before, "the database")
    for bridge, port in (("br0", "pt-x0"), ("br1", "pt-x1")):
        equal(call("net.bridge.remove_port", bridge=bridge, port=port), {"changed": True, "removed": True}, "the answer")
        equal(patches(), {}, "the patches")
        want(not near.reaches(far), "packets still go through")
        equal(call("net.bridge.remove_port", bridge=bridge, port=port), {"changed": False, "removed": False}, "the second time")
        connect(name_a="pt-x0", name_b="pt-x1")
    call("net.bridge.remove_port", bridge="br0", port="pt-x0")


@test("ten who connect the same bridges at once make one connection, and all are told its names")
def _():
    answers = []

    def ask():
        answers.append(e2e.Client()("net.bridge.connect", a="br0", b="br1", kind="patch"))
    threads = [threading.Thread(target=ask) for _ in range(10)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    equal(len(patches()), 2, "the number of patches")
    equal(len(answers), 10, "the number of answers")
    equal(sum(a["changed"] for a in answers), 1, "how many changed something")
    equal(len({(a["name_a"], a["name_b"]) for a in answers}), 1, "the names")
    call("net.bridge.remove_port", bridge="br0", port=answers[0]["name_a"])


@test("whoever is killed in the midst of it, the database, the daemon or the helper, a connection is there with both ends or not at all")
def _():
    stop = threading.Event()
    random.seed(20)

    def work():
        client = None
        while not stop.is_set():
            try:
                client = client or e2e.Client(timeout=20)
                answer = client.ask("net.bridge.connect", {"a": "br0", "b": "br1", "kind": "patch"})
                if "result" in answer:
                    client.ask("net.bridge.remove_port", {"bridge": "br0", "port": answer["result"]["name_a"]})
            except (OSError, ValueError, e2e.Failed):
                client = None
                time.sleep(0.05)
    thread = threading.Thread(target=work)
    thread.start()
    try:
        for i in range(9):
            time.sleep(random.uniform(0.3, 1.2))
            if i % 3 == 0:
                ovs.stop("ovsdb-server", signal.SIGKILL)
                os.unlink(ovs.RUN + "/db.sock")
                ovs.start_database()
            else:
                victims = e2e.processes().get("posternd" if i % 3 == 1 else "postern-spawn", [])
                for pid in victims[-1:]:
                    os.kill(pid, signal.SIGKILL)
            found = patches()
            want(len(found) in (0, 2), "there is half a connection: %r" % found)
    finally:
        stop.set()
        thread.join()
    until(lambda: call_again("net.status")["backend"] == "helper", 30)
    name = call_again("net.bridge.connect", a="br0", b="br1", kind="patch")["name_a"]
    until(lambda: near.reaches(far), 30)
    call("net.bridge.remove_port", bridge="br0", port=name)
    equal(patches(), {}, "the patches")


def call_again(method, **params):
    """Calls until it succeeds: the daemon and its helper are coming back."""
    end = time.monotonic() + 40
    while True:
        try:
            return call(method, **params)
        except (OSError, e2e.Failed):
            if time.monotonic() > end:
                raise
            time.sleep(0.2)


@test("while the switch is away the database says what should be, and the switch does it when it is back")
def _():
    ovs.stop("ovs-vswitchd", signal.SIGKILL)
    want(connect(name_a="pt-x0", name_b="pt-x1")["changed"], "nothing changed")
    equal(len(patches()), 2, "the number of patches")
    ovs.start_switch()
    until(lambda: near.reaches(far), 30)
    call("net.bridge.remove_port", bridge="br1", port="pt-x1")
    want(not near.reaches(far), "packets still go through")


@test("a caller with a tenant finds none of the host's bridges of Open vSwitch")
def _():
    path, pid = "/etc/postern/acl.toml", e2e.daemon()[1]
    with open(path) as f:
        whole = f.read()
    ground.write(path, whole.replace('right = "admin"', 'right = "admin"\ntenant = "a"'))
    os.kill(pid, signal.SIGHUP)
    try:
        until(lambda: e2e.Client()("rpc.whoami").get("tenant") == "a", 10)
        refused("not_found")
        answer = e2e.Client().ask("net.bridge.remove_port", {"bridge": "br0", "port": "pt-x0"})
        equal(answer["error"]["data"]["kind"], "not_found", "the kind")
    finally:
        ground.write(path, whole)
        os.kill(pid, signal.SIGHUP)
    until(lambda: "tenant" not in e2e.Client()("rpc.whoami"), 10)


@test("patches need the database's word in the policy")
def _():
    with ovs.policy("switch"):
        data = refused("denied_by_policy")
        want("ovs database" in data["hint"], "the hint is %r" % data)
        fails("net.bridge.remove_port", -32000, "not_found", bridge="br0", port="pt-x0")
    ovs.stop_all()


e2e.main()
