#!/usr/bin/python3
"""Clients that aren't ours: jayson and json-rpc-2.0 in Node, curl, Python's standard library, socat.  Each makes a call, gets an error, sends
a notification and a batch."""
import http.client
import json
import os
import re
import socket
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "lib"))
import e2e
import ground
import npm
from e2e import equal, test, want

npm.install()
e2e.enter()

SOCKET = os.environ["POSTERN_SOCKET"]
CALL = {"jsonrpc": "2.0", "id": 1, "method": "net.interfaces", "params": {"name": "lo"}}
UNKNOWN = {"jsonrpc": "2.0", "id": "u", "method": "no.such"}
WRONG = {"jsonrpc": "2.0", "id": 2, "method": "net.interfaces", "params": {"name": "a b"}}


def note(name):
    return {"jsonrpc": "2.0", "method": "net.bridge.add", "params": {"name": name}}


def result_is_lo(answer):
    equal((answer["jsonrpc"], answer["id"], "error" in answer), ("2.0", 1, False), "the answer %s" % answer)
    equal([i["name"] for i in answer["result"]["interfaces"]], ["lo"], "the interfaces")


def errors(unknown, wrong):
    equal((unknown["id"], unknown["error"]["code"]), ("u", -32601), "an unknown method's")
    equal((wrong["id"], wrong["error"]["code"]), (2, -32602), "a wrong parameter's")
    want('"name"' in wrong["error"]["data"]["detail"], "%s doesn't name the parameter" % wrong)


def batch_is_whole(answers):
    by_id = {a["id"]: a for a in answers}
    equal(len(answers), 3, "the number of answers")
    result_is_lo(by_id[1])
    errors(by_id["u"], by_id[2])


def bridge_came(name):
    """What a notification made; removes it."""
    e2e.until(lambda: name in [b["name"] for b in e2e.call("net.bridge")["bridges"]], 30)

    def gone():
        try:
            return e2e.call("net.bridge.delete", name=name)["removed"]
        except e2e.Error as e:
            equal(e.data.get("kind"), "busy", "the kind of %s" % e)  # the kernel shows it before its maker is through
    e2e.until(gone, 30)


def from_node(script):
    code, out, err = npm.node(script, SOCKET)
    sys.stdout.write(re.sub(r"^(?!(?:not )?ok - ).*\n", "", out, flags=re.M))
    want(code == 0, "%s ended with exit %d: %s" % (script, code, (out + err)[-400:]))
    want(out.count("ok - ") >= 4, "%s ran only %d tests" % (script, out.count("ok - ")))


@test("jayson passes all of its tests")
def _():
    from_node("jayson.mjs")


@test("json-rpc-2.0 passes all of its tests")
def _():
    from_node("json-rpc-2.0.mjs")


# ---- curl ----------------------------------------------------------------------------------------------------------------------------------

def curl(*arguments, body=None):
    """(status, content type, body) of one request."""
    command = ["curl", "-sS", "--max-time", "30", "--unix-socket", SOCKET, "-w", "\n%{http_code} %{content_type}", *arguments]
    if body is not None:
        command += ["-H", "Content-Type: application/json", "--data-binary", "@-"]
    done = subprocess.run(command, input=json.dumps(body), capture_output=True, text=True)
    equal(done.returncode, 0, "curl's exit code (%s)" % done.stderr.strip())
    text, _, last = done.stdout.rpartition("\n")
    status, _, kind = last.partition(" ")
    return int(status), kind, text


@test("curl: a call, errors, a notification (204 and nothing) and a batch")
def _():
    status, kind, text = curl("http://localhost/", body=CALL)
    equal((status, kind.partition(";")[0]), (200, "application/json"), "the head")
    result_is_lo(json.loads(text))
    errors(*[json.loads(curl("http://localhost/rpc", body=b)[2]) for b in (UNKNOWN, WRONG)])
    equal(curl("http://localhost/", body=note("pt-br-curl"))[::2], (204, ""), "the answer to a notification")
    bridge_came("pt-br-curl")
    status, _, text = curl("http://localhost/", body=[CALL, UNKNOWN, note("pt-br-curl"), WRONG])
    equal(status, 200, "the status")
    batch_is_whole(json.loads(text))
    bridge_came("pt-br-curl")


@test("curl: the documents that are there to be read by GET")
def _():
    equal(json.loads(curl("http://localhost/health")[2]), {"status": "ok"}, "/health")
    equal(json.loads(curl("http://localhost/openrpc.json")[2])["openrpc"], "1.3.2", "/openrpc.json")
    status, kind, text = curl("http://localhost/metrics")
    equal((status, text.rstrip().splitlines()[-1]), (200, "# EOF"), "/metrics as %s" % kind)
    equal(curl("http://localhost/nowhere")[0], 404, "/nowhere")


@test("curl: a body too long to be sent at once waits for 100 Continue; a chunked one is taken or told to give its length")
def _():
    call = dict(CALL, padding="x" * 300000)
    status, _, text = curl("-H", "Expect: 100-continue", "http://localhost/", body=call)
    equal(status, 200, "the status")
    result_is_lo(json.loads(text))
    want(curl("-H", "Transfer-Encoding: chunked", "http://localhost/", body=CALL)[0] in (200, 411), "the status of a chunked body")


@test("curl: several requests go over one connection")
def _():
    done = subprocess.run(["curl", "-sS", "-v", "--max-time", "30", "--unix-socket", SOCKET, "http://localhost/health", "http://localhost/health"],
                          capture_output=True, text=True)
    equal((done.returncode, done.stdout.count("ok")), (0, 2), "exit code and answers")
    want(re.search(r"Re-using existing connection", done.stderr), "curl connected twice")


# ---- Python's standard library -------------------------------------------------------------------------------------------------------------

class UnixConnection(http.client.HTTPConnection):
    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(30)
        self.sock.connect(SOCKET)


def posted(connection, body):
    connection.request("POST", "/", json.dumps(body), {"Content-Type": "application/json"})
    answer = connection.getresponse()
    return answer.status, answer.read().decode()


@test("python's http.client: a call, errors, a notification and a batch over one connection")
def _():
    connection = UnixConnection("localhost")
    status, text = posted(connection, CALL)
    equal(status, 200, "the status")
    result_is_lo(json.loads(text))
    first = connection.sock
    errors(*[json.loads(posted(connection, b)[1]) for b in (UNKNOWN, WRONG)])
    equal(posted(connection, note("pt-br-python")), (204, ""), "the answer to a notification")
    bridge_came("pt-br-python")
    batch_is_whole(json.loads(posted(connection, [CALL, UNKNOWN, note("pt-br-python"), WRONG])[1]))
    bridge_came("pt-br-python")
    want(connection.sock is first, "the connection was closed in between")


@test("python's socket and json: a call, errors, a notification and a batch, a line each")
def _():
    with socket.socket(socket.AF_UNIX) as s:
        s.settimeout(30)
        s.connect(SOCKET)
        f = s.makefile("rw")

        def ask(message):
            f.write(json.dumps(message) + "\n")
            f.flush()
            return json.loads(f.readline())
        result_is_lo(ask(CALL))
        errors(ask(UNKNOWN), ask(WRONG))
        f.write(json.dumps(note("pt-br-lines")) + "\n")
        result_is_lo(ask(CALL))  # the very next line
        bridge_came("pt-br-lines")
        batch_is_whole(ask([CALL, UNKNOWN, note("pt-br-lines"), WRONG]))
        bridge_came("pt-br-lines")


# ---- socat ---------------------------------------------------------------------------------------------------------------------------------

def socat(text):
    """What comes back to a pipe that ends behind its last line."""
    done = subprocess.run(["socat", "-t", "30", "-", "UNIX-CONNECT:" + SOCKET], input=text, capture_output=True, text=True, timeout=60)
    equal((done.returncode, done.stderr), (0, ""), "socat's end")
    return done.stdout.splitlines()


@test("socat: lines from a pipe are all answered though the pipe ends behind them")
def _():
    lines = socat("".join(json.dumps(m) + "\n" for m in (CALL, UNKNOWN, note("pt-br-socat"), WRONG, [CALL, UNKNOWN, WRONG])))
    equal(len(lines), 4, "the number of answers in %s" % lines)
    answers = [json.loads(line) for line in lines]
    batch_is_whole(next(a for a in answers if isinstance(a, list)))
    batch_is_whole([a for a in answers if isinstance(a, dict)])
    bridge_came("pt-br-socat")


@test("socat: a last line without a line end is answered too")
def _():
    lines = socat(json.dumps(UNKNOWN) + "\n" + json.dumps(CALL))
    equal(len(lines), 2, "the number of answers in %s" % lines)
    result_is_lo(next(a for a in map(json.loads, lines) if a["id"] == 1))
    # More than are taken at a time.
    lines = socat("\n".join(json.dumps(dict(CALL, id=i)) for i in range(300)))
    equal(sorted(json.loads(line)["id"] for line in lines), list(range(300)), "the answered ids")


@test("socat: a message that the end cuts off is answered as broken")
def _():
    lines = socat(json.dumps(CALL)[:-1])
    equal([(json.loads(line)["id"], json.loads(line)["error"]["code"]) for line in lines], [(None, -32700)], "the answers")


e2e.main()
