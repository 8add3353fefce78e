"""Open vSwitch for end-to-end tests: ovsdb-server and ovs-vswitchd of their own, in this world's /run, with datapaths in user space."""
import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import threading
import time

import e2e
import ground
from report import Failed, want

RUN = "/run/openvswitch"
# Where Debian's alternatives lead; a guest's root has none.
SWITCH = shutil.which("ovs-vswitchd", path=os.environ.get("PATH", "") + ":/usr/sbin") or "/usr/lib/openvswitch-switch/ovs-vswitchd"
SCHEMA = "/usr/share/openvswitch/vswitch.ovsschema"
ENV = dict(os.environ, OVS_RUNDIR=RUN, OVS_LOGDIR=RUN, OVS_DBDIR=RUN, OVS_SYSCONFDIR=RUN)
running = {}  # name: process


def _start(name, *command):
    log = open(RUN + "/%s.out" % name, "ab")
    running[name] = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=ENV, start_new_session=True)


def start_database():
    _start("ovsdb-server", "ovsdb-server", RUN + "/conf.db", "--remote=punix:%s/db.sock" % RUN, "--unixctl=%s/ovsdb.ctl" % RUN,
           "--pidfile=%s/ovsdb-server.pid" % RUN, "-vconsole:off")
    e2e.until(lambda: os.path.exists(RUN + "/db.sock"), 30)


def start_switch():
    # It takes connections as soon as its socket is there, and knows all commands once it has read the database.
    _start("ovs-vswitchd", SWITCH, "unix:%s/db.sock" % RUN, "--pidfile=%s/ovs-vswitchd.pid" % RUN, "-vconsole:off")
    e2e.until(lambda: subprocess.run(["ovs-appctl", "--timeout=5", "dpif/show"], env=ENV, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode == 0, 30)


def start():
    if not os.path.exists(SWITCH):
        raise Failed("there is no Open vSwitch: make deps")
    os.makedirs(RUN, exist_ok=True)
    if not os.path.exists(RUN + "/conf.db"):
        run("ovsdb-tool", "create", RUN + "/conf.db", SCHEMA)
    start_database()
    run("ovs-vsctl", "--timeout=30", "--no-wait", "init", "--", "set", "Open_vSwitch", ".", "ovs_version=3.1.0", "db-version=8.3.1")
    start_switch()


def stop(name, sig=signal.SIGTERM):
    process = running.pop(name)
    process.send_signal(sig)
    process.wait(30)


def stop_all():
    for name in list(running):
        stop(name, signal.SIGKILL)
    shutil.rmtree(RUN, ignore_errors=True)


def run(*command):
    return ground.run(*command, env=ENV)


def vsctl(*arguments):
    return run("ovs-vsctl", "--timeout=30", *arguments)


def appctl(*arguments):
    return run("ovs-appctl", "--timeout=30", *arguments)


def bridge(name, *more):
    """Adds a bridge whose datapath is in user space."""
    vsctl("add-br", name, "--", "set", "Bridge", name, "datapath_type=netdev", *more)


def stuck(name, method):
    """While a server of Open vSwitch stands still, the method ends with kind timeout, and others are answered at once."""
    running[name].send_signal(signal.SIGSTOP)
    try:
        answers = []
        thread = threading.Thread(target=lambda: answers.append(e2e.Client().ask(method)))
        thread.start()
        for _ in range(20):
            begun = time.monotonic()
            e2e.call("rpc.health")
            want(time.monotonic() - begun < 2, "rpc.health waits too")
            time.sleep(0.1)
        thread.join(60)
        want(answers and "error" in answers[0] and answers[0]["error"]["data"]["kind"] == "timeout", "the answer is %r" % answers)
    finally:
        running[name].send_signal(signal.SIGCONT)


@contextlib.contextmanager
def policy(doors):
    """The policy opens no more than these of Open vSwitch's sockets, for a while: each change starts the helper again."""
    path = "/etc/postern/policy.conf"
    with open(path) as f:
        whole = f.read()
    _policy(path, re.sub(r"(?m)^ovs .*\n", "ovs %s\n" % doors if doors else "", whole))
    try:
        yield
    finally:
        _policy(path, whole)


def _policy(path, text):
    ground.write(path, text)
    old = e2e.processes()["postern-helper"]
    for pid in old:
        os.kill(pid, signal.SIGKILL)


    def back():
        try:
            return set(e2e.processes().get("postern-helper", old)) - set(old) and e2e.call("net.status")["backend"] == "helper"
        except (OSError, Failed):  # a connection that was idle for too long is closed
            return False
    e2e.until(back, 30)


def plain(value):
    """An OVSDB value: a set as a list, a map as a dict, an UUID as its text."""
    if isinstance(value, list) and len(value) == 2 and value[0] == "set":
        return [plain(v) for v in value[1]]
    if isinstance(value, list) and len(value) == 2 and value[0] == "map":
        return {k: plain(v) for k, v in value[1]}
    if isinstance(value, list) and len(value) == 2 and value[0] == "uuid":
        return value[1]
    return value


def table(name):
    """[row] of a table, as ovs-vsctl --format=json shows it."""
    shown = json.loads(vsctl("--format=json", "list", name))
    return [dict(zip(shown["headings"], map(plain, row))) for row in shown["data"]]


def as_list(value):
    return value if isinstance(value, list) else [value]


def nothing_foreign(before, after, ours):
    """Rows of the database that aren't `ours` by name are as they were."""
    for t in before:
        keep = lambda rows: [r for r in rows if r.get("name") not in ours]
        want(keep(before[t]) == keep(after[t]), "table %s changed: %r, %r" % (t, before[t], after[t]))


# ---- traffic -------------------------------------------------------------------------------------------------------------------------------

# A datapath in user space takes packets whose checksum was left to the card for broken ones: the stack is to do it (SIOCETHTOOL, ETHTOOL_STXCSUM).
CHECKSUMS = """
import ctypes, fcntl, socket, struct
value = ctypes.create_string_buffer(struct.pack("II", 0x17, 0))
fcntl.ioctl(socket.socket(socket.AF_INET, socket.SOCK_DGRAM), 0x8946, struct.pack("16sP16x", b"eth0", ctypes.addressof(value)))
"""


class Host:
    """A network namespace with an interface on a bridge of Open vSwitch, for as long as the world lasts."""

    def __init__(self, name, bridge, address):
        self.name, self.address = name, address.partition("/")[0]
        os.makedirs("/run/netns", exist_ok=True)
        ground.run("ip", "netns", "add", name)
        ground.run("ip", "link", "add", "o" + name, "type", "veth", "peer", "name", "eth0", "netns", name)
        ground.run("ip", "link", "set", "o" + name, "up")
        self.run("python3", "-c", CHECKSUMS)
        self.run("ip", "link", "set", "lo", "up")
        self.run("ip", "address", "add", address, "dev", "eth0", *(["nodad"] if ":" in address else []))
        self.run("ip", "link", "set", "eth0", "up")
        vsctl("add-port", bridge, "o" + name)

    def run(self, *command):
        return ground.run("ip", "netns", "exec", self.name, *command)

    def reaches(self, other, count=1):
        return subprocess.run(["ip", "netns", "exec", self.name, "ping", "-n", "-c", str(count), "-i", "0.1", "-W", "1", other.address],
                              stdout=subprocess.DEVNULL).returncode == 0

    def udp(self, other, ports):
        """Sends a datagram from each port to port 9 there."""
        self.run("python3", "-c", "import socket\nfor p in %r:\n s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n s.bind(('', p))\n s.sendto(b'x', (%r, 9))\n" % (list(ports), other.address))


# ---- what Open vSwitch's own tools say ---------------------------------------------------------------------------------------------------------

def datapaths():
    """What dpctl/show says, in net.datapath's words."""
    found = []
    for line in appctl("dpctl/show").splitlines():
        if not line.startswith(" "):
            found.append({"name": line[:-1], "ports": []})
        elif line.startswith("  lookups:"):
            found[-1].update(zip(("hits", "missed", "lost"), map(int, re.findall(r"\w+:(\d+)", line))))
        elif line.startswith("  flows:"):
            found[-1]["flows"] = int(line.split()[1])
        elif line.startswith("  port "):
            number, name, kind = re.fullmatch(r"  port (\d+): (\S+)(?: \((\w+).*)?", line).groups()
            found[-1]["ports"].append(dict({"number": int(number), "name": name}, **({"type": kind} if kind else {})))
    for d in found:
        d["ports"].sort(key=lambda p: p["number"])
    return found


def datapath_flows():
    """{match: (packets, bytes, actions)} as dpctl/dump-flows has them."""
    found = {}
    for line in appctl("dpctl/dump-flows").splitlines():
        m = re.fullmatch(r"(.*), packets:(\d+), bytes:(\d+), used:.*, actions:(.*)", line)
        if m:
            found[m.group(1)] = (int(m.group(2)), int(m.group(3)), m.group(4))
    return found


def _split(text):
    """The members between commas that aren't in parentheses."""
    return re.findall(r"(?:[^,(]|\([^)]*\))+", text)


def _members(text):
    return dict(m.split("=", 1) for m in _split(text) if "=" in m)


def _tuple(text):
    names = {"src": "src", "dst": "dst", "sport": "sport", "dport": "dport", "id": "icmp_id", "type": "icmp_type", "code": "icmp_code", "packets": "packets", "bytes": "bytes"}
    return {names[k]: v if k in ("src", "dst") else int(v) for k, v in _members(text.strip("()")).items()}


def connections(*options, datapath="netdev@ovs-netdev"):
    """Entries as dpctl/dump-conntrack has them, in net.ovs.conntrack's words but for the timeout, which runs."""
    found = []
    for line in appctl("dpctl/dump-conntrack", "-s", datapath, *options).splitlines():
        m = _members(line)
        e = {"datapath": datapath, "proto": line.partition(",")[0], "zone": int(m.get("zone", 0)), "mark": int(m.get("mark", "0"), 0),
             "orig": _tuple(m["orig"]), "reply": _tuple(m["reply"])}
        if "labels" in m:
            e["labels"] = m["labels"]
        if "protoinfo" in m:
            e["state"] = re.search(r"state=(\w+)", m["protoinfo"]).group(1)
        found.append(e)
    return sorted(found, key=repr)


def udp_ports(*options, datapath="netdev@ovs-netdev"):
    """Source ports of the UDP connections that are tracked."""
    return {e["orig"]["sport"] for e in connections(*options, datapath=datapath) if e["proto"] == "udp" and "sport" in e["orig"]}


def sent(near, far, ports, seen):
    """Sends a datagram from each port until seen() has all of them: on a loaded machine some get lost."""
    def all_seen():
        missing = sorted(set(ports) - seen())
        if missing:
            near.udp(far, missing)
        return not missing
    e2e.until(all_seen, 100, 0.2)
