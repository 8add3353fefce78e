#!/usr/bin/python3
"""Real traffic through bridges, masquerades and forwards: between guests' namespaces, out of them and into them, TCP and UDP, IPv4 and IPv6."""
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "lib"))
import e2e
import ground
from e2e import call, equal, test, until, want

e2e.enter()

BRIDGE, SECOND = "pt-br0", "pt-br1"
HOST = {4: ground.UPLINK_ADDRESS, 6: "fd51::2"}
OUTSIDE = {4: ground.OUTSIDE, 6: "fd51::1"}
GUEST = {"a": {4: "10.80.0.2", 6: "fd80::2"}, "b": {4: "10.80.0.3", 6: "fd80::3"}, "c": {4: "10.81.0.2", 6: "fd81::2"}}
ROUTER = {"a": {4: "10.80.0.1", 6: "fd80::1"}, "b": {4: "10.80.0.1", 6: "fd80::1"}, "c": {4: "10.81.0.1", 6: "fd81::1"}}

# Answers each line, or datagram, with its own name and the peer's address; prints once it listens.
SERVER = r"""
import socket, sys, threading
name, port = sys.argv[1], int(sys.argv[2])
def plain(a): return a[0][7:] if a[0].startswith("::ffff:") else a[0]
def tcp(s):
    while True:
        c, peer = s.accept()
        threading.Thread(target=talk, args=(c, peer), daemon=True).start()
def talk(c, peer):
    for line in c.makefile("rb"):
        c.sendall(("%s %s\n" % (name, plain(peer))).encode())
u = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
u.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
u.bind(("::", port))
threading.Thread(target=tcp, args=(socket.create_server(("::", port), family=socket.AF_INET6, dualstack_ipv6=True),), daemon=True).start()
print("listens", flush=True)
while True:
    _, peer = u.recvfrom(100)
    u.sendto(("%s %s\n" % (name, plain(peer))).encode(), peer)
"""

# Sends one line for each line of its input, over one connection, and prints the answer, or "-" where none comes.
CLIENT = r"""
import socket, sys
kind, address, port, wait = sys.argv[1], sys.argv[2], int(sys.argv[3]), float(sys.argv[4])
s = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_STREAM if kind == "tcp" else socket.SOCK_DGRAM)
s.settimeout(wait)
try:
    s.connect((address, port))
except OSError:
    print("refused", flush=True)
    sys.exit()
for line in sys.stdin:
    try:
        s.sendall(b"x\n")
        print(s.recv(100).decode().strip() or "-", flush=True)
    except OSError:
        print("-", flush=True)
"""

holders = {"outside": int(os.environ["POSTERN_TEST_OUTSIDE_PID"]), "host": os.getpid()}
running = []


def there(where, *command, **options):
    return subprocess.Popen(["nsenter", "--net=/proc/%d/ns/net" % holders[where], *command], text=True, bufsize=1, **options)


def run_in(where, *command):
    ground.run("nsenter", "--net=/proc/%d/ns/net" % holders[where], *command)


def guest(name, bridge):
    """A namespace on a bridge, as a VM's tap would be."""
    holder = subprocess.Popen(["unshare", "-n", "sleep", "1000"])
    running.append(holder)
    until(lambda: os.readlink("/proc/%d/ns/net" % holder.pid) != os.readlink("/proc/self/ns/net"))
    holders[name] = holder.pid
    ground.run("ip", "link", "add", "g" + name, "type", "veth", "peer", "name", "eth0", "netns", str(holder.pid))
    ground.run("ip", "link", "set", "g" + name, "master", bridge, "up")
    run_in(name, "ip", "link", "set", "lo", "up")
    run_in(name, "ip", "link", "set", "eth0", "up")
    for family, bits in ((4, 24), (6, 64)):
        run_in(name, "ip", "address", "add", "%s/%d" % (GUEST[name][family], bits), "dev", "eth0", *(["nodad"] if family == 6 else []))
        run_in(name, "ip", "-%d" % family, "route", "add", "default", "via", ROUTER[name][family])


def serve(where, port):
    server = there(where, sys.executable, "-c", SERVER, where, str(port), stdout=subprocess.PIPE)
    running.append(server)
    equal(server.stdout.readline(), "listens\n", "the server in " + where)


class Talk:
    """One connection, or one UDP socket."""

    def __init__(self, where, kind, address, port, wait=4.0):
        self.process = there(where, sys.executable, "-c", CLIENT, kind, address, str(port), str(wait), stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.communicate()

    def ask(self):
        try:
            self.process.stdin.write("x\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            pass
        return self.process.stdout.readline().strip()


def answer(where, kind, address, port, wait=4.0):
    with Talk(where, kind, address, port, wait) as talk:
        return talk.ask()


def forward(family, kind, to="a", port=8080, **more):
    return call("net.nat.add_dnat", proto=kind, host_port=port, dest_ip=GUEST[to][family], dest_port=7, **more)["id"]


def bridged_packets(seen):
    """Whether bridges show packets that they only pass on to the IP firewall, as Docker's set-up has it; none of a kernel without br_netfilter."""
    for name in ("iptables", "ip6tables"):
        path = "/proc/sys/net/bridge/bridge-nf-call-" + name
        if os.path.exists(path):
            with open(path, "w") as f:
                f.write("1" if seen else "0")


@test("two guests' namespaces reach each other over a bridge, and others over a second one")
def _():
    for bridge, v4, v6 in ((BRIDGE, "10.80.0.1/24", "fd80::1/64"), (SECOND, "10.81.0.1/24", "fd81::1/64")):
        call("net.bridge.add", name=bridge, address=v4)
        ground.run("ip", "address", "add", v6, "dev", bridge, "nodad")
    ground.run("ip", "address", "add", HOST[6] + "/64", "dev", ground.UPLINK, "nodad")
    ground.run("ip", "-6", "route", "add", "default", "via", OUTSIDE[6])
    run_in("outside", "ip", "address", "add", OUTSIDE[6] + "/64", "dev", "in0", "nodad")
    bridged_packets(False)
    guest("a", BRIDGE)
    guest("b", BRIDGE)
    guest("c", SECOND)
    for where, port in (("a", 7), ("b", 7), ("c", 7), ("outside", 9)):
        serve(where, port)
    for family in (4, 6):
        for kind in ("tcp", "udp"):
            equal(answer("b", kind, GUEST["a"][family], 7), "a " + GUEST["b"][family], "%s to a" % kind)


@test("guests reach the outside through a masquerade, and only through it")
def _():
    for family, source in ((4, "10.80.0.0/24"), (6, "fd80::/64")):
        want(answer("a", "udp", OUTSIDE[family], 9, 0.3) == "-", "something comes back without a translation")
        rule = call("net.nat.add_snat", source=source)["id"]
        for kind in ("tcp", "udp"):
            equal(answer("a", kind, OUTSIDE[family], 9), "outside " + HOST[family], "%s, whom the outside sees" % kind)
        call("net.nat.remove_snat", id=rule)


def reach(family, kind, port=8080):
    """Whom the guest sees when the forward is used from everywhere: from outside, from this host, from another bridge, from its own, from itself."""
    return {where: answer(where, kind, HOST[family], port) for where in ("outside", "host", "c", "b", "a")}


@test("a forward leads in from outside, from the host itself, from another bridge, and back to its own bridge and guest")
def _():
    for family in (4, 6):
        for kind in ("tcp", "udp"):
            rule = forward(family, kind)
            seen = reach(family, kind)
            equal({k: v.split()[0] for k, v in seen.items()}, dict.fromkeys(seen, "a"), "who answers %s of IPv%d" % (kind, family))
            equal(seen["outside"], "a " + OUTSIDE[family], "whom the guest sees from outside")
            equal(seen["c"], "a " + GUEST["c"][family], "whom the guest sees from the other bridge")
            equal({seen["b"], seen["a"]}, {"a " + ROUTER["a"][family]}, "whom the guest sees from its own bridge")
            call("net.nat.remove_dnat", id=rule)
            equal({k: v in ("-", "refused") for k, v in ((w, answer(w, kind, HOST[family], 8080, 0.3)) for w in seen)}, dict.fromkeys(seen, True), "nobody gets in after")


@test("a forward leads back to its own bridge too where bridges show their packets to the IP firewall")
def _():
    bridged_packets(True)
    for family in (4, 6):
        rule = forward(family, "tcp")
        equal({answer(w, "tcp", HOST[family], 8080).split()[0] for w in ("outside", "host", "c", "b")}, {"a"}, "who answers")
        call("net.nat.remove_dnat", id=rule)
    bridged_packets(False)


@test("a forward stops at once when it goes: for the connection that is there and for the flow that never paused")
def _():
    for family in (4, 6):
        for kind in ("tcp", "udp"):
            for where in ("outside", "c", "b"):
                rule, other = forward(family, kind), forward(family, kind, port=8081)
                with Talk(where, kind, HOST[family], 8080, 0.7) as talk, Talk(where, kind, HOST[family], 8081, 4.0) as kept:
                    equal((talk.ask().split()[0], kept.ask().split()[0]), ("a", "a"), "the answers before")
                    call("net.nat.remove_dnat", id=rule)
                    want(talk.ask() in ("-", ""), "%s of IPv%d from %s goes on" % (kind, family, where))
                    equal(kept.ask().split()[0], "a", "another forward's connection")
                call("net.nat.remove_dnat", id=other)


@test("a UDP client that never pauses is forwarded from the moment that the forward comes")
def _():
    for family in (4, 6):
        with Talk("outside", "udp", HOST[family], 8080, 0.5) as talk:
            equal(talk.ask(), "-", "the answer before")
            rule = forward(family, "udp")
            until(lambda: talk.ask() == "a " + OUTSIDE[family], 5)
            call("net.nat.remove_dnat", id=rule)


@test("a guest's own connection to the outside, to the same port as a forward, goes on when the forward comes and goes")
def _():
    snat = call("net.nat.add_snat", source="10.80.0.0/24")["id"]
    for kind in ("tcp", "udp"):
        with Talk("a", kind, OUTSIDE[4], 9) as talk:
            equal(talk.ask(), "outside " + HOST[4], "the answer before")
            rule = call("net.nat.add_dnat", proto=kind, host_port=9, dest_ip=GUEST["b"][4], dest_port=7)["id"]
            equal(talk.ask(), "outside " + HOST[4], "the answer with a forward")
            call("net.nat.remove_dnat", id=rule)
            equal(talk.ask(), "outside " + HOST[4], "the answer after it")
    call("net.nat.remove_snat", id=snat)


@test("a forward that is bound to a link, an address or a source serves these alone, and the more particular one wins")
def _():
    call("net.nat.add_dnat", forwards=[
        {"proto": "tcp", "host_port": 8080, "dest_ip": GUEST["a"][4], "dest_port": 7, "interface": ground.UPLINK},
        {"proto": "tcp", "host_port": 8080, "dest_ip": GUEST["b"][4], "dest_port": 7, "source": "10.81.0.0/16"},
        {"proto": "tcp", "host_port": 8080, "dest_ip": GUEST["c"][4], "dest_port": 7, "host_ip": "10.80.0.1"},
        {"proto": "tcp", "host_port": 8081, "dest_ip": GUEST["b"][4], "dest_port": 7},
        {"proto": "tcp", "host_port": 8081, "dest_ip": GUEST["a"][4], "dest_port": 7, "source": OUTSIDE[4] + "/32"}])
    equal(answer("outside", "tcp", HOST[4], 8080), "a " + OUTSIDE[4], "by the uplink")
    equal(answer("c", "tcp", HOST[4], 8080), "b " + GUEST["c"][4], "from the source")
    equal(answer("b", "tcp", "10.80.0.1", 8080), "c " + GUEST["b"][4], "to the address")
    equal(answer("b", "tcp", HOST[4], 8080, 0.5), "refused", "by no forward")
    equal(answer("outside", "tcp", HOST[4], 8081), "a " + OUTSIDE[4], "the more particular one")
    equal(answer("c", "tcp", HOST[4], 8081), "b " + GUEST["c"][4], "the less particular one")
    call("net.nat.remove_dnat", ids=[f["id"] for f in call("net.nat.status")["dnat"]])


@test("what is only passing through to the same port of another machine isn't caught by a forward")
def _():
    rule = call("net.nat.add_dnat", proto="tcp", host_port=7, dest_ip=GUEST["a"][4], dest_port=7)["id"]
    equal(answer("c", "tcp", GUEST["b"][4], 7), "b " + GUEST["c"][4], "who answers")
    equal(answer("outside", "tcp", HOST[4], 7), "a " + OUTSIDE[4], "who answers from outside")
    call("net.nat.remove_dnat", id=rule)
    for process in running:
        process.kill()
        process.wait()


e2e.main()
