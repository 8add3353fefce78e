#!/usr/bin/env python3
"""Who may do what: uid, groups, bearer tokens, the anonymous, and a reload of the list."""
import hashlib
import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "lib"))
from rpctest import Http, Line, call, check, equal, main, result, test  # noqa: E402


def sha(token):
    return hashlib.sha256(token.encode()).hexdigest()


ACL = """
[[group]]
name = "readers"
users = ["token:%s"]
[[group]]
name = "operators"
users = ["token:%s"]
member_groups = ["admins"]
[[group]]
name = "admins"
users = ["token:%s"]
[[group]]
name = "vmers"
users = ["token:%s"]
[[ace]]
right = "read"
groups = ["readers"]
[[ace]]
right = "write"
groups = ["operators"]
[[ace]]
right = "admin"
groups = ["admins"]
[[ace]]
right = "write"
groups = ["vmers"]
methods = ["compute.vm.*", "rpc.*"]
tenant = "a"
[policy]
anonymous_local = "none"
""" % (sha("reader"), sha("operator"), sha("admin"), sha("vmer"))

WRITE = call("net.bridge.delete", {"name": "no-such-br", "dry_run": True})


def ask(body, token=None):
    h = Http()
    extra = "Authorization: Bearer %s\r\n" % token if token else ""
    answer = json.loads(h.post(body, extra=extra)[2])
    h.close()
    return answer


def code(body, token=None):
    return ask(body, token).get("error", {}).get("code")


@test("without an identity everything is -32001, and the answer says which right is needed")
def _():
    e = ask(call("rpc.health"))["error"]
    equal((e["code"], e["data"]["needed"], e["data"]["held"]), (-32001, "read", "none"))
    c = Line()
    equal(c.ask(call("rpc.health"))["error"]["code"], -32001)


@test("a credential that is wrong is -32003, not -32001")
def _():
    equal(code(call("rpc.health"), "nonsense"), -32003)


@test("a token gives the rights of its groups and no more")
def _():
    equal(ask(call("rpc.health"), "reader")["result"], {"status": "ok"})
    e = ask(WRITE, "reader")["error"]
    equal((e["code"], e["data"]["needed"], e["data"]["held"]), (-32003, "write", "read"))
    check(code(WRITE, "operator") not in (-32001, -32003))
    check(code(WRITE, "admin") not in (-32001, -32003))


@test("an entry for some methods opens those alone")
def _():
    equal(code(WRITE, "vmer"), -32003)
    equal(code(call("net.interfaces"), "vmer"), -32003)
    check(code(call("compute.vm.remove", {"id": "no-such-vm", "dry_run": True}), "vmer") not in (-32001, -32003))


@test("whoami tells identity, groups, rights and tenant")
def _():
    me = ask(call("rpc.whoami"), "admin")["result"]
    equal(me["groups"], ["operators", "admins"])
    equal(me["rights"], {"net": "admin", "vol": "admin", "compute": "admin", "rpc": "admin"})
    equal(me["identity"], "token:" + sha("admin")[:8])
    check("tenant" not in me, me)
    me = ask(call("rpc.whoami"), "vmer")["result"]
    equal((me["rights"]["net"], me["rights"]["compute"], me["tenant"]), ("none", "write", "a"))


@test("one connection may speak for several, a request at a time")
def _():
    h = Http()
    for token, want in (("reader", True), ("nonsense", False), ("admin", True), ("", False)):
        extra = "Authorization: Bearer %s\r\n" % token if token else ""
        equal("result" in json.loads(h.post(call("rpc.health"), extra=extra)[2]), want)


@test("documents read by GET need the right to read: 401 and 403")
def _():
    h = Http()
    status, headers, _ = h.get("/openrpc.json")
    equal((status, headers["www-authenticate"]), (401, "Bearer"))
    equal(h.get("/metrics", "Authorization: Bearer nonsense\r\n")[0], 403)
    equal(h.get("/metrics", "Authorization: Bearer reader\r\n")[0], 200)


@test("a caller without the right learns nothing about parameters")
def _():
    equal(code(call("net.bridge.add", {"nonsense": 1}), "reader"), -32003)
    equal(code(call("net.bridge.add", {"nonsense": 1}), "operator"), -32602)


main(acl=ACL)
