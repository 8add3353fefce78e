#!/usr/bin/python3
"""Random writes of net.* by several clients while the daemon and the helper are killed at random.

net-churn.py [WRITES]: 10,000 unless it says otherwise.  It prints its seed, which CHURN_SEED sets.  LIMIT: 600

Each client has objects of its own and knows what it was told: an acknowledged write has been done and stays done, one that was refused hasn't, and
one that found the service gone may be either.  At the end, and now and then on the way, what the methods, `ip` and `nft` show is held against that.
"""
import json
import os
import random
import signal
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "lib"))
import e2e
import firewall
import ground
from e2e import Client, Error, Failed, call, equal, test, until, want

e2e.enter()
WRITES = int(sys.argv[1]) if len(sys.argv) > 1 else 10000
SEED = int(os.environ.get("CHURN_SEED", time.time_ns() % 1000000))
CLIENTS = 4
KILLED = ("posternd", "postern-broker", "postern-net", "postern-helper")
UNSURE = ("interrupted", "upstream_unavailable", "timeout", "busy")  # kinds of an answer to a write that may have been done


class Kind:
    """Objects of one kind: keys, how to add and remove one, and the keys that the service lists."""

    def __init__(self, keys, add, remove, listed):
        self.keys, self.add, self.remove, self.listed = keys, add, remove, listed


def bridge_of(client, n):
    return "pt-br%d%d" % (client, n)


def tap_of(client, n):
    return "pt-t%d-%d" % (client, n)


def taps():
    return call("net.vm.list", limit=10000)["taps"]


def bridges():
    return [b for b in call("net.bridge", limit=10000)["bridges"] if b["managed"]]


def kinds(client, rng):
    """What this client works on."""
    every = {
        "bridge": Kind([bridge_of(client, n) for n in range(4)],
                       lambda k: ("net.bridge.add", {"name": k, **({"address": "10.%d.%d.1/24" % (client + 10, int(k[-1]))} if k[-1] in "01" else {})}),
                       lambda k: ("net.bridge.delete", {"name": k, "force": True}),
                       lambda: {b["name"] for b in bridges()}),
        "tap": Kind([tap_of(client, n) for n in range(8)],
                    lambda k: ("net.vm.create_tap", {"name": k, "mtu": 1400}),
                    lambda k: ("net.vm.delete_tap", {"name": k}),
                    lambda: {t["name"] for t in taps()}),
        "snat": Kind(["10.%d.%d.0/24" % (client + 40, n) for n in range(12)],
                     lambda k: ("net.nat.add_snat", {"source": k}),
                     lambda k: ("net.nat.remove_snat", {"source": k}),
                     lambda: {s["source"] for s in call("net.nat.status")["snat"]}),
    }
    target = {"dest_ip": "10.%d.0.9" % (client + 10), "dest_port": 80}
    every["dnat"] = Kind([10000 + client * 100 + n for n in range(40)],
                         lambda k: ("net.nat.add_dnat", {"proto": "tcp", "host_port": k, **target}),
                         lambda k: ("net.nat.remove_dnat", {"proto": "tcp", "host_port": k, **target}),
                         lambda: {d["host_port"] for d in call("net.nat.status")["dnat"]})
    every["rule"] = Kind([20000 + client * 100 + n for n in range(20)],
                         lambda k: ("net.firewall.add_rule", {"proto": "udp", "port": k, "comment": "churn"}),
                         lambda k: ("net.firewall.remove_rule", {"proto": "udp", "port": k}),
                         lambda: {rule["port"] for rule in firewall.rules().values()})
    every["route"] = Kind(["10.%d.%d.0/24" % (client + 70, n) for n in range(12)],
                          lambda k: ("net.routes.add", {"destination": k, "gateway": ground.OUTSIDE}),
                          lambda k: ("net.routes.delete", {"destination": k, "gateway": ground.OUTSIDE}),
                          lambda: {"%s/%d" % (r["dst"], r["prefix"]) for r in call("net.routes", family="inet", table=254, limit=10000)["routes"]})
    return every


class Worker(threading.Thread):
    def __init__(self, number, writes):
        super().__init__(daemon=True)
        self.number, self.left = number, writes
        self.rng = random.Random(SEED * 10 + number)
        self.kinds = kinds(number, self.rng)
        self.state = {(name, key): False for name, kind in self.kinds.items() for key in kind.keys}  # None: unsure
        self.client, self.trouble, self.unsure = None, None, 0

    def ask(self, method, params):
        """True when it was done, None when it may have been."""
        try:
            if self.client is None:
                self.client = Client(timeout=60)
            self.client(method, **params)
            return True
        except Error as e:
            if e.data.get("kind") in UNSURE:
                return None
            raise
        except (OSError, ValueError, Failed):
            if self.client is not None:
                self.client.close()
            self.client = None
            return None

    def write(self):
        name, key = self.rng.choice(list(self.state))
        kind, there = self.kinds[name], self.rng.random() < 0.55
        method, params = (kind.add if there else kind.remove)(key)
        if self.ask(method, params):
            self.state[name, key] = there
        else:
            self.state[name, key] = None
            self.unsure += 1
            time.sleep(0.01)

    def run(self):
        try:
            while self.left > 0:
                self.write()
                self.left -= 1
        except Exception as e:  # the main thread tells it
            self.trouble = "client %d: %s" % (self.number, e)


class Killer(threading.Thread):
    """Kills one of the service's processes every now and then, with SIGKILL."""

    def __init__(self):
        super().__init__(daemon=True)
        self.rng, self.stop, self.kills = random.Random(SEED), threading.Event(), {}

    def run(self):
        while not self.stop.wait(self.rng.uniform(0.05, 2.0)):
            name = self.rng.choice(KILLED)
            try:
                pid = e2e.daemon()[1] if name == "posternd" else e2e.processes()[name][0]
                os.kill(pid, signal.SIGKILL)
                self.kills[name] = self.kills.get(name, 0) + 1
            except (Failed, KeyError, ProcessLookupError):
                pass  # it is on its way back


def answers():
    try:
        return call("net.status")["backend"] == "helper" and call("net.bridge.add", name="pt-br-alive") and call("net.bridge.delete", name="pt-br-alive")
    except (OSError, ValueError, Failed):
        e2e._client = None
        return False


def links():
    return {name for name in e2e.links() if name.startswith("pt-")}


def compare(workers):
    """Every object is as its client was told, in what the methods and the kernel show."""
    for w in workers:
        for name, kind in w.kinds.items():
            listed = kind.listed()
            for key in kind.keys:
                told = w.state[name, key]
                want(told is None or told == (key in listed), "%s %s: %s, though it was %s" % (
                    name, key, "listed" if key in listed else "not listed", "added" if told else "removed"))
    until(lambda: links() == {b["name"] for b in bridges()} | {t["name"] for t in taps()}, 10)
    want(all(t["present"] for t in taps()), "taps aren't there")


def drift():
    return call("net.verify")["drift"]


@test("%d random writes with the daemon and the helper killed all the time leave what was acknowledged, and nothing else" % WRITES)
def _():
    workers = [Worker(n, WRITES // CLIENTS) for n in range(CLIENTS)]
    killer = Killer()
    began = time.monotonic()
    killer.start()
    for w in workers:
        w.start()
    for w in workers:
        w.join()
    killer.stop.set()
    killer.join()
    took = time.monotonic() - began
    trouble = [w.trouble for w in workers if w.trouble]
    want(not trouble, "seed %d: %s" % (SEED, "; ".join(trouble)))
    until(answers, 60, 0.1)
    print("# seed %d: %d writes in %.0f s, %d of them unsure, killed: %s" % (SEED, WRITES, took, sum(w.unsure for w in workers), json.dumps(killer.kills)))
    compare(workers)
    until(lambda: not drift(), 10, 0.2)
    for w in workers:
        for name, key in w.state:
            method, params = w.kinds[name].remove(key)
            call(method, **params)
            w.state[name, key] = False
    compare(workers)
    until(lambda: not links(), 10)
    equal([line for line in ground.run("nft", "list", "tables").splitlines() if "postern" in line], [], "postern's tables at the end")
    equal(drift(), [], "the drift at the end")


e2e.main()
