#!/usr/bin/python3
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "..", "lib"))
import e2e
import firewall
from e2e import call, dry, equal, invalid, test, want

e2e.enter()


@test("net.firewall.remove_rule removes by id and by what the rule was made of, once, and the last takes the table along")
def _():
    plain = call("net.firewall.add_rule", proto="tcp", service="ssh")
    want("input-policy" in plain["warning"], "the warning where nothing is dropped is %r" % plain["warning"])
    ranged = call("net.firewall.add_rule", proto="tcp", port_range="1-9", source="10.1.2.3/8")["id"]
    twice = call("net.firewall.add_rule", proto="tcp", port_range="1-9", source="10.0.0.0/9")["id"]
    equal(dry("net.firewall.remove_rule", id=plain["id"]), {"removed": True, "changed": True}, "the dry run")
    equal(call("net.firewall.remove_rule", id=plain["id"]), {"removed": True, "changed": True}, "by id")
    equal(call("net.firewall.remove_rule", id=plain["id"]), {"removed": False, "changed": False}, "by id, again")
    equal(set(firewall.rules()), {ranged, twice}, "the others")
    equal(call("net.firewall.remove_rule", proto="tcp", port_range="1-9")["removed"], False, "by half of what it was made of")
    equal(call("net.firewall.remove_rule", proto="tcp", port_range="1-9", source="10.0.0.0/8")["removed"], True, "by what it was made of")
    equal(set(firewall.rules()), {twice}, "what is left")
    equal(call("net.firewall.remove_rule", ids=[twice, ranged, "nonesuch"])["removed"], True, "the last")
    equal(firewall.objects(), None, "the table")


@test("net.firewall.remove_rule needs one way to name what goes")
def _():
    invalid("net.firewall.remove_rule", "id")
    invalid("net.firewall.remove_rule", "proto", port=1)
    invalid("net.firewall.remove_rule", "port", proto="tcp")
    invalid("net.firewall.remove_rule", "id", id="x", proto="tcp", port=1)
    invalid("net.firewall.remove_rule", "id", id="x", ids=["y"])


e2e.main()
