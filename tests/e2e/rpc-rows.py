#!/usr/bin/python3
"""Every method and every parameter of the rows: refused without the right, refused when wrong, and nothing changes on the host.  All of it
comes from the rows, so a new method is tested from the day it is there."""
# LIMIT: 600
import hashlib
import json
import os
import signal
import sqlite3
import struct
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "lib"))
import e2e
import ground
import rows
from rpctest import Http, Line, Wrong, call, check, equal, eventually, main, test

METHODS = rows.TABLES[0]
READER_UID, ADMIN_UID, STRANGER_UID = 70001, 70002, 70003
REFUSALS = 10  # rows a minute for each identity and method; the rest is counted
TOKENS = {"reader": hashlib.sha256(b"reader").hexdigest(), "writer": hashlib.sha256(b"writer").hexdigest()}
ACL = """
[[group]]
name = "readers"
users = ["uid:%d", "token:%s"]
[[group]]
name = "writers"
users = ["token:%s"]
[[group]]
name = "admins"
users = ["uid:%d"]
[[ace]]
right = "read"
groups = ["readers"]
[[ace]]
right = "write"
groups = ["writers"]
[[ace]]
right = "admin"
groups = ["admins"]
[policy]
anonymous_local = "none"
""" % (READER_UID, TOKENS["reader"], TOKENS["writer"], ADMIN_UID)


class AsUid(Line):
    """Line framing by a process of another uid: the kernel notes the effective uid at connect()."""

    def __init__(self, uid):
        os.setegid(ground.DAEMON)
        os.seteuid(uid)
        try:
            super().__init__()
        finally:
            os.seteuid(0)
            os.setegid(0)

    def tell(self, method, params):
        return self.ask(call(method, params))


class ByToken(Http):
    """HTTP with or without a bearer token."""

    def __init__(self, token=None):
        super().__init__()
        self.extra = "Authorization: Bearer %s\r\n" % token if token else ""

    def tell(self, method, params):
        return json.loads(self.post(call(method, params), extra=self.extra)[2])


# ---- what must stay as it is ---------------------------------------------------------------------------------------------------------------

def database():
    """A whole copy of the daemon's database, which it keeps locked: taken again when it was written to meanwhile."""
    copied = tempfile.mkdtemp(dir=ground.HOME)
    path = os.path.join(copied, "state.db")

    def copy():
        try:
            for name in ("state.db", "state.db-wal"):
                with open(os.path.join(ground.HOME, "state", name), "rb") as f, open(os.path.join(copied, name), "wb") as to:
                    to.write(f.read())
            db = sqlite3.connect(path)
            return db if db.execute("PRAGMA integrity_check").fetchall() == [("ok",)] else None
        except (FileNotFoundError, sqlite3.DatabaseError):  # the log goes when the daemon ends
            return None
    return eventually(copy)


def state():
    """All that a write could change: interfaces, addresses, rules, mounts, jails, and every table but the two trails, audit and events."""
    db = database()
    tables = [n for (n,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT IN ('audit', 'event', 'sqlite_sequence') ORDER BY name")]
    check(len(tables) >= 6, "the tables are %r" % tables)
    content = {t: db.execute("SELECT * FROM %s ORDER BY 1" % t).fetchall() for t in tables}
    disk = [sorted(os.listdir(ground.HOME + d)) for d in ("/jail", "/mnt")]
    return e2e.shown(), content, disk


def unchanged(function):
    """Runs a test in which nothing may change."""
    def run():
        before = state()
        function()
        equal(state(), before)
    return run


def audited(where="1", *values):
    return database().execute("SELECT identity, method, params, result FROM audit WHERE %s ORDER BY seq" % where, values).fetchall()


# ---- rights --------------------------------------------------------------------------------------------------------------------------------

def refused(who, method, code, held):
    """The call, which would be right with the right, is refused for the right alone."""
    answer = who.tell(method.name, rows.example(method))
    check("error" in answer, "%s: %.300s" % (method.name, answer))
    e = answer["error"]
    equal((method.name, e["code"], e["data"]["needed"], e["data"]["held"]), (method.name, code, method.right.lower(), held))
    check(method.name in e["data"]["detail"], e)


def writes():
    return [m for m in METHODS.values() if m.right != "READ"]


@test("there are methods of every kind to try")
def _():
    check(len(METHODS) >= 30 and len(writes()) >= 15 and len(METHODS) > len(writes()), "%d methods, %d of them write" % (len(METHODS), len(writes())))


@test("every method that writes is refused to a reader, known by token or by uid, and nothing changes")
@unchanged
def _():
    for who in (ByToken("reader"), AsUid(READER_UID)):
        for method in writes():
            refused(who, method, -32003, "read")


@test("every method is refused to a caller without a right: -32001 to a stranger, -32003 to a wrong token; nothing changes")
@unchanged
def _():
    for who, code in ((Line(), -32001), (ByToken(), -32001), (ByToken("nonsense"), -32003)):
        who.tell = getattr(who, "tell", None) or (lambda m, p, who=who: who.ask(call(m, p)))
        for method in METHODS.values():
            refused(who, method, code, "none")


@test("a reader may call every method that reads, and a method for admins is refused to a writer")
def _():
    reader, writer = ByToken("reader"), ByToken("writer")
    for method in METHODS.values():
        if method.right == "READ":
            answer = reader.tell(method.name, rows.example(method))
            check(answer.get("error", {}).get("code", -32000) == -32000, "%s: %.300s" % (method.name, answer))
        elif method.right == "ADMIN":
            refused(writer, method, -32003, "write")


@test("a refused caller learns nothing of parameters: wrong ones are refused as right ones are")
def _():
    reader = ByToken("reader")
    for method in writes():
        equal((method.name, reader.tell(method.name, {"nonsense": 1})["error"]["code"]), (method.name, -32003))


@test("the same call by an admin does change the host, so that the refusals above mean something")
def _():
    admin = AsUid(ADMIN_UID)
    before = state()
    made = admin.tell("net.bridge.add", rows.example(METHODS["net.bridge.add"]))
    equal(made.get("result", made).get("changed"), True)
    check(state() != before, "nothing changed")
    gone = admin.tell("net.bridge.delete", {"name": rows.GOOD["ifname"]})
    equal(gone.get("result", gone).get("removed"), True)
    equal(state(), before)


@test("every refused write has its row in the audit: who, which method, with what, and why")
def _():
    kinds = ["token:" + TOKENS["reader"][:8], "uid:%d" % READER_UID]
    for identity in kinds:
        for method in writes():
            def there():
                return audited("identity = ? AND method = ? AND result LIKE 'refused: %'", identity, method.name)
            eventually(there)
            for _, _, params, result in there()[:1]:
                equal((method.name, json.loads(params)), (method.name, {k: "(removed)" if k == "stdin" else v for k, v in rows.example(method).items()}))
                check(identity in result and method.name in result, result)
    strangers = {m for (_, m, _, _) in audited("identity NOT LIKE ? AND identity NOT LIKE ?", *[k + "%" for k in kinds])}
    check(strangers >= {m.name for m in writes()}, "no row of a stranger's %s" % sorted({m.name for m in writes()} - strangers))


@test("notifications are refused in silence: nothing changes, nothing is answered, and the audit has them too")
@unchanged
def _():
    stranger, admin = AsUid(STRANGER_UID), AsUid(ADMIN_UID)
    for method in METHODS.values():
        note = {"jsonrpc": "2.0", "method": method.name, "params": rows.example(method)}
        stranger.send(json.dumps(note) + "\n")
        admin.send(json.dumps(dict(note, params={"nonsense": 1})) + "\n")
    equal(stranger.tell("rpc.health", {})["error"]["code"], -32001)
    equal(admin.tell("rpc.health", {}), {"jsonrpc": "2.0", "result": {"status": "ok"}, "id": 1})
    for uid, why in ((STRANGER_UID, "may not call"), (ADMIN_UID, "unknown parameter")):
        eventually(lambda uid=uid, why=why: {m for (i, m, _, result) in audited("result LIKE ?", "refused: %" + why + "%")
                                             if i.endswith(str(uid))} == {m.name for m in writes()})


@test("a batch of every method by a caller without a right is that many errors")
@unchanged
def _():
    for who, code in ((Line(), -32001), (AsUid(READER_UID), -32003)):
        for answer in who.ask(json.dumps([json.loads(call(m.name, rows.example(m), m.name)) for m in (METHODS.values() if code == -32001 else writes())])):
            equal((answer["id"], answer.get("error", {}).get("code")), (answer["id"], code))


@test("a secret given in the wrong form reaches neither the audit nor the log")
def _():
    admin, secret = AsUid(ADMIN_UID), "hunter2-%d" % os.getpid()
    complete = rows.example(METHODS["compute.vm.exec"])
    for wrong in ({"env": ["PASSWORD=" + secret]}, {"env": {"PASSWORD": [secret]}}, {"env": secret}, {"stdin": [secret]}, {"stdin": {"text": secret}}):
        e = admin.tell("compute.vm.exec", dict(complete, **wrong))["error"]
        equal(e["code"], -32602)
        check(secret in e["message"], "the caller may see it: %s" % e)
    eventually(lambda: len(audited("identity LIKE ? AND params LIKE '%(removed)%'", "%%%d" % ADMIN_UID)) >= 5)
    equal([row for row in audited() if secret in json.dumps(row)], [])
    with open(os.environ["POSTERN_TEST_LOG"]) as f:
        check(secret not in f.read(), "the log holds it")


@test("a refused read has no row in the audit")
def _():
    equal(audited("method IN (%s)" % ",".join("?" * len(METHODS)), *[m.name for m in METHODS.values() if m.right == "READ"] + [""] * len(writes())), [])


# ---- parameters ----------------------------------------------------------------------------------------------------------------------------

def invalid(admin, method, params, names, allowed):
    """-32602, whose data names the parameter and says what would be right."""
    answer = admin.tell(method.name, params)
    if "error" not in answer:
        raise Wrong("%s %.200r was taken: %.200s" % (method.name, params, answer))
    e = answer["error"]
    detail = e.get("data", {}).get("detail", "")
    if e["code"] != -32602 or '"%s"' % names not in detail or allowed not in detail or detail not in e["message"]:
        raise Wrong("%s %.200r: %.400s, which isn't a -32602 that names %s and says %s" % (method.name, params, e, names, allowed))


def names_of(method):
    return ", ".join(f.name for f in rows.all_params(method)) or "none"


@test("right parameters are taken as such, each of them, in a dry run that changes nothing")
@unchanged
def _():
    admin = AsUid(ADMIN_UID)
    for method in METHODS.values():
        for field in rows.all_params(method):
            params = dict(rows.example(method), **{field.name: rows.good(field)})
            if method.right != "READ":
                params["dry_run"] = True
            e = admin.tell(method.name, params).get("error", {"code": 0})
            # Where a row isn't all (a disk without image or path), the error isn't the one of the row's own check.
            check(e["code"] in (0, -32000) or (e["code"] == -32602 and "was given, allowed is" not in e["message"]), "%s %r: %s" % (method.name, params, e))


@test("every value that is wrong by its row, of every parameter and what is in it, is a -32602 that names it and says what would be right")
@unchanged
def _():
    admin, tried = AsUid(ADMIN_UID), 0
    for method in METHODS.values():
        for field in rows.all_params(method):
            for w in rows.wrong(field):
                invalid(admin, method, dict(rows.example(method), **{field.name: w.value}), w.blame, w.allowed)
                tried += 1
    check(tried > 1500, "only %d wrong values" % tried)


@test("null is the same as absent for an optional parameter")
@unchanged
def _():
    admin = AsUid(ADMIN_UID)
    for method in METHODS.values():
        optional = {f.name: None for f in rows.all_params(method) if f.need == "OPT" and f.name != "dry_run"}
        params = dict(rows.example(method), **({"dry_run": True} if method.right != "READ" else {}))
        without, nulls = (admin.tell(method.name, dict(params, **more)) for more in ({}, optional))
        equal((method.name, nulls.get("error", {}).get("code")), (method.name, without.get("error", {}).get("code")))


@test("every required parameter that is missing is named, whatever else is there")
@unchanged
def _():
    admin = AsUid(ADMIN_UID)
    for method in METHODS.values():
        needed = [f for f in method.params if f.need == "REQ"]
        for field in needed:
            params = rows.example(method)
            del params[field.name]
            invalid(admin, method, params, field.name, "is missing, allowed is")
        for none in ({}, [], None) if needed else ():
            if none == [] and len(method.params) > 3:
                continue
            invalid(admin, method, none, needed[0].name, "is missing, allowed is")


@test("an unknown parameter is named, beside those that there are")
@unchanged
def _():
    admin = AsUid(ADMIN_UID)
    for method in METHODS.values():
        known = [f.name for f in rows.all_params(method)]
        strange = ["nonsense", "", "a" * 300, "dry_run ", "é"] + [n.upper() for n in known] + [n + "s" for n in known if n + "s" not in known]
        strange += [n for n in ("dry_run", "limit", "cursor") if n not in known]
        for name in strange:
            invalid(admin, method, dict(rows.example(method), **{name: 1}), name, "allowed: " + names_of(method))


@test("parameters by position: too many, wrong ones, and any at all where there are more than three, are -32602")
@unchanged
def _():
    admin = AsUid(ADMIN_UID)
    for method in METHODS.values():
        listed = [rows.good(f) for f in method.params]
        too_many = admin.tell(method.name, listed + [1])["error"]
        equal((method.name, too_many["code"]), (method.name, -32602))
        check(method.name in too_many["data"]["detail"] and str(len(method.params)) in too_many["data"]["detail"], too_many)
        if len(method.params) > 3:
            check("by name" in admin.tell(method.name, listed)["error"]["data"]["detail"], method.name)
            continue
        for i, field in enumerate(method.params):
            w = next(rows.wrong(field._replace(need="OPT")))
            invalid(admin, method, listed[:i] + [w.value], w.blame, w.allowed)


@test("a number beyond 64 bits is an error that says so, in every parameter that is a number")
@unchanged
def _():
    admin = AsUid(ADMIN_UID)
    for method in METHODS.values():
        for field in rows.all_params(method):
            if field.kind in rows.TABLES[1] and rows.TABLES[1][field.kind].cls == "INT":
                for value in (2**63, -2**63 - 1, 10**40):
                    e = admin.tell(method.name, dict(rows.example(method), **{field.name: value}))["error"]
                    check(e["code"] in (-32602, -32700) and "64 bits" in e["message"], "%s %s: %s" % (method.name, field.name, e))


# ---- the audit as a whole ------------------------------------------------------------------------------------------------------------------

@test("refusals beyond ten a minute are counted, not written, and none is lost when the daemon ends")
def _():
    identity, method, tries = "token:" + TOKENS["writer"][:8], METHODS["net.bridge.delete"], 3 * REFUSALS
    writer = ByToken("writer")
    for _ in range(tries):
        writer.tell(method.name, {"nonsense": 1})
    eventually(lambda: len(audited("identity = ? AND method = ?", identity, method.name)) >= REFUSALS)
    equal(len(audited("identity = ? AND method = ?", identity, method.name)), REFUSALS)
    os.kill(e2e.daemon()[0], signal.SIGTERM)
    more = "refused %d times more" % (tries - REFUSALS)
    eventually(lambda: audited("identity = ? AND method = ? AND result = ?", identity, method.name, more))
    equal(len(audited("identity = ? AND method = ?", identity, method.name)), REFUSALS + 1)


@test("the audit's rows are chained by their hashes, from the first to the last")
def _():
    tail, n = bytes(32), 0
    for at, *texts, have in database().execute("SELECT at_unix_ms, identity, method, params, result, request, hash FROM audit ORDER BY seq"):
        h = hashlib.sha256(tail + struct.pack("<Q", at))
        for text in texts:
            h.update(struct.pack("<Q", len(text.encode())) + text.encode())
        equal((n, have), (n, h.digest()))
        tail, n = have, n + 1
    check(n > 200, "only %d rows" % n)


main(acl=ACL)
