#!/usr/bin/env python3
"""Limits of connections, of time, of size: each refused with an error that says so, and the service goes on."""
import json
import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "lib"))
from rpctest import Http, Line, call, check, connect, equal, eventually, main, test  # noqa: E402

CONFIG = """
[rpc]
max_body_bytes = 8192
max_connections_per_uid = 20
idle_timeout_secs = 2
"""


@test("a connection over the limit of its uid is told so, in its framing, and closed")
def _():
    held = [Line() for _ in range(20)]
    for c in held:
        c.ask(call("rpc.health"))
    extra = Line()
    e = extra.ask(call("rpc.health"))["error"]
    equal((e["code"], e["data"]["kind"]), (-32000, "busy"))
    equal(extra.f.read(1), b"")
    extra.close()
    web = Http()
    equal(web.get("/health")[0], 503)
    web.close()
    for c in held:
        equal(c.ask(call("rpc.health"))["result"], {"status": "ok"})
        c.close()

    def served():
        c = Line()
        answer = c.ask(call("rpc.health"))
        c.close()
        return "result" in answer
    eventually(served)


@test("hundreds of connections over the limit don't keep others from being served")
def _():
    first = Line()
    first.ask(call("rpc.health"))
    flood = [connect() for _ in range(300)]
    equal(first.ask(call("rpc.health"))["result"], {"status": "ok"})
    for s in flood:
        s.close()
    first.close()
    time.sleep(0.3)


@test("a message over the limit of the configuration is refused in both framings")
def _():
    c = Line()
    c.send('{"jsonrpc":"2.0","method":"rpc.health","id":1' + " " * 9000)
    answer = json.loads(c.read())
    equal((answer["error"]["code"], answer["id"]), (-32600, None))
    check("max_body_bytes" in answer["error"]["message"], answer)
    equal(c.f.read(1), b"")
    h = Http()
    equal(h.post(" " * 8193)[0], 413)


@test("a message that never ends is given up after the idle timeout, and the client told")
def _():
    c = Line()
    c.send('{"jsonrpc":')
    check("idle timeout" in c.read())
    h = Http()
    h.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{")
    equal(h.read()[0], 408)


@test("dripping bytes doesn't win time")
def _():
    h = Http()
    begun = time.monotonic()
    h.send("POST / HTTP/1.1\r\nX: ")
    while time.monotonic() - begun < 6:
        h.send("a")
        time.sleep(0.2)
        h.s.settimeout(0.01)
        try:
            if h.f.peek(1):
                break
        except TimeoutError:
            h.f = h.s.makefile("rb")
    h.s.settimeout(5)
    equal(h.read()[0], 408)
    check(time.monotonic() - begun < 5, "it took %.1f s" % (time.monotonic() - begun))


@test("a silent connection is closed after the idle timeout")
def _():
    s = connect()
    begun = time.monotonic()
    equal(s.recv(1), b"")
    check(1.5 < time.monotonic() - begun < 5)


@test("a client that asks and never reads is closed, and costs no one else anything")
def _():
    s = connect()
    s.settimeout(0.2)
    line = (call("rpc.discover") + "\n").encode()
    sent = 0
    try:
        while sent < 20000:
            s.sendall(line)
            sent += 1
    except (TimeoutError, BrokenPipeError, ConnectionResetError):
        pass
    check(sent < 20000, "the daemon took %d requests without an answer read" % sent)
    c = Line()
    begun = time.monotonic()
    equal(c.ask(call("rpc.health"))["result"], {"status": "ok"})
    check(time.monotonic() - begun < 0.5)
    time.sleep(4)
    s.settimeout(5)
    total = 0
    data = b"-"
    while data:
        try:
            data = s.recv(1 << 20)
        except ConnectionResetError:  # it was closed with requests unread
            break
        total += len(data)
    check(total < 16 << 20, "%d bytes had been queued" % total)


main(config=CONFIG)
