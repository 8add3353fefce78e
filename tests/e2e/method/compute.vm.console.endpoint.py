#!/usr/bin/python3
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "..", "lib"))
import socket
import time

import e2e
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


e2e.main()
