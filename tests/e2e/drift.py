#!/usr/bin/python3
# Two of its kind run at a time: it mostly waits.
"""Somebody else changes what postern set up: it is told as an event, put back, and what is another's stays as it is."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "lib"))
import signal
import subprocess
import time

import e2e
import ground
from e2e import Failed, call, equal, test, until, want

e2e.enter()
SECONDS = 30  # that putting back may take on a loaded machine


def last():
    return call("event.tail", limit=10000)["next_seq"]


def events(since, *topics):
    return call("event.tail", since_seq=since, limit=10000, topics=list(topics or ("net.drift", "net.restored")))["events"]


def ids(since, topic):
    return {(e["object"].get("kind"), e["object"].get("id")) for e in events(since, topic)}


def told(since, *what):
    """Waits until drift and restoration of all these were told."""
    until(lambda: set(what) <= ids(since, "net.drift"), SECONDS)
    until(lambda: set(what) <= ids(since, "net.restored"), SECONDS)
    equal(call("net.verify")["drift"], [], "the drift that is left")


def shown():
    """What postern set up, as ip shows it; the order in which links were made left out."""
    links = {name: (link["mtu"], link["address"], link.get("master"), "UP" in link["flags"], link.get("ifalias"), link["linkinfo"]["info_kind"])
             for name, link in e2e.links().items() if name.startswith("pt-") and "linkinfo" in link}
    addresses = sorted(" ".join(line.split()[1:4]) for line in ground.run("ip", "-o", "address", "show", "scope", "global").splitlines())
    routes = sorted(" ".join(line.split()) .replace(" linkdown", "") for line in ground.run("ip", "route", "show", "proto", "112").splitlines())
    return links, addresses, routes


def foreign():
    """What is another's."""
    links = {name: (link["mtu"], link["address"], link.get("master")) for name, link in e2e.links().items() if name.startswith("other")}
    return links, ground.run("ip", "route", "show", "proto", "static"), ground.run("nft", "list", "ruleset").count("table ip other")


@test("what is set up stands in no event, and is in sync")
def _():
    call("net.bridge.add", name="pt-br0", address="10.75.0.1/24", mtu=1400, mac="02:00:00:00:75:01")
    call("net.bridge.add", name="pt-br1", address="10.76.0.1/24", mac="02:00:00:00:76:01")
    for i in range(3):
        call("net.vm.create_tap", name="pt-t%d" % i, bridge="pt-br0", mac="02:00:00:00:75:1%d" % i)
    call("net.vm.create_tap", name="pt-t9", mac="02:00:00:00:75:19")
    call("net.bridge.add_port", bridge="pt-br1", port="pt-t9")
    call("net.routes.add", destination="10.78.0.0/16", gateway="10.75.0.9", device="pt-br0")
    ground.run("ip", "link", "add", "other0", "type", "bridge")
    ground.run("ip", "link", "set", "other0", "up")
    ground.run("ip", "address", "add", "10.99.0.1/24", "dev", "other0")
    ground.run("ip", "route", "add", "10.98.0.0/16", "dev", "other0", "proto", "static")
    equal(call("net.verify")["in_sync"], True, "in_sync")
    equal(ids(0, "net.drift"), set(), "the drift that was told")


@test("a bridge that is deleted comes back with MAC, MTU, address, ports and routes")
def _():
    before, others, start = shown(), foreign(), last()
    ground.run("ip", "link", "del", "pt-br0")
    told(start, ("bridge", "pt-br0"), ("address", "pt-br0 10.75.0.1/24"), ("tap", "pt-t0"), ("tap", "pt-t2"))
    until(lambda: shown() == before, SECONDS)
    equal(foreign(), others, "what is another's")
    event = [e for e in events(start, "net.drift") if e["object"]["id"] == "pt-t0"][0]
    equal(event["object"], {"kind": "tap", "id": "pt-t0", "expected": "port of pt-br0", "actual": "port of none"}, "the event")


@test("a tap that is deleted comes back, on its bridge, with its owner")
def _():
    before, start = shown(), last()
    for tap in ("pt-t1", "pt-t9"):
        ground.run("ip", "link", "del", tap)
    told(start, ("tap", "pt-t1"), ("tap", "pt-t9"))
    equal(shown(), before, "the state")


@test("an address that is deleted comes back")
def _():
    before, start = shown(), last()
    ground.run("ip", "address", "del", "10.76.0.1/24", "dev", "pt-br1")
    told(start, ("address", "pt-br1 10.76.0.1/24"))
    equal(shown(), before, "the state")


@test("MTU, MAC, up and the bridge of a port come back")
def _():
    before, start = shown(), last()
    ground.run("ip", "link", "set", "pt-br0", "mtu", "1300")
    ground.run("ip", "link", "set", "pt-br1", "address", "02:00:00:00:99:99")
    ground.run("ip", "link", "set", "pt-t0", "master", "other0")
    ground.run("ip", "link", "set", "pt-t2", "down")
    told(start, ("bridge", "pt-br0"), ("bridge", "pt-br1"), ("tap", "pt-t0"), ("tap", "pt-t2"))
    equal(shown(), before, "the state")


@test("a route that is deleted comes back, and so does forwarding that a translation needs")
def _():
    call("net.nat.add_snat", source="10.75.0.0/24")
    before, start = shown(), last()
    ground.run("ip", "route", "del", "10.78.0.0/16")
    with open("/proc/sys/net/ipv4/ip_forward", "w") as f:
        f.write("0")
    told(start, ("route", "254|10.78.0.0/16|0"), ("sysctl", "net.ipv4.ip_forward"))
    equal(shown(), before, "the state")
    with open("/proc/sys/net/ipv4/ip_forward") as f:
        equal(f.read(), "1\n", "ip_forward")


@test("the firewall's table comes back after another tool's nft flush ruleset, and what is another's stays gone")
def _():
    ground.run("nft", "add", "table", "ip", "other")
    before, start = table(), last()
    want("masquerade" in before, before)
    ground.run("nft", "flush", "ruleset")
    told(start, ("firewall", "table inet postern"))
    equal(table(), before, "the table")
    equal(events(start, "net.drift")[0]["object"]["actual"], "missing", "what the event says")
    equal(ground.run("nft", "list", "tables").split(), ["table", "inet", "postern"], "the tables")


@test("an element that is deleted, a rule that is added and a chain that is changed come back as they were")
def _():
    before = table()
    for change in (("flush", "set", "inet", "postern", masquerade_set()), ("add", "chain", "inet", "postern", "intruder"), ("flush", "chain", "inet", "postern", "postrouting")):
        start = last()
        ground.run("nft", *change)
        until(lambda: events(start, "net.restored"), SECONDS)
        equal(table(), before, "the table after nft " + " ".join(change))
        want(ids(start, "net.drift") and all(kind in ("firewall", "nat") for kind, _ in ids(start, "net.drift")), ids(start, "net.drift"))


@test("another table's changes wake nobody")
def _():
    start = last()
    for i in range(20):
        ground.run("nft", "add", "table", "inet", "other")
        ground.run("nft", "delete", "table", "inet", "other")
    equal((events(start), call("net.verify")["in_sync"]), ([], True), "events and in_sync")


def table():
    return ground.run("nft", "list", "table", "inet", "postern")


def masquerade_set():
    """The set that the test's source stands in."""
    name = None
    for line in table().splitlines():
        words = line.split()
        if words[:1] in (["set"], ["map"]):
            name = words[1]
        if "10.75.0.0/24" in line:
            return name
    raise Failed("no set has it")


@test("what postern's own methods change is no drift, however fast")
def _():
    start = last()
    for i in range(40):
        call("net.bridge.add", name="pt-br7", address="10.77.0.1/24")
        call("net.vm.create_tap", name="pt-t7", bridge="pt-br7")
        if i % 4 == 0:
            equal(call("net.verify")["drift"], [], "the drift while at it")
        call("net.bridge.remove_port", bridge="pt-br7", port="pt-t7")
        call("net.bridge.delete", name="pt-br7", force=True)
        call("net.vm.delete_tap", name="pt-t7")
    time.sleep(1.5)
    equal(events(start), [], "the events")


@test("what is deleted while the daemon or its helper is killed comes back too")
def _():
    before = shown()
    for victim in ("postern-net", "worker", "postern-broker"):
        pid = e2e.daemon()[1] if victim == "worker" else e2e.processes()[victim][0]
        ground.run("ip", "link", "del", "pt-br0")
        time.sleep(0.12)  # about when it is being put back
        os.kill(pid, signal.SIGKILL)
        ground.run("ip", "link", "set", "pt-t9", "mtu", "1200")
        until(lambda: in_sync() and shown()[1:] == before[1:], 2 * SECONDS)
    ground.run("ip", "link", "set", "pt-t9", "mtu", "1500")
    equal(shown(), before, "the state")


def in_sync():
    try:
        return call("net.verify")["in_sync"]
    except (OSError, Failed):
        return False


@test("two tools that fight each other cost no busy loop: the putting back becomes slower and slower")
def _():
    start, deadline, times = last(), time.monotonic() + 12, 0
    while time.monotonic() < deadline:
        if subprocess.run(["ip", "address", "del", "10.76.0.1/24", "dev", "pt-br1"], stderr=subprocess.DEVNULL).returncode == 0:
            times += 1
        time.sleep(0.05)
    want(4 <= times <= 8, "it was put back %d times in 12 s" % times)
    until(lambda: [e for e in events(start, "net.restored") if e["object"]["id"].startswith("pt-br1")], 2 * SECONDS)
    equal(foreign()[0].keys(), {"other0"}, "what is another's")


e2e.main()
