#!/usr/bin/python3
"""net.ovs beside `ovs-vsctl --format=json list`, field by field.  LIMIT: 240"""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "..", "lib"))
import re
import signal
import time

import e2e
import ground
import ovs
from e2e import call, equal, fails, test, until, want

e2e.enter()
COUNTERS = ("rx_bytes", "tx_bytes", "rx_packets", "tx_packets", "rx_errors", "tx_errors", "rx_dropped", "tx_dropped")


def one(row, **columns):
    """The members that have a value, under our names."""
    return {ours: row[theirs] for ours, theirs in columns.items() if row[theirs] not in ([], "")}


def interface(row):
    found = dict(one(row, ofport="ofport", mac="mac_in_use", mtu="mtu", admin_state="admin_state", link_state="link_state", error="error"),
                 name=row["name"], type=row["type"])
    if "peer" in row["options"]:
        found["peer"] = row["options"]["peer"]
    if "rx_bytes" in row["statistics"]:
        found["stats"] = {c: row["statistics"].get(c, 0) for c in COUNTERS}
    return found


def expected():
    """What net.ovs ought to say, from ovs-vsctl."""
    rows = {t: {r["_uuid"]: r for r in ovs.table(t)} for t in ("Bridge", "Port", "Interface", "Controller")}
    by_name = lambda found: sorted(found, key=lambda x: x["name"])

    def port(row):
        return dict(one(row, tag="tag", vlan_mode="vlan_mode", bond_mode="bond_mode"), name=row["name"], trunks=ovs.as_list(row["trunks"]), managed=False,
                    interfaces=by_name(interface(rows["Interface"][i]) for i in ovs.as_list(row["interfaces"])))

    def bridge(row):
        return dict(one(row, datapath_id="datapath_id", fail_mode="fail_mode"), name=row["name"], datapath_type=row["datapath_type"] or "system",
                    stp=row["stp_enable"], rstp=row["rstp_enable"], mcast_snooping=row["mcast_snooping_enable"], protocols=ovs.as_list(row["protocols"]),
                    controllers=[rows["Controller"][c]["target"] for c in ovs.as_list(row["controller"])],
                    ports=by_name(port(rows["Port"][p]) for p in ovs.as_list(row["ports"])))
    return by_name(map(bridge, rows["Bridge"].values()))


def agrees():
    """Counters move: asked until nothing changed meanwhile."""
    for _ in range(20):
        before, found, after = expected(), call("net.ovs")["bridges"], expected()
        if before == after:
            equal(found, before, "the bridges")
            return found
        time.sleep(0.2)
    raise e2e.Failed("ovs-vsctl never says the same twice")


def sessions():
    """How many connections the database has."""
    return int(re.search(r"sessions:(\d+)", ovs.run("ovs-appctl", "-t", ovs.RUN + "/ovsdb.ctl", "memory/show")).group(1))


@test("net.ovs says unsupported, with a hint, where Open vSwitch doesn't run")
def _():
    e = fails("net.ovs", -32000, "unsupported")
    want("Install Open vSwitch" in e.data.get("hint", ""), "the hint is %r" % e.data)
    os.mkdir(ovs.RUN)
    fails("net.ovs", -32000, "unsupported")


@test("net.ovs says what runs, and lists nothing where there is no bridge")
def _():
    ovs.start()
    until(lambda: call("net.ovs")["applied"], 30)
    equal(call("net.ovs"), {"version": "3.1.0", "db_version": "8.3.1", "applied": True, "bridges": []}, "the answer")


@test("net.ovs lists bridges, ports and interfaces as ovs-vsctl does: tags, trunks, bonds, patches, tunnels, and what couldn't be made")
def _():
    for name in ("v0", "v1", "v2", "v3"):
        ground.run("ip", "link", "add", name, "type", "veth", "peer", "name", name + "p")
        ground.run("ip", "link", "set", name, "up")
        ground.run("ip", "link", "set", name + "p", "up")
    ovs.bridge("br1", "fail_mode=secure", "stp_enable=true", "protocols=OpenFlow10,OpenFlow13")
    ovs.bridge("br0")
    ovs.vsctl("set-controller", "br1", "tcp:127.0.0.1:6633", "--", "set", "Bridge", "br0", "mcast_snooping_enable=true")
    ovs.vsctl("add-port", "br0", "v0", "tag=10")
    ovs.vsctl("add-port", "br0", "v1", "trunks=20,30", "vlan_mode=trunk")
    ovs.vsctl("add-bond", "br0", "bond0", "v2", "v3", "bond_mode=active-backup")
    ovs.vsctl("add-port", "br0", "pa", "--", "set", "Interface", "pa", "type=patch", "options:peer=pb")
    ovs.vsctl("add-port", "br1", "pb", "--", "set", "Interface", "pb", "type=patch", "options:peer=pa")
    ovs.vsctl("--no-wait", "add-port", "br1", "nowhere")
    ovs.vsctl("add-port", "br1", "vx", "--", "set", "Interface", "vx", "type=vxlan", "options:remote_ip=192.0.2.1")
    until(lambda: call("net.ovs")["applied"], 30)
    until(lambda: len({i["name"] for b in expected() for p in b["ports"] for i in p["interfaces"] if "ofport" in i}) == 10, 30)
    found = {b["name"]: b for b in agrees()}
    equal((found["br1"]["fail_mode"], found["br1"]["stp"], found["br1"]["controllers"]), ("secure", True, ["tcp:127.0.0.1:6633"]), "properties of br1")
    ports = {p["name"]: p for b in found.values() for p in b["ports"]}
    equal((ports["v0"]["tag"], ports["v1"]["trunks"], [i["name"] for i in ports["bond0"]["interfaces"]]), (10, [20, 30], ["v2", "v3"]), "VLANs and bond")
    equal(ports["pa"]["interfaces"][0]["peer"], "pb", "the patch's peer")
    want("error" in ports["nowhere"]["interfaces"][0], "what couldn't be made is %r" % ports["nowhere"])


@test("net.ovs says that the switch hasn't done yet what the database says")
def _():
    ovs.stop("ovs-vswitchd", signal.SIGKILL)
    ovs.vsctl("--no-wait", "add-br", "br2", "--", "set", "Bridge", "br2", "datapath_type=netdev")
    ovs.vsctl("--no-wait", "set", "Open_vSwitch", ".", "next_cfg=1000")
    equal(call("net.ovs")["applied"], False, "applied")
    ovs.start_switch()
    until(lambda: call("net.ovs")["applied"], 30)
    agrees()


@test("net.ovs comes in pages, each bridge once, with all of its ports")
def _():
    whole, cursor, found = call("net.ovs")["bridges"], {}, []
    equal([b["name"] for b in whole], ["br0", "br1", "br2"], "the bridges")
    while True:
        page = call("net.ovs", limit=1, **cursor)
        want(len(page["bridges"]) == 1, "a page of %d" % len(page["bridges"]))
        found += page["bridges"]
        if "next_cursor" not in page:
            break
        cursor = {"cursor": page["next_cursor"]}
    equal([(b["name"], [p["name"] for p in b["ports"]]) for b in found], [(b["name"], [p["name"] for p in b["ports"]]) for b in whole], "the pages")


@test("net.ovs is whole with 1000 ports, and holds nobody up")
def _():
    ovs.vsctl("--no-wait", "add-br", "big", "--", "set", "Bridge", "big", "datapath_type=netdev",
              *[a for i in range(1000) for a in ("--", "add-port", "big", "big%03d" % i, "--", "set", "Interface", "big%03d" % i, "type=patch", "options:peer=no%d" % i)])
    big = [b for b in call("net.ovs")["bridges"] if b["name"] == "big"][0]
    equal([p["name"] for p in big["ports"]], sorted(["big"] + ["big%03d" % i for i in range(1000)]), "the ports")
    want(all(len(p["interfaces"]) == 1 for p in big["ports"]), "a port has no interface")
    ovs.vsctl("--no-wait", "del-br", "big")


@test("net.ovs goes on after ovsdb-server was started again, and says unsupported while it is away")
def _():
    ovs.stop("ovsdb-server")
    fails("net.ovs", -32000, ("unsupported", "io"))
    fails("net.ovs", -32000, "unsupported")
    ovs.start_database()
    equal([b["name"] for b in call("net.ovs")["bridges"]], ["br0", "br1", "br2"], "the bridges")


@test("net.ovs asks again by itself where its connection was lost between two questions")
def _():
    call("net.ovs")
    ovs.stop("ovsdb-server", signal.SIGKILL)
    os.unlink(ovs.RUN + "/db.sock")
    ovs.start_database()
    equal([b["name"] for b in call("net.ovs")["bridges"]], ["br0", "br1", "br2"], "the bridges")


@test("net.ovs answers Open vSwitch's own questions whether it is still there")
def _():
    call("net.ovs")
    ovs.run("ovs-appctl", "-t", ovs.RUN + "/ovsdb.ctl", "ovsdb-server/reconnect")  # drops every connection
    call("net.ovs")
    until(lambda: sessions() == 2, 30)  # the switch's, and ours
    before = sessions()
    time.sleep(12)  # twice the 5 s after which ovsdb-server asks who is silent, and after 5 more drops it
    equal(sessions(), before, "sessions")
    call("net.ovs")
    equal(sessions(), before, "sessions after another question")


@test("net.ovs says timeout where the database doesn't answer, and holds up nobody else; afterwards it works")
def _():
    ovs.stuck("ovsdb-server", "net.ovs")
    equal([b["name"] for b in call("net.ovs")["bridges"]], ["br0", "br1", "br2"], "the bridges")


@test("net.ovs says which word of the policy is missing, where Open vSwitch runs and the policy doesn't open it")
def _():
    with ovs.policy("switch"):
        e = fails("net.ovs", -32000, "denied_by_policy")
        want("ovs database" in e.data.get("hint", ""), "the hint is %r" % e.data)
    call("net.ovs")


@test("net.ovs says that a directory which isn't root's alone isn't trusted")
def _():
    ovs.stop_all()
    os.mkdir(ovs.RUN)
    os.chmod(ovs.RUN, 0o777)
    e = fails("net.ovs", -32000, "denied_by_policy")
    want("root" in e.data.get("hint", ""), "the hint is %r" % e.data)


e2e.main()
