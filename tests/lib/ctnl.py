"""Entries of connection tracking, made through ctnetlink as a test wants them.  Needs NET_ADMIN in the test's own network namespace."""
import socket
import struct

NEW, NFNL_CT = 0, 1 << 8
REQUEST, ACK, CREATE, EXCL = 1, 4, 0x400, 0x200
TUPLE_ORIG, TUPLE_REPLY, STATUS, PROTOINFO, TIMEOUT, MARK, ZONE = 1, 2, 3, 4, 7, 8, 18
NESTED = 0x8000
CONFIRMED, SEEN_REPLY, ASSURED = 8, 2, 4
TCP_STATES = ["NONE", "SYN_SENT", "SYN_RECV", "ESTABLISHED", "FIN_WAIT", "CLOSE_WAIT", "LAST_ACK", "TIME_WAIT", "CLOSE", "SYN_SENT2"]


def attr(kind, data):
    return struct.pack("=HH", len(data) + 4, kind) + data + bytes(-len(data) % 4)


def nest(kind, *parts):
    return attr(kind | NESTED, b"".join(parts))


def tuple_of(kind, proto, src, dst, sport, dport):
    six = ":" in src
    ip = [socket.inet_pton(socket.AF_INET6 if six else socket.AF_INET, a) for a in (src, dst)]
    if proto == 1 or proto == 58:  # sport: the echo's id, dport: type and code
        l4 = attr(4 if proto == 1 else 7, struct.pack(">H", sport)) + attr(5 if proto == 1 else 8, bytes([dport >> 8])) + attr(6 if proto == 1 else 9, bytes([dport & 255]))
    else:
        l4 = attr(2, struct.pack(">H", sport)) + attr(3, struct.pack(">H", dport))
    return nest(kind, nest(1, attr(3 if six else 1, ip[0]), attr(4 if six else 2, ip[1])), nest(2, attr(1, bytes([proto])), l4))


def entry(proto, src, dst, sport, dport, timeout=600, mark=0, zone=0, state=None, status=SEEN_REPLY | ASSURED, reply=None):
    """A message that makes one; reply: (src, dst, sport, dport) where it isn't the original turned round."""
    back = reply or (dst, src, *((sport, {0x800: 0, 0x8000: 0x8100}.get(dport, 0)) if proto in (1, 58) else (dport, sport)))
    body = struct.pack("BBH", 10 if ":" in src else 2, 0, 0) + tuple_of(TUPLE_ORIG, proto, src, dst, sport, dport) + tuple_of(TUPLE_REPLY, proto, *back)
    body += attr(STATUS, struct.pack(">I", status | CONFIRMED)) + attr(TIMEOUT, struct.pack(">I", timeout)) + attr(MARK, struct.pack(">I", mark))
    if state is not None:
        body += nest(PROTOINFO, nest(1, attr(1, bytes([TCP_STATES.index(state)])), attr(4, b"\x0a\x0a"), attr(5, b"\x0a\x0a")))
    if zone:
        body += attr(ZONE, struct.pack(">H", zone))
    return struct.pack("=IHHII", len(body) + 16, NFNL_CT | NEW, REQUEST | CREATE | EXCL, 0, 0) + body


def put(messages):
    """Hands them to the kernel; an error of any is raised."""
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 12) as s:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        at = 0
        while at < len(messages):
            s.send(b"".join(messages[at:at + 500]))
            at += 500
            try:
                answer = s.recv(65536, socket.MSG_DONTWAIT)
            except BlockingIOError:
                continue
            error = -struct.unpack_from("=i", answer, 16)[0]
            raise OSError(error, "ctnetlink")


def many(count, zone=0, mark=0):
    """So many UDP flows, no two alike."""
    put([entry(17, "10.%d.%d.%d" % (16 + (n >> 16), n >> 8 & 255, n & 255), "192.0.2.1", 1024 + n % 60000, 53, timeout=6000, zone=zone, mark=mark) for n in range(count)])
