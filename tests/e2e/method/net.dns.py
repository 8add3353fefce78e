#!/usr/bin/python3
"""net.dns with resolv.conf as a file, as a link to a resolver's stub, and missing."""
import json
import os
import signal
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "..", "lib"))
import e2e
import ground
from e2e import call, equal, fails, test, want

CONF = "/etc/resolv.conf"
STUB = "/run/systemd/resolve"

e2e.enter()


def again():
    """A new worker, which locks itself in with what is there now."""
    old = e2e.daemon()[1]
    os.kill(old, signal.SIGKILL)

    def answers():
        try:
            return e2e.Client()("rpc.health") and e2e.daemon()[1] != old
        except (OSError, ValueError, e2e.Failed):
            return False
    e2e.until(answers, 20)


def replace(text=None, link=None):
    if os.path.lexists(CONF):
        os.unlink(CONF)
    if text is not None:
        ground.write(CONF, text)
    if link is not None:
        os.symlink(link, CONF)


def dns():
    return e2e.Client()("net.dns")


@test("net.dns says what stands in resolv.conf, also after it was written anew in place")
def _():
    replace("nameserver 192.0.2.1\nnameserver fd00::53 # second\nsearch a.test b.test\noptions ndots:2\noptions rotate edns0\n")
    again()
    equal(dns(), {"nameservers": ["192.0.2.1", "fd00::53"], "search": ["a.test", "b.test"], "options": ["ndots:2", "rotate", "edns0"], "source": CONF}, "the answer")
    ground.write(CONF, "domain c.test\nnameserver fe80::1%up0\n")
    equal(dns(), {"nameservers": ["fe80::1%up0"], "search": ["c.test"], "options": [], "source": CONF}, "the answer after a change")


@test("net.dns follows a link to a resolver's stub and says whom that asks, also after the resolver has put new files there")
def _():
    ground.directory(STUB)
    ground.write(STUB + "/stub-resolv.conf", "nameserver 127.0.0.53\noptions edns0 trust-ad\nsearch .\n")
    ground.write(STUB + "/resolv.conf", "nameserver 192.0.2.7\nnameserver 192.0.2.8\n")
    replace(link="../run/systemd/resolve/stub-resolv.conf")
    again()
    equal(dns(), {"nameservers": ["127.0.0.53"], "search": ["."], "options": ["edns0", "trust-ad"], "source": STUB + "/stub-resolv.conf",
                  "upstreams": ["192.0.2.7", "192.0.2.8"]}, "the answer")
    for name in ("resolv.conf", "stub-resolv.conf"):
        ground.write(STUB + "/new", "nameserver 192.0.2.9\n")
        os.rename(STUB + "/new", os.path.join(STUB, name))
    equal((dns()["nameservers"], dns()["upstreams"]), (["192.0.2.9"], ["192.0.2.9"]), "the answer after a change")


@test("net.dns reads a resolv.conf that was put in the other's place, or where there was none, while the daemon runs")
def _():
    replace("nameserver 192.0.2.1\n")
    again()
    for n in range(2, 12):
        ground.write(CONF + ".new", "nameserver 192.0.2.%d\n" % n)
        os.rename(CONF + ".new", CONF)
        equal(dns(), {"nameservers": ["192.0.2.%d" % n], "search": [], "options": [], "source": CONF}, "the answer")
    replace()
    equal(dns(), {"nameservers": [], "search": [], "options": [], "source": CONF}, "the answer without a file")
    again()
    equal(dns()["nameservers"], [], "the name servers after a start without a file")
    replace("nameserver 192.0.2.99\n")
    clients = [e2e.Client() for _ in range(20)]
    for c in clients:
        c.file.write(b'{"jsonrpc":"2.0","id":1,"method":"net.dns"}\n' * 10)
        c.file.flush()
    for c in clients:
        for _ in range(10):
            equal(json.loads(c.file.readline())["result"]["nameservers"], ["192.0.2.99"], "the name servers, asked for by many")


@test("net.dns says why a resolv.conf can't be read")
def _():
    replace("nameserver 192.0.2.1\n")
    os.chmod(CONF, 0o600)
    e2e._client = None
    e = fails("net.dns", -32000, "io")
    want(CONF in e.data["detail"], "the detail is %r" % e.data)
    os.unlink(CONF)
    os.mkdir(CONF)
    want(CONF in fails("net.dns", -32000, "io").data["detail"], "the answer to a directory")


e2e.main()
