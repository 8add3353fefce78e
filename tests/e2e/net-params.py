#!/usr/bin/python3
"""Every parameter of every net.* method, below, at and above its limits; every write, by a reader.  All of it comes from the rows: a method that is
added is covered from the day it has its row.

tests/e2e/rpc-rows.py tries what is wrong by type and form, for all methods.  Here it is limits, and that each message stands for one fault alone: it
names the parameter, what was given and what is allowed, and no other fault has the same one."""
# LIMIT: 300
import hashlib
import ipaddress
import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "lib"))
import e2e
import ground
import rows
from rpctest import Http, call, check, equal, main, test

NET = {name: m for name, m in rows.TABLES[0].items() if name.startswith("net.")}
KINDS, ENUMS, OBJECTS = rows.TABLES[1:]
ACL = "".join("""
[[group]]
name = "%s"
users = ["token:%s"]
[[ace]]
right = "%s"
groups = ["%s"]
""" % (right, hashlib.sha256(right.encode()).hexdigest(), right, right) for right in ("read", "admin"))
WRITES = [m for m in NET.values() if m.right != "READ"]
SHOWN = 80  # bytes of a value that a message repeats


class By(Http):
    """A caller with this right."""

    def __init__(self, right):
        super().__init__()
        self.header = "Authorization: Bearer %s\r\n" % right

    def tell(self, method, params):
        return json.loads(self.post(call(method, params), extra=self.header)[2])


LONG_IP = "0000:0000:0000:0000:0000:ffff:192.168.100.228"


def address(text):
    """Is it an IP address, or a network where there is a prefix?"""
    try:
        ipaddress.ip_interface(text)
        return True
    except ValueError:
        return False


def text_of(kind, length):
    """A right value of this kind with this many bytes, or None where there is none."""
    good = rows.good_scalar(kind)
    for text in (good[0] * length, good + good[-1] * (length - len(good)), "::", "::/0", LONG_IP, LONG_IP + "/128"):
        right = address(text) if kind.name in ("ip", "cidr", "destination") else text not in rows.SUBTLE.get(kind.name, ())
        if len(text.encode()) == length and rows.matches(kind, text) and right:
            return text
    return None


def limits(field, name):
    """(place, value, is it allowed, what a message says of what is allowed) at and beyond each limit of a parameter's row, and of what is in it."""
    if field.list:
        most = field.max or rows.LIST_MAX
        one = field._replace(list=False, need="REQ")
        if most * (len(json.dumps(rows.good(one))) + 2) < rows.REQUEST_MAX // 2:
            yield name, [rows.good(one)] * most, True, None
            yield name, [rows.good(one)] * (most + 1), False, "a list of at most %d" % most
        for place, value, right, allowed in limits(one, name + "[0]"):
            yield place, [value], right, allowed
    elif field.kind in ENUMS:
        for word in ENUMS[field.kind]:
            yield name, word, True, None
            yield name, word + "x", False, '"%s"' % word
    elif field.kind in OBJECTS:
        for member in OBJECTS[field.kind]:
            for place, value, right, allowed in limits(member, name + "." + member.name):
                yield place, dict(rows.good(field), **{member.name: value}), right, allowed
    else:
        yield from limits_of(KINDS[field.kind], name)


def limits_of(kind, name):
    if kind.cls == "INT":
        for value, right in ((kind.min, True), (kind.max, True), (kind.min - 1, False), (kind.max + 1, False)):
            if -2**63 <= value < 2**63:
                yield name, value, right, kind.allowed
    elif kind.cls == "FLAG":
        for value, right in ((True, True), (False, True), (0, False), ("true", False)):
            yield name, value, right, kind.allowed
    elif kind.cls == "TEXT":
        for length in {kind.min, kind.max} if kind.max < rows.REQUEST_MAX else {kind.min}:
            if text_of(kind, length) is not None:
                yield name, text_of(kind, length), True, kind.allowed
        yield name, "x" * (kind.max + 1), False, kind.allowed
        for wrong in [""] * (kind.min > 0) + rows.SUBTLE.get(kind.name, []):
            yield name, wrong, False, kind.allowed


def asked(method, field, value):
    return dict(rows.example(method), **{field.name: value}, **({"dry_run": True} if method.right != "READ" else {}))


def inner(value, place):
    """What stands at a place such as routes[0].metric of a parameter's value."""
    at = place.replace("[", ".[").split(".")[1:]
    for step in at:
        value = value[int(step[1:-1])] if step.startswith("[") else value[step]
    return value


def every(right):
    for method in NET.values():
        for field in rows.all_params(method):
            if field.name == "dry_run":
                continue
            for place, value, fine, allowed in limits(field, field.name):
                if fine == right:
                    yield method, field, place, value, allowed


@test("the rows have net methods of every kind to try")
def _():
    check(len(NET) >= 25 and len(WRITES) >= 12, "%d net methods, %d of them write" % (len(NET), len(WRITES)))


@test("at its limits every parameter of every net method is taken: what refuses the call then isn't the row of that parameter")
def _():
    admin, tried = By("admin"), 0
    before = e2e.shown()
    for method, field, place, value, allowed in every(True):
        e = admin.tell(method.name, asked(method, field, value)).get("error", {"code": 0, "message": ""})
        by_row = ["was given, allowed is " + words for words in ([allowed] if allowed else ["a list of at most", "one of "])]
        check(e["code"] in (0, -32000) or (e["code"] == -32602 and not any(words in e["message"] for words in by_row)),
              "%s %s = %.100r: %.300s" % (method.name, place, value, e))
        tried += 1
    equal(e2e.shown(), before)
    check(tried > 150, "only %d values" % tried)


@test("beyond its limits every parameter of every net method is refused by a message that names it, what was given and what is allowed")
def _():
    admin, tried = By("admin"), 0
    before = e2e.shown()
    for method, field, place, value, allowed in every(False):
        e = admin.tell(method.name, asked(method, field, value)).get("error", {"code": 0})
        equal((method.name, place, str(value)[:60], e["code"]), (method.name, place, str(value)[:60], -32602))
        detail = e["data"]["detail"]
        given = json.dumps(inner(value, place), separators=(",", ":"), ensure_ascii=False).encode()[:SHOWN].decode(errors="ignore")
        check(detail.startswith('parameter "%s": ' % place), "%s: %s doesn't name %s" % (method.name, detail, place))
        check(given in detail, "%s %s: %.300s doesn't say what was given: %s" % (method.name, place, detail, given))
        check(allowed in detail.partition("allowed is")[2], "%s %s: %.300s doesn't say what is allowed: %s" % (method.name, place, detail, allowed))
        tried += 1
    equal(e2e.shown(), before)
    check(tried > 250, "only %d values" % tried)


@test("two faults of one net method never have the same message")
def _():
    admin = By("admin")
    for method in NET.values():
        said = {}
        for m, field, place, value, _ in every(False):
            if m is not method:
                continue
            message = admin.tell(method.name, asked(method, field, value))["error"]["message"]
            fault = (place, json.dumps(value)[:200])
            check(said.setdefault(message, fault) == fault, "%s: %.100r and %.100r are both answered %.200s" % (method.name, said[message], fault, message))


@test("every net method that writes is refused to a reader, with parameters right or wrong, and nothing changes")
def _():
    reader = By("read")
    before = e2e.shown()
    for method in WRITES:
        complete = {f.name: rows.good(f) for f in method.params}
        for params in (rows.example(method), complete, dict(complete, dry_run=True), {"nonsense": 1}, {}):
            e = reader.tell(method.name, params).get("error", {"code": 0})
            equal((method.name, e["code"], e.get("data", {}).get("needed"), e.get("data", {}).get("held")), (method.name, -32003, method.right.lower(), "read"))
    equal(e2e.shown(), before)


@test("every net method that reads is open to a reader")
def _():
    reader = By("read")
    for method in NET.values():
        if method.right == "READ":
            e = reader.tell(method.name, rows.example(method)).get("error", {"code": -32000})
            equal((method.name, e["code"]), (method.name, -32000))


main(acl=ACL)
