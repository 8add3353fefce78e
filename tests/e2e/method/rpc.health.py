#!/usr/bin/python3
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "..", "lib"))
import http.client
import json
import socket

import e2e
from e2e import call, equal, test, want

e2e.enter()


class Http(http.client.HTTPConnection):
    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(os.environ["POSTERN_SOCKET"])


@test("rpc.health answers ok over lines")
def _():
    equal(call("rpc.health"), {"status": "ok"}, "the result")


@test("rpc.health answers ok over HTTP, three times on one connection")
def _():
    connection = Http("localhost")
    for path in ("/", "/rpc", "/rpc"):
        connection.request("POST", path, b'{"jsonrpc":"2.0","id":1,"method":"rpc.health"}', {"Content-Type": "application/json"})
        answer = connection.getresponse()
        equal((answer.status, json.loads(answer.read())), (200, {"jsonrpc": "2.0", "id": 1, "result": {"status": "ok"}}), "the answer to POST " + path)


@test("GET /health answers 200")
def _():
    connection = Http("localhost")
    connection.request("GET", "/health")
    equal(connection.getresponse().status, 200, "the status")


@test("rpc.health refuses a parameter, and names it")
def _():
    e2e.invalid("rpc.health", "nosuch", nosuch=1)


@test("the command line says ok")
def _():
    code, out, err = e2e.postern("rpc", "health")
    equal(code, 0, "the exit code (%s)" % err.decode())
    want(b"ok" in out, "it says %r" % out)


e2e.main()
