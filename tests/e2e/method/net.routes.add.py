#!/usr/bin/python3
"""net.routes.add: one route or many, compared with ip field by field; never in another's place; put back after whatever took it away."""
import os
import signal
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "..", "lib"))
import e2e
import ground
import routes
from e2e import Error, Failed, call, equal, fails, invalid, test, until, want

e2e.enter()

BR, BR6, UP = "pt-br0", "pt-br1", ground.UPLINK
# What is asked for, and the route that then stands there.
KINDS = [
    ({"destination": "10.90.0.0/16", "device": BR}, ("inet", "10.90.0.0", 16, None, BR, 0, 254, None)),
    ({"destination": "10.91.7.9/16", "gateway": "10.80.0.9"}, ("inet", "10.91.0.0", 16, "10.80.0.9", BR, 0, 254, None)),
    ({"destination": "10.92.0.1/32", "gateway": "10.80.0.9", "device": BR, "metric": 77, "source": "10.80.0.1"}, ("inet", "10.92.0.1", 32, "10.80.0.9", BR, 77, 254, "10.80.0.1")),
    ({"destination": "203.0.113.0/24", "gateway": ground.OUTSIDE}, ("inet", "203.0.113.0", 24, ground.OUTSIDE, UP, 0, 254, None)),
    ({"destination": "10.0.0.0/8", "device": BR, "table": 1000}, ("inet", "10.0.0.0", 8, None, BR, 0, 1000, None)),
    ({"destination": "default", "gateway": "10.80.0.9", "table": 1990}, ("inet", "0.0.0.0", 0, "10.80.0.9", BR, 0, 1990, None)),
    ({"destination": "0.0.0.0/1", "device": BR, "table": 1990, "metric": 4294967295}, ("inet", "0.0.0.0", 1, None, BR, 4294967295, 1990, None)),
    ({"destination": "fd90::/48", "device": BR6}, ("inet6", "fd90::", 48, None, BR6, 1024, 254, None)),
    ({"destination": "fd91::1/128", "gateway": "fd80::9", "metric": 5, "table": 1001}, ("inet6", "fd91::1", 128, "fd80::9", BR6, 5, 1001, None)),
    ({"destination": "default", "gateway": "fd80::9", "table": 1991}, ("inet6", "::", 0, "fd80::9", BR6, 1024, 1991, None)),
    ({"destination": "::/0", "device": BR6, "table": 1992}, ("inet6", "::", 0, None, BR6, 1024, 1992, None)),
]
NAMES = ("family", "dst", "prefix", "gateway", "device", "metric", "table", "source")


def bridges():
    call("net.bridge.add", name=BR, address="10.80.0.1/24")
    call("net.bridge.add", name=BR6, address="fd80::1/64")


def dry(method, **params):
    """A dry run, after which every route is as before."""
    before = routes.every()
    result = call(method, dry_run=True, **params)
    routes.unchanged(before, "the routes after a dry run")
    return result


def clean():
    call("net.routes.delete", routes=[{"destination": r["dst"] + "/%d" % r["prefix"], "table": r["table"]} for r in routes.ours()] or [{"destination": "default"}])
    equal(routes.ours(), [], "the routes at the end")


@test("net.routes.add adds a route as ip then shows it, field by field: with gateway, device, metric, table and source, of both families")
def _():
    bridges()
    for asked, shown in KINDS:
        equal(dry("net.routes.add", **asked), {"added": 1, "changed": True}, "the dry run of %r" % asked)
        equal(call("net.routes.add", **asked), {"added": 1, "changed": True}, "the answer to %r" % asked)
        want(dict(zip(NAMES, shown)) in routes.ours(), "%r isn't among %r" % (shown, routes.ours()))
    equal(len(routes.ours()), len(KINDS), "the number of routes")


@test("net.routes.add of the same route again changes nothing, and makes it again where somebody deleted it")
def _():
    for asked, _ in KINDS:
        equal(dry("net.routes.add", **asked), {"added": 0, "changed": False}, "the dry run of %r" % asked)
        equal(call("net.routes.add", **asked), {"added": 0, "changed": False}, "the answer to %r" % asked)
    before = routes.ours()
    ground.run("ip", "route", "del", "10.90.0.0/16", "dev", BR)
    equal(dry("net.routes.add", **KINDS[0][0]), {"added": 1, "changed": True}, "the dry run of what is gone")
    equal(call("net.routes.add", **KINDS[0][0]), {"added": 1, "changed": True}, "the answer to what is gone")
    equal(routes.ours(), before, "the routes")


@test("net.routes.add by another way to the same place is refused, until the first is deleted; with another metric it is taken")
def _():
    e = fails("net.routes.add", -32000, "already_exists", destination="10.90.0.0/16", device=UP)
    equal(e.data.get("holder"), "postern", "the holder")
    equal(call("net.routes.add", destination="10.90.0.0/16", device=BR, metric=9)["added"], 1, "with another metric")
    equal(call("net.routes.delete", destination="10.90.0.0/16", metric=9)["removed"], 1, "deleted")


@test("net.routes.add never takes the place of another's route, and says whose it is")
def _():
    for line, asked, holder in (("10.95.0.0/16 dev %s proto static" % BR, {"destination": "10.95.0.0/16", "device": BR}, "static"),
                                ("10.96.0.0/16 via 10.80.0.7 proto bird metric 4", {"destination": "10.96.0.0/16", "gateway": "10.80.0.9", "metric": 4}, "bird"),
                                ("fd95::/48 dev %s" % BR6, {"destination": "fd95::/48", "device": BR6}, "boot")):
        ground.run("ip", "route", "add", *line.split())
        before = routes.every()
        for run in (call, dry):
            try:
                run("net.routes.add", **asked)
                raise Failed("%r was taken" % asked)
            except Error as e:
                equal((e.data.get("kind"), e.data.get("holder")), ("already_exists", holder), "the answer to %r" % asked)
        equal(call("net.routes.delete", destination=asked["destination"]), {"removed": 0, "changed": False}, "deleting another's")
        routes.unchanged(before, "the routes")
        ground.run("ip", "route", "del", *line.split())
    for dst in ("10.80.0.0/24", "198.51.100.0/24"):
        e = fails("net.routes.add", -32000, "already_exists", destination=dst, device=BR)
        equal(e.data.get("holder"), "kernel", "who has " + dst)


@test("net.routes.add outside the policy is denied, named by its rule, and nothing is added")
def _():
    ground.run("ip", "link", "add", "foreign0", "type", "bridge")
    ground.run("ip", "link", "set", "foreign0", "up")
    before = routes.every()
    for asked, rule in (({"destination": "10.97.0.0/16", "device": "foreign0"}, "uplink"), ({"destination": "10.97.0.0/16", "device": "lo"}, "uplink"),
                        ({"destination": "10.97.0.0/16", "device": BR, "table": 2000}, "route-table"), ({"destination": "10.97.0.0/16", "device": BR, "table": 255}, "route-table"),
                        ({"destination": "default", "device": BR}, "route-default"), ({"destination": "0.0.0.0/1", "device": BR}, "route-default"),
                        ({"destination": "128.0.0.0/1", "gateway": ground.OUTSIDE}, "route-default"), ({"destination": "8000::/1", "device": BR6, "table": 1000}, "route-default")):
        e = fails("net.routes.add", -32000, "denied_by_policy", **asked)
        want("(%s)" % rule in e.data["detail"] and asked["destination"].replace("default", "0.0.0.0/0") in e.data["detail"], "%r: %s" % (asked, e))
    for asked in ({"destination": "10.97.0.0/16", "device": "pt-none"}, {"destination": "10.97.0.0/16", "gateway": "192.0.2.1"}, {"destination": "127.1.0.0/16", "device": BR},
                  {"destination": "10.97.0.0/16", "device": BR, "gateway": "10.99.99.99"}, {"destination": "10.97.0.0/16", "device": BR, "source": "10.99.99.99"}):
        fails("net.routes.add", -32000, ("not_found", "io", "invalid_state"), **asked)
    routes.unchanged(before, "the routes")
    ground.run("ip", "link", "del", "foreign0")


@test("net.routes.add names the parameter that is wrong, also of one of several")
def _():
    right = {"destination": "10.98.0.0/16", "device": BR}
    for named, bad in (("destination", "10.0.0.0"), ("destination", "Default"), ("destination", "10.0.0.0/33"), ("gateway", "fd80::9"), ("gateway", "10.0.0.0/8"), ("metric", -1), ("metric", 2**32), ("table", 0), ("table", 2**32),
                       ("source", "fd80::1"), ("device", "a/b")):
        invalid("net.routes.add", named, **dict(right, **{named: bad}))
        invalid("net.routes.add", "routes[1]." + named, routes=[right, dict(right, **{named: bad})])
    invalid("net.routes.add", "destination", gateway="10.80.0.9")
    invalid("net.routes.add", "device", destination="10.98.0.0/16")
    invalid("net.routes.add", "routes[0].device", routes=[{"destination": "10.98.0.0/16"}])
    invalid("net.routes.add", "routes", routes=[right], destination="10.98.0.0/16")
    invalid("net.routes.add", "routes", routes=[])
    invalid("net.routes.add", "routes[2]", routes=[right, dict(right, metric=1), dict(right, device=UP)])
    invalid("net.routes.add", "routes", routes=[right] * 1025)


@test("net.routes.add of many is all or nothing")
def _():
    clean()
    many = [{"destination": "10.%d.%d.0/24" % (100 + n // 256, n % 256), "device": BR} for n in range(500)]
    ground.run("ip", "route", "add", "10.101.44.0/24", "dev", UP)  # number 300
    before = routes.every()
    e = fails("net.routes.add", -32000, "already_exists", routes=many)
    want("10.101.44.0/24" in e.data["detail"] and e.data["holder"] == "boot", str(e))
    routes.unchanged(before, "the routes")
    ground.run("ip", "route", "del", "10.101.44.0/24")
    equal(dry("net.routes.add", routes=many)["added"], 500, "the dry run")
    equal(call("net.routes.add", routes=many), {"added": 500, "changed": True}, "the answer")
    equal(len(routes.ours()), 500, "the routes")
    equal(call("net.routes.add", routes=many), {"added": 0, "changed": False}, "the second time")
    equal(call("net.routes.delete", routes=[{"destination": r["destination"]} for r in many]), {"removed": 500, "changed": True}, "deleted")


def add_all():
    equal(call("net.routes.add", routes=[a for a, _ in KINDS])["added"], len(KINDS), "added")
    return routes.ours()


@test("routes are put back when the daemon starts again, with what they lead out of, and one that nobody was told of goes")
def _():
    before = add_all()
    ground.run("ip", "link", "del", BR)
    ground.run("ip", "-6", "route", "flush", "proto", "112")
    ground.run("ip", "route", "add", "10.111.0.0/16", "dev", UP, "proto", "112")
    os.kill(e2e.daemon()[0], signal.SIGKILL)

    def back():
        try:
            e2e._client = None
            return routes.shown_by_us() == before
        except (OSError, Failed):
            return False
    until(back, 15)
    equal(routes.ours(), before, "the routes")


@test("routes are put back when their bridge is made again, and when their uplink comes up again")
def _():
    before = routes.ours()
    ground.run("ip", "link", "del", BR)
    want(routes.ours() != before, "they stayed")
    bridges()
    until(lambda: routes.shown_by_us() == before, 10)
    ground.run("ip", "link", "set", UP, "down")
    want(routes.ours() != before, "they stayed")
    ground.run("ip", "link", "set", UP, "up")
    until(lambda: routes.shown_by_us() == before, 10)


@test("a bridge that is deleted takes the routes along that name it; those that name a gateway alone wait for a way to it")
def _():
    before = routes.ours()
    for name in (BR, BR6):
        equal(call("net.bridge.delete", name=name)["removed"], True, "removed")
    equal({r["device"] for r in routes.ours()}, {UP}, "devices of the routes that are left")
    bridges()
    named = [asked for asked, _ in KINDS if "device" in asked]
    until(lambda: len(routes.shown_by_us()) == len(before) - len(named), 10)
    equal({r["gateway"] for r in routes.ours()}, {"10.80.0.9", "fd80::9", ground.OUTSIDE}, "gateways of the routes that are back")
    clean()


e2e.main()
