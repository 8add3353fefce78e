#!/usr/bin/python3
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "..", "lib"))
import hashlib
import subprocess

import e2e
from e2e import VM, call, equal, fails, test, want

e2e.enter()


@test("compute.vm.exec.endpoint hands out a socket through which the command line streams, with separate outputs and exit codes")
def _():
    with VM("ep") as vm:
        path = call("compute.vm.exec.endpoint", id="ep")["path"]
        want(path.startswith("/run/postern/") and os.path.exists(path), "the path is " + path)
        equal(e2e.postern("exec", "ep", "--", "sh", "-c", "echo out; echo err >&2; exit 7"), (7, b"out\n", b"err\n"), "a command")
        blob = os.urandom(3 << 20)
        code, out, err = e2e.postern("exec", "ep", "--", "sha256sum", stdin=blob)
        equal((code, out.split()[:1]), (0, [hashlib.sha256(blob).hexdigest().encode()]), "what came through stdin (%s)" % err.decode())
        code, out, err = e2e.postern("exec", "ep", "--", "cat", stdin=blob)
        want(code == 0 and out == blob, "3 MB through cat came back as %d bytes, exit %d %s" % (len(out), code, err.decode()))


@test("the endpoint refuses a stranger's uid")
def _():
    with VM("ep2") as vm:
        path = call("compute.vm.exec.endpoint", id="ep2")["path"]
        code = "import socket,sys\ns=socket.socket(socket.AF_UNIX)\ns.settimeout(5)\ntry:\n s.connect(%r)\n sys.exit(0 if not s.recv(1) else 1)\nexcept OSError: sys.exit(0)\n" % path
        equal(subprocess.run(["setpriv", "--reuid", "31337", "--regid", "31337", "--clear-groups", "/usr/bin/python3", "-c", code]).returncode, 0, "whether it was kept out")
    fails("compute.vm.exec.endpoint", -32000, "not_found", id="ep2")


e2e.main()
