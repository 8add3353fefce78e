#!/usr/bin/python3
"""B: packets that a daemon that has been taken over sends to the broker.

A malformed packet ends the helper with exit 3 and changes nothing; so each case has a helper of its own.  LIMIT: 300"""
import os
import socket
import struct
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "lib"))
import hostile
from hostile import Failed, Helper, OP, Raw, equal, pack, test, want

hostile.enter()
PING = OP["ping"]
_before = None


def malformed(*packets, hello=True, **options):
    """Each packet alone ends a helper with exit 3, and leaves no trace."""
    global _before
    if _before is None:
        _before = hostile.state()
    for packet in packets:
        helper = Helper(hello=hello)
        if not hello:
            equal(helper.receive()[0][0], 0, "the helper's own hello")
        try:
            helper.ends_malformed(packet, **options)
        except Failed as e:
            raise Failed("%s…: %s" % (packet[:40].hex(), e))
        finally:
            helper.close()
        hostile.nothing_of_helper_runs()
    hostile.unchanged(_before)


def args(op, **given):
    return pack([1, OP[op], given])


def arg(op, name, raw):
    """A request with one argument whose value is these bytes."""
    return pack([1, OP[op], {name: Raw(raw)}])


def str_head(code, n):
    return bytes([code]) + n.to_bytes({0xd9: 1, 0xda: 2, 0xdb: 4, 0xc4: 1, 0xc5: 2, 0xc6: 4, 0xdc: 2, 0xdd: 4, 0xde: 2, 0xdf: 4, 0xc7: 1, 0xc8: 2, 0xc9: 4}[code], "big")


@test("B1: an empty packet, one byte, half a header, then the end")
def _():
    malformed(b"", b"\x00", b"\x93", b"\xc1", b"\x93\x01")
    with Helper() as helper:
        helper.sock.shutdown(socket.SHUT_WR)
        helper.silent_end(hostile.EXIT_PEER)


@test("B1: the end of file before the hello is an orderly end")
def _():
    helper = Helper(hello=False)
    helper.sock.close()
    equal(helper.wait(), hostile.EXIT_PEER, "the exit code")
    helper.close()


@test("B2: lengths of 0, 2^16, 2^31 and 2^32-1 that the packet doesn't hold")
def _():
    for code, numbers in ((0xd9, (0, 255)), (0xda, (0, 65535)), (0xdb, (0, 1 << 16, 1 << 31, (1 << 32) - 1))):
        for n in numbers:
            malformed(arg("link_add", "name", str_head(code, n) + b"pt-a"))


@test("B3: lengths smaller and larger than what follows")
def _():
    good = args("link_set", name="pt-a", up=True)
    malformed(good[:-1], good + b"\0", good.replace(b"\xa4pt-a", b"\xa3pt-a"), good.replace(b"\xa4pt-a", b"\xa5pt-a"), good.replace(b"\x82", b"\x83"), good.replace(b"\x82", b"\x81"))


@test("B4: a packet of more than 64 KiB is cut by the kernel, and refused")
def _():
    helper = Helper()
    big = pack([1, PING, {"x": b"y" * 70000}])
    helper.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
    helper.ends_malformed(big)
    helper.close()
    malformed(pack([1, PING, {}]) + b"\0" * (65536 - 4), pack([1, PING, {}]) + b"\0" * (65537 - 4))


@test("B5: a request in two packets is two malformed packets; there is no stream to split")
def _():
    whole = args("link_set", name="pt-a", up=True)
    malformed(*[whole[:n] for n in range(1, len(whole))])


@test("B6: two requests in one packet")
def _():
    malformed(pack([1, PING, {}]) * 2)


@test("B7: arrays and maps nested from 5 to 10,000 deep")
def _():
    for depth in (5, 6, 31, 32, 33, 255, 1000, 10000):
        malformed(arg("link_add", "name", b"\x91" * depth + b"\xc0"), arg("link_add", "name", b"\x81\x00" * depth + b"\xc0"), b"\x91" * depth + b"\xc0")


@test("B8: counts of 2^32-1 in every array, map, str, bin and ext form, with and without content")
def _():
    for code in (0xdb, 0xc6, 0xdd, 0xdf, 0xc9):
        for content in (b"", b"\0" * 60000):
            malformed(arg("link_add", "name", str_head(code, (1 << 32) - 1) + content), bytes([code]) + b"\xff" * 4 + content)
    for code in (0xda, 0xc5, 0xdc, 0xde, 0xc8):
        malformed(arg("link_add", "name", str_head(code, 65535) + b"\0" * 65000)[:65536])
    malformed(arg("links_del", "names", str_head(0xdc, 65) + pack("pt-a") * 65), arg("links_del", "names", str_head(0xdc, 10000) + pack("a") * 10000))


@test("B9: the 150-byte bomb of nested array32, and no memory goes on it")
def _():
    bomb = (b"\xdd\x10\x00\x00\x00" * 30)[:150]
    helper = Helper()
    broker = helper.processes()["postern-broker"]
    before = hostile.status_of(broker)["VmSize"]
    helper.serves()
    equal(hostile.status_of(broker)["VmSize"], before, "the broker's size")
    helper.ends_malformed(bomb)
    helper.close()
    malformed(bomb, arg("link_add", "name", bomb))


@test("B10: bin for str, str for bin, float for int, NaN, infinity, bool for int, int for bool, nil")
def _():
    malformed(
        args("link_set", name=b"pt-a"), args("link_set", name=5), args("link_set", name=True), args("link_set", name=None), args("link_set", name=["pt-a"]),
        args("link_set", name="pt-a", up=1), args("link_set", name="pt-a", up=0), args("link_set", name="pt-a", up="true"), args("link_set", name="pt-a", up=None),
        args("link_set", name="pt-a", mtu=True), args("link_set", name="pt-a", mtu="1500"), args("link_set", name="pt-a", mac="123456"),
        pack([1, OP["link_set"], {"name": "pt-a", "mtu": Raw(b"\xca" + struct.pack(">f", 1500.0))}]),
        pack([1, OP["link_set"], {"name": "pt-a", "mtu": Raw(b"\xcb" + struct.pack(">d", 1500.0))}]),
        pack([1, OP["link_set"], {"name": "pt-a", "mtu": Raw(b"\xcb" + struct.pack(">d", float("nan")))}]),
        pack([1, OP["link_set"], {"name": "pt-a", "mtu": Raw(b"\xcb" + struct.pack(">d", float("inf")))}]),
        pack([1, OP["link_set"], []]), pack([1, OP["link_set"], None]), pack([1, "link_set", {"name": "pt-a"}]), pack(["1", PING, {}]), pack([True, PING, {}]), pack([1, True, {}]),
        pack({"id": 1}), pack("ping"), pack(None), pack(1), pack([]), pack([1]), pack([1, PING]), pack([1, PING, {}, {}]))


@test("B11: integers longer than needed, negative, and the smallest there is")
def _():
    for raw in (b"\xcc\x01", b"\xcd\x00\x01", b"\xce\x00\x00\x00\x01", b"\xcf" + bytes(7) + b"\x01", b"\xcd\x00\xff", b"\xce\x00\x00\xff\xff", b"\xcf" + bytes(4) + b"\xff" * 4,
                b"\xd0\x01", b"\xd1\x00\x01", b"\xd0\xff", b"\xff", b"\xe0", b"\xd3\x80" + bytes(7), b"\xd2\x80\0\0\0"):
        malformed(arg("jail_create", "vmm", raw), pack([Raw(raw), PING, {}]), pack([1, Raw(raw), {}]))
    malformed(pack([1 << 32, PING, {}]), pack([(1 << 64) - 1, PING, {}]), pack([-1, PING, {}]))
    malformed(args("link_set", name="pt-a", mtu=67), args("link_set", name="pt-a", mtu=65536), args("link_set", name="pt-a", mtu=0),
              args("link_add", kind=2, name="pt-a"), args("link_add", kind=(1 << 32) - 1, name="pt-a"), args("link_add", kind=1 << 32, name="pt-a"))


@test("B11: a string, a bin, an array or a map in a longer form than needed")
def _():
    malformed(arg("link_set", "name", b"\xd9\x04pt-a"), arg("link_set", "name", b"\xda\x00\x04pt-a"), arg("link_set", "name", b"\xdb\x00\x00\x00\x04pt-a"),
              b"\xdc\x00\x03\x01" + pack(PING) + b"\x80", b"\xdd\x00\x00\x00\x03\x01" + pack(PING) + b"\x80", b"\x93\x01" + pack(PING) + b"\xde\x00\x00",
              pack([1, OP["link_set"], {"name": "pt-a", "mac": Raw(b"\xc5\x00\x06\x02aaaaa")}]))


@test("B12: keys twice, unknown, missing, out of order, integers")
def _():
    name, up = pack("name") + pack("pt-a"), pack("up") + b"\xc3"
    request = lambda n, body: b"\x93\x01" + pack(OP["link_set"]) + bytes([0x80 | n]) + body
    malformed(request(2, name + name), request(3, name + up + up), request(2, up + name), request(1, up), request(0, b""),
              request(2, name + pack("nosuch") + b"\xc3"), request(1, pack("Name") + pack("pt-a")), request(1, pack("name\0") + pack("pt-a")),
              request(2, name + b"\x05\xc3"), request(1, b"\xc4\x04name" + pack("pt-a")), request(2, name + b"\xc0\xc3"))


@test("B13: invalid UTF-8, NUL, overlong forms, surrogates, byte order marks and control bytes in a name or a text")
def _():
    for raw in (b"\xff", b"\xc3", b"\xc3\x28", b"\xe2\x82", b"\xc0\xaf", b"\xe0\x80\xaf", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xf8\x88\x80\x80\x80", b"\x80", b"\xfe",
                b"a\0b", b"\0", b"\x1b[2J", b"a\nb", b"a\x7f", b"\xc2\x9b", b"\xc2\x80"):
        malformed(pack([1, OP["link_set"], {"name": Raw(hostile.pack_str(b"pt-" + raw))}]), pack([1, OP["tap_create"], {"name": "pt-a", "alias": Raw(hostile.pack_str(raw))}]))
    for text in ("\ufeff", "\u202e", "pt-\u00e9", "pt-\u0430", "pt a"):
        malformed(args("link_set", name=text))


@test("B14: byte 0xc1, every ext form, timestamps")
def _():
    for raw in (b"\xc1", b"\xd4\x01\x00", b"\xd5\x01" + bytes(2), b"\xd6\x01" + bytes(4), b"\xd7\xff" + bytes(8), b"\xd8\x01" + bytes(16), b"\xc7\x00\x01", b"\xc7\x0c\xff" + bytes(12),
                b"\xc8\x00\x00\x01", b"\xc9\x00\x00\x00\x00\x01", b"\xd6\xff" + bytes(4)):
        malformed(raw, arg("link_set", "name", raw), pack([Raw(raw), PING, {}]), pack([1, PING, Raw(raw)]))


@test("B15: bytes after the request")
def _():
    malformed(pack([1, PING, {}]) + b"\0", pack([1, PING, {}]) + b"\xc0", args("link_set", name="pt-a", up=True) + b"\x80")


@test("B16: unknown and reserved operations")
def _():
    malformed(*[pack([1, op, {}]) for op in (len(hostile.OPS), len(hostile.OPS) + 1, 127, 128, 255, 256, 65535, (1 << 32) - 1, (1 << 32) + PING, -1)])


@test("B17: ids may repeat, be 0 in no request but the hello, and be 2^32-1")
def _():
    with Helper() as helper:
        for ident in (1, 1, (1 << 32) - 1, 2, 1):
            equal(helper.ask("ping", ident=ident)[0], "ok", "ping with id %d" % ident)


@test("B18: a daemon that never reads is dropped or waited for, and never fills memory")
def _():
    helper = Helper()
    broker = helper.processes()["postern-broker"]
    before = hostile.status_of(broker)["VmSize"]
    helper.sock.setblocking(False)
    sent, end = 0, time.monotonic() + 2
    while time.monotonic() < end:
        try:
            helper.sock.send(pack([sent % 1000 + 1, PING, {}]))
            sent += 1
        except BlockingIOError:
            time.sleep(0.05)
        except (BrokenPipeError, ConnectionResetError):
            break
    try:
        equal(hostile.status_of(broker)["VmSize"], before, "the broker's size")
    except (FileNotFoundError, ProcessLookupError, KeyError):
        pass  # it has dropped the daemon
    helper.sock.close()
    helper.wait(5)
    helper.close()
    hostile.nothing_of_helper_runs()


@test("B19: 20,000 requests in a row are all answered, in turn")
def _():
    with Helper() as helper:
        flight = answered = asked = limited = 0
        while answered < 20000:
            while flight < 32 and asked < 20000:
                asked += 1
                flight += 1
                helper.send(pack([asked, PING, {}]))
            value, _ = helper.receive()
            want(value is not None, "it closed after %d answers" % answered)
            limited += hostile.STATUS[value[1]] != "ok"
            answered += 1
            flight -= 1
        want(limited == 0 or limited < 20000, "no request was served")
        helper_ok = helper.alive()
        want(helper_ok, "it ended")


@test("B20: a request before the hello, a second hello, and a hello after requests")
def _():
    malformed(pack([1, PING, {}]), hello=False)
    malformed(pack([0, 1, {"rows": hostile.ROWS_HASH}]))


@test("B21: a hello of another version, or of other rows, is refused")
def _():
    other = bytes([hostile.ROWS_HASH[0] ^ 1]) + hostile.ROWS_HASH[1:]
    for packet in (pack([0, 2, {"rows": hostile.ROWS_HASH}]), pack([0, 0, {"rows": hostile.ROWS_HASH}]), pack([0, 1, {"rows": other}]), pack([0, 1, {"rows": other[:31]}]),
                   pack([0, 1, {}]), pack([1, 1, {"rows": hostile.ROWS_HASH}])):
        helper = Helper(hello=False)
        helper.send(packet)
        answers = []
        try:
            while True:
                answer, _ = helper.receive()
                if answer is None:
                    break
                answers.append(answer)
        except ConnectionResetError:
            pass
        want(helper.wait() in (hostile.EXIT_MALFORMED, hostile.EXIT_REFUSED), "exit %d after %s" % (helper.exit, packet.hex()))
        want(len(answers) <= 1, "it answered a stranger")
        helper.close()


@test("B22: a second helper waits for or refuses while the first serves")
def _():
    with Helper() as first:
        second = Helper(hello=False)
        time.sleep(0.3)
        running = second.alive()
        first.serves()
        second.sock.close()
        if running:
            first.sock.close()
            first.wait()
        second.close()
    hostile.nothing_of_helper_runs()


hostile.main()
