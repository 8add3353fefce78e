"""A client whose way to posternd leads over a link, and so over what postern configures: its own network namespace, and a relay beside the daemon."""
import ctypes
import os
import socket
import subprocess
import threading

import e2e
import ground

CLONE_NEWNET = 0x40000000


class Relay:
    """Listens on TCP in this namespace and hands each connection to posternd's socket, as socat would."""

    def __init__(self, port):
        self.listener = socket.create_server(("0.0.0.0", port))
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        while True:
            client, _ = self.listener.accept()
            threading.Thread(target=self._relay, args=(client,), daemon=True).start()

    @staticmethod
    def _relay(client):
        daemon = socket.socket(socket.AF_UNIX)
        try:
            daemon.connect(os.environ["POSTERN_SOCKET"])
        except OSError:
            client.close()
            return
        back = threading.Thread(target=Relay._copy, args=(daemon, client), daemon=True)
        back.start()
        Relay._copy(client, daemon)
        back.join()
        client.close()
        daemon.close()

    @staticmethod
    def _copy(source, target):
        try:
            while True:
                data = source.recv(65536)
                if not data:
                    break
                target.sendall(data)
        except OSError:
            pass
        for s in (source, target):
            try:
                s.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass


class Namespace:
    """A network namespace of its own, held by a process."""

    def __init__(self):
        self.holder = subprocess.Popen(["unshare", "--net", "sleep", "infinity"], stdin=subprocess.DEVNULL)
        mine = os.readlink("/proc/self/ns/net")
        e2e.until(lambda: os.readlink("/proc/%d/ns/net" % self.holder.pid) != mine)
        self.path = "/proc/%d/ns/net" % self.holder.pid
        self.run("ip", "link", "set", "lo", "up")

    def run(self, *command):
        return ground.run("nsenter", "--net=" + self.path, *command)

    def reaches(self, address):
        return subprocess.run(["nsenter", "--net=" + self.path, "ping", "-n", "-c", "1", "-W", "1", address], stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL).returncode == 0

    def socket(self):
        """A TCP socket of this namespace: a socket stays where it was made, its maker comes back."""
        made = []

        def make():
            libc = ctypes.CDLL(None, use_errno=True)
            fd = os.open(self.path, os.O_RDONLY)
            ground.check(libc.setns(fd, CLONE_NEWNET), "setns")
            os.close(fd)
            made.append(socket.socket())

        thread = threading.Thread(target=make)  # setns() moves one thread, which ends here
        thread.start()
        thread.join()
        return made[0]

    def close(self):
        self.holder.kill()
        self.holder.wait()


class Client(e2e.Client):
    """JSON-RPC over TCP from a namespace."""

    def __init__(self, namespace, address, port, timeout=5):
        self.sock = namespace.socket()
        self.sock.settimeout(timeout)
        try:
            self.sock.connect((address, port))
        except OSError:
            self.sock.close()
            raise
        self.file = self.sock.makefile("rwb")
        self.id = 0

    def hang_up(self):
        """Closes whatever was left unsent: the socket would keep its namespace alive."""
        self.sock.shutdown(socket.SHUT_RDWR)
        try:
            self.file.close()
        except OSError:
            pass
        self.sock.close()
