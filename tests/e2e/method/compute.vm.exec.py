#!/usr/bin/python3
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "..", "lib"))
import base64
import time

import e2e
from e2e import VM, call, equal, fails, invalid, test, want

e2e.enter()


@test("compute.vm.exec: exit codes, separate outputs, stdin, environment, directory, bytes that aren't UTF-8, limits and time-outs")
def _():
    with VM("ex") as vm:
        done = vm.run("sh", "-c", "echo out; echo err >&2; exit 7")
        equal((done["exit_code"], done["stdout"], done["stderr"], done["stdout_encoding"], done["truncated"], done["timed_out"]), (7, "out\n", "err\n", "utf8", False, False), "a command")
        equal(vm.run("cat", stdin="given\n")["stdout"], "given\n", "what cat says")
        done = vm.run("sh", "-c", "echo $GIVEN; pwd", env={"GIVEN": "value"}, cwd="/tmp")
        equal(done["stdout"], "value\n/tmp\n", "environment and directory")
        done = vm.run("printf", "\\377\\000x")
        equal((done["stdout_encoding"], base64.b64decode(done["stdout"])), ("base64", b"\xff\0x"), "bytes that aren't UTF-8")
        equal(vm.run("/nosuch")["exit_code"], 127, "the exit code of what isn't there")
        equal(vm.run("/etc")["exit_code"], 126, "the exit code of what can't be run")
        done = vm.run("sh", "-c", "kill -9 $$")
        equal((done["exit_code"], done["signal"]), (137, 9), "the end by a signal")
        began = time.monotonic()
        done = vm.run("sleep", "30", timeout_ms=500)
        want(done["timed_out"] and time.monotonic() - began < 10, "after %.1f s: %r" % (time.monotonic() - began, done))
        done = vm.run("sh", "-c", "dd if=/dev/zero bs=1024 count=3000 2>/dev/null | tr '\\0' x")
        equal((done["truncated"], len(done["stdout"])), (True, 1 << 20), "more output than the limit")
        done = vm.run("sh", "-c", "sleep 20 & echo back")
        want(done["stdout"] == "back\n" and done["duration_ms"] < 10000, "with a grandchild that keeps the pipe: %r" % done)
        equal(vm.run("id", "-u")["stdout"], "0\n", "the user")
        invalid("compute.vm.exec", "argv", id="ex")
        invalid("compute.vm.exec", "argv", id="ex", argv="ls")


@test("compute.vm.exec answers 50 commands in a row, each with its own exit code")
def _():
    with VM("row") as vm:
        for n in range(50):
            equal(vm.run("sh", "-c", "exit %d" % n)["exit_code"], n, "the exit code")


@test("compute.vm.exec in a VM that doesn't run is refused, and in none is not_found")
def _():
    with VM("off", start=False):
        fails("compute.vm.exec", -32000, ("invalid_state", "agent_unavailable"), id="off", argv=["true"])
    fails("compute.vm.exec", -32000, "not_found", id="off", argv=["true"])


e2e.main()
