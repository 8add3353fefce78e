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


@test("net.nat.status lists forwards with all that they are, and pages them")
def _():
    asked = [{"proto": proto, "host_port": 1000 + n, "dest_ip": "10.76.0.2", "dest_port": 80} for n in range(10) for proto in ("tcp", "udp")]
    asked.append({"proto": "sctp", "host_port": 1, "dest_ip": "fd76::2", "dest_port": 2, "interface": ground.UPLINK, "host_ip": "fd76::1", "source": "fd77::/64"})
    ids = call("net.nat.add_dnat", forwards=asked)["ids"]
    whole = call("net.nat.status")["dnat"]
    equal({f["id"]: f for f in whole}, {i: dict(f, id=i) for i, f in zip(ids, asked)}, "the forwards")
    pages, cursor = [], {}
    while cursor is not None:
        page = call("net.nat.status", limit=4, **cursor)
        pages += page["dnat"]
        cursor = {"cursor": page["next_cursor"]} if page.get("next_cursor") else None
    equal(pages, whole, "the pages")
    call("net.nat.remove_dnat", ids=ids)


e2e.main()
