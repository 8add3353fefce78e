#!/usr/bin/env python3
"""The HTTP framing over a raw socket: routes, statuses, keep-alive, pipelining, hostile requests."""
import json
import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "lib"))
from rpctest import Http, Wrong, call, check, equal, main, test  # noqa: E402

HEALTH = call("rpc.health")


def ends(h):
    """The connection is at its end."""
    return h.f.read(1) == b""


@test("a notification is answered 204 without a body, an error of the RPC 200")
def _():
    h = Http()
    status, headers, body = h.post('{"jsonrpc":"2.0","method":"rpc.health"}')
    equal((status, body), (204, ""))
    check("content-length" not in headers and "content-type" not in headers, headers)
    status, headers, body = h.post(call("no.such"))
    equal((status, headers["content-type"]), (200, "application/json"))


@test("JSON-RPC is served at / and at /rpc, with a query or without")
def _():
    h = Http()
    for target in ("/", "/rpc", "/?x=1", "/rpc?"):
        equal(json.loads(h.post(HEALTH, target)[2])["result"], {"status": "ok"})


@test("application/json with parameters and application/json-rpc are taken, other types are 415")
def _():
    for good in ("application/json", "application/json; charset=utf-8", "Application/JSON;charset=UTF-8", "application/json-rpc"):
        equal(Http().post(HEALTH, content_type=good)[0], 200)
    for bad in ("text/plain", "application/x-www-form-urlencoded", "application/jsonx", ""):
        equal(Http().post(HEALTH, content_type=bad)[0], 415)


@test("health, OpenRPC document and metrics are read by GET and HEAD")
def _():
    h = Http()
    equal(h.get("/health")[::2], (200, '{"status":"ok"}'))
    status, headers, body = h.get("/openrpc.json")
    equal((status, headers["content-type"], json.loads(body)["openrpc"]), (200, "application/json", "1.3.2"))
    h.post(HEALTH)
    status, headers, body = h.get("/metrics")
    check(headers["content-type"].startswith("application/openmetrics-text; version=1.0.0"), headers)
    check('postern_requests_total{method="rpc.health",result="ok"}' in body and body.endswith("# EOF\n"), body)
    h.send("HEAD /health HTTP/1.1\r\nHost: h\r\n\r\n")
    status, headers, body = h.read(head_only=True)
    equal((status, headers["content-length"]), (200, "15"))
    equal(h.get("/health")[0], 200)


@test("the metrics' histogram counts every answer once")
def _():
    h = Http()
    before = h.get("/metrics")[2]
    for _ in range(10):
        h.post(call("rpc.whoami"))
    after = h.get("/metrics")[2]

    def count(text):
        return sum(int(line.rsplit(" ", 1)[1]) for line in text.splitlines() if line.startswith('postern_request_seconds_count{method="rpc.whoami"}'))
    equal(count(after) - count(before), 10)


@test("other methods are 405 and say which would do, other paths 404")
def _():
    for method, target, allow in (("GET", "/", "POST"), ("GET", "/rpc", "POST"), ("PUT", "/", "POST"), ("POST", "/health", "GET, HEAD"),
                                  ("DELETE", "/metrics", "GET, HEAD")):
        h = Http()
        h.send("%s %s HTTP/1.1\r\nHost: h\r\n\r\n" % (method, target))
        status, headers, _ = h.read()
        equal((status, headers["allow"]), (405, allow))
    h = Http()
    equal(h.get("/nothing")[0], 404)
    equal(h.get("/health")[0], 200)


@test("a body without its length is 411, chunked or not; too long a one 413 before it is sent")
def _():
    for extra, status in (("", 411), ("Transfer-Encoding: chunked\r\n", 411), ("Content-Length: 1048577\r\n", 413)):
        h = Http()
        h.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\n%s\r\n" % extra)
        equal(h.read()[0], status)


@test("a client that sends a body that is too long still gets to read the 413")
def _():
    h = Http()
    try:
        h.send(b"POST / HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\nContent-Length: 3000000\r\n\r\n" + b" " * 3000000)
    except (BrokenPipeError, ConnectionResetError) as e:
        raise Wrong("the connection broke while the body was sent") from e
    equal(h.read()[0], 413)
    check(ends(h))


@test("requests sent at once are answered in their order on one connection")
def _():
    h = Http()
    one = "POST / HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s"
    bodies = [call("rpc.health", id_=i) for i in range(200)]
    h.send("".join(one % (len(b), b) for b in bodies))
    equal([json.loads(h.read()[2])["id"] for _ in bodies], list(range(200)))


@test("Connection: close and HTTP/1.0 end the connection after the answer, keep-alive keeps it")
def _():
    h = Http()
    status, headers, _ = h.get("/health", "Connection: close\r\n")
    equal((status, headers["connection"]), (200, "close"))
    check(ends(h))
    h = Http()
    h.send("GET /health HTTP/1.0\r\n\r\n")
    equal(h.read()[1]["connection"], "close")
    check(ends(h))
    h = Http()
    for _ in range(2):
        h.send("GET /health HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
        equal(h.read()[1]["connection"], "keep-alive")


@test("Expect: 100-continue is answered before the body is sent")
def _():
    h = Http()
    h.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\nExpect: 100-continue\r\nContent-Length: %d\r\n\r\n" % len(HEALTH))
    equal(h.f.readline(), b"HTTP/1.1 100 Continue\r\n")
    equal(h.f.readline(), b"\r\n")
    h.send(HEALTH)
    equal(h.read()[0], 200)


@test("a head over its limits is refused: request line 414, header line and whole head 431")
def _():
    for head, status in (("GET /" + "a" * 9000, 414), ("GET / HTTP/1.1\r\nHost: h\r\nX: " + "a" * 9000, 431),
                         ("GET / HTTP/1.1\r\nHost: h\r\n" + "X: y\r\n" * 100 + "\r\n", 431),
                         ("GET / HTTP/1.1\r\nHost: h\r\n" + ("X: " + "a" * 8000 + "\r\n") * 5, 431)):
        h = Http()
        h.send(head)
        equal(h.read()[0], status)
        check(ends(h))


@test("requests that two parsers could read differently are 400 and end the connection")
def _():
    smuggled = HEALTH + "GET /health HTTP/1.1\r\nHost: h\r\n\r\n"
    for head in ("Content-Length: 5\r\nContent-Length: 6\r\n", "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", "Content-Length: +5\r\n",
                 "Content-Length : 5\r\n", "Content-Length:\r\n", "X: a\r\n b: c\r\n", "X: \x00\r\n", "Content-Length: 5\n"):
        h = Http()
        h.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\n%s\r\n%s" % (head, smuggled))
        equal(h.read()[0], 400)
        check(ends(h), "a second answer after %r" % head)


@test("a request without Host, of another HTTP version, or of no HTTP is refused in HTTP")
def _():
    for text, status in (("GET /health HTTP/1.1\r\n\r\n", 400), ("PRI * HTTP/2.0\r\n\r\n", 505), ("\x16\x03\x01\x02\x00\x01\r\n\r\n", 400), ("hello\r\n\r\n", 400)):
        h = Http()
        h.send(text)
        status_got, headers, body = h.read()
        equal((status_got, headers["content-type"]), (status, "application/problem+json"))
        equal(json.loads(body)["status"], status)


@test("byte by byte is as good as at once")
def _():
    h = Http()
    for byte in ("POST / HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (len(HEALTH), HEALTH)).encode():
        h.send(bytes([byte]))
        time.sleep(0.0005)
    equal(json.loads(h.read()[2])["result"], {"status": "ok"})


@test("a MiB of body is taken")
def _():
    h = Http()
    equal(h.post(HEALTH + " " * (1048576 - len(HEALTH)))[0], 200)


main()
