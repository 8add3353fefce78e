"""Ground for tests of the RPC interface: raw sockets in both framings, so that nothing between a test and the daemon mends what is sent.

A script that calls main() runs itself under tests/with-daemon; where POSTERN_SOCKET is already set (inside with-daemon, or a daemon
started by hand) it uses that daemon.  Options for with-daemon are given to main().
"""
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
import traceback

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.realpath(__file__))))
DEADLINE = 10.0
tests = []


class Wrong(Exception):
    """A test's finding."""


class Skip(Exception):
    """Why a test can't be run here."""


def test(sentence):
    def add(function):
        tests.append((sentence, function))
        return function
    return add


def check(condition, what="it isn't so"):
    if not condition:
        raise Wrong(str(what))


def equal(got, want):
    if got != want:
        raise Wrong("%r instead of %r" % (got, want))


def path():
    return os.environ["POSTERN_SOCKET"]


def connect():
    s = socket.socket(socket.AF_UNIX)
    s.connect(path())  # without a time limit: with one, a full queue of the listener is an error
    s.settimeout(DEADLINE)
    return s


class Line:
    """A conversation in line framing."""

    def __init__(self):
        self.s = connect()
        self.f = self.s.makefile("rb")

    def send(self, data):
        self.s.sendall(data if isinstance(data, bytes) else data.encode())

    def raw(self, data):
        """Sends a message and gives the answer's text, without its line end."""
        self.send(data)
        self.send("\n")
        return self.read()

    def read(self):
        line = self.f.readline()
        check(line.endswith(b"\n"), "the connection ended instead of an answer")
        return line[:-1].decode()

    def ask(self, data):
        return json.loads(self.raw(data))

    def close(self):
        self.f.close()
        self.s.close()


class Http:
    """A conversation in HTTP."""

    def __init__(self):
        self.s = connect()
        self.f = self.s.makefile("rb")

    def send(self, data):
        self.s.sendall(data if isinstance(data, bytes) else data.encode())

    def read(self, head_only=False):
        """The next answer: status, headers (names in lower case), body."""
        status = self.f.readline().decode()
        check(status.startswith("HTTP/1.1 "), "no answer but %r" % status)
        headers = {}
        while True:
            line = self.f.readline().decode()
            if line == "\r\n":
                break
            name, value = line.rstrip("\r\n").split(": ", 1)
            headers[name.lower()] = value
        body = b"" if head_only else self.f.read(int(headers.get("content-length", 0)))
        return int(status[9:12]), headers, body.decode()

    def post(self, body, target="/", content_type="application/json", extra=""):
        body = body if isinstance(body, bytes) else body.encode()
        head = "POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Type: %s\r\n%sContent-Length: %d\r\n\r\n" % (target, content_type, extra, len(body))
        self.send(head.encode() + body)
        return self.read()

    def raw(self, body):
        """Answer text of a message, "" for none."""
        status, _, text = self.post(body)
        equal(status, 204 if text == "" else 200)
        return text

    def ask(self, body):
        return json.loads(self.raw(body))

    def get(self, target, extra=""):
        self.send("GET %s HTTP/1.1\r\nHost: localhost\r\n%s\r\n" % (target, extra))
        return self.read()

    def close(self):
        self.f.close()
        self.s.close()


def both(function):
    """Runs a test once in each framing."""
    def run():
        for kind in (Line, Http):
            conversation = kind()
            try:
                function(conversation)
            except Wrong as e:
                raise Wrong("%s: %s" % (kind.__name__, e)) from e
            finally:
                conversation.close()
    return run


def call(method, params=None, id_=1, **more):
    """The text of a request."""
    request = {"jsonrpc": "2.0", "method": method, "id": id_, **more}
    if params is not None:
        request["params"] = params
    return json.dumps(request)


def result(method, params=None):
    """Calls a method and gives its result; an error is a finding."""
    c = Line()
    answer = c.ask(call(method, params))
    c.close()
    check("result" in answer, answer)
    return answer["result"]


def error(method, params=None):
    """Calls a method and gives its error; a result is a finding."""
    c = Line()
    answer = c.ask(call(method, params))
    c.close()
    check("error" in answer, answer)
    return answer["error"]


def run_tests():
    failed = 0
    for sentence, function in tests:
        try:
            function()
            print("ok - " + sentence)
        except Skip as e:
            print("ok - %s # SKIP %s" % (sentence, e))
        except Wrong as e:
            failed += 1
            print("not ok - %s: %s" % (sentence, e))
        except Exception:  # a test that breaks is a failed test
            failed += 1
            print("not ok - %s: %s" % (sentence, traceback.format_exc().strip().replace("\n", " | ")))
        sys.stdout.flush()
    return 1 if failed else 0


def main(config=None, acl=None):
    """Runs the tests under a daemon; config and acl are texts of its files."""
    if "POSTERN_SOCKET" in os.environ:
        sys.exit(run_tests())
    with tempfile.TemporaryDirectory(prefix="postern-rpc-") as d:
        command = [os.path.join(TOP, "tests/with-daemon")]
        for option, text in (("--config", config), ("--acl", acl)):
            if text is not None:
                with open(os.path.join(d, option[2:]), "w") as f:
                    f.write(text)
                command += [option, f.name]
        sys.exit(subprocess.run(command + [os.path.realpath(sys.argv[0])]).returncode)


def eventually(condition, seconds=DEADLINE):
    """Waits until condition() is true and gives its value."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        value = condition()
        if value:
            return value
        time.sleep(0.02)
    raise Wrong("it never came true")
