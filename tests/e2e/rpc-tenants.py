#!/usr/bin/env python3
"""Two tenants with every right of their own: what one of them has, the other can neither see, use, change nor wait for."""
import hashlib
import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "lib"))
import ground  # noqa: E402
from rpctest import Http, call, check, equal, main, test  # noqa: E402

TENANTS = ("a", "b")
ACL = "".join("""
[[group]]
name = "%s"
users = ["token:%s"]
[[ace]]
right = "write"
groups = ["%s"]
tenant = "%s"
""" % (t, hashlib.sha256(t.encode()).hexdigest(), t, t) for t in TENANTS) + """
[[group]]
name = "root"
users = ["token:%s"]
[[ace]]
right = "admin"
groups = ["root"]
""" % hashlib.sha256(b"root").hexdigest()
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


def absent(who, method, **params):
    """It is answered as if there were no such thing."""
    answer = ask(who, method, **params)
    equal(answer.get("error", {}).get("data", {}).get("kind"), "not_found")
    return answer["error"]


def begin():
    """Nothing of an earlier test, and a file that both tenants may name as a kernel; nothing boots here."""
    for vm in ok("root", "compute.vm.list")["vms"]:
        ok("root", "compute.vm.remove", id=vm["id"], force=True)
    ok("root", "net.vm.delete_tap", names=["pt-x", "pt-y"])
    ok("root", "net.bridge.delete", name="pt-br1")
    for t in TENANTS:
        ground.directory(ground.HOME + "/images/" + t)
        ground.write(ground.HOME + "/images/%s/kernel" % t, "kernel\n")


@test("a bridge of another tenant can't be joined by a new tap, by a port, or by a VM")
def _():
    begin()
    ok("b", "net.bridge.add", name="pt-br1")
    absent("a", "net.vm.create_tap", name="pt-x", bridge="pt-br1")
    absent("a", "net.vm.create_tap", count=2, bridge="pt-br1")
    ok("a", "net.vm.create_tap", name="pt-x")
    absent("a", "net.bridge.add_port", bridge="pt-br1", port="pt-x")
    absent("a", "compute.vm.create", name="va", nets=[dict(bridge="pt-br1")], **KERNEL)
    check("master" not in json.loads(ground.run("ip", "-j", "link", "show", "pt-x"))[0], "pt-x joined")
    ok("a", "net.vm.delete_tap", name="pt-x")
    ok("b", "net.bridge.delete", name="pt-br1")


@test("a tap of another tenant is neither listed, deleted, joined to a bridge nor given to a VM")
def _():
    begin()
    ok("b", "net.vm.create_tap", name="pt-x")
    equal(ok("a", "net.vm.list")["taps"], [])
    equal(ok("a", "net.vm.delete_tap", name="pt-x")["changed"], False)
    absent("a", "compute.vm.create", name="va", nets=[dict(tap="pt-x")], **KERNEL)
    equal(ask("a", "net.vm.create_tap", name="pt-x")["error"]["data"]["kind"], "already_exists")
    equal(len(ok("b", "net.vm.list")["taps"]), 1)
    ok("b", "net.vm.delete_tap", name="pt-x")


@test("a VM that named a bridge before another tenant made it doesn't start on it")
def _():
    begin()
    ok("a", "compute.vm.create", name="va", nets=[dict(bridge="pt-br1")], **KERNEL)
    ok("b", "net.bridge.add", name="pt-br1")
    absent("a", "compute.vm.start", id="va")
    equal([b["ports"] for b in ok("b", "net.bridge")["bridges"] if b["name"] == "pt-br1"], [[]])
    ok("a", "compute.vm.remove", id="va", force=True)
    ok("b", "net.bridge.delete", name="pt-br1")


@test("a VM that named a tap which another tenant has made anew doesn't start with it")
def _():
    begin()
    ok("a", "net.vm.create_tap", name="pt-x")
    ok("a", "compute.vm.create", name="va", nets=[dict(tap="pt-x")], **KERNEL)
    ok("a", "net.vm.delete_tap", name="pt-x")
    ok("b", "net.vm.create_tap", name="pt-x")
    absent("a", "compute.vm.start", id="va")
    ok("a", "compute.vm.remove", id="va", force=True)
    ok("b", "net.vm.delete_tap", name="pt-x")


@test("a VM of another tenant is neither listed, shown, started, stopped, removed nor entered")
def _():
    begin()
    ok("b", "compute.vm.create", name="vb", **KERNEL)
    equal(ok("a", "compute.vm.list")["vms"], [])
    for method, more in (("status", {}), ("start", {}), ("stop", {}), ("logs", {}), ("exec", dict(argv=["true"])), ("exec.endpoint", {}), ("console.endpoint", {})):
        absent("a", "compute.vm." + method, id="vb", **more)
    equal(ok("a", "compute.vm.remove", id="vb", force=True)["changed"], False)
    equal(ask("a", "compute.vm.create", name="vb", **KERNEL)["error"]["data"]["kind"], "already_exists")
    equal([v["id"] for v in ok("b", "compute.vm.list")["vms"]], ["vb"])
    ok("b", "compute.vm.remove", id="vb", force=True)


@test("an image of another tenant can't be named, by no path")
def _():
    begin()
    ground.write(ground.HOME + "/images/b/secret.ext4", "b's\n")
    for path in ("b/secret.ext4", "../b/secret.ext4", "/srv/postern/images/b/secret.ext4", "./../b/secret.ext4"):
        answer = ask("a", "compute.vm.create", name="va", kernel="kernel", disks=[dict(path=path, readonly=True)])
        if "result" in answer:  # below its own directory there may be such a path: then there is no file
            check("error" in ask("a", "compute.vm.start", id="va"), "it starts with " + path)
            ok("a", "compute.vm.remove", id="va", force=True)
    os.unlink(ground.HOME + "/images/b/secret.ext4")


@test("who has no tenant sees what both have")
def _():
    begin()
    ok("a", "net.vm.create_tap", name="pt-x")
    ok("b", "net.vm.create_tap", name="pt-y")
    equal([t["name"] for t in ok("root", "net.vm.list")["taps"]], ["pt-x", "pt-y"])
    ok("root", "net.vm.delete_tap", names=["pt-x", "pt-y"])


@test("a tenant's routes lead out of its own links alone, another tenant neither deletes nor replaces them, and neither takes the default route")
def _():
    begin()
    ok("a", "net.bridge.add", name="pt-br1", address="10.81.0.1/24")
    route = {"destination": "10.91.0.0/16", "device": "pt-br1", "table": 1000}
    equal(ok("a", "net.routes.add", **route)["added"], 1)
    absent("b", "net.routes.add", **route)
    absent("b", "net.routes.add", destination="10.92.0.0/16", device="up0")
    equal(ask("b", "net.routes.add", destination="10.92.0.0/16", gateway="10.81.0.9")["error"]["code"], -32602)
    equal(ask("a", "net.routes.add", destination="default", device="pt-br1", table=1990)["error"]["data"]["kind"], "denied_by_policy")
    equal(ok("b", "net.routes.delete", destination="10.91.0.0/16", table=1000)["removed"], 0)
    check("10.91.0.0/16" in ground.run("ip", "route", "show", "table", "1000"), "the route is gone")
    equal(ok("root", "net.routes.add", **route)["changed"], False)
    equal(ok("a", "net.routes.delete", destination="10.91.0.0/16", table=1000)["removed"], 1)
    ok("a", "net.bridge.delete", name="pt-br1")


@test("a document of net.apply sweeps away what its own tenant has, and nobody else's; the host's own not a tenant's either")
def _():
    begin()
    ok("root", "net.vm.create_tap", name="pt-h")
    for t in TENANTS:
        ok(t, "net.apply", desired={"taps": [{"name": "pt-" + t}, {"name": "pt-%s2" % t}], "snat": [{"source": "10.%d.0.0/16" % (10 + ord(t))}]})
    result = ok("a", "net.apply", desired={"taps": [{"name": "pt-a"}], "snat": []})
    equal(sorted(s["kind"] for s in result["plan"]), ["snat", "tap"])
    equal(sorted(t["name"] for t in ok("root", "net.vm.list")["taps"]), ["pt-a", "pt-b", "pt-b2", "pt-h"])
    equal(ok("root", "net.apply", desired={"taps": []})["plan"], [{"action": "delete", "kind": "tap", "id": "pt-h"}])
    answer = ask("a", "net.apply", desired={"taps": [{"name": "pt-b"}]})
    check("error" in answer, "a took b's tap into its document: %r" % answer)
    equal(sorted(t["name"] for t in ok("root", "net.vm.list")["taps"]), ["pt-a", "pt-b", "pt-b2"])
    for t in TENANTS:
        ok(t, "net.apply", desired={"taps": [], "snat": []})


@test("a checkpoint, which takes back what everybody has changed, isn't a tenant's to make, to see, to confirm or to go back to")
def _():
    begin()
    number = ok("root", "net.checkpoint.create", timeout_secs=600)["checkpoint"]["id"]
    for method, params in (("create", {}), ("confirm", {"id": number}), ("rollback", {"id": number})):
        equal(ask("a", "net.checkpoint." + method, **params)["error"]["data"]["kind"], "denied_by_policy")
    equal(ok("a", "net.checkpoint.list")["checkpoints"], [])
    equal(len(ok("root", "net.checkpoint.list")["checkpoints"]), 1)
    ok("root", "net.checkpoint.rollback", id=number)


@test("a forward, rule or translation of another tenant is neither listed, removed nor taken over, and its holder isn't named")
def _():
    begin()
    forward = {"proto": "tcp", "host_port": 8080, "dest_ip": "10.93.0.2", "dest_port": 80}
    theirs = ok("b", "net.nat.add_dnat", **forward)["id"]
    rule = ok("b", "net.firewall.add_rule", proto="tcp", port=8081)["id"]
    for asked in (forward, dict(forward, dest_ip="10.93.0.3")):
        e = ask("a", "net.nat.add_dnat", **asked)["error"]["data"]
        check(e["kind"] == "already_exists" and "holder" not in e and "10.93" not in e["detail"], "%r" % e)
    check("holder" not in ask("a", "net.firewall.add_rule", proto="tcp", port=8081)["error"]["data"], "the holder is named")
    equal(ok("a", "net.nat.status")["dnat"], [])
    for params in ({"id": theirs}, {"ids": [theirs]}, {"proto": "tcp", "host_port": 8080}):
        equal(ok("a", "net.nat.remove_dnat", **params)["removed"], False)
    equal(ok("a", "net.firewall.remove_rule", id=rule)["removed"], False)
    equal([f["id"] for f in ok("b", "net.nat.status")["dnat"]], [theirs])
    equal(ok("b", "net.firewall.remove_rule", id=rule)["removed"], True)
    equal(ok("root", "net.nat.remove_dnat", id=theirs)["removed"], True)


main(acl=ACL)
