"""Harness of the agent's tests: the agent on a Unix socket (tests/guest/agent_unix), the sentences, a loop over them.

Each file of tests declares functions with @test("sentence") that take an Agent, and ends with main().  They run with the release
objects, and again with those of the sanitizers where $BUILD/san has them.
"""
import os, shutil, signal, subprocess, sys, tempfile, time, traceback

import guestwire

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.path.abspath(os.environ.get("BUILD", os.path.join(ROOT, "build")))
TESTS = []


class Skip(Exception):
    pass


def test(sentence):
    return lambda run: TESTS.append((sentence, run))


def check(condition, why=""):
    if not condition:
        raise AssertionError(why)


def equal(got, want):
    if got != want:
        raise AssertionError("%.300r, not %.300r" % (got, want))


def eventually(condition, why, seconds=5):
    end = time.monotonic() + seconds
    while not condition():
        check(time.monotonic() < end, why)
        time.sleep(0.01)


def alive(pid):
    """True while a process runs; a zombie has ended."""
    try:
        with open("/proc/%d/stat" % pid) as f:
            return f.read().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def children(pid):
    try:
        with open("/proc/%d/task/%d/children" % (pid, pid)) as f:
            return [int(p) for p in f.read().split()]
    except OSError:
        return []


def descendants(pid):
    found = []
    for c in children(pid):
        found += [c] + descendants(c)
    return found


class Agent:
    def __init__(self, program, secret=None, config=None):
        self.dir = tempfile.mkdtemp(prefix="postern-agent-")
        self.path = os.path.join(self.dir, "socket")
        self.out = open(os.path.join(self.dir, "out"), "w+")
        self.err = open(os.path.join(self.dir, "err"), "w+")
        env = {"PATH": os.environ["PATH"], "ASAN_OPTIONS": "detect_leaks=0"}
        if config:
            env["CONFIG"] = config
        self.process = subprocess.Popen([program, self.path] + ([secret] if secret else []), env=env, stdin=subprocess.DEVNULL, stdout=self.out,
                                        stderr=self.err)
        self.program = program
        eventually(self.answers, "the agent doesn't start")

    def answers(self):
        try:
            guestwire.unix(self.path).close()
            return True
        except OSError:
            return False

    @property
    def pid(self):
        return self.process.pid

    def conn(self, **options):
        return guestwire.Conn(guestwire.unix(self.path), **options)

    def run(self, *argv, **options):
        """One exec: (exit's fields, stdout, stderr)."""
        c = self.conn()
        try:
            return c.run(*argv, **options)
        finally:
            c.close()

    def request(self, name, **fields):
        c = self.conn()
        try:
            return c.request(name, **fields)
        finally:
            c.close()

    def said(self):
        self.out.seek(0)
        return self.out.read()

    def close(self):
        """Ends the agent; gives what a sanitizer has said."""
        for p in descendants(self.pid) + [self.pid]:
            try:
                os.kill(p, signal.SIGKILL)
            except ProcessLookupError:
                pass
        self.process.wait()
        self.err.seek(0)
        report = self.err.read()
        shutil.rmtree(self.dir, ignore_errors=True)
        return report if "Sanitizer" in report or "runtime error" in report else ""


def attempt(sentence, run, program):
    agent = None
    try:
        agent = Agent(program)
        run(agent)
        result = None
    except Skip as e:
        if agent:
            agent.close()
        print("ok - %s # SKIP %s" % (sentence, e), flush=True)
        return True
    except Exception as e:  # a test's own bug is a failure with a place
        where = traceback.extract_tb(e.__traceback__)
        place = [f for f in where if f.filename.endswith(".py") and "/e2e/" in f.filename][-1:] or where[-1:]
        result = "line %d: %s: %s" % (place[0].lineno, type(e).__name__, e)
    report = agent.close() if agent else ""
    if report:
        result = (result or "") + " " + report[:1500]
    print("ok - %s" % sentence if result is None else "not ok - %s: %s" % (sentence, " ".join(result.split())), flush=True)
    return result is None


def main():
    programs = [("", os.path.join(BUILD, "tests/guest/agent_unix"))]
    san = os.path.join(BUILD, "san/tests/guest/agent_unix")
    if os.path.exists(san):
        programs.append((" [sanitizers]", san))
    good = True
    for tag, program in programs:
        for sentence, run in TESTS:
            if len(sys.argv) < 2 or sys.argv[1] in sentence:
                good = attempt(sentence + tag, run, program) and good
    sys.exit(0 if good else 1)
