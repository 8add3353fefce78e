#!/usr/bin/python3
"""LIMIT: 120"""
import json
import os
import signal
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "..", "lib"))
import e2e
import ground
from e2e import Client, call, dry, equal, fails, invalid, test, until, want

e2e.enter()
EMPTY = {"bridges": [], "taps": [], "connects": [], "routes": [], "forwards": [], "snat": [], "rules": []}
DOCUMENT = {
    "bridges": [{"name": "pt-br0", "address": "10.73.0.1/24", "mac": "02:00:00:00:73:01"}, {"name": "pt-br1", "mtu": 1400}],
    "taps": [{"name": "pt-t%d" % i, "bridge": "pt-br0"} for i in range(20)] + [{"name": "pt-alone", "owner_uid": 900000, "vnet_hdr": True}],
    "connects": [{"a": "pt-br0", "b": "pt-br1", "name_a": "pt-pa", "name_b": "pt-pb"}],
    "routes": [{"destination": "10.200.0.0/16", "gateway": "10.73.0.2"}, {"destination": "10.201.0.0/16", "device": "pt-br0", "table": 1001}],
    "forwards": [{"proto": "tcp", "host_port": 8000 + i, "dest_ip": "10.73.0.2", "dest_port": 80} for i in range(300)]
                + [{"proto": "udp", "host_port": 53, "dest_ip": "10.73.0.3", "dest_port": 53, "interface": ground.UPLINK}],
    "snat": [{"source": "10.73.0.0/24"}, {"source": "10.74.0.0/24", "out_interface": ground.UPLINK}],
    "rules": [{"proto": "tcp", "service": "ssh", "source": "198.51.100.0/24"}, {"proto": "udp", "port_range": "5000-5010"}],
}


def apply(document, **more):
    return call("net.apply", desired=document, **more)


def steps(result):
    return [(s["action"], s["kind"], s["id"]) for s in result["plan"]]


def state():
    """What there is, but for what is derived, and the numbers of links."""
    links = {n: (l["mtu"], l.get("master"), "UP" in l["flags"], l.get("ifalias"), l.get("linkinfo", {}).get("info_kind")) for n, l in e2e.links().items()}
    rows = [call("net.vm.list")["taps"], call("net.nat.status"), call("net.config")["bridges"]]
    routes = [{k: v for k, v in r.items() if k not in ("flags",)} for t in (254, 1001) for r in call("net.routes", table=t)["routes"] if r["protocol"] == "postern"]
    return json.dumps([links, rows, routes, ground.run("nft", "list", "ruleset")], sort_keys=True)


@test("net.apply makes what a document names, in the order in which one leans on the other, and a second time finds nothing to do")
def _():
    planned = apply(DOCUMENT, plan_only=True)
    equal(planned["changed"], True, "changed of the plan")
    want("pt-br0" not in e2e.links(), "plan_only has changed something")
    equal(dry("net.apply", desired=DOCUMENT)["plan"], planned["plan"], "the plan of a dry run")
    equal(steps(planned)[:2], [("create", "bridge", "pt-br0"), ("create", "bridge", "pt-br1")], "the first steps")
    equal(planned["plan"][0]["fields"], DOCUMENT["bridges"][0], "the fields of the first step")
    result = apply(DOCUMENT)
    equal(result, planned, "what was done, beside what was planned")
    links = e2e.links()
    equal(links["pt-br1"]["mtu"], 1400, "the MTU")
    for i in range(20):
        equal(links["pt-t%d" % i].get("master"), "pt-br0", "the bridge of a tap")
    equal((links["pt-pa"].get("master"), links["pt-pb"].get("master")), ("pt-br0", "pt-br1"), "the bridges of the connection")
    want("10.200.0.0/16 via 10.73.0.2 dev pt-br0" in ground.run("ip", "route"), "the route isn't there")
    want("10.201.0.0/16 dev pt-br0" in ground.run("ip", "route", "show", "table", "1001"), "the other route isn't there")
    rules = ground.run("nft", "list", "table", "inet", "postern")
    want("10.73.0.0/24" in rules and "10.74.0.0/24" in rules and "8299" in rules and "5000-5010" in rules, rules)
    equal(len(call("net.nat.status")["dnat"]), 301, "forwards")
    before = state()
    equal(apply(DOCUMENT), {"changed": False, "plan": []}, "the second time")
    equal(state(), before, "the state after the second time")
    equal(call("net.checkpoint.list")["checkpoints"], [], "checkpoints that are left")


@test("what a list doesn't name any more goes, what a list that isn't there would have named stays")
def _():
    fewer = dict(DOCUMENT, taps=DOCUMENT["taps"][:2], snat=DOCUMENT["snat"][:1])
    del fewer["routes"], fewer["connects"], fewer["rules"], fewer["forwards"]
    result = apply(fewer)
    equal(sorted(set((a, k) for a, k, _ in steps(result))), [("delete", "snat"), ("delete", "tap")], "the steps")
    equal([t["name"] for t in call("net.vm.list")["taps"]], ["pt-t0", "pt-t1"], "the taps")
    want("pt-pa" in e2e.links() and "10.200.0.0/16" in ground.run("ip", "route"), "a connection or a route is gone")
    equal(apply(fewer)["plan"], [], "the plan for the same again")
    equal(apply({})["plan"], [], "the plan for an empty document")


@test("what differs is moved where it can be, else made anew, and what hung on a bridge that is made anew hangs on it again")
def _():
    moved = dict(DOCUMENT, taps=[{"name": "pt-t0", "bridge": "pt-br1"}, {"name": "pt-t1"}])
    index = e2e.links()["pt-t0"]["ifindex"]
    result = apply({"taps": moved["taps"]})
    equal(steps(result), [("detach", "port", "pt-t0"), ("detach", "port", "pt-t1"), ("attach", "port", "pt-t0")], "the steps of a move")
    links = e2e.links()
    equal((links["pt-t0"]["ifindex"], links["pt-t0"].get("master"), links["pt-t1"].get("master")), (index, "pt-br1", None), "the moved taps")
    anew = {"bridges": [DOCUMENT["bridges"][0], {"name": "pt-br1", "mtu": 1300}]}
    result = apply(anew)
    equal(steps(result), [("delete", "bridge", "pt-br1"), ("create", "bridge", "pt-br1"), ("create", "connect", "pt-br0|pt-br1")], "the steps")
    links = e2e.links()
    equal((links["pt-br1"]["mtu"], links["pt-t0"].get("master"), links["pt-pb"].get("master")), (1300, "pt-br1", "pt-br1"), "the new bridge and its ports")
    equal(apply(anew)["plan"], [], "the plan for the same again")
    ground.run("ip", "link", "del", "pt-alone") if "pt-alone" in links else None


@test("a forward that gets another target is replaced, and those beside it aren't touched; a rule's comment counts")
def _():
    document = {"forwards": [dict(f) for f in DOCUMENT["forwards"]], "rules": [dict(r) for r in DOCUMENT["rules"]]}
    document["forwards"][7]["dest_port"] = 8080
    document["rules"][1]["comment"] = "a comment"
    result = apply(document)
    equal([(a, k) for a, k, _ in steps(result)], [("delete", "rule"), ("delete", "forward"), ("create", "forward"), ("create", "rule")], "the steps")
    one = [f for f in call("net.nat.status")["dnat"] if f["host_port"] == 8007]
    equal([f["dest_port"] for f in one], [8080], "the target")
    equal(apply(document)["plan"], [], "the plan for the same again")


@test("what somebody else has deleted is made again")
def _():
    document = {"taps": [{"name": "pt-t0", "bridge": "pt-br1"}, {"name": "pt-t1"}]}
    ground.run("ip", "link", "del", "pt-t1")
    result = apply(document)
    want(steps(result) in ([("delete", "tap", "pt-t1"), ("create", "tap", "pt-t1")], []), "the steps are %r" % steps(result))
    until(lambda: "pt-t1" in e2e.links(), 5)


@test("a step that fails takes all the others back, kernel and rows, and the answer names it")
def _():
    apply(EMPTY)
    equal(call("net.vm.list")["taps"], [], "taps after the empty document")
    apply({"bridges": DOCUMENT["bridges"], "taps": DOCUMENT["taps"][:3]})
    before = state()
    ground.run("ip", "link", "add", "pt-alien", "type", "bridge")
    e = fails("net.apply", -32000, desired={"bridges": [DOCUMENT["bridges"][0]], "taps": [{"name": "pt-t0", "bridge": "pt-br0"}, {"name": "pt-t5"}, {"name": "pt-alien"}],
                                            "snat": [{"source": "10.9.0.0/16"}]})
    want("create tap pt-alien" in e.data["detail"] and "as it was before" in e.data["detail"], "the detail is %r" % e.data["detail"])
    ground.run("ip", "link", "del", "pt-alien")
    equal(state(), before, "the state")
    equal(call("net.checkpoint.list")["checkpoints"], [], "checkpoints that are left")
    e = fails("net.apply", -32000, "denied_by_policy", desired={"bridges": DOCUMENT["bridges"] + [{"name": "foreign0"}]})
    equal(state(), before, "the state")


@test("a daemon or a helper that is killed over it leaves the old state, or the new one")
def _():
    many = {"bridges": DOCUMENT["bridges"], "taps": [{"name": "pt-m%d" % i, "bridge": "pt-br%d" % (i % 2)} for i in range(60)]}
    few = {"bridges": DOCUMENT["bridges"], "taps": DOCUMENT["taps"][:3]}
    for victim in ("worker", "postern-net"):
        for wait in (0.0, 0.01, 0.03, 0.06):
            apply(few)
            pid = e2e.daemon()[1] if victim == "worker" else e2e.processes()[victim][0]
            timer = threading.Timer(wait, os.kill, (pid, signal.SIGKILL))
            timer.start()
            try:
                Client(timeout=30)("net.apply", desired=many)
            except (OSError, ValueError, e2e.Failed):
                pass
            timer.join()
            e2e._client = None

            def settled():
                try:
                    taps = {t["name"] for t in Client(timeout=10)("net.vm.list")["taps"]}
                    return Client(timeout=10)("net.apply", desired={}, dry_run=False)["plan"] == [] and taps
                except (OSError, ValueError, e2e.Failed):
                    return None

            taps = until(settled, 20, 0.1)
            want(taps in ({t["name"] for t in few["taps"]}, {t["name"] for t in many["taps"]}), "the taps of the rows are %r" % sorted(taps))
            until(lambda: {n for n in e2e.links() if n.startswith(("pt-t", "pt-m"))} == taps, 10, 0.1)


@test("others' writes wait for it, and a document that makes no sense is refused with the place that is to blame")
def _():
    apply(EMPTY)
    done = []
    other = threading.Thread(target=lambda: done.append(Client()("net.bridge.add", name="pt-br9")["changed"]))
    client = Client()
    client.file.write(json.dumps({"jsonrpc": "2.0", "id": 1, "method": "net.apply", "params": {"desired": DOCUMENT}}).encode() + b"\n")
    client.file.flush()
    other.start()
    want("result" in json.loads(client.file.readline()), "the document wasn't applied")
    other.join()
    equal(done, [True], "what the other one was told")
    call("net.bridge.delete", name="pt-br9")
    invalid("net.apply", "desired.taps[1]", desired={"taps": [{"name": "pt-t0"}, {"name": "pt-t0"}]})
    invalid("net.apply", "desired.bridges[0].mtu", desired={"bridges": [{"name": "pt-br0", "mtu": 1}]})
    invalid("net.apply", "desired.nonsense", desired={"nonsense": []})
    invalid("net.apply", "desired.routes[0].destination", desired={"routes": [{"destination": "nonsense"}]})
    invalid("net.apply", "desired.connects[0].b", desired={"connects": [{"a": "pt-br0", "b": "pt-br0"}]})
    invalid("net.apply", "desired.forwards[0].host_port", desired={"forwards": [{"proto": "tcp", "dest_ip": "10.0.0.1", "dest_port": 1}]})
    invalid("net.apply", "desired.rules[0].port", desired={"rules": [{"proto": "tcp"}]})
    invalid("net.apply", "desired.snat[0]", desired={"snat": [{"source": "10.0.0.0/33"}]})
    equal(apply(DOCUMENT)["plan"], [], "the plan for the document again")


@test("a checkpoint of the client's takes a document back as a whole, and eight of them don't keep it from being applied")
def _():
    apply(EMPTY)
    before = state()
    ids = [call("net.checkpoint.create", timeout_secs=600)["checkpoint"]["id"] for _ in range(8)]
    apply(DOCUMENT)
    call("net.checkpoint.rollback", id=ids[0])
    equal(state(), before, "the state")
    equal(steps(apply(DOCUMENT, plan_only=True))[0], ("create", "bridge", "pt-br0"), "the first step")


e2e.main()
