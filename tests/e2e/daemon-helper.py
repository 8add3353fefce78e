#!/usr/bin/env python3
"""Who dies and what happens: the table "Death and restart", seen from a client, as far as it goes without a VM.  LIMIT: 180"""
import os
import signal
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "lib"))
from rpctest import Line, Skip, check, call, equal, eventually, main, result, test  # noqa: E402

HELPERS = ("postern-helper", "postern-broker", "postern-net", "postern-vol", "postern-jail", "postern-spawn")


def processes():
    """pid -> (name, parent) of every process that can be seen."""
    found = {}
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open("/proc/%s/status" % pid) as f:
                s = dict(line.rstrip("\n").split(":\t", 1) for line in f if ":\t" in line)
            if not s["State"].startswith("Z"):
                found[int(pid)] = (s["Name"], int(s["PPid"]))
        except OSError:
            pass
    return found


def parent():
    with open(os.environ["POSTERN_TEST_DAEMON_PIDFILE"]) as f:
        return int(f.read())


def children(name_prefix):
    return [pid for pid, (name, of) in processes().items() if of == parent() and name.startswith(name_prefix[:15])]


def worker():
    found = children("posternd")
    return found[0] if found else None


def helper_tree():
    return {name: pid for pid, (name, _) in processes().items() if name in [h[:15] for h in HELPERS]}


def has_helper():
    try:
        return result("net.status")["backend"] == "helper"
    except (OSError, ValueError):
        return False


def serves_within(seconds, changed):
    """The service answers, with a helper, once `changed` says that the dead one was replaced."""
    begun = time.monotonic()
    eventually(lambda: changed() and has_helper(), 15)
    took = time.monotonic() - begun
    check(took < seconds, "it took %.1f s" % took)


@test("the helper is there, and every process of it has its name")
def _():
    if os.getuid() != 0:
        raise Skip("only root may signal the helper")
    eventually(has_helper)
    equal(sorted(helper_tree()), sorted(h[:15] for h in HELPERS))


def killed(name):
    def run():
        eventually(has_helper)
        client, before, daemon = Line(), helper_tree(), worker()
        client.ask(call("rpc.health"))
        time.sleep(1.2)  # the delay before a start doubles while lives are shorter than a second
        os.kill(before[name[:15]], signal.SIGKILL)
        serves_within(2, lambda: helper_tree().get(name[:15]) not in (None, before[name[:15]]))
        equal(worker(), daemon)
        equal(client.ask(call("rpc.health"))["result"], {"status": "ok"})
        check(not set(before.values()) & set(helper_tree().values()), "a process of the old helper is left")
    return run


for process in HELPERS:
    test("when %s is killed the whole helper is replaced, and clients stay connected" % process)(killed(process))


@test("when the worker is killed, worker and helper are replaced")
def _():
    eventually(has_helper)
    time.sleep(1.2)
    before, daemon = helper_tree(), worker()
    os.kill(daemon, signal.SIGKILL)
    serves_within(2, lambda: worker() not in (None, daemon) and helper_tree().get("postern-helper") not in (None, before["postern-helper"]))


@test("when the parent is killed, everything goes with it and the service manager's restart finds the way free")
def _():
    eventually(has_helper)
    before, daemon, old = helper_tree(), worker(), parent()
    os.kill(old, signal.SIGKILL)
    serves_within(8, lambda: parent() != old and worker() not in (None, daemon))
    check(not set(before.values()) & set(helper_tree().values()), "a process of the old helper is left")


main()
