"""The guest wire for tests: its own small msgpack, client of an agent, and literal bytes that pin the wire.

Nothing here comes from proto/: message numbers, field order and encodings are written down again, so that a change of the rows that
would cut off older agents fails a test.
"""
import select, socket, struct, time

NUMBERS = {name: i for i, name in enumerate(
    "hello health healthy exec started stdin_data stdin_eof stdout_data stderr_data signal resize exit ack error done shutdown set_time "
    "reseed stdin_taken".split())}
STDIN_WINDOW = 131072  # feature bit 0
NAMES = {i: name for name, i in NUMBERS.items()}
# The order of the rows: it is the only one that is accepted.
FIELDS = {
    "hello": "version features secret",
    "exec": "argv env env_clear cwd user uid gid tty_rows tty_cols want_stdin timeout_ms memory_mib pids detach tag",
    "stdin_data": "data", "signal": "number", "resize": "rows cols", "shutdown": "reboot grace_ms", "set_time": "unix_ms", "reseed": "seed",
}

# (message, fields, bytes).  Texts of command lines are bin: they need not be UTF-8.
VECTORS = [
    ("hello", {"version": 1, "features": 0}, bytes.fromhex("9200 82 a776657273696f6e 01 a86665617475726573 00")),
    ("health", {}, bytes.fromhex("9201 80")),
    ("exec", {"argv": [b"/bin/echo", b"\xff\xfe\xc3"], "env": [b"A=\x80"], "cwd": b"/caf\xe9"},
     bytes.fromhex("9203 83 a461726776 92 c4092f62696e2f6563686f c403fffec3 a3656e76 91 c403413d80 a3637764 c4052f636166e9")),
    ("exec", {"argv": [b"sh"], "tty_rows": 24, "tty_cols": 300, "want_stdin": True, "timeout_ms": 70000},
     bytes.fromhex("9203 85 a461726776 91 c4027368 a87474795f726f7773 18 a87474795f636f6c73 cd012c aa77616e745f737464696e c3 "
                   "aa74696d656f75745f6d73 ce00011170")),
    ("stdin_data", {"data": b"\x00\xff\xc0\x80"}, bytes.fromhex("9205 81 a464617461 c40400ffc080")),
    ("stdin_eof", {}, bytes.fromhex("9206 80")),
    ("signal", {"number": 15}, bytes.fromhex("9209 81 a66e756d626572 0f")),
    ("resize", {"rows": 50, "cols": 132}, bytes.fromhex("920a 82 a4726f7773 32 a4636f6c73 cc84")),
    ("ack", {}, bytes.fromhex("920c 80")),
    ("shutdown", {"reboot": True, "grace_ms": 500}, bytes.fromhex("920f 82 a67265626f6f74 c3 a867726163655f6d73 cd01f4")),
]


def pack(v):
    """Canonical msgpack of None, bool, int, str, bytes, list and dict."""
    if v is None:
        return b"\xc0"
    if isinstance(v, bool):
        return b"\xc3" if v else b"\xc2"
    if isinstance(v, int):
        if v < 0:
            return struct.pack("b", v) if v >= -32 else b"\xd3" + struct.pack(">q", v)
        for limit, head, form in ((0x80, b"", "B"), (0x100, b"\xcc", "B"), (1 << 16, b"\xcd", ">H"), (1 << 32, b"\xce", ">I")):
            if v < limit:
                return head + struct.pack(form, v)
        return b"\xcf" + struct.pack(">Q", v)
    if isinstance(v, str):
        b = v.encode()
        return sized(len(b), ((32, 0xA0, None), (256, 0xD9, "B"), (1 << 16, 0xDA, ">H"))) + b
    if isinstance(v, bytes):
        return sized(len(v), ((256, 0xC4, "B"), (1 << 16, 0xC5, ">H"), (1 << 32, 0xC6, ">I"))) + v
    if isinstance(v, list):
        return sized(len(v), ((16, 0x90, None), (1 << 16, 0xDC, ">H"))) + b"".join(map(pack, v))
    return sized(len(v), ((16, 0x80, None), (1 << 16, 0xDE, ">H"))) + b"".join(pack(k) + pack(x) for k, x in v.items())


def sized(n, forms):
    for limit, head, form in forms:
        if n < limit:
            return bytes([head | n]) if form is None else bytes([head]) + struct.pack(form, n)
    raise ValueError(n)


class Short(Exception):
    pass


class Reader:
    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, n):
        if len(self.data) - self.at < n:
            raise Short
        self.at += n
        return bytes(self.data[self.at - n:self.at])

    def number(self, form):
        return struct.unpack(form, self.take(struct.calcsize(form)))[0]

    def value(self):
        h = self.take(1)[0]
        if h < 0x80 or h >= 0xE0:
            return h if h < 0x80 else h - 256
        if h < 0x90:
            return self.map(h & 15)
        if h < 0xA0:
            return [self.value() for _ in range(h & 15)]
        if h < 0xC0:
            return self.take(h & 31).decode()
        plain = {0xC0: None, 0xC2: False, 0xC3: True}
        if h in plain:
            return plain[h]
        forms = {0xC4: "B", 0xC5: ">H", 0xC6: ">I", 0xCC: "B", 0xCD: ">H", 0xCE: ">I", 0xCF: ">Q", 0xD0: "b", 0xD1: ">h", 0xD2: ">i",
                 0xD3: ">q", 0xD9: "B", 0xDA: ">H", 0xDB: ">I", 0xDC: ">H", 0xDD: ">I", 0xDE: ">H", 0xDF: ">I"}
        n = self.number(forms[h])
        if h <= 0xC6:
            return self.take(n)
        if h <= 0xD3:
            return n
        if h <= 0xDB:
            return self.take(n).decode()
        return [self.value() for _ in range(n)] if h <= 0xDD else self.map(n)

    def map(self, n):
        return {self.value(): self.value() for _ in range(n)}


def message(name, **fields):
    order = FIELDS.get(name, "").split()
    assert all(f in order for f in fields), fields
    return pack([NUMBERS[name], {f: fields[f] for f in order if f in fields}])


class Gone(Exception):
    """The agent closed the connection."""


class Conn:
    """A client of an agent, over any stream socket."""

    def __init__(self, sock, hello=True, secret=None, features=0):
        self.sock, self.buffer = sock, bytearray()
        sock.settimeout(30)
        if hello:
            self.send("hello", version=1, features=features, **({"secret": secret} if secret else {}))

    def send(self, name, **fields):
        self.sock.sendall(message(name, **fields))

    def next(self, timeout=30):
        """The next message, (name, fields).  Raises Gone at the end, TimeoutError when none comes."""
        end = time.monotonic() + timeout
        while True:
            r = Reader(self.buffer)
            try:
                number, fields = r.value()
                del self.buffer[:r.at]
                return NAMES[number], fields
            except Short:
                pass
            self.sock.settimeout(max(0.01, end - time.monotonic()))
            try:
                data = self.sock.recv(1 << 18)
            except ConnectionResetError:
                data = b""
            if not data:
                raise Gone
            self.buffer += data

    def expect(self, name, timeout=30):
        got, fields = self.next(timeout)
        if got != name:
            raise AssertionError("%s %r instead of %s" % (got, fields, name))
        return fields

    def request(self, name, **fields):
        """Sends a request, gives its answer (name, fields) and acks."""
        self.expect("hello")
        self.send(name, **fields)
        answer = self.next()
        self.send("ack")
        return answer

    def start(self, *argv, **options):
        """Begins an exec; gives the pid."""
        self.expect("hello")
        self.send("exec", argv=[a if isinstance(a, bytes) else a.encode() for a in argv], **options)
        return self.expect("started")["pid"]

    def finish(self, stdin=None, timeout=120, ack=True):
        """Sends all of stdin and an end of input while it reads; gives (exit's fields, stdout, stderr)."""
        out, err = bytearray(), bytearray()
        todo = bytearray()
        if stdin is not None:
            for i in range(0, len(stdin), 61440):
                todo += message("stdin_data", data=stdin[i:i + 61440])
            todo += message("stdin_eof")
        end = time.monotonic() + timeout
        at = 0
        while True:
            if at < len(todo):
                _, w, _ = select.select([], [self.sock], [], 0)
                if w:
                    self.sock.setblocking(False)
                    try:
                        at += self.sock.send(memoryview(todo)[at:at + (1 << 18)])
                    except BlockingIOError:
                        pass
            try:
                name, fields = self.next(0.01 if at < len(todo) else end - time.monotonic())
            except TimeoutError:
                if time.monotonic() > end:
                    raise
                continue
            if name == "stdout_data":
                out += fields["data"]
            elif name == "stderr_data":
                err += fields["data"]
            elif name == "exit":
                if ack:
                    self.send("ack")
                return fields, bytes(out), bytes(err)
            else:
                raise AssertionError("%s %r" % (name, fields))

    def run(self, *argv, stdin=None, **options):
        if stdin is not None:
            options["want_stdin"] = True
        self.start(*argv, **options)
        return self.finish(stdin)

    def close(self):
        self.sock.close()


def unix(path):
    s = socket.socket(socket.AF_UNIX)
    s.connect(path)
    return s


def hybrid(path, port=1024, deadline=20):
    """Through a VMM's Unix socket: CONNECT, OK; again while the guest isn't there yet."""
    end = time.monotonic() + deadline
    while True:
        s = unix(path)
        s.settimeout(5)
        s.sendall(b"CONNECT %d\n" % port)
        line = b""
        try:
            while not line.endswith(b"\n"):
                b = s.recv(1)
                if not b:
                    break
                line += b
        except TimeoutError:
            pass
        if line.startswith(b"OK "):
            return s
        s.close()
        if time.monotonic() > end:
            raise ConnectionError("no agent on port %d: %r" % (port, line))
        time.sleep(0.05)
