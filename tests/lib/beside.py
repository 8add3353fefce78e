"""What goes on beside a long answer: how much memory a process takes, and how fast others are answered."""
import json
import os
import signal
import time

import e2e
from report import equal


def memory(pid):
    """(resident now, most ever) in KiB."""
    with open("/proc/%d/status" % pid) as f:
        fields = dict(line.split(":", 1) for line in f)
    return int(fields["VmRSS"].split()[0]), int(fields["VmHWM"].split()[0])


class Health:
    """A process that asks rpc.health all the time, on a connection of its own, and keeps how long each answer took."""

    def __init__(self):
        self.read, write = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            self.ask(write)
        os.close(write)

    @staticmethod
    def ask(write):
        took, over = [], []
        signal.signal(signal.SIGTERM, lambda *_: over.append(True))
        ask = e2e.Client()
        while not over:
            start = time.monotonic()
            if ask("rpc.health") != {"status": "ok"}:
                os._exit(1)
            took.append(time.monotonic() - start)
            time.sleep(0.001)
        with os.fdopen(write, "w") as f:
            json.dump(took, f)
        os._exit(0)

    def stop(self):
        """How many seconds each answer took, the shortest first."""
        os.kill(self.pid, signal.SIGTERM)
        with os.fdopen(self.read) as f:
            took = json.load(f)
        equal(os.waitpid(self.pid, 0)[1], 0, "the end of the process that asked rpc.health")
        return sorted(took)
