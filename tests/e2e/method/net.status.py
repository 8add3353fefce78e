#!/usr/bin/python3
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "..", "lib"))
import e2e
from e2e import call, equal, test, want

e2e.enter()


@test("net.status says pid, uptime, version, mode, backend, hostname and addresses")
def _():
    status = call("net.status")
    want(status["pid"] in e2e.daemon(), "pid %d is neither of %r" % (status["pid"], e2e.daemon()))
    want(0 <= status["uptime_secs"] < 600, "uptime %r" % status["uptime_secs"])
    equal((status["mode"], status["hostname"]), ("native", os.uname().nodename), "mode and hostname")
    equal(e2e.until(lambda: call("net.status")["backend"] == "helper") and call("net.status")["backend"], "helper", "the backend")
    want("198.51.100.2" in status["ips"], "the uplink's address isn't in %r" % status["ips"])
    want("127.0.0.1" not in status["ips"], "the loopback address isn't global")


e2e.main()
