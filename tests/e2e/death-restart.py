#!/usr/bin/python3
"""Death and restart: kill -9 of every process of the host's side, each while a VM runs.  LIMIT: 400"""
import os
import signal
import socket
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "lib"))
import e2e
import ground
from e2e import VM, Client, Failed, call, equal, fails, test, until, want

e2e.enter()
e2e.guest_needed()
ANSWERS = 2.0  # seconds after which the service must answer again
HELPER = ["postern-helper", "postern-broker", "postern-net", "postern-vol", "postern-jail", "postern-spawn"]
OF_A_VM = ("qemu-system-x86", "qemu-system-x86_64", "postern-keeper", "postern-vsock")


def only(name):
    pids = e2e.processes().get(name, [])
    equal(len(pids), 1, "processes called " + name)
    return pids[0]


def vm_process(start):
    found = [(n, p) for n, p in e2e.processes().items() if n.startswith(start)]
    want(len(found) == 1 and len(found[0][1]) == 1, "processes called %s…: %r" % (start, found))
    return found[0][1][0]


def answers(method="rpc.health", **params):
    """The seconds until a new connection gets this method's result."""
    began = time.monotonic()
    while True:
        try:
            client = Client(timeout=5)
            try:
                client(method, **params)
                return time.monotonic() - began
            finally:
                client.close()
        except (OSError, ValueError, Failed) as e:
            if time.monotonic() - began > 15:
                raise Failed("%s doesn't answer: %s" % (method, e))
            time.sleep(0.01)


def whole_service_within(seconds):
    """Reads, and writes that need the helper, work again in time; a first try may find it away."""
    took = answers()
    want(took <= seconds, "rpc.health answered only after %.2f s" % took)
    began = time.monotonic()
    while True:
        try:
            client = Client(timeout=10)
            client("net.bridge.add", name="pt-br-again")
            client("net.bridge.delete", name="pt-br-again")
            client.close()
            break
        except (OSError, ValueError, Failed) as e:
            want(time.monotonic() - began + took <= seconds, "a write works only after more than %g s: %s" % (seconds, e))
            time.sleep(0.02)


def connected():
    """Lets e2e.call() connect anew: the daemon it spoke to is gone."""
    e2e._client = None


def still_there(vm, before):
    """The VM went on: same process, Running, and its agent answers."""
    until(lambda: vm.status()["state"] == "Running", 5)
    equal(vm.status()["pid"], before["pid"], "the keeper's pid")
    done = until(lambda: try_exec(vm), 10)
    equal((done["exit_code"], done["stdout"]), (5, "alive\n"), "what a command in it does")


def try_exec(vm):
    try:
        return vm.run("sh", "-c", "echo alive; exit 5")
    except e2e.Error as e:
        if e.data.get("kind") in ("agent_unavailable", "upstream_unavailable", "interrupted"):
            return None
        raise


_at_start = None


def nothing_left():
    """No process, link, mount, rule or cgroup beyond those that were there before the first VM."""
    until(lambda: not [n for n in e2e.processes() if n.startswith(OF_A_VM)], 5)
    equal(e2e.shown(), _at_start, "links, addresses, rules and mounts")
    left = [os.path.join(d, n) for d, dirs, _ in os.walk(os.environ["POSTERN_TEST_CGROUP"]) for n in dirs]
    equal(left, [], "cgroups")
    equal(os.listdir(ground.HOME + "/jail/qemu") if os.path.isdir(ground.HOME + "/jail/qemu") else [], [], "jails")
    running = e2e.processes()
    for name in HELPER:
        equal(len(running.get(name, [])), 1, "processes called " + name)


class Host:
    """A VM on a bridge with a masqueraded network; all of it gone after the block."""

    def __enter__(self):
        global _at_start
        connected()
        answers()
        until(lambda: call("net.status")["backend"] == "helper", 5)
        if _at_start is None:
            _at_start = e2e.shown()
        call("net.bridge.add", name="pt-br0", address="10.79.0.1/24")
        self.vm = VM("v", nets=[{"bridge": "pt-br0", "nat": True}])
        return self.vm

    def __exit__(self, kind, *_):
        connected()
        try:
            answers()
            self.vm.remove()
            call("net.bridge.delete", name="pt-br0", force=True)
            for rule in call("net.nat.status")["snat"]:
                call("net.nat.remove_snat", id=rule["id"])
            nothing_left()
        except Failed:
            if kind is None:
                raise


@test("kill -9 of the launcher, the broker and each cell: clients stay connected, the service is whole again within 2 s, the VM goes on")
def _():
    with Host() as vm:
        before = vm.status()
        links = e2e.shown()
        client = Client()
        client("rpc.health")
        for victim in HELPER:
            os.kill(only(victim), signal.SIGKILL)
            try:
                whole_service_within(ANSWERS)
                equal(client("rpc.health"), {"status": "ok"}, "what the old connection gets")
            except (OSError, ValueError, Failed) as e:
                raise Failed("after the death of %s: %s" % (victim, e))
            for name in HELPER:
                until(lambda: len(e2e.processes().get(name, [])) == 1, 2)
        still_there(vm, before)
        equal(e2e.shown(), links, "links, addresses, rules and mounts")


@test("an operation in flight when its cell dies fails as interrupted")
def _():
    net = only("postern-net")
    os.kill(net, signal.SIGSTOP)
    got = []
    client = Client(timeout=10)
    thread = threading.Thread(target=lambda: got.append(client.ask("net.bridge.add", {"name": "pt-br7"})))
    thread.start()
    time.sleep(0.3)
    os.kill(net, signal.SIGKILL)
    thread.join(10)
    want(got, "it was never answered")
    equal((got[0].get("error") or {}).get("data", {}).get("kind"), "interrupted", "the kind of %r" % got[0])
    whole_service_within(ANSWERS)
    connected()
    call("net.bridge.delete", name="pt-br7")


@test("kill -9 of posternd's worker: it answers again within 2 s and adopts the VM, which went on")
def _():
    with Host() as vm:
        before = vm.status()
        links = e2e.shown()
        _, worker = e2e.daemon()
        os.kill(worker, signal.SIGKILL)
        whole_service_within(ANSWERS)
        connected()
        still_there(vm, before)
        want(e2e.daemon()[1] != worker, "it is the same process")
        equal(e2e.shown(), links, "links, addresses, rules and mounts")
        equal(len(call("net.vm.list")["taps"]), 1, "managed taps")


@test("kill -9 of posternd's parent: the service manager starts it again, it answers within 2 s and adopts the VM")
def _():
    with Host() as vm:
        before = vm.status()
        links = e2e.shown()
        parent, _ = e2e.daemon()
        os.kill(parent, signal.SIGKILL)
        whole_service_within(ANSWERS)
        connected()
        still_there(vm, before)
        equal(e2e.shown(), links, "links, addresses, rules and mounts")


@test("kill -9 of everything but the VM at once: the VM is adopted all the same")
def _():
    with Host() as vm:
        before = vm.status()
        for pid in [*e2e.daemon(), *[only(n) for n in HELPER]]:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass  # it went with one of those before it
        whole_service_within(ANSWERS)
        connected()
        still_there(vm, before)


def vm_ends(victim, reasons):
    with Host() as vm:
        os.kill(vm_process(victim), signal.SIGKILL)
        began = time.monotonic()
        state = until(lambda: vm.status() if vm.status()["state"] == "Failed" else None, 5)
        want(time.monotonic() - began <= ANSWERS, "Failed only after %.1f s" % (time.monotonic() - began))
        want(state["transitions"][-1]["reason"] in reasons, "the reason is %s" % state["transitions"][-1]["reason"])
        until(lambda: not [n for n in e2e.processes() if n.startswith(OF_A_VM)], 2)
        fails("compute.vm.exec", -32000, ("invalid_state", "agent_unavailable"), id="v", argv=["true"])
        whole_service_within(ANSWERS)
        equal(call("compute.vm.start", id="v")["state"], "Running", "the state after another start")
        equal(vm.run("sh", "-c", "exit 3")["exit_code"], 3, "a command in it")


@test("kill -9 of the keeper: the VM is Failed, everything of it gone, and it can be started again")
def _():
    vm_ends("postern-keeper", ("killed", "vmm_exited"))


@test("kill -9 of postern-vsock: the VM is Failed with vsock_backend_died, everything of it gone")
def _():
    vm_ends("postern-vsock", ("vsock_backend_died",))


@test("kill -9 of QEMU: the VM is Failed with vmm_exited, everything of it gone")
def _():
    vm_ends("qemu-system", ("vmm_exited", "killed"))


@test("a VM that died while posternd was away is demoted when it is back, and nothing of it is left")
def _():
    with Host() as vm:
        parent, worker = e2e.daemon()
        os.kill(worker, signal.SIGSTOP)
        os.kill(vm_process("postern-keeper"), signal.SIGKILL)
        os.kill(worker, signal.SIGKILL)
        whole_service_within(ANSWERS)
        connected()
        until(lambda: vm.status()["state"] in ("Failed", "Stopped"), 5)
        until(lambda: not [n for n in e2e.processes() if n.startswith(OF_A_VM)], 2)


e2e.main()
