#!/usr/bin/env python3
"""The guest agent's wire: bytes that pin it, requests but for exec, hosts that break it, how many at once."""
import os, resource, sys, time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "lib"))
from agenttest import Agent, alive, check, children, equal, eventually, main, test  # noqa: E402
from guestwire import Gone, NUMBERS, VECTORS, message, pack  # noqa: E402

HELLO = message("hello", version=1, features=0)


@test("the bytes of every message are the ones agents in older images read")
def _(agent):
    for name, fields, wire in VECTORS:
        equal(message(name, **fields), wire)
    c = agent.conn(hello=False)
    c.sock.sendall(VECTORS[0][2] + VECTORS[2][2].replace(b"/caf\xe9", b"/usr/"))
    c.expect("hello")
    c.expect("started")
    equal(c.finish()[1], b"\xff\xfe\xc3\n")


@test("the agent's own bytes are the ones older hosts read")
def _(agent):
    c = agent.conn()
    c.send("exec", argv=[b"sh", b"-c", b"printf '\\377'; exit 3"])
    c.sock.settimeout(5)
    data = b""
    while b"duration_ms" not in data:
        data += c.sock.recv(4096)
    c.send("ack")
    check(data.startswith(bytes.fromhex("920082a776657273696f6e01a8666561747572657301") + bytes.fromhex("920481a3706964")), data.hex())
    check(bytes.fromhex("920781a464617461c401ff" + "920b82a4636f646503ab6475726174696f6e5f6d73") in data, data.hex())


@test("health gives uptime, version and how many commands run")
def _(agent):
    name, fields = agent.request("health")
    equal((name, fields["execs"]), ("healthy", 0))
    check(fields["uptime_ms"] > 0 and fields["agent"], fields)
    conns = [agent.conn() for _ in range(3)]
    for c in conns:
        c.start("sleep", "1000")
    equal(agent.request("health")[1]["execs"], 3)
    for c in conns:
        c.close()
    eventually(lambda: agent.request("health")[1]["execs"] == 0, "they still count")


@test("shutdown is answered before it begins, and passes its grace on")
def _(agent):
    c = agent.conn()
    c.expect("hello")
    c.send("shutdown", reboot=True, grace_ms=250)
    equal(c.next(), ("done", {}))
    equal(agent.said(), "")
    c.send("ack")
    eventually(lambda: agent.said() == "power reboot=1 grace_ms=250\n", "said %r" % agent.said())
    equal(agent.request("shutdown")[0], "done")
    eventually(lambda: agent.said().endswith("power reboot=0 grace_ms=3000\n"), "said %r" % agent.said())


@test("set_time and reseed reach the machine, and its refusal comes back with the errno")
def _(agent):
    equal(agent.request("set_time", unix_ms=1700000000123)[0], "done")
    equal(agent.request("reseed", seed=b"\xab" * 32)[0], "done")
    equal(agent.said(), "set_time 1700000000123\nreseed 32 ab\n")
    name, fields = agent.request("set_time", unix_ms=0)
    equal((name, fields["err"]), ("error", 1))


@test("limits that can't be set are an error, not a command without limits")
def _(agent):
    name, fields = agent.request("exec", argv=[b"true"], memory_mib=16)
    equal((name, fields["err"]), ("error", 95))  # no cgroup v2 of the agent's here


def agent_survives(agent, payload):
    """Sends bytes; the agent must end the connection by itself and serve the next."""
    c = agent.conn(hello=False)
    try:
        c.sock.sendall(payload)
        last = None
        while True:
            last = c.next(8)
            if last[0] == "error":
                c.send("ack")
    except (Gone, BrokenPipeError):
        pass
    equal(agent.request("health")[0], "healthy")
    return last


@test("a host that breaks the protocol is hung up on, and the next is served")
def _(agent):
    exec_ = NUMBERS["exec"]
    for payload in (
            b"\xc1", b"GET / HTTP/1.1\r\n\r\n", b"\xff" * 100,
            message("health"),                                       # no hello
            HELLO + HELLO,                                           # two
            HELLO + pack([99, {}]),                                  # unknown
            HELLO + pack([NUMBERS["started"], {"pid": 1}]),          # a guest's message
            HELLO + pack([NUMBERS["ack"], {}]),                      # no request
            HELLO + pack([exec_, {}]),                               # no argv
            HELLO + pack([exec_, {"argv": []}]),
            HELLO + pack([exec_, {"argv": [b"a\0b"]}]),
            HELLO + pack([exec_, {"argv": ["text"]}]),               # str, not bin
            HELLO + pack([exec_, {"argv": [b"x"], "bogus": 1}]),
            HELLO + pack([exec_, {"env": [], "argv": [b"x"]}]),      # not in the rows' order
            HELLO + pack([exec_, {"argv": [b"x"] * 1025}]),
            HELLO + pack([exec_, {"argv": [b"x"], "tty_rows": 0, "tty_cols": 1}]),
            HELLO + pack([exec_, {"argv": [b"x"], "tty_rows": 24}]),
            HELLO + pack([exec_, {"argv": [b""]}]),
            HELLO + b"\x92\xcc\x03\x80",                             # not the shortest form
            HELLO + b"\x92\x03\x91\x01",
            HELLO + b"\x91" * 70000,                                 # nested
            HELLO + b"\xdd\xff\xff\xff\xff",
            HELLO + b"\xc6\x00\x10\x00\x00" + b"x" * 70000):         # too long
        agent_survives(agent, payload)


@test("a request that can't be read is answered with an error")
def _(agent):
    equal(agent_survives(agent, HELLO + pack([99, {}]))[0], "error")


@test("a host that breaks the protocol in the middle of a command ends the command")
def _(agent):
    for payload in (b"\xc1", message("exec", argv=[b"true"]), pack([NUMBERS["stdin_data"], {"data": b""}]),
                    pack([NUMBERS["signal"], {"number": 65}]), pack([NUMBERS["resize"], {"rows": 0, "cols": 1}])):
        c = agent.conn()
        pid = c.start("sleep", "1000", want_stdin=True)
        c.sock.sendall(payload)
        eventually(lambda: not alive(pid), "the command lives on")


@test("a secret that was agreed on is asked for")
def _(agent):
    secret = "0123456789abcdef0123456789abcdef"
    other = Agent(agent.program, secret=secret)
    try:
        c = other.conn(secret=secret.encode())
        equal(c.request("health")[0], "healthy")
        for wrong in (None, b"x" * 32, secret[:-1].encode() + b"g"):
            c = other.conn(secret=wrong)
            equal(c.request("health")[0], "error")
    finally:
        other.close()


@test("connection 257 is told that there are too many, and is served when one of the others has gone")
def _(agent):
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 4096), hard))
    conns = [agent.conn() for _ in range(256)]
    eventually(lambda: len(children(agent.pid)) == 256, "%d are served" % len(children(agent.pid)), 20)
    c = agent.conn(hello=False)
    c.expect("hello")
    equal(c.expect("error")["err"], 11)
    for c in conns:
        c.close()
    eventually(lambda: len(children(agent.pid)) < 200, "they linger")
    equal(agent.request("health")[0], "healthy")


@test("a host that says nothing is let go of after ten seconds")
def _(agent):
    c = agent.conn(hello=False)
    c.expect("hello")
    began = time.monotonic()
    try:
        c.next(15)
        check(False, "something came")
    except Gone:
        pass
    check(9 < time.monotonic() - began < 13)


main()
