#!/usr/bin/python3
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "..", "lib"))
import e2e
import ground
from e2e import call, dry, equal, fails, test, want

e2e.enter()


@test("net.nat.remove_snat removes by id and by what the rule was made of, once, and the last takes the table along")
def _():
    one = call("net.nat.add_snat", source="10.74.0.0/24")["id"]
    call("net.nat.add_snat", source="10.75.0.0/24", out_interface=ground.UPLINK)
    dry("net.nat.remove_snat", id=one)
    equal(call("net.nat.remove_snat", id=one)["removed"], True, "removed by id")
    text = ground.run("nft", "list", "ruleset")
    want("10.74.0.0/24" not in text and "10.75.0.0/24" in text, text)
    equal(call("net.nat.remove_snat", id=one)["removed"], False, "removed the second time")
    equal(call("net.nat.remove_snat", source="10.75.0.0/24")["removed"], False, "removed by half of what it was made of")
    equal(call("net.nat.remove_snat", source="10.75.0.0/24", out_interface=ground.UPLINK)["removed"], True, "removed by what it was made of")
    want("10.75" not in ground.run("nft", "list", "ruleset"), "a rule is still there")
    equal(call("net.nat.status")["snat"], [], "the translations")


@test("net.nat.remove_snat needs an id or a source")
def _():
    fails("net.nat.remove_snat", -32602)


e2e.main()
