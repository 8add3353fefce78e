#!/usr/bin/python3
"""net.routes.delete: those that are meant, once, and no other's; tenants apart."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "..", "lib"))
import e2e
import ground
import routes
from e2e import call, equal, invalid, test

e2e.enter()

BR = "pt-br0"


def add(*given):
    call("net.routes.add", routes=list(given))


@test("net.routes.delete deletes a route once; a dry run says so and deletes none")
def _():
    call("net.bridge.add", name=BR, address="10.80.0.1/24")
    add({"destination": "10.90.0.0/16", "device": BR}, {"destination": "10.91.0.0/16", "gateway": "10.80.0.9", "metric": 5})
    before = routes.ours()
    equal(call("net.routes.delete", destination="10.90.0.0/16", dry_run=True), {"removed": 1, "changed": True}, "the dry run")
    equal(routes.ours(), before, "the routes after it")
    equal(call("net.routes.delete", destination="10.90.3.4/16"), {"removed": 1, "changed": True}, "the first time")
    equal(call("net.routes.delete", destination="10.90.0.0/16"), {"removed": 0, "changed": False}, "the second time")
    equal(routes.ours(), [r for r in before if r["dst"] != "10.90.0.0"], "the routes")
    equal(call("net.routes.delete", destination="10.91.0.0/16")["removed"], 1, "the other")


@test("net.routes.delete deletes what is all that is said of it, and nothing else")
def _():
    for metric in (0, 1, 2):
        add({"destination": "10.90.0.0/16", "device": BR, "metric": metric}, {"destination": "10.90.0.0/16", "gateway": "10.80.0.9", "metric": metric, "table": 1000})
    for wrong in ({"metric": 3}, {"gateway": "10.80.0.9"}, {"device": "up0"}, {"table": 1001}, {"source": "10.80.0.1"}):
        equal(call("net.routes.delete", destination="10.90.0.0/16", **wrong)["removed"], 0, "removed with %r" % wrong)
    equal(call("net.routes.delete", destination="10.90.0.0/16", metric=1)["removed"], 1, "removed by metric")
    equal([r["metric"] for r in routes.ours() if r["table"] == 254], [0, 2], "the metrics that are left")
    equal(call("net.routes.delete", destination="10.90.0.0/16", gateway="10.80.0.9", table=1000)["removed"], 3, "removed by gateway")
    equal(call("net.routes.delete", routes=[{"destination": "10.90.0.0/16"}, {"destination": "10.90.0.0/16", "metric": 0}, {"destination": "10.99.0.0/16"}])["removed"], 2, "removed of several")
    equal(routes.ours(), [], "the routes at the end")


@test("net.routes.delete leaves another's routes alone, also one that only looks like ours")
def _():
    ground.run("ip", "route", "add", "10.90.0.0/16", "dev", BR, "proto", "static")
    add({"destination": "10.90.0.0/16", "device": BR, "metric": 7})
    ground.run("ip", "route", "del", "10.90.0.0/16", "metric", "7")
    before = routes.every()
    equal(call("net.routes.delete", destination="10.90.0.0/16"), {"removed": 1, "changed": True}, "deleting what somebody had deleted")
    for dst in ("10.90.0.0/16", "10.80.0.0/24", "198.51.100.0/24", "127.0.0.0/8", "default"):
        equal(call("net.routes.delete", destination=dst), {"removed": 0, "changed": False}, "deleting " + dst)
    routes.unchanged(before, "the routes")
    ground.run("ip", "route", "del", "10.90.0.0/16")


@test("net.routes.delete names the parameter that is wrong")
def _():
    for named, bad in (("destination", "nonsense"), ("gateway", "x"), ("metric", "1"), ("table", 0), ("device", ""), ("source", 5)):
        invalid("net.routes.delete", named, **dict({"destination": "10.90.0.0/16"}, **{named: bad}))
    invalid("net.routes.delete", "destination")
    invalid("net.routes.delete", "routes", routes=[{"destination": "10.0.0.0/8"}], metric=1)


e2e.main()
