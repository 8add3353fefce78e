#!/usr/bin/python3
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "..", "lib"))
import e2e
import ground
from e2e import call, equal, test

e2e.enter()


@test("net.nat.status lists what was added, with its id, source, uplink and address")
def _():
    equal({k: v for k, v in call("net.nat.status").items() if k in ("boot", "snat", "dnat")}, {"boot": [], "snat": [], "dnat": []}, "the translations at the start")
    one = call("net.nat.add_snat", source="10.76.0.0/24")["id"]
    two = call("net.nat.add_snat", source="10.77.0.0/24", out_interface=ground.UPLINK, to=ground.UPLINK_ADDRESS)["id"]
    listed = {r["id"]: {k: v for k, v in r.items() if k != "id"} for r in call("net.nat.status")["snat"]}
    equal(listed, {one: {"source": "10.76.0.0/24"}, two: {"source": "10.77.0.0/24", "out_interface": ground.UPLINK, "to": ground.UPLINK_ADDRESS}}, "the translations")
    for rule in (one, two):
        call("net.nat.remove_snat", id=rule)


e2e.main()
