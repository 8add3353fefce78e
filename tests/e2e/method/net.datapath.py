#!/usr/bin/python3
"""net.datapath beside `ovs-appctl dpctl/show` and `dpctl/dump-flows`, field by field.  LIMIT: 240"""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "..", "lib"))
import re
import time

import e2e
import ovs
from e2e import call, equal, fails, invalid, test, until, want

e2e.enter()
DATAPATH = "netdev@ovs-netdev"


def still(theirs, ours):
    """Compares while packets may come: until nothing changed meanwhile."""
    for _ in range(30):
        before, found, after = theirs(), ours(), theirs()
        if before == after:
            equal(found, before, "what net.datapath says")
            return found
        time.sleep(0.3)
    raise e2e.Failed("ovs-appctl never says the same twice")


@test("net.datapath says unsupported, with a hint, where Open vSwitch doesn't run")
def _():
    e = fails("net.datapath", -32000, "unsupported")
    want("Install Open vSwitch" in e.data.get("hint", ""), "the hint is %r" % e.data)


@test("net.datapath lists datapaths with their counters and ports as dpctl/show does")
def _():
    ovs.start()
    equal(call("net.datapath"), {"datapaths": [], "flows": []}, "the answer before there is any")
    ovs.bridge("br0")
    ovs.vsctl("add-port", "br0", "vx", "--", "set", "Interface", "vx", "type=vxlan", "options:remote_ip=192.0.2.1", "options:key=7")
    global a, b
    a, b = ovs.Host("a", "br0", "10.56.0.1/24"), ovs.Host("b", "br0", "10.56.0.2/24")
    until(lambda: a.reaches(b), 30)
    found = still(ovs.datapaths, lambda: call("net.datapath")["datapaths"])
    equal([d["name"] for d in found], [DATAPATH], "the names")
    types = {p["name"]: p.get("type") for p in found[0]["ports"]}
    equal((types["br0"], types["oa"], types["vxlan_sys_4789"]), ("tap", None, "vxlan"), "types of ports")


@test("net.datapath lists the flows that packets have made, with what they match, do and count")
def _():
    until(lambda: a.reaches(b, 5), 30)
    found = still(ovs.datapath_flows, lambda: {f["match"]: (f["packets"], f["bytes"], f["actions"]) for f in call("net.datapath")["flows"]})
    want(any("eth_type(0x0800)" in m for m in found), "no flow of IPv4 among %r" % found)
    for f in call("net.datapath")["flows"]:
        equal((f["datapath"], f["thread"]), (DATAPATH, "main"), "whose it is")
        want("used_secs" not in f or 0 <= f["used_secs"] < 240, "used %r" % f)


@test("net.datapath lists the one that is named, and says which one isn't there")
def _():
    equal([d["name"] for d in call("net.datapath", name=DATAPATH)["datapaths"]], [DATAPATH], "the names")
    e = fails("net.datapath", -32000, "not_found", name="netdev@nosuch")
    want("netdev@nosuch" in str(e), "it doesn't name it: %s" % e)
    for bad in ("-m", "@x", "a b", "", "x" * 65):
        invalid("net.datapath", "name", name=bad)


@test("net.datapath comes in pages, each flow once, and hundreds of them")
def _():
    ovs.vsctl("set", "Open_vSwitch", ".", "other_config:max-idle=120000")
    ovs.appctl("upcall/disable-megaflows")  # each packet that differs makes a flow of its own
    ovs.sent(a, b, range(20000, 20600), lambda: {int(p) for m in ovs.datapath_flows() for p in re.findall(r"udp\(src=(\d+)", m)})
    ids, params = [], {"limit": 70}
    while True:
        page = call("net.datapath", **params)
        want(len(page["flows"]) <= 70, "a page of %d" % len(page["flows"]))
        ids += [f["id"] for f in page["flows"]]
        if "next_cursor" not in page:
            break
        params["cursor"] = page["next_cursor"]
    want(ids == sorted(set(ids)), "flows come twice or out of order")
    want(len(ids) >= 600, "only %d flows" % len(ids))
    want(len(call("net.datapath", limit=10000)["flows"]) >= 600, "they don't come in one page")


@test("net.datapath needs its own word in the policy")
def _():
    with ovs.policy("database"):
        fails("net.datapath", -32000, "denied_by_policy")
    ovs.stop_all()


e2e.main()
