#!/usr/bin/python3
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "..", "lib"))
import socket
import time

import e2e
import ground
from e2e import VM, call, equal, fails, test, want

e2e.enter()


@test("compute.vm.console.endpoint hands out a socket on which the guest's console speaks and listens")
def _():
    with VM("con") as vm:
        endpoint = call("compute.vm.console.endpoint", id="con")
        equal(endpoint["type"], "unix", "the type")
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(10)
            s.connect(endpoint["path"])
            equal(vm.run("sh", "-c", "echo said-on-the-console >/dev/console")["exit_code"], 0, "the exit code")
            seen = b""
            end = time.monotonic() + 10
            while b"said-on-the-console" not in seen and time.monotonic() < end:
                seen += s.recv(4096)
            want(b"said-on-the-console" in seen, "the console shows %r" % seen[-200:])
    fails("compute.vm.console.endpoint", -32000, "not_found", id="con")


def processor_time(pid):
    with open("/proc/%d/stat" % pid) as f:
        fields = f.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def files_limit(pid, soft):
    """Root needs a capability to change the limits of another user's process; that user doesn't."""
    user = str(ground.DAEMON)
    ground.run("setpriv", "--reuid", user, "--regid", user, "--clear-groups", "prlimit", "--pid", str(pid), "--nofile=%s:" % soft)


@test("compute.vm.console.endpoint: out of descriptors, the daemon waits instead of spinning, and takes the connection when there is one again")
def _():
    with VM("con") as vm:
        path = call("compute.vm.console.endpoint", id="con")["path"]
        _, worker = e2e.daemon()
        with open("/proc/%d/limits" % worker) as f:
            old = [line.split()[3] for line in f if line.startswith("Max open files")][0]
        used = max(int(fd) for fd in os.listdir("/proc/%d/fd" % worker)) + 1
        with socket.socket(socket.AF_UNIX) as s:
            files_limit(worker, used)
            holes = used - len(os.listdir("/proc/%d/fd" % worker))
            fill = [socket.socket(socket.AF_UNIX) for _ in range(holes)]
            try:
                for f in fill:
                    f.connect(os.environ["POSTERN_SOCKET"])
                time.sleep(0.3)
                s.connect(path)
                time.sleep(0.2)
                began = processor_time(worker)
                time.sleep(1)
                spent = processor_time(worker) - began
            finally:
                files_limit(worker, old)
                for f in fill:
                    f.close()
            want(spent < 0.3, "it spent %.2f s of a second" % spent)
            s.settimeout(10)
            equal(vm.run("sh", "-c", "echo back >/dev/console")["exit_code"], 0, "the exit code")
            want(s.recv(4096), "nothing comes from the console")


e2e.main()
