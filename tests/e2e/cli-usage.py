#!/usr/bin/env python3
"""How the command line is called: options into parameters, answers, errors, exit codes."""
import json, os, sys, tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "lib"))
from clitest import Daemon, Failure, Terminal, check, equal, main, postern, test  # noqa: E402

DIRECTORY = tempfile.TemporaryDirectory(prefix="postern-cli-")
BRIDGE = {"name": "pt-br0", "mac": "02:00:00:00:00:01", "mtu": 1500, "up": True, "stp": False, "vlan_filtering": False, "managed": True,
          "addresses": [{"family": "inet", "address": "10.0.0.1", "prefix": 24, "scope": "global", "flags": []}], "ports": []}
VMS = {"vms": [{"id": "web", "state": "Running", "vmm": "qemu", "vcpus": 1, "memory_mib": 256, "pid": 77, "uptime_secs": 3},
               {"id": "db", "state": "StartFailed", "vmm": "qemu", "vcpus": 2, "memory_mib": 1024, "last_error": "bad\x1b]0;evil\x07 thing"}]}


def fails(code, message, **data):
    def handler(_):
        raise Failure(code, message, **data)
    return handler


def daemon(**answers):
    return Daemon(DIRECTORY.name, **answers)


def params_of(*words):
    """What the command line makes of the words, as the daemon gets it."""
    d = daemon(net__bridge__add={"changed": True}, compute__vm__create={"id": "web", "state": "Configured", "changed": True},
               net__vm__delete_tap={"removed": 1, "changed": True}, vol__mount={"changed": True}, compute__vm__exec={"exit_code": 0},
               compute__vm__status={"vm": {}}, net__vm__list={"taps": []})
    code, _, err = postern(*words, daemon=d)
    check(code == 0, "exit %d: %s" % (code, err))
    d.close()
    return d.calls[-1][1]


def refused(*words):
    code, out, err = postern("--socket", "/nonexistent", *words)
    equal((code, out), (2, ""))
    return err


@test("options become parameters of their kinds")
def _():
    equal(params_of("net", "bridge", "add", "--name", "pt-br0", "--mtu=9000", "--stp", "--vlan-filtering=false", "--dry_run"),
          {"name": "pt-br0", "mtu": 9000, "stp": True, "vlan_filtering": False, "dry_run": True})


@test("a word without an option fills the first required parameter")
def _():
    equal(params_of("compute", "vm", "status", "web"), {"id": "web"})


@test("lists are given by repeating an option, by commas, or as JSON")
def _():
    for words in (["--names", "a", "--names", "b"], ["--names", "a,b"], ["--names", '["a", "b"]']):
        equal(params_of("net", "vm", "delete_tap", *words), {"names": ["a", "b"]})


@test("objects are given as key=value,key=value or as JSON, and checked member by member")
def _():
    want = {"name": "web", "disks": [{"image": "a", "readonly": True}, {"path": "data/b"}], "limits": {"pids_max": 64}}
    equal(params_of("compute", "vm", "create", "web", "--disks", "image=a,readonly=true", "--disks", '{"path": "data/b"}', "--limits", "pids_max=64"), want)
    check('has no member "size"' in refused("compute", "vm", "create", "web", "--disks", "size=1"))
    check("--limits" in refused("compute", "vm", "create", "web", "--limits", "pids_max=many"))


@test("maps are given pair by pair, and values may hold commas and equals signs")
def _():
    equal(params_of("compute", "vm", "create", "web", "--labels", "a=1,2", "--labels", "b=c=d"), {"name": "web", "labels": {"a": "1,2", "b": "c=d"}})


@test("what follows -- fills the command of exec, word by word")
def _():
    equal(params_of("compute", "vm", "exec", "web", "--", "sh", "-c", "echo a,b"), {"id": "web", "argv": ["sh", "-c", "echo a,b"]})
    equal(params_of("compute", "vm", "exec", "web", "--env", "A=b", "--argv", "ls", "--argv=[x"), {"id": "web", "env": {"A": "b"}, "argv": ["ls", "[x"]})


@test("pages can be asked for")
def _():
    equal(params_of("net", "vm", "list", "--limit", "5", "--cursor", "pt-7"), {"limit": 5, "cursor": "pt-7"})


@test("wrong usage is said, with what is allowed, and ends with 2")
def _():
    check("no verb or method" in refused("frobnicate"))
    check("net.bridge.add" in refused("net", "bridge2"))
    check("--name is missing" in refused("net", "bridge", "add"))
    check("no such option" in refused("net", "bridge", "add", "--name", "a", "--colour", "red"))
    check("68 to 65535" in refused("net", "bridge", "add", "--name", "a", "--mtu", "1"))
    check("68 to 65535" in refused("net", "bridge", "add", "--name", "a", "--mtu", "1e3"))
    check("true or false" in refused("net", "bridge", "add", "--name", "a", "--stp=yes"))
    check("qemu" in refused("compute", "vm", "create", "a", "--vmm", "xen"))
    check("needs a value" in refused("net", "bridge", "add", "--name"))
    check("given twice" in refused("net", "bridge", "add", "--name", "a", "--name", "b"))
    check("takes no command" in refused("net", "status", "--", "ls"))
    check("needs a command" in refused("run"))
    check("needs a VM and a command" in refused("exec", "web"))
    check("NAME=value" in refused("exec", "-e", "A", "web", "--", "ls"))
    check("line 1" in refused("call", "net.status", '{"a": 1, "a": 2}'))


@test("no daemon is 3, and the message says where one was looked for")
def _():
    for words in (["rpc", "health"], ["call", "rpc.health"], ["run", "--", "true"], ["exec", "web", "--", "true"], ["console", "web"], ["events"], ["logs", "web"]):
        code, out, err = postern("--socket", "/nonexistent/rpc.sock", *words)
        equal((words, code, out), (words, 3, ""))
        check("/nonexistent/rpc.sock" in err, err)


@test("a daemon that hangs up before its answer is 3")
def _():
    d = daemon(rpc__health=None)
    code, _, err = postern("rpc", "health", daemon=d)
    equal(code, 3)
    check("hung up" in err, err)
    d.close()


@test("a failed method is 1, and kind, detail and hint are said")
def _():
    d = daemon(net__status=fails(-32000, "failed", kind="already_exists", detail="there is a pt-br0", hint="choose another name"))
    code, out, err = postern("net", "status", daemon=d)
    equal((code, out), (1, ""))
    equal(err, "postern: net.status: already_exists: there is a pt-br0\nhint: choose another name\n")
    code, out, err = postern("--json", "net", "status", daemon=d)
    equal(json.loads(err)["data"]["kind"], "already_exists")
    d.close()


@test("refused parameters are 2, and missing rights and the policy's refusal are 4")
def _():
    for code, data, want in ((-32602, {}, 2), (-32601, {}, 2), (-32003, {}, 4), (-32001, {}, 4), (-32000, {"kind": "denied_by_policy"}, 4), (-32603, {}, 1)):
        d = daemon(net__status=fails(code, "no", **data))
        equal((code, postern("net", "status", daemon=d)[0]), (code, want))
        d.close()


@test("the socket is that of --socket, else POSTERN_SOCKET, else the user's own")
def _():
    d = daemon(rpc__health={"status": "ok"})
    equal(postern("--socket", d.path, "rpc", "health", daemon="/nonexistent")[0], 0)
    equal(postern("rpc", "health", f"--socket={d.path}")[0], 0)
    equal(postern("rpc", "health", daemon=d)[0], 0)
    os.makedirs(os.path.join(DIRECTORY.name, "postern"), exist_ok=True)
    own = os.path.join(DIRECTORY.name, "postern", "rpc.sock")
    if not os.path.lexists(own):
        os.symlink(d.path, own)
    if not os.path.exists("/run/postern/rpc.sock"):
        equal(postern("rpc", "health", env={"XDG_RUNTIME_DIR": DIRECTORY.name})[0], 0)
    d.close()


@test("call takes JSON from its argument and from standard input")
def _():
    d = daemon(net__status=lambda p: {"got": p})
    equal(json.loads(postern("call", "net.status", '{"a": 1}', daemon=d)[1]), {"got": {"a": 1}})
    equal(json.loads(postern("call", "net.status", daemon=d, stdin=' {"b": [2]}\n')[1]), {"got": {"b": [2]}})
    equal(json.loads(postern("call", "net.status", daemon=d, stdin="")[1]), {"got": {}})
    d.close()


@test("answers are JSON in a pipe and a table on a terminal, and --json wins")
def _():
    d = daemon(compute__vm__list=VMS)
    equal(json.loads(postern("compute", "vm", "list", daemon=d)[1]), VMS)
    code, out = Terminal("compute", "vm", "list", daemon=d, env={"NO_COLOR": "1"}, cols=120).end()
    lines = out.splitlines()
    equal(lines[0].split(), ["ID", "STATE", "VMM", "VCPUS", "MEMORY", "MIB", "PID", "UPTIME", "SECS", "LAST", "ERROR"])
    equal(lines[1].split()[:6], ["web", "Running", "qemu", "1", "256", "77"])
    check(lines[2].startswith("db   StartFailed"), lines)
    code, out = Terminal("compute", "vm", "list", "--json", daemon=d).end()
    equal(json.loads(out), VMS)
    d.close()


@test("a narrow terminal gets fewer columns, and never a line that is too long")
def _():
    d = daemon(compute__vm__list=VMS, net__bridge={"bridges": [BRIDGE]})
    for words in (("compute", "vm", "list"), ("net", "bridge")):
        for cols in (20, 40, 60):
            out = Terminal(*words, daemon=d, env={"NO_COLOR": "1"}, cols=cols).end()[1]
            check(max(map(len, out.splitlines())) <= cols, "%d columns: %r" % (cols, out))
    d.close()


@test("an object is shown line by line, with a table for each list in it")
def _():
    d = daemon(net__bridge__add={"bridge": BRIDGE, "changed": True})
    out = Terminal("net", "bridge", "add", "--name", "pt-br0", daemon=d).end()[1]
    check("changed  yes" in out and "name            pt-br0" in out and "vlan_filtering  no" in out, out)
    check("addresses:" in out and "10.0.0.1" in out, out)
    d.close()


@test("colour is used on terminals alone, and not with NO_COLOR or TERM=dumb")
def _():
    d = daemon(compute__vm__list=VMS)
    check("\x1b[1m" in Terminal("compute", "vm", "list", daemon=d).end()[1])
    for env in ({"NO_COLOR": "1"}, {"TERM": "dumb"}):
        check("\x1b[" not in Terminal("compute", "vm", "list", daemon=d, env=env).end()[1])
    d.close()


@test("what a guest has written can't drive the caller's terminal")
def _():
    d = daemon(compute__vm__list=VMS, compute__vm__logs={"data": "a\x1b[2Jb\u009bc\nd", "next_offset": 9, "size": 9})
    out = Terminal("compute", "vm", "list", daemon=d, env={"NO_COLOR": "1"}, cols=200).end()[1]
    check("\\x1b]0;evil\\x07" in out and "\x1b" not in out, out)
    equal(Terminal("logs", "web", daemon=d, env={"NO_COLOR": "1"}).end()[1], "a\\x1b[2Jb\\x9bc\nd")
    equal(postern("logs", "web", daemon=d)[1], "a\x1b[2Jb\u009bc\nd")
    d.close()


@test("events are shown once, or followed where they left off")
def _():
    event = {"seq": 4, "id": "web", "from": "Starting", "to": "Running", "reason": "requested", "at_unix_ms": 1700000000123}
    drift = {"seq": 5, "topic": "net.drift", "at_unix_ms": 1700000000456, "object": {"kind": "tap", "id": "pt-t0", "expected": "up\n", "n": 3}}
    every = [{"seq": 4, "topic": "vm.state", "at_unix_ms": 1700000000123, "object": event}, drift]
    answers = [{"events": [event], "next_seq": 4, "dropped": 0}, {"events": [], "next_seq": 4, "dropped": 0}]
    d = daemon(compute__vm__events__tail=lambda p: answers[0 if p["since_seq"] == 0 else 1])
    code, out, _ = postern("events", "web", daemon=d)
    equal((code, json.loads(out)), (0, event))
    equal([p for _, p in d.calls], [{"since_seq": 0, "id": "web"}, {"since_seq": 4, "id": "web"}])

    def tail(p):
        if p.get("wait_ms"):
            raise Failure(-32000, "gone", kind="io", detail="end of the test")
        return {"events": every if p["since_seq"] == 0 else [], "next_seq": 5, "dropped": 0}
    d.answers["event.tail"] = tail
    code, out = Terminal("events", "-f", daemon=d, env={"NO_COLOR": "1"}, cols=200).end()
    check(code == 1 and "Starting -> Running" in out and "net.drift            kind=tap id=pt-t0 expected=up\\x0a n=3" in out, (code, out))
    equal([p for _, p in d.calls][-1], {"since_seq": 5, "wait_ms": 30000})
    d.close()


@test("logs are read to their end, however many calls that takes")
def _():
    text = "".join("line %d\n" % i for i in range(100))
    d = daemon(compute__vm__logs=lambda p: {"data": text[p.get("offset", 0):][:100], "next_offset": min(len(text), p.get("offset", 0) + 100), "size": len(text)})
    equal(postern("logs", "web", "--source", "vmm", daemon=d)[1], text)
    check(all(p["source"] == "vmm" for _, p in d.calls), d.calls)
    d.close()


@test("doctor says a line for each check and ends with 1 when one is bad")
def _():
    code, out, _ = postern("--socket", "/nonexistent", "doctor")
    equal(code, 1)
    names = [line.split()[1] for line in out.splitlines()]
    check({"kernel", "landlock", "cgroups", "kvm", "tun", "helper", "policy", "vmm", "tools", "daemon"} <= set(names), names)
    found = json.loads(postern("--socket", "/nonexistent", "doctor", "--json")[1])
    equal([f["name"] for f in found], names)
    check(all(f["hint"] for f in found if f["status"] == "bad"), found)


@test("a full disk under standard output is an error")
def _():
    with open("/dev/full", "w") as full:
        import subprocess
        from clitest import POSTERN
        equal(subprocess.run([POSTERN, "help"], stdout=full, stderr=subprocess.DEVNULL).returncode, 1)


main()
