"""Harness of the command line's tests: a daemon that answers what a test tells it to, the sentences, a loop over them."""
import json, os, pty, re, select, socket, subprocess, sys, threading, time, traceback

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.path.abspath(os.environ.get("BUILD", os.path.join(ROOT, "build")))
POSTERN = os.path.join(BUILD, "bin/postern")
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
        raise AssertionError("%.400r, not %.400r" % (got, want))


def main():
    good = True
    for sentence, run in TESTS:
        if len(sys.argv) > 1 and sys.argv[1] not in sentence:
            continue
        result = None
        try:
            run()
        except Skip as e:
            print("ok - %s # SKIP %s" % (sentence, e), flush=True)
            continue
        except Exception as e:
            place = [f for f in traceback.extract_tb(e.__traceback__) if "/e2e/" in f.filename][-1:] or traceback.extract_tb(e.__traceback__)[-1:]
            result = "line %d: %s: %s" % (place[0].lineno, type(e).__name__, e)
        print("ok - " + sentence if result is None else "not ok - %s: %s" % (sentence, " ".join(result.split())), flush=True)
        good = good and result is None
    sys.exit(0 if good else 1)


def rows():
    """{method: (right, {parameter: (kind, need)})}, read from the rows by regular expressions alone."""
    found, text = {}, ""
    for name in sorted(os.listdir(os.path.join(ROOT, "proto/rpc"))):
        with open(os.path.join(ROOT, "proto/rpc", name)) as f:
            text += f.read()
    for id_, method, right in re.findall(r'^METHOD\s*\((\w+),\s*"([\w.]+)",\s*(\w+)', text, re.M):
        params = re.findall(r"^PARAM(?:_LIST)?\s*\(%s,\s*(\w+),\s*(\w+),\s*(\w+)" % id_, text, re.M)
        found[method] = (right, {name: (kind, need) for kind, name, need in params})
    check(len(found) >= 20, "the rows can't be read")
    return found


class Failure(Exception):
    """What a handler raises to have an error answered."""

    def __init__(self, code, message, **data):
        self.error = {"code": code, "message": message}
        if data:
            self.error["data"] = data


class Daemon:
    """Answers JSON-RPC lines on a Unix socket by `answers`: method -> result, or a function of the parameters that gives it."""

    def __init__(self, directory, **answers):
        self.answers = {name.replace("__", "."): a for name, a in answers.items()}
        self.calls = []
        self.path = os.path.join(directory, "rpc.sock")
        if os.path.exists(self.path):
            os.unlink(self.path)
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(self.path)
        self.listener.listen(16)
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                conn = self.listener.accept()[0]
            except OSError:
                return
            threading.Thread(target=self._serve, args=(conn,), daemon=True).start()

    def _serve(self, conn):
        with conn, conn.makefile("rb") as lines:
            for line in lines:
                request = json.loads(line)
                reply = {"jsonrpc": "2.0", "id": request["id"]}
                self.calls.append((request["method"], request.get("params", {})))
                try:
                    answer = self.answers[request["method"]]
                    reply["result"] = answer(request.get("params", {})) if callable(answer) else answer
                except Failure as e:
                    reply["error"] = e.error
                except KeyError:
                    reply["error"] = {"code": -32601, "message": "no such method"}
                if reply.get("result", 0) is None:
                    return  # hangs up instead of an answer
                try:
                    conn.sendall(json.dumps(reply).encode() + b"\n")
                except OSError:
                    return

    def close(self):
        self.listener.close()

    def names(self):
        return [name for name, _ in self.calls]


def environment(daemon=None, **more):
    env = {k: v for k, v in os.environ.items() if k not in ("POSTERN_SOCKET", "NO_COLOR", "XDG_RUNTIME_DIR")}
    env["TERM"] = "xterm"
    if daemon is not None:
        env["POSTERN_SOCKET"] = daemon if isinstance(daemon, str) else daemon.path
    env.update(more)
    return env


def postern(*words, daemon=None, stdin=None, timeout=60, env=None):
    """Runs the command line to its end: (exit code, stdout, stderr), as text."""
    p = subprocess.run([POSTERN, *words], input=(stdin or "").encode(), capture_output=True, timeout=timeout, env=environment(daemon, **(env or {})))
    return p.returncode, p.stdout.decode(errors="replace"), p.stderr.decode(errors="replace")


class Terminal:
    """The command line on a pseudo-terminal of its own."""

    def __init__(self, *words, daemon=None, env=None, rows=24, cols=80):
        import fcntl, struct, termios
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            try:
                fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", rows, cols, 0, 0))
                os.execve(POSTERN, [POSTERN, *words], environment(daemon, **(env or {})))
            finally:
                os._exit(127)
        self.seen = b""

    def resize(self, rows, cols):
        import fcntl, struct, termios
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, cols, 0, 0))

    def type(self, text):
        os.write(self.fd, text)

    def _more(self, end):
        wait = end - time.monotonic()
        if wait <= 0 or not select.select([self.fd], [], [], wait)[0]:
            raise AssertionError("nothing more came after %r" % self.seen[-300:])
        try:
            data = os.read(self.fd, 65536)
        except OSError:
            data = b""
        self.seen += data
        return data != b""

    def until(self, text, seconds=15):
        """Reads until text has been shown; gives all that was shown so far, and forgets it."""
        end = time.monotonic() + seconds
        while text not in self.seen:
            check(self._more(end), "it ended before %r: %r" % (text, self.seen[-300:]))
        seen, self.seen = self.seen, b""
        return seen

    def end(self, seconds=15):
        """Reads to its end: (exit code, everything not yet given out)."""
        limit = time.monotonic() + seconds
        while self._more(limit):
            pass
        code = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        os.close(self.fd)
        return code, self.seen.decode(errors="replace").replace("\r\n", "\n")
