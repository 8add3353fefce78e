#!/usr/bin/python3
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "..", "lib"))
import contextlib
import signal
import subprocess
import time

import e2e
import ground
from e2e import Failed, call, equal, test, until, want

e2e.enter()
NAMES = ["helper", "store", "fights", "restore", "forwarding", "conntrack", "uplinks", "default_route", "drift", "bridge_ports", "dns", "forward_policy"]
WORSE = ["ok", "degraded", "failed"]


def health():
    """{name: check}, after a look at the whole."""
    answer = call("net.health")
    checks = {c["name"]: c for c in answer["checks"]}
    equal(sorted(checks), sorted(NAMES), "the checks")
    equal(answer["status"], max((c["status"] for c in checks.values()), key=WORSE.index), "the status")
    for c in checks.values():
        equal("hint" in c, c["status"] != "ok", "whether %r has a hint" % c)
        want(c["message"], c)
    return checks


def becomes(name, status, *words):
    """The check comes to that status within a while; its message and hint say all these words."""
    def there():
        check = health()[name]
        return check if check["status"] == status else None
    try:
        check = until(there, 20)
    except Failed:
        raise Failed("%s isn't %s: %r" % (name, status, health()[name]))
    for word in words:
        want(word in check["message"] + " " + check.get("hint", ""), "%r doesn't say %r" % (check, word))


@contextlib.contextmanager
def stopped(program):
    pid = e2e.processes()[program][0]
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


@contextlib.contextmanager
def instead(path, text):
    """Another file in the place of one that the test can't change."""
    other = "/run/instead-" + os.path.basename(path)
    ground.write(other, text)
    ground.run("mount", "--bind", other, path)
    try:
        yield other
    finally:
        ground.run("umount", path)


@test("net.health is ok where there is a way out, and says of each thing what it has seen")
def _():
    ground.run("ip", "route", "replace", "default", "via", ground.OUTSIDE)
    for name in NAMES:
        if name != "dns":
            becomes(name, "ok")


@test("net.health: no default route")
def _():
    ground.run("ip", "route", "del", "default")
    becomes("default_route", "degraded", "no route leads to the Internet", "net.routes.add")
    ground.run("ip", "route", "add", "blackhole", "default")
    becomes("default_route", "degraded")
    ground.run("ip", "route", "del", "blackhole", "default")
    ground.run("ip", "route", "add", "default", "via", ground.OUTSIDE)
    becomes("default_route", "ok", "IPv4")


@test("net.health: an uplink that is down, and one that isn't there")
def _():
    ground.run("ip", "link", "set", ground.UPLINK, "down")
    becomes("uplinks", "failed", ground.UPLINK + " is down", "policy.conf")
    ground.run("ip", "link", "set", ground.UPLINK, "name", "gone0")
    becomes("uplinks", "failed", ground.UPLINK + " isn't there")
    ground.run("ip", "link", "set", "gone0", "name", ground.UPLINK)
    ground.run("ip", "link", "set", ground.UPLINK, "up")
    ground.run("ip", "route", "replace", "default", "via", ground.OUTSIDE)
    becomes("uplinks", "ok")


@test("net.health: resolv.conf that can't be read, and one that names nobody")
def _():
    resolv = os.path.realpath("/etc/resolv.conf")
    with instead(resolv, "nameserver 192.0.2.53\n") as other:
        becomes("dns", "ok", "192.0.2.53")
        os.chmod(other, 0o600)
        becomes("dns", "degraded", "can't be read", "readable")
        os.chmod(other, 0o644)
    with instead(resolv, "search example.net\n"):
        becomes("dns", "degraded", "names no server", "/etc/resolv.conf")


@test("net.health: connection tracking's table near its limit, and at it")
def _():
    limit = "/proc/sys/net/netfilter/nf_conntrack_"
    with instead(limit + "max", "1000\n"):
        with instead(limit + "count", "899\n"):
            becomes("conntrack", "ok", "899 of at most 1000")
        with instead(limit + "count", "900\n"):
            becomes("conntrack", "degraded", "900 of at most 1000", "nf_conntrack_max")
        with instead(limit + "count", "1000\n"):
            becomes("conntrack", "failed", "full")


@test("net.health: forwarding that a translation needs and that somebody turned off")
def _():
    call("net.bridge.add", name="pt-br0", address="10.75.0.1/24")
    call("net.nat.add_snat", source="10.75.0.0/24")
    becomes("forwarding", "ok")
    with stopped("postern-net"):
        with open("/proc/sys/net/ipv4/ip_forward", "w") as f:
            f.write("0")
        becomes("forwarding", "failed", "net.ipv4.ip_forward is 0", "/etc/sysctl.d")
        becomes("drift", "degraded", "net.ipv4.ip_forward", "net.verify")
    becomes("forwarding", "ok")
    becomes("drift", "ok")


@test("net.health: another tool's chain that drops what is forwarded, as Docker's does")
def _():
    ground.run("nft", "add", "table", "ip", "filter")
    ground.run("nft", "add", "chain", "ip", "filter", "FORWARD", "{ type filter hook forward priority 0 ; policy drop ; }")
    becomes("forward_policy", "degraded", "chain FORWARD of table ip filter", "DOCKER-USER")
    ground.run("nft", "delete", "table", "ip", "filter")
    becomes("forward_policy", "ok")


@test("net.health: a helper that isn't there, or doesn't answer")
def _():
    with stopped("postern-net"):
        becomes("forward_policy", "degraded", "couldn't be read", "helper")
        becomes("drift", "degraded", "couldn't be looked at")
    launcher = ground.HOME + "/bin/posternd"
    want(os.path.exists(launcher), launcher)
    helper = "/usr/libexec/postern/postern-helper"
    os.rename(helper, helper + ".away")
    try:
        os.kill(e2e.processes()["postern-broker"][0], signal.SIGKILL)
        becomes("helper", "failed", "isn't there", "log")
    finally:
        os.rename(helper + ".away", helper)
    becomes("helper", "ok")
    becomes("drift", "ok")


@test("net.health: state that can't be written, and little room for it")
def _():
    place = subprocess.run(["findmnt", "-n", "-o", "TARGET", "-T", ground.HOME + "/state"], stdout=subprocess.PIPE, text=True, check=True).stdout.strip()
    st = os.statvfs(place)
    used, size = (st.f_blocks - st.f_bfree) * st.f_frsize, st.f_blocks * st.f_frsize
    fill = ground.HOME + "/fill"
    try:
        ground.run("mount", "-o", "remount,size=%d" % (used + (4 << 20)), place)
        becomes("store", "degraded", "KiB are free", "room")
        with open(fill, "wb", buffering=0) as f:
            with contextlib.suppress(OSError):
                while f.write(bytes(4096)):
                    pass
        until(lambda: refused_for_room(), 20)
        becomes("store", "failed", "can't be written", "room")
    finally:
        ground.run("mount", "-o", "remount,size=%d" % size, place)
        os.unlink(fill)
    call("net.bridge.add", name="pt-br8")
    becomes("store", "ok")


def refused_for_room():
    """A write that makes the database's log longer fails at last."""
    try:
        call("net.bridge.add", name="pt-br9")
        call("net.bridge.delete", name="pt-br9")
    except Failed as e:
        return "No space" in str(e)


@test("net.health: what the daemon's start couldn't put back")
def _():
    os.kill(e2e.daemon()[1], signal.SIGSTOP)
    ground.run("ip", "link", "del", "pt-br0")
    ground.run("ip", "link", "add", "pt-br0", "type", "bridge")  # another's, under a name of ours
    os.kill(e2e.daemon()[1], signal.SIGKILL)
    until(answers, 30)
    becomes("restore", "degraded", "pt-br0", "log")
    becomes("drift", "degraded", "pt-br0")
    ground.run("ip", "link", "del", "pt-br0")
    becomes("drift", "ok")
    equal(health()["restore"]["status"], "degraded", "restore, until the next start")
    os.kill(e2e.daemon()[1], signal.SIGKILL)
    until(answers, 30)
    becomes("restore", "ok")


def answers():
    try:
        return call("rpc.health")
    except (OSError, Failed):
        return None


@test("net.health: something that another tool changes again and again")
def _():
    end = time.monotonic() + 60
    while health()["fights"]["status"] == "ok" and time.monotonic() < end:
        subprocess.run(["ip", "address", "del", "10.75.0.1/24", "dev", "pt-br0"], stderr=subprocess.DEVNULL)
        time.sleep(0.1)
    becomes("fights", "degraded", "pt-br0 10.75.0.1/24", "Find the tool")


@test("net.health: a bridge that is almost full of ports")
def _():
    ground.run("ip", "link", "add", "other0", "type", "bridge")
    lines = ["link add p%d type veth peer name q%d\nlink set p%d master other0\nlink set q%d master other0\n" % (i, i, i, i) for i in range(480)]
    subprocess.run(["ip", "-batch", "-"], input="".join(lines), text=True, check=True)
    becomes("bridge_ports", "degraded", "other0 has 960 of 1023 ports", "another bridge")
    ground.run("ip", "link", "set", "p0", "nomaster")
    becomes("bridge_ports", "ok")


e2e.main()
