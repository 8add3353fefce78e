#!/usr/bin/python3
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "..", "lib"))
import e2e
from e2e import call, equal, test, want

e2e.enter()


@test("rpc.whoami names the caller's uid, its groups and its rights")
def _():
    me = call("rpc.whoami")
    equal(me["identity"], "uid:%d" % os.getuid(), "the identity")
    equal(me["groups"], ["admins"], "the groups")
    for namespace in ("net", "vol", "compute", "rpc"):
        equal(me["rights"][namespace], "admin", "the right in " + namespace)


@test("to a stranger rpc.whoami says what anonymous callers may, and a write is refused with the right it needs")
def _():
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.setgroups([])
            os.setresgid(31337, 31337, 31337)
            os.setresuid(31337, 31337, 31337)
            try:
                client = e2e.Client()
            except PermissionError:
                os.write(write, b"kept out by the socket's mode")
                os._exit(0)
            me = client("rpc.whoami")
            want(me["rights"]["net"] in ("read", "none"), "net: %s" % me["rights"]["net"])
            error = client.ask("net.bridge.add", {"name": "pt-br0"}).get("error", {})
            want(error.get("code") in (-32001, -32003), "the write: %r" % error)
            os.write(write, b"refused")
        except BaseException as e:
            os.write(write, ("%s" % e).encode())
        os._exit(0)
    os.close(write)
    said = os.read(read, 4096).decode()
    os.waitpid(pid, 0)
    want(said in ("refused", "kept out by the socket's mode"), said)


e2e.main()
