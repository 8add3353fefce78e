#!/usr/bin/python3
"""net.vlan beside `bridge -j vlan`.  Where the kernel has bridges but no VLANs, what needs them is skipped; helper-debian.py runs it on Debian's."""
import json
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "..", "lib"))
import e2e
import ground
from e2e import Skipped, call, equal, test, want

e2e.enter()


def ip(line):
    ground.run("ip", *line.split())


def bridge(line):
    ground.run("bridge", *line.split())


def vlans_needed():
    if subprocess.run(["ip", "link", "set", "vb0", "type", "bridge", "vlan_filtering", "1"], stderr=subprocess.DEVNULL).returncode != 0:
        raise Skipped("this kernel's bridges know no VLANs")


def theirs():
    """{interface: its VLANs in our words}"""
    shown = json.loads(ground.run("bridge", "-j", "-compressvlans", "vlan", "show") or "[]")
    found = {}
    for port in shown:
        for v in port["vlans"]:
            vlan = {"vid": v["vlan"], "pvid": "PVID" in v.get("flags", []), "untagged": "Egress Untagged" in v.get("flags", [])}
            if "vlanEnd" in v:
                vlan["last"] = v["vlanEnd"]
            found.setdefault(port["ifname"], []).append(vlan)
    return {name: sorted(vlans, key=lambda v: v["vid"]) for name, vlans in found.items()}


def expected():
    vlans, links = theirs(), e2e.links()
    bridges = []
    for name in sorted(n for n, l in links.items() if l.get("linkinfo", {}).get("info_kind") == "bridge"):
        data = links[name]["linkinfo"]["info_data"]
        ports = [n for n, l in links.items() if l.get("master") == name]
        bridges.append({"name": name, "vlan_filtering": bool(data.get("vlan_filtering")), "default_pvid": data.get("vlan_default_pvid", 0),
                        "vlans": vlans.get(name, []), "ports": {n: vlans.get(n, []) for n in ports}})
    return bridges


def ours(**params):
    return [{**b, "ports": {p["name"]: p["vlans"] for p in b["ports"]}} for b in call("net.vlan", **params)["bridges"]]


@test("net.vlan lists each bridge with its ports, and says whether it keeps VLANs apart")
def _():
    equal(ours(), [], "the bridges before there are any")
    for line in ("link add vb0 type bridge", "link add vb1 type bridge", "link add va0 type veth peer name va1", "link add vc0 type veth peer name vc1",
                 "link set va0 master vb0", "link set vc0 master vb0", "link set vc1 master vb1"):
        ip(line)
    found = ours()
    equal(found, expected(), "the bridges")
    equal([(b["name"], sorted(b["ports"]), b["vlan_filtering"]) for b in found], [("vb0", ["va0", "vc0"], False), ("vb1", ["vc1"], False)], "names and ports")


@test("net.vlan comes in pages, each bridge once")
def _():
    first = call("net.vlan", limit=1)
    rest = call("net.vlan", limit=1, cursor=first["next_cursor"])
    equal([b["name"] for b in first["bridges"] + rest["bridges"]], ["vb0", "vb1"], "the names")
    want("next_cursor" not in rest, "there is more after %r" % rest)


@test("net.vlan says of every port and of the bridge itself which VLANs they are in, with and without tag, ranges as ranges")
def _():
    vlans_needed()
    for line in ("vlan add dev va0 vid 10 pvid untagged", "vlan add dev va0 vid 20", "vlan add dev va0 vid 30-40", "vlan add dev va0 vid 41-44 untagged",
                 "vlan del dev vc0 vid 1", "vlan add dev vc0 vid 4094", "vlan add dev vb0 vid 77-80 self"):
        bridge(line)
    found = {b["name"]: b for b in ours()}
    equal(list(found.values()), expected(), "the bridges")
    equal((found["vb0"]["vlan_filtering"], found["vb1"]["vlan_filtering"]), (True, False), "which keep VLANs apart")
    port = {v["vid"]: v for v in found["vb0"]["ports"]["va0"]}
    equal(port[10], {"vid": 10, "pvid": True, "untagged": True}, "VLAN 10 of va0")
    equal(port[20], {"vid": 20, "pvid": False, "untagged": False}, "VLAN 20 of va0")
    equal((port[30]["last"], port[41]["last"], port[41]["untagged"]), (40, 44, True), "the ranges of va0")
    equal(found["vb0"]["ports"]["vc0"], [{"vid": 4094, "pvid": False, "untagged": False}], "the VLANs of vc0")
    want({"vid": 77, "last": 80, "pvid": False, "untagged": False} in found["vb0"]["vlans"], "the bridge's own VLANs are %r" % found["vb0"]["vlans"])


@test("net.vlan says which VLAN a new port joins, and that none does")
def _():
    vlans_needed()
    ip("link set vb1 type bridge vlan_default_pvid 9")
    equal({b["name"]: b["default_pvid"] for b in ours()}, {"vb0": 1, "vb1": 9}, "the default VLANs")
    equal(ours(), expected(), "the bridges")
    ip("link set vb1 type bridge vlan_default_pvid 0")
    equal({b["name"]: b["default_pvid"] for b in ours()}, {"vb0": 1, "vb1": 0}, "the default VLANs")
    equal(ours(), expected(), "the bridges")


@test("net.vlan is whole when a port is in every VLAN there is")
def _():
    vlans_needed()
    bridge("vlan add dev vc0 vid 1-4094")
    equal(ours(), expected(), "the bridges")
    vlans = {p["name"]: p["vlans"] for p in call("net.vlan")["bridges"][0]["ports"]}["vc0"]
    equal(sum(v.get("last", v["vid"]) - v["vid"] + 1 for v in vlans), 4094, "VLANs of vc0")


e2e.main()
