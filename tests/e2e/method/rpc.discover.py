#!/usr/bin/python3
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "..", "lib"))
import glob
import json
import re

import e2e
import ground
from e2e import call, equal, test, want

e2e.enter()
document = call("rpc.discover")


@test("rpc.discover answers an OpenRPC 1.3.2 document with what the specification requires")
def _():
    equal(document["openrpc"], "1.3.2", "openrpc")
    want(document["info"]["title"] and document["info"]["version"], "info is %r" % document["info"])
    for method in document["methods"]:
        want(re.fullmatch(r"[\w.]+", method["name"]), "a method is called %r" % method["name"])
        names = [p["name"] for p in method["params"]]
        equal(len(names), len(set(names)), "the parameters of " + method["name"])
        for parameter in method["params"]:
            want("schema" in parameter, "%s of %s has no schema" % (parameter["name"], method["name"]))
        required = [bool(p.get("required")) for p in method["params"]]
        equal(required, sorted(required, reverse=True), "required parameters of %s, which come first" % method["name"])
        want("name" in method["result"] and "schema" in method["result"], "the result of " + method["name"])
        want("x-right" in method, method["name"] + " has no right")


@test("every reference in the document leads somewhere in it")
def _():
    def walk(node):
        if isinstance(node, dict):
            if "$ref" in node:
                at = document
                for part in node["$ref"].lstrip("#/").split("/"):
                    want(part in at, "%s leads nowhere" % node["$ref"])
                    at = at[part]
            for child in node.values():
                walk(child)
        elif isinstance(node, list):
            for child in node:
                walk(child)
    walk(document)


@test("the document, the rows and the command line's help name the same methods")
def _():
    rows = sorted(m for p in glob.glob(os.path.join(ground.TOP, "proto", "rpc", "*.def")) for m in re.findall(r'^METHOD\s*\(\w+,\s*"([\w.]+)"', open(p).read(), re.M))
    equal(sorted(m["name"] for m in document["methods"]), rows, "the methods")
    code, out, err = e2e.postern("help", "methods")
    equal(code, 0, "the exit code of postern help methods (%s)" % err.decode())
    listed = set(re.findall(r"^\s*([a-z]+(?:\.[a-z_]+)+)\b", out.decode(), re.M))
    equal(sorted(listed & set(rows)), rows, "the methods that help lists")


@test("GET /openrpc.json answers the same document")
def _():
    import http.client
    import socket
    connection = http.client.HTTPConnection("localhost")
    connection.sock = socket.socket(socket.AF_UNIX)
    connection.sock.connect(os.environ["POSTERN_SOCKET"])
    connection.request("GET", "/openrpc.json")
    equal(json.loads(connection.getresponse().read()), document, "the document")


e2e.main()
